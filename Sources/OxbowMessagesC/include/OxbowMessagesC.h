// Written by scripts/protoc.
#ifndef OXBOW_MESSAGES_C_H
#define OXBOW_MESSAGES_C_H
#include "autonat_v1.pb-c.h"
#include "autonat_v2.pb-c.h"
#include "envelope.pb-c.h"
#include "identify.pb-c.h"
#include "keys.pb-c.h"
#include "noise.pb-c.h"
#include "peer_record.pb-c.h"
#include "stream_migration.pb-c.h"
#endif
