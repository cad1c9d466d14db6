/* SPDX-License-Identifier: Apache-2.0
 *
 * Matrix products with operands of 32 bits, or of any types, on the worker cores.
 */
#include "matmul_s32.h"
#include "matmul_kernel.h"

#define DOT_A int32_t
#define DOT_B int8_t
#define DOT_NAME(x) x##_s32_s8
#include "dot.h"

#define DOT_A int8_t
#define DOT_B int32_t
#define DOT_NAME(x) x##_s8_s32
#include "dot.h"

#define DOT_A int32_t
#define DOT_B int32_t
#define DOT_NAME(x) x##_s32_s32
#include "dot.h"

MATMUL_DEFINE(s32_s8)
MATMUL_DEFINE(s8_s32)
MATMUL_DEFINE(s32_s32)

void matmul_any(const struct matmul_args *args, uint32_t core, uint32_t cores)
{
    struct shares shares = shares_of(args, core, cores);
    int32_t pairs_per_matrix = (args->rows + 1) / 2;
    for (int32_t pair = shares.pairs.first; pair < shares.pairs.end; pair++) {
        int32_t batch = (int32_t)((uint32_t)pair / (uint32_t)pairs_per_matrix);
        int32_t first = 2 * (pair - batch * pairs_per_matrix);
        struct part part = part_of_batch(args, batch);
        for (int32_t row = first; row < min_s32(first + 2, args->rows); row++) {
            const void *a = row_address(args, &part, row);
            for (int32_t column = shares.columns.first; column < shares.columns.end; column++) {
                const void *b = column_address(args, &part, column);
                struct requantiser r = requantiser_at(args, &part, row, column);
                int32_t sum = 0;
                for (int32_t k = 0; k < args->depth; k++)
                    sum = wrap_add(sum, wrap_mul(load_element(a, k * args->a_depth, args->a_type),
                                                 load_element(b, k * args->b_depth, args->b_type)));
                finish(args, &part, &r, row, column, sum);
            }
        }
    }
}
