#ifndef OXBOW_OPENSSL_SHIM_CRYPTO_H
#define OXBOW_OPENSSL_SHIM_CRYPTO_H
// Keys from their parts. OSSL_PARAM names are string macros, whose Swift import would be a String without a lasting
// address, so parameter lists are built here.
//
// Every function that returns a key returns NULL on failure; the caller owns the key and clears the error queue.
#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

/// An RSA public key from big-endian numbers.
EVP_PKEY *_Nullable oxbow_rsa_public_key(
    const uint8_t *_Nonnull modulus, size_t modulus_length, const uint8_t *_Nonnull exponent, size_t exponent_length);

/// A public key on the named curve from an encoded point; NULL when the point isn't on the curve.
EVP_PKEY *_Nullable oxbow_ec_public_key(const char *_Nonnull curve, const uint8_t *_Nonnull point, size_t length);

/// A key pair on the named curve from a big-endian scalar; NULL when the scalar isn't between 1 and the order less 1.
EVP_PKEY *_Nullable oxbow_ec_key_pair(const char *_Nonnull curve, const uint8_t *_Nonnull scalar, size_t length);

/// The scalar of an EC key pair, big-endian, padded to `length`. Returns 1, or 0 on failure.
int oxbow_ec_scalar(const EVP_PKEY *_Nonnull key, uint8_t *_Nonnull scalar, size_t length);

/// The point of an EC key. `compressed` chooses between 1 + n and 1 + 2n bytes. Returns its length, or 0 when it
/// failed or `capacity` is too small.
size_t oxbow_ec_point(const EVP_PKEY *_Nonnull key, int compressed, uint8_t *_Nonnull point, size_t capacity);

/// Rewrites a DER ECDSA signature of the key so that its s is at most half the order (BIP 62). Returns the new
/// length, which is never longer, or 0 on failure.
size_t oxbow_ecdsa_low_s(const EVP_PKEY *_Nonnull key, uint8_t *_Nonnull signature, size_t length);

#endif
