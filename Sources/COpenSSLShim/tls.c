#include "COpenSSLShimTLS.h"
