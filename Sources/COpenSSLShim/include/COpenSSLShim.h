#ifndef OXBOW_OPENSSL_SHIM_H
#define OXBOW_OPENSSL_SHIM_H
// libssl and libcrypto offer a part of their interface as macros, which Swift can't import: this is their thin cover.
#include "COpenSSLShimCrypto.h"
#include "COpenSSLShimTLS.h"
#endif
