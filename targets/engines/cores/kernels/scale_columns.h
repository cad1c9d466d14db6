/* SPDX-License-Identifier: Apache-2.0
 *
 * Scaling with constants for each column: RequantShift along the last axis, iNoNorm with vectors.
 */
#ifndef SCALE_COLUMNS_H
#define SCALE_COLUMNS_H

#include "attoflow_kernel.h"

/** A column's constants. */
struct scale_column {
    int32_t mul;
    int32_t add; /* with the rounding */
};

/** y = clip((x * mul + add) >> shift), which fits in 32 bits; x and y are [rows, columns], y has 8 bits. */
struct scale_columns_args {
    const void *x;
    const struct scale_column *constants;
    uint8_t *y;
    int32_t rows, columns;
    int32_t x_type;
    int32_t shift, low, high;
};

void scale_columns(const struct scale_columns_args *args, uint32_t core, uint32_t cores);

#endif
