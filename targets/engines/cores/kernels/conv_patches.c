/* SPDX-License-Identifier: Apache-2.0
 *
 * Convolutions by patches. Pairs of pixels are shared among the cores and, where there are too few of them, the
 * outputs too.
 */
#include "conv_patches.h"

#define DOT_A int8_t
#define DOT_B int8_t
#define DOT_NAME(x) x##_s8_s8
#define DOT_ALONG_ONLY
#include "dot.h"

#define DOT_A int8_t
#define DOT_B uint8_t
#define DOT_NAME(x) x##_s8_u8
#define DOT_ALONG_ONLY
#include "dot.h"

#define DOT_A int8_t
#define DOT_B int32_t
#define DOT_NAME(x) x##_s8_s32
#define DOT_ALONG_ONLY
#include "dot.h"

/** The functions of dot.h and of the patch copy for one pair of types; weights are dot.h's A. */
struct patch_functions {
    int32_t (*pairs_a)(const void *row, int32_t stride, int32_t depth);
    int32_t (*pairs_b)(const void *column, int32_t stride, int32_t depth);
    void (*two)(const void *rows, int32_t a_stride, const void *columns, int32_t b_stride, int32_t depth, int32_t *sums);
    void (*four)(const void *rows, int32_t a_stride, const void *columns, int32_t b_stride, int32_t depth, int32_t *sums);
    void (*copy)(const struct conv_args *args, int32_t first_channel, int32_t top, int32_t left, void *patch);
};

/** Copies what the weights meet at one pixel, zeros where they meet padding. */
#define DEFINE_PATCH(name, type)                                                                               \
    static void name(const struct conv_args *args, int32_t first_channel, int32_t top, int32_t left, void *to) \
    {                                                                                                          \
        type *patch = to;                                                                                      \
        int32_t height = args->height, width = args->width;                                                    \
        int32_t kernel_y = args->kernel_y, kernel_x = args->kernel_x;                                          \
        int32_t dilation_y = args->dilation_y, dilation_x = args->dilation_x;                                  \
        const type *plane = (const type *)args->x + first_channel * height * width;                            \
        bool inside = left >= 0 && left + (kernel_x - 1) * dilation_x < width;                                 \
        for (int32_t channel = 0; channel < args->depth; channel++, plane += height * width) {                 \
            int32_t row = top;                                                                                 \
            for (int32_t ky = 0; ky < kernel_y; ky++, row += dilation_y) {                                     \
                const type *from = plane + row * width + left;                                                 \
                int32_t column = left;                                                                         \
                if (row < 0 || row >= height) {                                                                \
                    for (int32_t kx = 0; kx < kernel_x; kx++)                                                  \
                        *patch++ = 0;                                                                          \
                } else if (inside && kernel_x == 3 && dilation_x == 1) {                                       \
                    type x0 = from[0], x1 = from[1], x2 = from[2];                                             \
                    patch[0] = x0;                                                                             \
                    patch[1] = x1;                                                                             \
                    patch[2] = x2;                                                                             \
                    patch += 3;                                                                                \
                } else if (inside) {                                                                           \
                    for (int32_t kx = 0; kx < kernel_x; kx++, from += dilation_x)                              \
                        *patch++ = *from;                                                                      \
                } else {                                                                                       \
                    for (int32_t kx = 0; kx < kernel_x; kx++, from += dilation_x, column += dilation_x)        \
                        *patch++ = column >= 0 && column < width ? *from : (type)0;                            \
                }                                                                                              \
            }                                                                                                  \
        }                                                                                                      \
    }

DEFINE_PATCH(patch_s8, int8_t)
DEFINE_PATCH(patch_u8, uint8_t)
DEFINE_PATCH(patch_s32, int32_t)

/** A core's outputs in each group, and its working memory. */
struct patch_work {
    uint8_t *patches;
    int32_t patch_bytes; /* from the first patch to the second */
    int32_t *terms;      /* bias less pairs of the weights, of each output of the core */
    struct span outputs;
};

