/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of matrix products share. Rows are cut into pairs, those of all batches in one list; each core
 * takes a run of them and, where there are fewer pairs than cores can use, a part of the columns.
 */
#ifndef MATMUL_KERNEL_H
#define MATMUL_KERNEL_H

#include "matmul.h"

/** The functions of dot.h for one pair of types and one way in which columns lie in memory. */
struct dot_functions {
    int32_t (*pairs_a)(const void *row, int32_t depth);
    int32_t (*pairs_b)(const void *column, int32_t stride, int32_t depth);
    int32_t (*dot)(const void *row, const void *column, int32_t stride, int32_t depth);
    void (*block)(const void *row0, const void *row1, const void *columns, int32_t stride, int32_t depth,
                  int32_t sums[4]);
    int32_t block_stride;
};

/** One core's part of one matrix of the batch. Constants are null where there are none. */
struct part {
    const void *a;
    const void *b;
    const void *bias;
    const int32_t *mul;
    const int32_t *add;
    const int32_t *shifts;
    int32_t y; /* index of the matrix's first element in the result */
    struct span rows;
    struct span columns;
};

static inline const int32_t *advance(const int32_t *constants, int32_t offset)
{
    return constants ? constants + offset : NULL;
}

/** The matrix of batch `batch`, without rows and columns. */
static struct part part_of_batch(const struct matmul_args *args, int32_t batch)
{
    int32_t outer = (int32_t)((uint32_t)batch / (uint32_t)args->batch0);
    int32_t i0 = batch - outer * args->batch0;
    int32_t i2 = (int32_t)((uint32_t)outer / (uint32_t)args->batch1);
    int32_t i1 = outer - i2 * args->batch1;
    int32_t bias = i0 * args->bias_batch0 + i1 * args->bias_batch1 + i2 * args->bias_batch2;
    int32_t scale = i0 * args->scale_batch0 + i1 * args->scale_batch1 + i2 * args->scale_batch2;
    struct part part;
    part.a = element_address(args->a, i0 * args->a_batch0 + i1 * args->a_batch1 + i2 * args->a_batch2, args->a_type);
    part.b = element_address(args->b, i0 * args->b_batch0 + i1 * args->b_batch1 + i2 * args->b_batch2, args->b_type);
    part.bias = args->bias ? element_address(args->bias, bias, args->bias_type) : NULL;
    part.mul = advance(args->mul, scale);
    part.add = advance(args->add, scale);
    part.shifts = advance(args->shifts, scale);
    part.y = batch * args->rows * args->columns;
    return part;
}

static inline struct requantiser requantiser_at(const struct matmul_args *args, const struct part *part, int32_t row,
                                                int32_t column)
{
    int32_t at = row * args->scale_row + column * args->scale_column;
    if (!part->mul)
        return make_requantiser(0, 0, 0, 0, 0);
    return make_requantiser(part->mul[at], part->add[at], part->shifts ? part->shifts[at] : args->shift, args->low,
                            args->high);
}

/** Scales a sum, adds its bias, requantises it and stores it. */
static inline void finish(const struct matmul_args *args, const struct part *part, const struct requantiser *r,
                          int32_t row, int32_t column, int32_t sum)
{
    if (args->alpha != 1)
        sum = wrap_mul(sum, args->alpha);
    if (part->bias) {
        int32_t bias = load_element(part->bias, row * args->bias_row + column * args->bias_column, args->bias_type);
        sum = wrap_add(sum, args->beta == 1 ? bias : wrap_mul(bias, args->beta));
    }
    if (args->finish == MATMUL_REQUANTISE)
        sum = requantise_narrow(sum, r);
    else if (args->finish == MATMUL_REQUANTISE_WIDE)
        sum = requantise_wide(sum, r);
    store_element(args->y, part->y + row * args->columns + column, args->y_type, sum);
}

static inline const void *row_address(const struct matmul_args *args, const struct part *part, int32_t row)
{
    return element_address(part->a, row * args->a_row, args->a_type);
}

static inline const void *column_address(const struct matmul_args *args, const struct part *part, int32_t column)
{
    return element_address(part->b, column * args->b_column, args->b_type);
}

/** Single columns: what is left beside the blocks, and all of it where there is only one row. */
static void multiply_columns(const struct matmul_args *args, const struct part *part, int32_t first,
                             const struct dot_functions *f)
{
    for (int32_t column = first; column < part->columns.end; column++) {
        const void *b = column_address(args, part, column);
        for (int32_t row = part->rows.first; row < part->rows.end; row++) {
            struct requantiser r = requantiser_at(args, part, row, column);
            int32_t sum = f->dot(row_address(args, part, row), b, args->b_depth, args->depth);
            finish(args, part, &r, row, column, sum);
        }
    }
}

