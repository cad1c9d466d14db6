/* Matrix product of int8 with int32 sums, requantised to int8; written plainly, a scalar loop for each element. */
#include "bench.h"

enum { SIZE = 64 };

static int8_t left[SIZE * SIZE], right[SIZE * SIZE], product[SIZE * SIZE];

static KERNEL void multiply(int32_t factor, int32_t shift) {
    for (int row = 0; row < SIZE; row++) {
        for (int column = 0; column < SIZE; column++) {
            int32_t sum = 0;
            for (int k = 0; k < SIZE; k++) sum += left[row * SIZE + k] * right[k * SIZE + column];
            sum = (sum * factor + (1 << (shift - 1))) >> shift;
            if (sum > 127) sum = 127;
            if (sum < -128) sum = -128;
            product[row * SIZE + column] = (int8_t)sum;
        }
    }
}

uint32_t bench(void) {
    uint32_t state = 1, hash = HASH_START;
    for (int i = 0; i < SIZE * SIZE; i++) {
        left[i] = (int8_t)next_random(&state);
        right[i] = (int8_t)next_random(&state);
    }
    for (int round = 0; round < ROUNDS; round++) {
        multiply(3 + (round & 7), 11);
        int row = round & 63, column = round * 5 & 63;
        left[row * SIZE + column] = product[column * SIZE + row];
        hash = mix(hash, (uint32_t)product[row * SIZE + column]);
    }
    for (int i = 0; i < SIZE * SIZE; i++) hash = mix(hash, (uint32_t)product[i]);
    return hash;
}