/** All of the core's outputs of one group at the pixels `pixel` and, if `pair`, `pixel + 1`. */
static void multiply_patches(const struct conv_args *args, const struct patch_work *work, int32_t batch, int32_t group,
                             int32_t pixel, bool pair, const struct patch_functions *f)
{
    int32_t size = args->depth * args->kernel_y * args->kernel_x;
    int32_t pixels = args->rows * args->columns;
    int32_t stride = work->patch_bytes >> type_shift(args->x_type);
    int32_t term0 = f->pairs_b(work->patches, 1, size);
    int32_t term1 = f->pairs_b(work->patches + work->patch_bytes, 1, size);
    const int8_t *weights = (const int8_t *)args->w + group * args->outputs * size;
    bool bytes = args->finish == CONV_REQUANTISE && args->y_type != ATTOFLOW_S32;
    struct requantiser r = requantiser_of(args, 0);
    for (int32_t output = work->outputs.first, count; output < work->outputs.end; output += count) {
        const int8_t *row = weights + output * size;
        const int32_t *term = work->terms + (output - work->outputs.first);
        int32_t channel = group * args->outputs + output;
        int32_t index = (batch * args->groups * args->outputs + channel) * pixels + pixel;
        int32_t sums[8];
        count = min_s32(work->outputs.end - output, 4);
        if (count == 4) {
            f->four(row, size, work->patches, stride, size, sums);
        } else {
            count = min_s32(count, 2);
            f->two(row, count == 2 ? size : 0, work->patches, stride, size, sums);
        }
        for (int32_t i = 0; i < count; i++, channel++, index += pixels) {
            /* Bias and the row's term are one number since the group began. */
            int32_t base = term[i];
            int32_t y0 = wrap_add(sums[2 * i], wrap_sub(base, term0));
            int32_t y1 = wrap_add(sums[2 * i + 1], wrap_sub(base, term1));
            if (args->scale_stride != 0)
                r = requantiser_of(args, channel);
            if (bytes) {
                uint8_t *y = (uint8_t *)args->y + index;
                y[0] = (uint8_t)requantise_narrow(y0, &r);
                if (pair)
                    y[1] = (uint8_t)requantise_narrow(y1, &r);
            } else {
                finish(args, &r, index, y0);
                if (pair)
                    finish(args, &r, index + 1, y1);
            }
        }
    }
}

static void run_patches(const struct conv_args *args, uint32_t core, uint32_t cores, const struct patch_functions *f)
{
    int32_t size = args->depth * args->kernel_y * args->kernel_x;
    int32_t pixels = args->rows * args->columns;
    uint32_t divisions = (uint32_t)min_s32(args->output_groups, (int32_t)cores);
    uint32_t pixel_groups = cores / divisions;
    uint32_t pixel_group = core / divisions;
    if (pixel_group >= pixel_groups)
        return;
    struct span pairs = share((pixels + 1) / 2, pixel_group, pixel_groups);
    struct span output_pairs = share((args->outputs + 1) / 2, core % divisions, divisions);
    struct patch_work work;
    if (pairs.first == pairs.end || output_pairs.first == output_pairs.end)
        return;
    work.patches = (uint8_t *)args->patches + (int32_t)core * args->scratch_per_core;
    work.patch_bytes = ((size << type_shift(args->x_type)) + 3) & ~3;
    work.terms = (void *)(work.patches + 2 * work.patch_bytes);
    work.outputs.first = 2 * output_pairs.first;
    work.outputs.end = min_s32(2 * output_pairs.end, args->outputs);
    for (int32_t group = 0; group < args->groups; group++) {
        const int8_t *weights = (const int8_t *)args->w + group * args->outputs * size;
        for (int32_t output = work.outputs.first; output < work.outputs.end; output++)
            work.terms[output - work.outputs.first] = wrap_sub(bias_of(args, group * args->outputs + output),
                                                               f->pairs_a(weights + output * size, 1, size));
        for (int32_t batch = 0; batch < args->batches; batch++) {
            int32_t channel = (batch * args->groups + group) * args->depth;
            int32_t end = min_s32(2 * pairs.end, pixels);
            int32_t row = (int32_t)((uint32_t)(2 * pairs.first) / (uint32_t)args->columns);
            int32_t column = 2 * pairs.first - row * args->columns;
            for (int32_t pixel = 2 * pairs.first; pixel < end; pixel += 2) {
                int32_t count = min_s32(2, end - pixel);
                uint8_t *patch = work.patches;
                for (int32_t i = 0; i < count; i++, patch += work.patch_bytes) {
                    f->copy(args, channel, row * args->stride_y - args->pad_y, column * args->stride_x - args->pad_x,
                            patch);
                    if (++column == args->columns) {
                        column = 0;
                        row++;
                    }
                }
                multiply_patches(args, &work, batch, group, pixel, count == 2, f);
            }
        }
    }
}

#define DEFINE_PATCHES(x, dot_types)                                                                           \
    void conv_patches_##x##_s8(const struct conv_args *args, uint32_t core, uint32_t cores)                    \
    {                                                                                                          \
        const struct patch_functions f = {pairs_a_##dot_types, pairs_b_##dot_types, two_along_##dot_types,     \
                                          four_along_##dot_types, patch_##x};                                  \
        run_patches(args, core, cores, &f);                                                                    \
    }

DEFINE_PATCHES(s8, s8_s8)
DEFINE_PATCHES(u8, s8_u8)
DEFINE_PATCHES(s32, s8_s32)
