/* SPDX-License-Identifier: Apache-2.0
 *
 * iLayerNorm and iRMSNorm with one weight and one bias for all columns.
 */
#ifndef NORM_UNIFORM_H
#define NORM_UNIFORM_H

#include "attoflow_kernel.h"

enum {
    NORM_TABLE_BYTES = 512, /* results for distances -256 to 255 */
    NORM_FRACTION = 24,
    NORM_SLOTS = 16, /* a power of two */
};

/**
 * What the cores find in L1 at a layer's first piece, and what they leave there for its next ones: tables that any of
 * them has made. All zero in the beginning, but for the squares and the layer's parameters (norms.ts, normMemo): those
 * tell the memos of different layers apart, which must not be exchanged.
 */
struct norm_memo {
    int32_t parameters[8];
    uint32_t roots[NORM_SLOTS];  /* that a slot's table is ready for; 0: for none */
    uint32_t claims[NORM_SLOTS]; /* cores that wanted to make the slot's table: the first one does */
    uint16_t squares[256];       /* of the elements, from the least of their type on */
    uint8_t tables[NORM_SLOTS][NORM_TABLE_BYTES];
};

/**
 * y = clip((trunc(c * weight / root) + bias) >> shift) as in norm.h. Elements have 8 bits. The tables that a core makes
 * are exact if 1 <= weight < 2^(8 + shift), shift <= 8 and low <= bias >> shift <= high (see norm_uniform.c).
 */
struct layer_norm_uniform_args {
    const uint8_t *x;
    struct norm_memo *memo;
    uint8_t *y;
    int32_t rows, columns;
    int32_t x_type;
    int32_t centred; /* 1: iLayerNorm; 0: iRMSNorm, which takes no mean away and has no bias */
    int32_t weight, bias;
    /* n / columns and n / weight for n < 2^31 are (n * factor) >> (32 + shift); factor 0 stands for a divisor of 1 */
    uint32_t columns_factor, columns_shift;
    uint32_t weight_factor, weight_shift;
    int32_t shift, low, high;
};

void layer_norm_uniform(const struct layer_norm_uniform_args *args, uint32_t core, uint32_t cores);

#endif
