/* Branches that nobody can predict: Collatz sequences, decisions by random bits, a byte-code machine. */
#include "bench.h"

enum { CODE = 256, STEPS = 1000 };

static uint8_t code[CODE];
static uint32_t memory[16];

static KERNEL uint32_t collatz(uint32_t n) {
    uint32_t steps = 0;
    for (; n != 1; steps++) n = n % 2 == 0 ? n / 2 : 3 * n + 1;
    return steps;
}

static KERNEL uint32_t decide(uint32_t *state, int count) {
    uint32_t value = 0;
    while (count-- > 0) {
        uint32_t bits = next_random(state);
        if (bits & 1) {
            if (bits & 2) value += bits;
            else value ^= bits;
        } else if (bits & 4) {
            if (bits & 8) value -= bits;
            else value = value << 3 | value >> 29;
        } else {
            value++;
        }
    }
    return value;
}

static KERNEL uint32_t interpret(int steps) {
    uint32_t a = 1, b = 2, c = 3;
    unsigned at = 0;
    while (steps-- > 0) {
        uint8_t operation = code[at];
        at = (at + 1) % CODE;
        switch (operation & 7) {
        case 0: a += b; break;
        case 1: b ^= c; break;
        case 2: c = c * 9 + 7; break;
        case 3: if (a & 1) at = (at + (operation >> 3)) % CODE; break;
        case 4: memory[a & 15] = b; break;
        case 5: b = memory[c & 15]; break;
        case 6: a = a >> 1 | c << 31; break;
        default: c -= a; break;
        }
    }
    return a ^ b ^ c;
}

uint32_t bench(void) {
    uint32_t state = 29, hash = HASH_START;
    for (int i = 0; i < CODE; i++) code[i] = (uint8_t)(next_random(&state) >> 7);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 19; i++) hash = mix(hash, collatz((next_random(&state) & 0xfff) + 1));
        hash = mix(hash, decide(&state, STEPS));
        hash = mix(hash, interpret(STEPS));
    }
    return hash;
}
