/* SPDX-License-Identifier: Apache-2.0
 *
 * Quant and Dequant: the borders between float32 and integers, on cores that have no floating point.
 */
#ifndef QUANT_H
#define QUANT_H

#include "attoflow_kernel.h"

/**
 * y = clip(round(x / scale + zero_point)), each step rounded as IEEE 754 single precision has it, `round` half to
 * even. Not-a-number gives low. x, scale and zero_point are the bits of float32 numbers; scale is positive.
 */
struct quant_args {
    const uint32_t *x;
    void *y;
    int32_t count;
    int32_t y_type;
    int32_t scale, zero_point;
    int32_t low, high;
};

void quant(const struct quant_args *args, uint32_t core, uint32_t cores);

/**
 * The same for at most 256 results, low … low + 255, by search: `thresholds` holds, in ascending order, the least
 * x of each result above low, as ordered() in quant.c counts float32 numbers; INT32_MAX for results that do not
 * occur. 256 entries.
 */
struct quant_search_args {
    const uint32_t *x;
    const int32_t *thresholds;
    void *y;
    int32_t count;
    int32_t y_type;
    int32_t low;
};

void quant_search(const struct quant_search_args *args, uint32_t core, uint32_t cores);

/** y = (x - zero_point) * scale: the difference wraps to 32 bits, is rounded to float32, and so is the product. */
struct dequant_args {
    const void *x;
    uint32_t *y;
    int32_t count;
    int32_t x_type;
    int32_t zero_point;
    int32_t scale; /* bits of a float32 number */
};

void dequant(const struct dequant_args *args, uint32_t core, uint32_t cores);

#endif
