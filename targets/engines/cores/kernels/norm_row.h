/* SPDX-License-Identifier: Apache-2.0
 *
 * What the normalisations' kernels share: roots, and exact division by multiplication.
 */
#ifndef NORM_ROW_H
#define NORM_ROW_H

#include "attoflow_kernel.h"

/** floor(sqrt(value)) bit by bit, for values below 4 * bit; bit is a power of four. */
static inline uint32_t square_root(uint32_t value, uint32_t bit)
{
    uint32_t root = 0;
    for (; bit != 0; bit >>= 2) {
        uint32_t trial = root + bit;
        root >>= 1;
        if (value >= trial) {
            value -= trial;
            root += bit;
        }
    }
    return root;
}

/**
 * Division of magnitudes up to 2^31 by a divisor from 2 to 65535: n / divisor = (n * factor) >> (32 + shift).
 * With 2^(l-1) < divisor <= 2^l and factor = floor(2^(31+l) / divisor) + 1 this is exact (Granlund and
 * Montgomery, PLDI 1994), and shift = l - 1.
 */
struct reciprocal {
    uint32_t factor;
    uint32_t shift;
};

static inline struct reciprocal reciprocal_of(uint32_t divisor)
{
    struct reciprocal r = {0, 0};
    uint32_t quotient, dividend = 1u << 16; /* 2^(15+l), the dividend's upper part */
    while (2u << r.shift < divisor) {
        r.shift++;
        dividend <<= 1;
    }
    quotient = dividend / divisor;
    r.factor = (quotient << 16) + ((dividend - quotient * divisor) << 16) / divisor + 1u;
    return r;
}

static inline uint32_t divide(uint32_t n, struct reciprocal r)
{
    return (uint32_t)(((uint64_t)n * r.factor) >> 32) >> r.shift;
}

#endif
