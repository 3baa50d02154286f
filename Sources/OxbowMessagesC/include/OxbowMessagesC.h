#ifndef OXBOW_MESSAGES_C_H
#define OXBOW_MESSAGES_C_H
#include <protobuf-c/protobuf-c.h>
#endif
