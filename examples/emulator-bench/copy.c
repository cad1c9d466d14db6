/* Copies: 16 KiB in words, eight at a time, and 1 KiB in bytes. */
#include "bench.h"

enum { WORDS = 4096, BYTES = 1024 };

static uint32_t source[WORDS], target[WORDS];

static KERNEL void copy_words(uint32_t *to, const uint32_t *from, int words) {
    for (; words > 0; words -= 8, to += 8, from += 8) {
        uint32_t a = from[0], b = from[1], c = from[2], d = from[3];
        uint32_t e = from[4], f = from[5], g = from[6], h = from[7];
        to[0] = a;
        to[1] = b;
        to[2] = c;
        to[3] = d;
        to[4] = e;
        to[5] = f;
        to[6] = g;
        to[7] = h;
    }
}

/* `volatile` keeps it a copy byte by byte. */
static KERNEL void copy_bytes(volatile uint8_t *to, const volatile uint8_t *from, int bytes) {
    while (bytes-- > 0) *to++ = *from++;
}

uint32_t bench(void) {
    uint32_t state = 3, hash = HASH_START;
    for (int i = 0; i < WORDS; i++) source[i] = next_random(&state);
    for (int round = 0; round < ROUNDS; round++) {
        source[round & (WORDS - 1)] += (uint32_t)round;
        copy_words(target, source, WORDS);
        copy_bytes((uint8_t *)source + 100, (uint8_t *)target + 200, BYTES);
        hash = mix(hash, target[round * 11 & (WORDS - 1)]);
    }
    for (int i = 0; i < WORDS; i++) hash = mix(hash, target[i]);
    return hash;
}
