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
    int32_t (*pairs_a)(const void *row, int32_t stride, int32_t depth);
    int32_t (*pairs_b)(const void *column, int32_t stride, int32_t depth);
    int32_t (*dot)(const void *row, const void *column, int32_t stride, int32_t depth);
    void (*two)(const void *rows, int32_t a_stride, const void *columns, int32_t b_stride, int32_t depth, int32_t *sums);
    void (*four)(const void *rows, int32_t a_stride, const void *columns, int32_t b_stride, int32_t depth, int32_t *sums);
    int32_t b_stride; /* of two and four */
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

/** Two columns: what is added to their sums, and how they are requantised (where rows do not differ in that). */
struct column_pair {
    int32_t column;
    int32_t terms[2];
    int32_t bias[2];
    struct requantiser constants[2];
};

static struct column_pair column_pair_at(const struct matmul_args *args, const struct part *part, int32_t column,
                                         const struct dot_functions *f)
{
    struct column_pair pair;
    pair.column = column;
    for (int32_t i = 0; i < 2; i++) {
        const void *b = column_address(args, part, column + i);
        int32_t at = (column + i) * args->bias_column;
        pair.terms[i] = f->pairs_b(b, args->b_depth, args->depth);
        pair.bias[i] = part->bias ? load_element(part->bias, at, args->bias_type) : 0;
        pair.constants[i] = requantiser_at(args, part, part->rows.first, column + i);
    }
    return pair;
}

/** How the sums of a block are stored. */
enum store_kind { STORE_BYTES, STORE_WORDS, STORE_ANY };

/** Most products need nothing that differs from row to row but the row's term. */
static enum store_kind store_kind_of(const struct matmul_args *args, const struct part *part)
{
    bool alike = args->alpha == 1 && args->beta == 1 && args->scale_row == 0;
    alike = alike && (!part->bias || args->bias_row == 0);
    if (alike && args->finish == MATMUL_REQUANTISE && args->y_type != ATTOFLOW_S32)
        return STORE_BYTES;
    if (alike && args->finish == MATMUL_PLAIN && args->y_type == ATTOFLOW_S32)
        return STORE_WORDS;
    return STORE_ANY;
}

/** Makes results of `rows` rows by two columns of Winograd sums. */
static void store_block(const struct matmul_args *args, const struct part *part, enum store_kind kind, int32_t row,
                        int32_t rows, const struct column_pair *pair, const int32_t *terms, const int32_t *sums)
{
    int32_t index = part->y + row * args->columns + pair->column;
    int32_t columns = args->columns;
    uint32_t base0 = (uint32_t)pair->bias[0] - (uint32_t)pair->terms[0];
    uint32_t base1 = (uint32_t)pair->bias[1] - (uint32_t)pair->terms[1];
    if (kind == STORE_BYTES) {
        const struct requantiser r0 = pair->constants[0], r1 = pair->constants[1];
        uint8_t *y = (uint8_t *)args->y + index;
        for (; rows > 0; rows--, sums += 2, terms++, y += columns) {
            int32_t y0 = (int32_t)((uint32_t)sums[0] - (uint32_t)*terms + base0);
            int32_t y1 = (int32_t)((uint32_t)sums[1] - (uint32_t)*terms + base1);
            y[0] = (uint8_t)requantise_narrow(y0, &r0);
            y[1] = (uint8_t)requantise_narrow(y1, &r1);
        }
    } else if (kind == STORE_WORDS) {
        int32_t *y = (int32_t *)args->y + index;
        for (; rows > 0; rows--, sums += 2, terms++, y += columns) {
            y[0] = (int32_t)((uint32_t)sums[0] - (uint32_t)*terms + base0);
            y[1] = (int32_t)((uint32_t)sums[1] - (uint32_t)*terms + base1);
        }
    } else {
        for (; rows > 0; rows--, sums += 2, terms++, row++) {
            for (int32_t i = 0; i < 2; i++) {
                struct requantiser r = requantiser_at(args, part, row, pair->column + i);
                finish(args, part, &r, row, pair->column + i, wrap_sub(sums[i], wrap_add(*terms, pair->terms[i])));
            }
        }
    }
}

/** Blocks of four or two rows by two columns; an odd last row is computed twice and stored once. */
static void multiply_part(const struct matmul_args *args, const struct part *part, int32_t *row_terms,
                          const struct dot_functions *f)
{
    int32_t column = part->columns.first, depth = args->depth, a_row = args->a_row;
    int32_t rows = part->rows.end - part->rows.first;
    enum store_kind kind = store_kind_of(args, part);
    if (rows >= 2 && part->columns.end - column >= 2) {
        for (int32_t row = 0; row < rows; row++)
            row_terms[row] = f->pairs_a(row_address(args, part, part->rows.first + row), 1, depth);
        for (; column + 1 < part->columns.end; column += 2) {
            const void *b = column_address(args, part, column);
            struct column_pair pair = column_pair_at(args, part, column, f);
            int32_t sums[8];
            for (int32_t done = 0, count; done < rows; done += count) {
                int32_t row = part->rows.first + done;
                const void *a = row_address(args, part, row);
                count = min_s32(rows - done, 4);
                if (count == 4) {
                    f->four(a, a_row, b, f->b_stride, depth, sums);
                } else {
                    count = min_s32(count, 2);
                    f->two(a, count == 2 ? a_row : 0, b, f->b_stride, depth, sums);
                }
                store_block(args, part, kind, row, count, &pair, row_terms + done, sums);
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
        const struct dot_functions f = {pairs_a_##types,    pairs_b_##types,     dot_##types, two_across_##types,\
                                        four_across_##types, args->b_depth};                                   \
        multiply(args, core, cores, &f);                                                                       \
    }                                                                                                          \
    void matmul_##types##_transposed(const struct matmul_args *args, uint32_t core, uint32_t cores)            \
    {                                                                                                          \
        const struct dot_functions f = {pairs_a_##types,   pairs_b_##types,      dot_##types, two_along_##types,\
                                        four_along_##types, args->b_column};                                   \
        multiply(args, core, cores, &f);                                                                       \
    }

#endif
