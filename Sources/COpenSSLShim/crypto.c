#include "COpenSSLShimCrypto.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>

static EVP_PKEY *key_from(const char *type, int selection, OSSL_PARAM_BLD *parts) {
    EVP_PKEY *key = NULL;
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(parts);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (!parameters || !context || EVP_PKEY_fromdata_init(context) <= 0
        || EVP_PKEY_fromdata(context, &key, selection, parameters) <= 0) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    return key;
}

EVP_PKEY *oxbow_rsa_public_key(
    const uint8_t *modulus, size_t modulus_length, const uint8_t *exponent, size_t exponent_length) {
    EVP_PKEY *key = NULL;
    BIGNUM *n = BN_bin2bn(modulus, (int)modulus_length, NULL);
    BIGNUM *e = BN_bin2bn(exponent, (int)exponent_length, NULL);
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    if (n && e && parts && OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_N, n)
        && OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_E, e))
        key = key_from("RSA", EVP_PKEY_PUBLIC_KEY, parts);
    OSSL_PARAM_BLD_free(parts);
    BN_free(e);
    BN_free(n);
    return key;
}

static EVP_PKEY *ec_key(const char *curve, const uint8_t *point, size_t length, const BIGNUM *scalar) {
    EVP_PKEY *key = NULL;
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    if (parts && OSSL_PARAM_BLD_push_utf8_string(parts, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0)
        && OSSL_PARAM_BLD_push_octet_string(parts, OSSL_PKEY_PARAM_PUB_KEY, point, length)
        && (!scalar || OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_PRIV_KEY, scalar)))
        key = key_from("EC", scalar ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, parts);
    OSSL_PARAM_BLD_free(parts);
    return key;
}

EVP_PKEY *oxbow_ec_public_key(const char *curve, const uint8_t *point, size_t length) {
    return ec_key(curve, point, length, NULL);
}

// The longest uncompressed point: P-521.
#define LONGEST_POINT (1 + 2 * 66)

EVP_PKEY *oxbow_ec_key_pair(const char *curve, const uint8_t *scalar, size_t length) {
    EVP_PKEY *key = NULL;
    uint8_t encoded[LONGEST_POINT];
    EC_GROUP *group = EC_GROUP_new_by_curve_name(OBJ_txt2nid(curve));
    EC_POINT *point = group ? EC_POINT_new(group) : NULL;
    BIGNUM *number = BN_secure_new();
    if (point && number && BN_bin2bn(scalar, (int)length, number)) {
        BN_set_flags(number, BN_FLG_CONSTTIME);
        int inRange = !BN_is_zero(number) && BN_cmp(number, EC_GROUP_get0_order(group)) < 0;
        if (inRange && EC_POINT_mul(group, point, number, NULL, NULL, NULL)) {
            size_t size = EC_POINT_point2oct(
                group, point, POINT_CONVERSION_UNCOMPRESSED, encoded, sizeof encoded, NULL);
            if (size) key = ec_key(curve, encoded, size, number);
        }
    }
    BN_clear_free(number);
    EC_POINT_free(point);
    EC_GROUP_free(group);
    return key;
}

int oxbow_ec_scalar(const EVP_PKEY *key, uint8_t *scalar, size_t length) {
    BIGNUM *number = NULL;
    int ok = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &number)
        && BN_bn2binpad(number, scalar, (int)length) == (int)length;
    BN_clear_free(number);
    return ok;
}

static EC_GROUP *group_of(const EVP_PKEY *key) {
    char name[80];
    if (!EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, name, sizeof name, NULL)) return NULL;
    return EC_GROUP_new_by_curve_name(OBJ_txt2nid(name));
}

size_t oxbow_ec_point(const EVP_PKEY *key, int compressed, uint8_t *point, size_t capacity) {
    uint8_t encoded[LONGEST_POINT];
    size_t length = 0, result = 0;
    EC_GROUP *group = group_of(key);
    EC_POINT *value = group ? EC_POINT_new(group) : NULL;
    if (value && EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, encoded, sizeof encoded, &length)
        && EC_POINT_oct2point(group, value, encoded, length, NULL))
        result = EC_POINT_point2oct(
            group, value, compressed ? POINT_CONVERSION_COMPRESSED : POINT_CONVERSION_UNCOMPRESSED, point, capacity,
            NULL);
    EC_POINT_free(value);
    EC_GROUP_free(group);
    return result;
}

size_t oxbow_ecdsa_low_s(const EVP_PKEY *key, uint8_t *signature, size_t length) {
    const uint8_t *input = signature;
    uint8_t *output = signature;
    int size = 0;
    EC_GROUP *group = group_of(key);
    ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &input, (long)length);
    BIGNUM *r = NULL, *s = NULL, *half = BN_new();
    if (group && parsed && half && BN_rshift1(half, EC_GROUP_get0_order(group))) {
        if (BN_cmp(ECDSA_SIG_get0_s(parsed), half) <= 0) {
            size = (int)length;
        } else {
            r = BN_dup(ECDSA_SIG_get0_r(parsed));
            s = BN_new();
            // The signature owns r and s once it has taken them.
            if (r && s && BN_sub(s, EC_GROUP_get0_order(group), ECDSA_SIG_get0_s(parsed))
                && ECDSA_SIG_set0(parsed, r, s)) {
                r = s = NULL;
                size = i2d_ECDSA_SIG(parsed, NULL);
                size = size > 0 && (size_t)size <= length ? i2d_ECDSA_SIG(parsed, &output) : 0;
            }
        }
    }
    BN_free(half);
    BN_free(s);
    BN_free(r);
    ECDSA_SIG_free(parsed);
    EC_GROUP_free(group);
    return size > 0 ? (size_t)size : 0;
}
