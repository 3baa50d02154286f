#include "COpenSSLShimTLS.h"
#include <openssl/ec.h>

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
