/* Nine harts: eight multiply rows of int8 matrices in L1, the ninth copies words, and all meet at the barrier. */
#include "bench.h"

enum { WORKERS = 8, SIZE = 64, WORDS = 1024 };

static int8_t left[SIZE * SIZE], right[SIZE * SIZE], product[SIZE * SIZE];
static uint32_t source[WORDS], target[WORDS];

static volatile uint8_t *const uart = (volatile uint8_t *)0x03002000;

static inline void barrier(void) { __asm__ volatile("fence\n\tcsrr zero, 0x7c2" ::: "memory"); }

static KERNEL void multiply_rows(int first, int32_t factor) {
    for (int row = first; row < SIZE; row += WORKERS) {
        for (int column = 0; column < SIZE; column++) {
            int32_t sum = 0;
            for (int k = 0; k < SIZE; k++) sum += left[row * SIZE + k] * right[k * SIZE + column];
            sum = (sum * factor + (1 << 10)) >> 11;
            product[row * SIZE + column] = (int8_t)(sum > 127 ? 127 : sum < -128 ? -128 : sum);
        }
    }
}

static KERNEL void copy_words(uint32_t *to, const uint32_t *from) {
    for (int i = 0; i < WORDS; i++) to[i] = from[i];
}

void work(uint32_t hart) {
    if (hart == WORKERS) {
        uint32_t state = 5;
        for (int i = 0; i < SIZE * SIZE; i++) {
            left[i] = (int8_t)next_random(&state);
            right[i] = (int8_t)next_random(&state);
        }
        for (int i = 0; i < WORDS; i++) source[i] = next_random(&state);
    }
    for (int round = 0; round < ROUNDS; round++) {
        barrier();
        if (hart < WORKERS) multiply_rows((int)hart, 3 + (round & 7));
        else for (int i = 0; i < 8; i++) copy_words(target, source);
        barrier();
        if (hart == 0) left[round * 71 & (SIZE * SIZE - 1)] = product[round * 37 & (SIZE * SIZE - 1)];
        else if (hart == WORKERS) source[round & (WORDS - 1)] += target[round * 3 & (WORDS - 1)];
    }
}

void report(void) {
    uint32_t hash = HASH_START;
    for (int i = 0; i < SIZE * SIZE; i++) hash = mix(hash, (uint32_t)product[i]);
    for (int i = 0; i < WORDS; i++) hash = mix(hash, target[i]);
    for (int shift = 28; shift >= 0; shift -= 4) *uart = (uint8_t)"0123456789abcdef"[hash >> shift & 15];
    *uart = '\n';
}
