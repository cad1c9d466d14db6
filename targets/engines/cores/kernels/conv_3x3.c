/* SPDX-License-Identifier: Apache-2.0
 *
 * Depthwise convolutions of 3 x 3. Rows of outputs are shared among the cores.
 *
 * With stride 1 outputs are made two at a time by Winograd's minimal filtering F(2, 3) (Winograd 1980; Lavin and
 * Gray, CVPR 2016), which needs four products a row of taps where six are plain: the cluster's one multiplier is
 * what the cores wait for. With inputs d0 … d3 and taps g0 … g2:
 *
 *     m0 = (d0 - d2) g0    m1 = (d1 + d2) (g0 + g1 + g2)    m2 = (d2 - d1) (g0 - g1 + g2)    m3 = (d1 - d3) g2
 *     y0 = m0 + (m1 + m2) / 2    y1 = (m1 - m2) / 2 - m3
 *
 * Sums over rows are made before the halves, which are exact; 8-bit operands stay far below 2^31.
 */
#include "conv_3x3.h"

enum { ROWS = 3, TAPS = 3 };

/** A row of taps: as it is, and as F(2, 3) takes it. */
struct tap_row {
    int32_t plain[TAPS];
    int32_t sum, difference;
};

static void load_taps(const int8_t *w, struct tap_row taps[ROWS])
{
    for (int32_t i = 0; i < ROWS; i++, w += TAPS) {
        for (int32_t k = 0; k < TAPS; k++)
            taps[i].plain[k] = w[k];
        taps[i].sum = w[0] + w[1] + w[2];
        taps[i].difference = w[0] - w[1] + w[2];
    }
}

/** What a row of outputs is made of. */
struct output_row {
    const void *lines[ROWS]; /* rows of the input; any where the row is outside, for its taps are 0 then */
    struct tap_row taps[ROWS];
    int32_t index; /* of the row's first output */
    int32_t bias;  /* not where bytes are stored: there it is in the constants */
    struct requantiser constants;
};

/** Columns first … end - 1 of the outputs meet no padding. */
static struct span inner_columns(const struct conv_args *args)
{
    int32_t room = args->width - TAPS + args->pad_x;
    struct span span = {0, 0};
    if (args->pad_x > 0)
        span.first = min_s32((args->pad_x + args->stride_x - 1) / args->stride_x, args->columns);
    span.end = room < 0 ? span.first : clip(room / args->stride_x + 1, span.first, args->columns);
    return span;
}

/** Stores a sum; `bytes`: by far the most usual way, without a look at what else there is. */
static inline void emit(const struct conv_args *args, const struct output_row *row, const struct requantiser *r,
                        uint8_t *y, int32_t column, int32_t sum, const bool bytes)
{
    if (bytes)
        y[column] = (uint8_t)requantise_narrow(sum, r);
    else
        finish(args, r, row->index + column, wrap_add(sum, row->bias));
}

/** Names are for one type of input and one way of storing. */
#define DEFINE_ROW(name, type, bytes)                                                                          \
    static void name##_edge(const struct conv_args *args, const struct output_row *row, int32_t column)        \
    {                                                                                                          \
        const type *x0 = row->lines[0], *x1 = row->lines[1], *x2 = row->lines[2];                              \
        const struct tap_row *t = row->taps;                                                                   \
        int32_t left = column * args->stride_x - args->pad_x, sum = 0;                                         \
        for (int32_t k = 0; k < TAPS; k++, left++)                                                             \
            if (left >= 0 && left < args->width)                                                               \
                sum += x0[left] * t[0].plain[k] + x1[left] * t[1].plain[k] + x2[left] * t[2].plain[k];         \
        emit(args, row, &row->constants, (uint8_t *)args->y + row->index, column, sum, bytes);                 \
    }                                                                                                          \
    static int32_t name##_pairs(const struct conv_args *args, const struct output_row *row, struct span inner) \
    {                                                                                                          \
        const struct requantiser r = row->constants;                                                           \
        uint8_t *y = (uint8_t *)args->y + row->index;                                                          \
        const struct tap_row t0 = row->taps[0], t1 = row->taps[1], t2 = row->taps[2];                          \
        int32_t column = inner.first;                                                                          \
        const type *x0 = (const type *)row->lines[0] + column - args->pad_x;                                   \
        const type *x1 = (const type *)row->lines[1] + column - args->pad_x;                                   \
        const type *x2 = (const type *)row->lines[2] + column - args->pad_x;                                   \
        for (; column + 2 <= inner.end; column += 2, x0 += 2, x1 += 2, x2 += 2) {                              \
            int32_t m0 = 0, m1 = 0, m2 = 0, m3 = 0;                                                            \
            PAIR_PRODUCTS(x0, t0);                                                                             \
            PAIR_PRODUCTS(x1, t1);                                                                             \
            PAIR_PRODUCTS(x2, t2);                                                                             \
            emit(args, row, &r, y, column, m0 + ((m1 + m2) >> 1), bytes);                                      \
            emit(args, row, &r, y, column + 1, ((m1 - m2) >> 1) - m3, bytes);                                  \
        }                                                                                                      \
        return column;                                                                                         \
    }                                                                                                          \
    static void name##_singles(const struct conv_args *args, const struct output_row *row, int32_t column,     \
                               int32_t end)                                                                    \
    {                                                                                                          \
        const struct requantiser r = row->constants;                                                           \
        uint8_t *y = (uint8_t *)args->y + row->index;                                                          \
        const struct tap_row t0 = row->taps[0], t1 = row->taps[1], t2 = row->taps[2];                          \
        int32_t stride = args->stride_x, offset = column * stride - args->pad_x;                               \
        const type *x0 = (const type *)row->lines[0] + offset;                                                 \
        const type *x1 = (const type *)row->lines[1] + offset;                                                 \
        const type *x2 = (const type *)row->lines[2] + offset;                                                 \
        for (; column < end; column++, x0 += stride, x1 += stride, x2 += stride) {                             \
            int32_t sum = x0[0] * t0.plain[0] + x0[1] * t0.plain[1] + x0[2] * t0.plain[2];                     \
            sum += x1[0] * t1.plain[0] + x1[1] * t1.plain[1] + x1[2] * t1.plain[2];                            \
            sum += x2[0] * t2.plain[0] + x2[1] * t2.plain[1] + x2[2] * t2.plain[2];                            \
            emit(args, row, &r, y, column, sum, bytes);                                                        \
        }                                                                                                      \
    }                                                                                                          \
    static void name(const struct conv_args *args, const struct output_row *row, struct span inner)            \
    {                                                                                                          \
        int32_t column = inner.first;                                                                          \
        for (int32_t edge = 0; edge < inner.first; edge++)                                                     \
            name##_edge(args, row, edge);                                                                      \
        if (args->stride_x == 1)                                                                               \
            column = name##_pairs(args, row, inner);                                                           \
        name##_singles(args, row, column, inner.end);                                                          \
        for (int32_t edge = inner.end; edge < args->columns; edge++)                                           \
            name##_edge(args, row, edge);                                                                      \
    }

