#include "call_counter.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OXBOW_SANITIZED 1
#endif
#endif

#include <stdlib.h>
#if defined(__GLIBC__) && !defined(OXBOW_SANITIZED)
#define OXBOW_INTERPOSES 1
#endif

static atomic_bool is_counting;
static atomic_uint_fast64_t calls;
static atomic_uint_fast64_t bytes;

#ifdef OXBOW_INTERPOSES

// An executable's symbols go before those of every library, so that the whole process calls these. What they hand out is
// the allocator's own, and goes back to it by its own free.
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static void note(size_t size) {
    if (!atomic_load_explicit(&is_counting, memory_order_relaxed)) return;
    atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&bytes, size, memory_order_relaxed);
}

void *malloc(size_t size) {
    note(size);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    note(count * size);
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
    note(size);
    return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size) {
    note(size);
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    note(size);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
    note(size);
    void *block = __libc_memalign(alignment, size);
    if (block == NULL) return ENOMEM;
    *result = block;
    return 0;
}

#endif

bool oxbow_counts_allocations(void) {
#ifdef OXBOW_INTERPOSES
    return true;
#else
    return false;
#endif
}

__attribute__((noinline)) oxbow_allocations oxbow_counted(void (*body)(void *context), void *context) {
    atomic_store(&calls, 0);
    atomic_store(&bytes, 0);
    atomic_store(&is_counting, true);
    body(context);
    atomic_store(&is_counting, false);
    return (oxbow_allocations){.calls = atomic_load(&calls), .bytes = atomic_load(&bytes)};
}