/** Blocks of two rows by two columns; an odd last row is computed twice and stored once. */
static void multiply_part(const struct matmul_args *args, const struct part *part, int32_t *row_terms,
                          const struct dot_functions *f)
{
    int32_t column = part->columns.first;
    int32_t depth = args->depth;
    if (part->rows.end - part->rows.first >= 2 && part->columns.end - column >= 2) {
        for (int32_t row = part->rows.first; row < part->rows.end; row++)
            row_terms[row - part->rows.first] = f->pairs_a(row_address(args, part, row), depth);
        for (; column + 1 < part->columns.end; column += 2) {
            const void *b = column_address(args, part, column);
            int32_t term0 = f->pairs_b(b, args->b_depth, depth);
            int32_t term1 = f->pairs_b(column_address(args, part, column + 1), args->b_depth, depth);
            struct requantiser r0 = requantiser_at(args, part, part->rows.first, column);
            struct requantiser r1 = requantiser_at(args, part, part->rows.first, column + 1);
            for (int32_t row = part->rows.first; row < part->rows.end; row += 2) {
                bool pair = row + 1 < part->rows.end;
                const int32_t *term = row_terms + (row - part->rows.first);
                const void *a = row_address(args, part, row);
                int32_t sums[4];
                f->block(a, pair ? row_address(args, part, row + 1) : a, b, f->block_stride, depth, sums);
                if (args->scale_row != 0) {
                    r0 = requantiser_at(args, part, row, column);
                    r1 = requantiser_at(args, part, row, column + 1);
                }
                finish(args, part, &r0, row, column, wrap_sub(sums[0], wrap_add(term[0], term0)));
                finish(args, part, &r1, row, column + 1, wrap_sub(sums[1], wrap_add(term[0], term1)));
                if (!pair)
                    break;
                if (args->scale_row != 0) {
                    r0 = requantiser_at(args, part, row + 1, column);
                    r1 = requantiser_at(args, part, row + 1, column + 1);
                }
                finish(args, part, &r0, row + 1, column, wrap_sub(sums[2], wrap_add(term[1], term0)));
                finish(args, part, &r1, row + 1, column + 1, wrap_sub(sums[3], wrap_add(term[1], term1)));
            }
        }
    }
    multiply_columns(args, part, column, f);
}

/** A core's row pairs (counted through all batches) and columns. */
struct shares {
    struct span pairs;
    struct span columns;
};

static struct shares shares_of(const struct matmul_args *args, uint32_t core, uint32_t cores)
{
    uint32_t groups = (uint32_t)min_s32(args->column_groups, (int32_t)cores);
    uint32_t row_groups = cores / groups;
    uint32_t row_group = core / groups;
    int32_t pairs = (args->rows + 1) / 2 * args->batch0 * args->batch1 * args->batch2;
    struct shares shares = {{0, 0}, {0, 0}};
    if (row_group < row_groups) {
        shares.pairs = share(pairs, row_group, row_groups);
        shares.columns = share((args->columns + 1) / 2, core % groups, groups);
        shares.columns.first *= 2;
        shares.columns.end = min_s32(2 * shares.columns.end, args->columns);
    }
    return shares;
}

static void multiply(const struct matmul_args *args, uint32_t core, uint32_t cores, const struct dot_functions *f)
{
    struct shares shares = shares_of(args, core, cores);
    int32_t *row_terms = args->row_terms + (int32_t)core * args->row_terms_per_core;
    int32_t pairs_per_matrix = (args->rows + 1) / 2;
    for (int32_t pair = shares.pairs.first; pair < shares.pairs.end;) {
        int32_t batch = (int32_t)((uint32_t)pair / (uint32_t)pairs_per_matrix);
        int32_t first = pair - batch * pairs_per_matrix;
        int32_t end = min_s32(pairs_per_matrix, first + shares.pairs.end - pair);
        end = min_s32(end, first + args->row_terms_per_core / 2);
        struct part part = part_of_batch(args, batch);
        part.rows.first = 2 * first;
        part.rows.end = min_s32(2 * end, args->rows);
        part.columns = shares.columns;
        multiply_part(args, &part, row_terms, f);
        pair += end - first;
    }
}

/** The two kernels for one pair of types. */
#define MATMUL_DEFINE(types)                                                                                   \
    void matmul_##types(const struct matmul_args *args, uint32_t core, uint32_t cores)                         \
    {                                                                                                          \
        const struct dot_functions f = {pairs_a_##types, pairs_b_##types, dot_##types, block_across_##types,   \
                                        args->b_depth};                                                        \
        multiply(args, core, cores, &f);                                                                       \
    }                                                                                                          \
    void matmul_##types##_transposed(const struct matmul_args *args, uint32_t core, uint32_t cores)            \
    {                                                                                                          \
        const struct dot_functions f = {pairs_a_##types, pairs_b_##types, dot_##types, block_along_##types,    \
                                        args->b_column};                                                       \
        multiply(args, core, cores, &f);                                                                       \
    }

#endif
