#include "COpenSSLShimTLS.h"
#include <openssl/ec.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

int oxbow_tls_context_configure(SSL_CTX *context, long maximum_certificates) {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    // Buffers of an idle connection are given back: 34 KiB each.
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(context, maximum_certificates);
    return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION)
        && SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION)
        && SSL_CTX_set_num_tickets(context, 0)
        && SSL_CTX_set_max_early_data(context, 0)
        && SSL_CTX_set_recv_max_early_data(context, 0)
        && SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384");
}

int oxbow_tls_context_add_chain_certificate(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add1_chain_cert(context, certificate);
}

int oxbow_tls_certificate_count(const STACK_OF(X509) *certificates) {
    return certificates == NULL ? 0 : sk_X509_num(certificates);
}

EVP_PKEY *oxbow_tls_generate_p256(void) {
    return EVP_EC_gen("P-256");
}

void oxbow_tls_free(void *memory) {
    OPENSSL_free(memory);
}

typedef struct {
    BIO *incoming, *outgoing;
    const uint8_t *input;
    size_t unread;
    uint8_t *output;
    size_t written, room;
} tls_window;

static int window_read(BIO *bio, char *bytes, size_t room, size_t *count) {
    tls_window *window = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (BIO_ctrl_pending(window->incoming) > 0) return BIO_read_ex(window->incoming, bytes, room, count);
    if (window->unread == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    *count = room < window->unread ? room : window->unread;
    memcpy(bytes, window->input, *count);
    window->input += *count;
    window->unread -= *count;
    return 1;
}

static int window_write(BIO *bio, const char *bytes, size_t count, size_t *written) {
    tls_window *window = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    // Behind what had no room, nothing may go before it.
    if (BIO_ctrl_pending(window->outgoing) > 0 || count > window->room - window->written)
        return BIO_write_ex(window->outgoing, bytes, count, written);
    memcpy(window->output + window->written, bytes, count);
    window->written += count;
    *written = count;
    return 1;
}

static long window_control(BIO *bio, int command, long number, void *pointer) {
    tls_window *window = BIO_get_data(bio);
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_PENDING: return (long)(BIO_ctrl_pending(window->incoming) + window->unread);
    case BIO_CTRL_WPENDING: return (long)BIO_ctrl_pending(window->outgoing);
    default: return 0;
    }
}

static int window_free(BIO *bio) {
    tls_window *window = BIO_get_data(bio);
    if (window) {
        BIO_free(window->incoming);
        BIO_free(window->outgoing);
        free(window);
    }
    return 1;
}

static BIO_METHOD *window_method;

// Once in a process, and never freed.
static void make_window_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "caller's memory");
    if (method && BIO_meth_set_read_ex(method, window_read) && BIO_meth_set_write_ex(method, window_write)
        && BIO_meth_set_ctrl(method, window_control) && BIO_meth_set_destroy(method, window_free))
        window_method = method;
}

BIO *oxbow_tls_window_new(BIO *incoming, BIO *outgoing) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_window_method);
    tls_window *window = calloc(1, sizeof *window);
    BIO *bio = window && window_method ? BIO_new(window_method) : NULL;
    if (!bio) {
        free(window);
        return NULL;
    }
    window->incoming = incoming;
    window->outgoing = outgoing;
    BIO_set_data(bio, window);
    BIO_set_init(bio, 1);
    return bio;
}

void oxbow_tls_window_lend_input(BIO *bio, const void *bytes, size_t count) {
    tls_window *window = BIO_get_data(bio);
    window->input = bytes;
    window->unread = count;
}

size_t oxbow_tls_window_return_input(BIO *bio) {
    tls_window *window = BIO_get_data(bio);
    size_t unread = window->unread;
    window->input = NULL;
    window->unread = 0;
    return unread;
}

void oxbow_tls_window_lend_output(BIO *bio, void *bytes, size_t room) {
    tls_window *window = BIO_get_data(bio);
    window->output = bytes;
    window->written = 0;
    window->room = room;
}

size_t oxbow_tls_window_return_output(BIO *bio) {
    tls_window *window = BIO_get_data(bio);
    size_t written = window->written;
    window->output = NULL;
    window->written = window->room = 0;
    return written;
}