#define PAIR_PRODUCTS(x, t)                                                                                    \
    do {                                                                                                       \
        int32_t d0 = x[0], d1 = x[1], d2 = x[2], d3 = x[3];                                                    \
        m0 += (d0 - d2) * t.plain[0];                                                                          \
        m1 += (d1 + d2) * t.sum;                                                                               \
        m2 += (d2 - d1) * t.difference;                                                                        \
        m3 += (d1 - d3) * t.plain[2];                                                                          \
    } while (0)

DEFINE_ROW(bytes_of_s8, int8_t, true)
DEFINE_ROW(bytes_of_u8, uint8_t, true)
DEFINE_ROW(any_of_s8, int8_t, false)
DEFINE_ROW(any_of_u8, uint8_t, false)

typedef void make_row(const struct conv_args *args, const struct output_row *row, struct span inner);

/** Rows of outputs, those of all channels and batches in one list. */
static void run(const struct conv_args *args, uint32_t core, uint32_t cores, bool bytes, make_row *make)
{
    static const struct tap_row none;
    int32_t channels = args->groups * args->outputs;
    struct span inner = inner_columns(args);
    struct span mine = share(args->batches * channels * args->rows, core, cores);
    if (mine.first == mine.end)
        return;
    int32_t plane = (int32_t)((uint32_t)mine.first / (uint32_t)args->rows);
    int32_t row = mine.first - plane * args->rows;
    for (int32_t left = mine.end - mine.first; left > 0; plane++, row = 0) {
        int32_t batch = (int32_t)((uint32_t)plane / (uint32_t)channels);
        int32_t channel = plane - batch * channels;
        int32_t image = batch * args->groups + (int32_t)((uint32_t)channel / (uint32_t)args->outputs);
        const uint8_t *x = (const uint8_t *)args->x + image * args->height * args->width;
        struct tap_row taps[ROWS];
        struct output_row output;
        load_taps((const int8_t *)args->w + channel * ROWS * TAPS, taps);
        output.bias = bias_of(args, channel);
        output.constants = requantiser_of(args, channel);
        if (bytes) /* (sum + bias) * mul + offset, modulo 2^32 */
            output.constants.offset_low += (uint32_t)output.bias * (uint32_t)output.constants.mul;
        for (; row < args->rows && left > 0; row++, left--) {
            int32_t line = row * args->stride_y - args->pad_y;
            for (int32_t i = 0; i < ROWS; i++, line++) {
                bool inside = line >= 0 && line < args->height;
                output.lines[i] = inside ? x + line * args->width : x;
                output.taps[i] = inside ? taps[i] : none;
            }
            output.index = (plane * args->rows + row) * args->columns;
            make(args, &output, inner);
        }
    }
}

static bool stores_bytes(const struct conv_args *args)
{
    return args->finish == CONV_REQUANTISE && args->y_type != ATTOFLOW_S32;
}

void conv_3x3_s8_s8(const struct conv_args *args, uint32_t core, uint32_t cores)
{
    bool bytes = stores_bytes(args);
    run(args, core, cores, bytes, bytes ? bytes_of_s8 : any_of_s8);
}

void conv_3x3_u8_s8(const struct conv_args *args, uint32_t core, uint32_t cores)
{
    bool bytes = stores_bytes(args);
    run(args, core, cores, bytes, bytes ? bytes_of_u8 : any_of_u8);
}
