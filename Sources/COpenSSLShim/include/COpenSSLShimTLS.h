#ifndef OXBOW_OPENSSL_SHIM_TLS_H
#define OXBOW_OPENSSL_SHIM_TLS_H
// What the TLS machine needs of libssl and libcrypto that is a macro there, and so invisible to Swift.
#include <openssl/ssl.h>

/// Sets what every context of ours has: TLS 1.3 alone, no tickets, no resumption, no renegotiation, no compression,
/// no early data, both sides authenticated, at most `maximum_certificates` bytes of the other side's certificates.
/// Returns 1, or 0 when libssl refused one of them.
int oxbow_tls_context_configure(SSL_CTX *context, long maximum_certificates);

/// `SSL_CTX_add1_chain_cert`: a second certificate behind the first, which only a misbehaving peer sends.
int oxbow_tls_context_add_chain_certificate(SSL_CTX *context, X509 *certificate);

/// `sk_X509_num`, and 0 for no stack.
int oxbow_tls_certificate_count(const STACK_OF(X509) *certificates);

/// `EVP_EC_gen` for P-256: a fresh key for a certificate, or NULL. Draws on libcrypto's random numbers.
EVP_PKEY *oxbow_tls_generate_p256(void);

/// `OPENSSL_free`.
void oxbow_tls_free(void *memory);

// A BIO through which libssl reads and writes the caller's own memory for as long as one call takes, instead of a copy
// of it. Behind it stand two memory BIOs: what they hold is read first, and what has no room in the caller's memory is
// written to them, so that without any it behaves as they do.

/// A BIO over `incoming` and `outgoing`, which it frees with itself. NULL, and then it took neither, when memory is out.
BIO *oxbow_tls_window_new(BIO *incoming, BIO *outgoing);

/// Lets libssl read `count` bytes where they are.
void oxbow_tls_window_lend_input(BIO *window, const void *bytes, size_t count);

/// Takes the input back. Returns how many of its bytes weren't read.
size_t oxbow_tls_window_return_input(BIO *window);

/// Lets libssl write up to `room` bytes there.
void oxbow_tls_window_lend_output(BIO *window, void *bytes, size_t room);

/// Takes the output back. Returns how many bytes were written to it.
size_t oxbow_tls_window_return_output(BIO *window);
#endif
