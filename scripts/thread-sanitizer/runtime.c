// Tells ThreadSanitizer of what Swift's libraries order between threads: they aren't instrumented, so that what they order would be
// reported as a race. Loaded before them, this calls them, and says what they did.
//
// The first: Synchronization.Mutex. A lock that is free is taken in the client's own code, which is instrumented; one that has to
// wait is taken inside of libswiftSynchronization. The functions are methods of a type that is never moved: `self` is its
// address, in the register of Swift's context.
//
// The second: a buffer whose last other holder has let it go may be written again, and whoever asks whether it is the only holder is
// ordered behind those that let go: the runtime decrements with release, and asks with acquire. Said of NIO's byte
// buffers alone, which is what is shared so; for each object of a program it would take its toll.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// The test program has them; a program that isn't instrumented, like `swift` itself, hasn't.
__attribute__((weak)) void __tsan_acquire(void *address);
__attribute__((weak)) void __tsan_release(void *address);

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context))
#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

SWIFT void lockSlow(uint32_t thread, SELF void *mutex) __asm__(LOCK);
SWIFT bool tryLockSlow(SELF void *mutex) __asm__(TRY_LOCK);
SWIFT void unlockSlow(SELF void *mutex) __asm__(UNLOCK);

SWIFT void lockSlow(uint32_t thread, SELF void *mutex) {
    SWIFT void (*real)(uint32_t, SELF void *) = dlsym(RTLD_NEXT, LOCK);
    real(thread, mutex);
    if (__tsan_acquire) __tsan_acquire(mutex);
}

SWIFT bool tryLockSlow(SELF void *mutex) {
    SWIFT bool (*real)(SELF void *) = dlsym(RTLD_NEXT, TRY_LOCK);
    bool taken = real(mutex);
    if (taken && __tsan_acquire) __tsan_acquire(mutex);
    return taken;
}

SWIFT void unlockSlow(SELF void *mutex) {
    SWIFT void (*real)(SELF void *) = dlsym(RTLD_NEXT, UNLOCK);
    if (__tsan_release) __tsan_release(mutex);
    real(mutex);
}

// MARK: Buffers that are used again

// The kind that the type of a class says of itself; boxes and closures have others, and no name.
#define CLASS 0

struct name {
    const char *data;
    uintptr_t length;
};

static bool isNamedBuffer(const void *type) {
    static SWIFT struct name (*typeName)(const void *, bool);
    if (!typeName) typeName = dlsym(RTLD_NEXT, "swift_getTypeName");
    static const char wanted[] = "NIOCore.ByteBuffer._Storage";
    struct name name = typeName(type, true);
    return name.length == sizeof wanted - 1 && memcmp(name.data, wanted, name.length) == 0;
}

// To find a type's name takes locks, and may release something: each type is asked once, and nothing meanwhile.
static bool isBuffer(void *object) {
    static _Atomic(const void *) buffer, others[1 << 14];
    static _Thread_local bool isAsking;
    const void *type = *(const void **)object;
    if (type == buffer) return true;
    if (!type || isAsking || buffer || *(const uintptr_t *)type != CLASS) return false;
    _Atomic(const void *) *known = &others[((uintptr_t)type >> 4) & ((1 << 14) - 1)];
    if (*known == type) return false;
    isAsking = true;
    bool found = isNamedBuffer(type);
    isAsking = false;
    *(found ? &buffer : known) = type;
    return found;
}

void swift_release(void *object) {
    static void (*real)(void *);
    if (!real) real = dlsym(RTLD_NEXT, "swift_release");
    if (object && __tsan_release && isBuffer(object)) __tsan_release(object);
    real(object);
}

void swift_release_n(void *object, uint32_t count) {
    static void (*real)(void *, uint32_t);
    if (!real) real = dlsym(RTLD_NEXT, "swift_release_n");
    if (object && __tsan_release && isBuffer(object)) __tsan_release(object);
    real(object, count);
}

bool swift_isUniquelyReferenced_nonNull_native(const void *object) {
    static bool (*real)(const void *);
    if (!real) real = dlsym(RTLD_NEXT, "swift_isUniquelyReferenced_nonNull_native");
    bool isUnique = real(object);
    if (isUnique && __tsan_acquire && isBuffer((void *)object)) __tsan_acquire((void *)object);
    return isUnique;
}
