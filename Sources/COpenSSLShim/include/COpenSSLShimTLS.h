#ifndef OXBOW_OPENSSL_SHIM_TLS_H
#define OXBOW_OPENSSL_SHIM_TLS_H
// What OxbowSecurity needs of libssl's macros.
#include <openssl/ssl.h>
#endif
