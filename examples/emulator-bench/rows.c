/* Rows of a transformer: layer normalisation with integer square root and divisions, then an integer softmax. */
#include "bench.h"

enum { ROWS = 64, LENGTH = 128 };

static int8_t data[ROWS * LENGTH], normal[ROWS * LENGTH];
static int32_t weight[LENGTH], bias[LENGTH];

static inline int8_t clip(int32_t value) {
    if (value > 127) value = 127;
    if (value < -128) value = -128;
    return (int8_t)value;
}

/* Newton's method from above. */
static int32_t square_root(int32_t value) {
    int32_t root = 1 << 16, last;
    do {
        last = root;
        root = (root + value / root) >> 1;
    } while (root < last);
    return last;
}

static KERNEL void normalise(void) {
    for (int row = 0; row < ROWS; row++) {
        const int8_t *in = data + row * LENGTH;
        int8_t *out = normal + row * LENGTH;
        int32_t sum = 0, squares = 0;
        for (int i = 0; i < LENGTH; i++) sum += in[i];
        int32_t mean = sum / LENGTH;
        for (int i = 0; i < LENGTH; i++) squares += (in[i] - mean) * (in[i] - mean);
        int32_t deviation = square_root(squares / LENGTH + 1);
        for (int i = 0; i < LENGTH; i++) {
            out[i] = clip(((in[i] - mean) * weight[i] / deviation + bias[i]) >> 6);
        }
    }
}

static KERNEL void soften(void) {
    for (int row = 0; row < ROWS; row++) {
        const int8_t *in = normal + row * LENGTH;
        int8_t *out = data + row * LENGTH;
        int32_t most = -128;
        for (int i = 0; i < LENGTH; i++) {
            if (in[i] > most) most = in[i];
        }
        uint32_t sum = 0;
        for (int i = 0; i < LENGTH; i++) sum += 256u >> ((uint32_t)(most - in[i]) >> 5);
        uint32_t inverse = 0xff0000u / sum;
        for (int i = 0; i < LENGTH; i++) {
            uint32_t share = inverse >> ((uint32_t)(most - in[i]) >> 5);
            out[i] = (int8_t)(out[i] ^ (share >> 7));
        }
    }
}

uint32_t bench(void) {
    uint32_t state = 7, hash = HASH_START;
    for (int i = 0; i < ROWS * LENGTH; i++) data[i] = (int8_t)next_random(&state);
    for (int i = 0; i < LENGTH; i++) {
        weight[i] = 1500 + (int32_t)(next_random(&state) & 1023);
        bias[i] = (int32_t)(next_random(&state) & 2047) - 1024;
    }
    for (int round = 0; round < ROUNDS; round++) {
        normalise();
        soften();
        hash = mix(hash, (uint32_t)data[(round & 63) * LENGTH + (round & 127)]);
    }
    for (int i = 0; i < ROWS * LENGTH; i++) hash = mix(hash, (uint32_t)data[i]);
    return hash;
}
