#ifndef OXBOW_CALL_COUNTER_H
#define OXBOW_CALL_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

// Runs code, and counts what it allocates. Callgrind finds the code by the name of `oxbow_counted`.

typedef struct {
    /// Calls of malloc, calloc, realloc, memalign, aligned_alloc and posix_memalign.
    uint64_t calls;
    /// What they asked for, in bytes.
    uint64_t bytes;
} oxbow_allocations;

/// Whether allocations can be counted here: with glibc and without a sanitizer.
bool oxbow_counts_allocations(void);

/// Calls `body(context)`, and counts the allocations of all threads meanwhile.
oxbow_allocations oxbow_counted(void (*body)(void *context), void *context);

#endif
