/* SPDX-License-Identifier: Apache-2.0
 *
 * RequantShift: y = clip((x * mul + add + 2^(shift-1)) >> shift), constants for the tensor or for each channel.
 */
#ifndef REQUANT_SHIFT_H
#define REQUANT_SHIFT_H

#include "attoflow_kernel.h"

/** `x` and `y` are [outer, channels, inner]; mul, add and shifts hold one element a channel. */
struct requant_shift_args {
    const void *x;
    const int32_t *mul;
    const int32_t *add;
    const int32_t *shifts; /* null: `shift` for all */
    void *y;
    int32_t outer, channels, inner;
    int32_t x_type, y_type;
    int32_t wide; /* 0: x * mul + add + rounding fits in 32 bits; 1: it needs 64 */
    int32_t shift, low, high;
};

void requant_shift(const struct requant_shift_args *args, uint32_t core, uint32_t cores);

#endif
