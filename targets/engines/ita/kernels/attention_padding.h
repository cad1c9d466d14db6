/* SPDX-License-Identifier: Apache-2.0
 *
 * What ITA cannot do itself when the keys of an attention end inside a tile of 64: the rows of the softmax in which
 * keys that are not there would count.
 */
#ifndef ATTENTION_PADDING_H
#define ATTENTION_PADDING_H

#include "attoflow_kernel.h"

/**
 * Behind ITA's jobs for some rows of one head: computes again, from the logits, the rows whose logits are all -120 or
 * less. Only there does a key at -128 add to the sum (256 >> d for a distance d from the maximum). The softmax is that
 * of shift 0. y = clip((sum * mul + add + rounding) >> shift).
 *
 * Matrices lie in tiles of 64x64 bytes, in row-major order of tiles.
 */
struct attention_padding_args {
    const int8_t *logits; /* [rows, keys] */
    const int8_t *v;      /* [width, keys] */
    int8_t *y;            /* [rows, width] */
    /* Operands of the jobs that this kernel does not look at. */
    const int8_t *q;
    const int8_t *k;
    const uint8_t *bias;
    int32_t rows, keys, width;
    int32_t full_scale;
    int32_t mul, add, shift, low, high;
};

void attention_padding(const struct attention_padding_args *args, uint32_t core, uint32_t cores);

#endif
