/* SPDX-License-Identifier: Apache-2.0
 *
 * Convolutions, output by output. Rows of outputs are shared among the cores.
 */
#include "conv_direct.h"

/** Positions first … end - 1 of a kernel axis that meet the input when it starts at `start`. */
static inline struct span taps_inside(int32_t start, int32_t dilation, int32_t kernel, int32_t extent)
{
    struct span span = {0, kernel};
    if (dilation == 1) {
        if (start < 0)
            span.first = -start;
        if (start + kernel > extent)
            span.end = extent - start;
    } else {
        while (span.first < kernel && start + span.first * dilation < 0)
            span.first++;
        while (span.end > 0 && start + (span.end - 1) * dilation >= extent)
            span.end--;
    }
    if (span.first > span.end)
        span.first = span.end;
    return span;
}

/** A row of outputs of one channel. */
struct output_row {
    int32_t x;     /* index of the first channel's plane */
    int32_t w;     /* index of the output's weights */
    int32_t top;   /* row of the input that the kernel's first row meets */
    int32_t index; /* of the row's first output */
    struct span ky;
};

/** Sums over channels and kernel rows `run`, which sums over the kernel's columns. */
#define DEFINE_ROW(name, sum_of_taps)                                                                          \
    static void name(const struct conv_args *args, const struct output_row *row, int32_t bias,                 \
                     const struct requantiser *r)                                                              \
    {                                                                                                          \
        int32_t plane_size = args->height * args->width, kernel_size = args->kernel_y * args->kernel_x;        \
        int32_t left = -args->pad_x;                                                                           \
        for (int32_t column = 0; column < args->columns; column++, left += args->stride_x) {                   \
            struct span kx = taps_inside(left, args->dilation_x, args->kernel_x, args->width);                 \
            int32_t first = (row->top + row->ky.first * args->dilation_y) * args->width +                      \
                            (left + kx.first * args->dilation_x);                                              \
            int32_t x = row->x + first;                                                                        \
            int32_t w = row->w + row->ky.first * args->kernel_x + kx.first;                                    \
            int32_t count = kx.end - kx.first;                                                                 \
            uint32_t sum = (uint32_t)bias;                                                                     \
            for (int32_t channel = 0; channel < args->depth; channel++, x += plane_size, w += kernel_size) {   \
                int32_t x_row = x, w_row = w;                                                                  \
                for (int32_t ky = row->ky.first; ky < row->ky.end; ky++) {                                     \
                    sum += sum_of_taps(args, x_row, w_row, count);                                             \
                    x_row += args->dilation_y * args->width;                                                   \
                    w_row += args->kernel_x;                                                                   \
                }                                                                                              \
            }                                                                                                  \
            finish(args, r, row->index + column, (int32_t)sum);                                                \
        }                                                                                                      \
    }

#define DEFINE_TAPS(name, x_type, w_type)                                                                      \
    static inline uint32_t name(const struct conv_args *args, int32_t x_at, int32_t w_at, int32_t count)       \
    {                                                                                                          \
        const x_type *x = (const x_type *)args->x + x_at;                                                      \
        const w_type *w = (const w_type *)args->w + w_at;                                                      \
        int32_t dilation = args->dilation_x;                                                                   \
        uint32_t sum = 0;                                                                                      \
        if (count == 3 && dilation == 1) {                                                                     \
            uint32_t x0 = (uint32_t)x[0], x1 = (uint32_t)x[1], x2 = (uint32_t)x[2];                            \
            uint32_t w0 = (uint32_t)w[0], w1 = (uint32_t)w[1], w2 = (uint32_t)w[2];                            \
            return x0 * w0 + x1 * w1 + x2 * w2;                                                                \
        }                                                                                                      \
        for (; count > 0; count--, x += dilation)                                                              \
            sum += (uint32_t)*x * (uint32_t)*w++;                                                              \
        return sum;                                                                                            \
    }

DEFINE_TAPS(taps_s8_s8, int8_t, int8_t)
DEFINE_TAPS(taps_u8_s8, uint8_t, int8_t)
DEFINE_ROW(row_s8_s8, taps_s8_s8)
DEFINE_ROW(row_u8_s8, taps_u8_s8)

static uint32_t taps_any(const struct conv_args *args, int32_t x, int32_t w, int32_t count)
{
    uint32_t sum = 0;
    for (; count > 0; count--, x += args->dilation_x, w++)
        sum += (uint32_t)load_element(args->x, x, args->x_type) * (uint32_t)load_element(args->w, w, args->w_type);
    return sum;
}

DEFINE_ROW(row_any, taps_any)

typedef void sum_row(const struct conv_args *args, const struct output_row *row, int32_t bias,
                     const struct requantiser *r);

/** Rows of outputs, those of all channels and batches in one list, are shared among the cores. */
static void run_direct(const struct conv_args *args, uint32_t core, uint32_t cores, sum_row *sum)
{
    int32_t channels = args->groups * args->outputs;
    int32_t size = args->depth * args->kernel_y * args->kernel_x;
    struct span mine = share(args->batches * channels * args->rows, core, cores);
    if (mine.first == mine.end)
        return;
    int32_t plane = (int32_t)((uint32_t)mine.first / (uint32_t)args->rows);
    int32_t batch = (int32_t)((uint32_t)plane / (uint32_t)channels);
    int32_t channel = plane - batch * channels;
    int32_t row = mine.first - plane * args->rows;
    for (int32_t left = mine.end - mine.first; left > 0; channel++, row = 0) {
        if (channel == channels) {
            channel = 0;
            batch++;
        }
        int32_t group = (int32_t)((uint32_t)channel / (uint32_t)args->outputs);
        struct requantiser r = requantiser_of(args, channel);
        int32_t bias = bias_of(args, channel);
        for (; row < args->rows && left > 0; row++, left--) {
            struct output_row output;
            output.x = (batch * args->groups + group) * args->depth * args->height * args->width;
            output.w = channel * size;
            output.top = row * args->stride_y - args->pad_y;
            output.index = ((batch * channels + channel) * args->rows + row) * args->columns;
            output.ky = taps_inside(output.top, args->dilation_y, args->kernel_y, args->height);
            sum(args, &output, bias, &r);
        }
    }
}

void conv_direct_s8_s8(const struct conv_args *args, uint32_t core, uint32_t cores)
{
    run_direct(args, core, cores, row_s8_s8);
}

void conv_direct_u8_s8(const struct conv_args *args, uint32_t core, uint32_t cores)
{
    run_direct(args, core, cores, row_u8_s8);
}

void conv_direct_any(const struct conv_args *args, uint32_t core, uint32_t cores)
{
    run_direct(args, core, cores, row_any);
}
