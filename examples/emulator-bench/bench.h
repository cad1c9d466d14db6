/* What the benchmark programs share: a generator of data, a running hash, and the entry of each program. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

/* Work to do: set on the compiler's command line. */
#ifndef ROUNDS
#define ROUNDS 1
#endif

/* Keeps a kernel a function of its own, as it is in a library. */
#define KERNEL __attribute__((noinline))

/* xorshift32 (Marsaglia 2003). */
static inline uint32_t next_random(uint32_t *state) {
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    *state = x;
    return x;
}

/* One step of FNV-1a over words. */
static inline uint32_t mix(uint32_t hash, uint32_t word) { return (hash ^ word) * 16777619u; }

#define HASH_START 2166136261u

/* Does ROUNDS rounds of a program's work; returns a hash of its results. */
uint32_t bench(void);

#endif
