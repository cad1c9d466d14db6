/* SPDX-License-Identifier: Apache-2.0
 *
 * Straightforward versions of operators, for comparison.
 */
#include "plain.h"

static int32_t requantise(int32_t x, int32_t mul, int32_t add, int32_t shift)
{
    return clip((x * mul + add + (1 << (shift - 1))) >> shift, -128, 127);
}

void plain_gelu(const struct plain_gelu_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->count, core, cores);
    for (int32_t i = mine.first; i < mine.end; i++) {
        int32_t x = args->x[i];
        int32_t magnitude = x < 0 ? -x : x;
        int32_t d = min_s32(magnitude, -args->b) + args->b;
        int32_t l = args->one - d * d;
        int32_t g = x * ((args->one + (x > 0 ? l : x < 0 ? -l : 0)) >> 1);
        args->y[i] = (int8_t)requantise(g, args->mul, args->add, args->shift);
    }
}

void plain_requant(const struct plain_requant_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->count, core, cores);
    int32_t channel = args->channels > 1 ? mine.first % args->channels : 0;
    for (int32_t i = mine.first; i < mine.end; i++) {
        args->y[i] = (int8_t)requantise(args->x[i], args->mul[channel], args->add[channel], args->shift);
        if (++channel == args->channels)
            channel = 0;
    }
}

void plain_add(const struct plain_add_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->count, core, cores);
    for (int32_t i = mine.first; i < mine.end; i++)
        args->y[i] = (int8_t)requantise(args->a[i] + args->b[i], args->mul, args->add, args->shift);
}

static int32_t integer_root(uint32_t value)
{
    uint32_t root = 0;
    for (uint32_t bit = 1u << 30; bit != 0; bit >>= 2) {
        uint32_t trial = root + bit;
        root >>= 1;
        if (value >= trial) {
            value -= trial;
            root += bit;
        }
    }
    return (int32_t)root;
}

void plain_layer_norm(const struct plain_layer_norm_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->rows, core, cores);
    int32_t columns = args->columns;
    for (int32_t row = mine.first; row < mine.end; row++) {
        const int8_t *x = args->x + row * columns;
        int8_t *y = args->y + row * columns;
        int32_t sum = 0, squares = 0;
        for (int32_t i = 0; i < columns; i++)
            sum += x[i];
        int32_t mean = sum / columns;
        for (int32_t i = 0; i < columns; i++)
            squares += (x[i] - mean) * (x[i] - mean);
        int32_t root = integer_root((uint32_t)(squares / columns + 1));
        for (int32_t i = 0; i < columns; i++) {
            int32_t scaled = (x[i] - mean) * args->weight[i] / root + args->bias[i];
            y[i] = (int8_t)clip(scaled >> args->shift, -128, 127);
        }
    }
}

void plain_no_norm(const struct plain_no_norm_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->rows, core, cores);
    for (int32_t row = mine.first; row < mine.end; row++) {
        for (int32_t i = 0; i < args->columns; i++) {
            int32_t at = row * args->columns + i;
            int32_t sum = args->x[at] * args->weight[i] + args->bias[i];
            args->y[at] = (int8_t)clip((int32_t)(((int64_t)sum * args->mul) >> args->shift), -128, 127);
        }
    }
}

void plain_transpose(const struct plain_transpose_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->outer * args->columns, core, cores);
    for (int32_t i = mine.first; i < mine.end; i++) {
        int32_t outer = i / args->columns, column = i % args->columns;
        for (int32_t row = 0; row < args->rows; row++) {
            for (int32_t k = 0; k < args->inner; k++)
                args->y[(i * args->rows + row) * args->inner + k] =
                    args->x[((outer * args->rows + row) * args->columns + column) * args->inner + k];
        }
    }
}

void plain_softmax(const struct plain_softmax_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->rows, core, cores);
    int32_t rounding = args->shift > 0 ? 1 << (args->shift - 1) : 0;
    for (int32_t row = mine.first; row < mine.end; row++) {
        const int8_t *x = args->x + row * args->columns;
        uint8_t *y = args->y + row * args->columns;
        int32_t most = -128, sum = 0;
        for (int32_t i = 0; i < args->columns; i++)
            most = max_s32(most, x[i]);
        for (int32_t i = 0; i < args->columns; i++)
            sum += 256 >> min_s32((most - x[i] + rounding) >> args->shift, 31);
        int32_t inverse = args->full_scale * 256 / sum;
        for (int32_t i = 0; i < args->columns; i++)
            y[i] = (uint8_t)(inverse >> min_s32((most - x[i] + rounding) >> args->shift, 31));
    }
}
