/* SPDX-License-Identifier: Apache-2.0
 *
 * Reductions: each core takes a run of the results and sums for each of them.
 */
#include "reduce.h"

#define DEFINE_SUM(name, type)                                                                                 \
    static uint32_t name(const void *from, int32_t stride, int32_t count)                                      \
    {                                                                                                          \
        const type *x = from;                                                                                  \
        uint32_t sum = 0;                                                                                      \
        for (; count >= 4; count -= 4) {                                                                       \
            type x0 = *x, x1, x2, x3;                                                                          \
            x += stride;                                                                                       \
            x1 = *x;                                                                                           \
            x += stride;                                                                                       \
            x2 = *x;                                                                                           \
            x += stride;                                                                                       \
            x3 = *x;                                                                                           \
            x += stride;                                                                                       \
            sum += (uint32_t)x0 + (uint32_t)x1 + (uint32_t)x2 + (uint32_t)x3;                                  \
        }                                                                                                      \
        for (; count > 0; count--, x += stride)                                                                \
            sum += (uint32_t)*x;                                                                               \
        return sum;                                                                                            \
    }

DEFINE_SUM(sum_s8, int8_t)
DEFINE_SUM(sum_u8, uint8_t)
DEFINE_SUM(sum_s32, int32_t)

static uint32_t sum_run(const struct reduce_args *args, int32_t offset)
{
    const void *x = element_address(args->x, offset, args->x_type);
    if (args->x_type == ATTOFLOW_S8)
        return sum_s8(x, args->over_stride0, args->over0);
    if (args->x_type == ATTOFLOW_U8)
        return sum_u8(x, args->over_stride0, args->over0);
    return sum_s32(x, args->over_stride0, args->over0);
}

static int32_t sum_over(const struct reduce_args *args, int32_t offset)
{
    uint32_t sum = 0;
    for (int32_t i3 = 0; i3 < args->over3; i3++)
        for (int32_t i2 = 0; i2 < args->over2; i2++)
            for (int32_t i1 = 0; i1 < args->over1; i1++)
                sum += sum_run(args, offset + i3 * args->over_stride3 + i2 * args->over_stride2 +
                                         i1 * args->over_stride1);
    return (int32_t)sum;
}

/**
 * Sums of neighbouring results whose terms are neighbours too: four at a time, so that a row of x is read along
 * memory. Only for reductions over one axis, such as the heads of an attention.
 */
#define DEFINE_FOUR_SUMS(name, type)                                                                           \
    static void name(const struct reduce_args *args, int32_t offset, uint32_t sums[4])                         \
    {                                                                                                          \
        const type *x = (const type *)args->x + offset;                                                        \
        int32_t stride = args->over_stride0;                                                                   \
        uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;                                                               \
        for (int32_t i = args->over0; i > 0; i--, x += stride) {                                               \
            uint32_t x0 = (uint32_t)x[0], x1 = (uint32_t)x[1], x2 = (uint32_t)x[2], x3 = (uint32_t)x[3];       \
            STAGE(x0, x1, x2, x3);                                                                             \
            s0 += x0;                                                                                          \
            s1 += x1;                                                                                          \
            s2 += x2;                                                                                          \
            s3 += x3;                                                                                          \
        }                                                                                                      \
        sums[0] = s0;                                                                                          \
        sums[1] = s1;                                                                                          \
        sums[2] = s2;                                                                                          \
        sums[3] = s3;                                                                                          \
    }

DEFINE_FOUR_SUMS(four_s8, int8_t)
DEFINE_FOUR_SUMS(four_u8, uint8_t)
DEFINE_FOUR_SUMS(four_s32, int32_t)

static void four_sums(const struct reduce_args *args, int32_t offset, uint32_t sums[4])
{
    if (args->x_type == ATTOFLOW_S8)
        four_s8(args, offset, sums);
    else if (args->x_type == ATTOFLOW_U8)
        four_u8(args, offset, sums);
    else
        four_s32(args, offset, sums);
}

/** floor(sum / count + 1/2) */
static int32_t mean_of(int32_t sum, int32_t count)
{
    int32_t quotient = sum / count;
    int32_t rest = sum - quotient * count;
    if (rest < 0) {
        rest += count;
        quotient--;
    }
    return quotient + ((uint32_t)rest * 2u >= (uint32_t)count);
}

static void reduce(const struct reduce_args *args, uint32_t core, uint32_t cores, bool mean)
{
    struct walk walk = {
        .extent = {args->extent0, args->extent1, args->extent2, args->extent3, args->extent4, args->extent5},
        .stride_a = {args->stride0, args->stride1, args->stride2, args->stride3, args->stride4, args->stride5},
    };
    int32_t terms = args->over0 * args->over1 * args->over2 * args->over3;
    bool along = args->stride0 == 1 && terms == args->over0;
    struct span mine = share(walk_count(&walk), core, cores);
    if (mine.first == mine.end)
        return;
    walk_to(&walk, mine.first);
    for (int32_t at = mine.first, count; at < mine.end; at += count) {
        uint32_t sums[4];
        count = min_s32(walk.extent[0] - walk.index[0], mine.end - at);
        if (along && count >= 4) {
            count = 4;
            four_sums(args, walk.a, sums);
        } else {
            count = 1;
            sums[0] = (uint32_t)sum_over(args, walk.a);
        }
        for (int32_t i = 0; i < count; i++) {
            int32_t sum = (int32_t)sums[i];
            store_element(args->y, at + i, args->y_type, mean ? mean_of(sum, terms) : sum);
        }
        walk_on(&walk, count);
    }
}

void reduce_sum(const struct reduce_args *args, uint32_t core, uint32_t cores)
{
    reduce(args, core, cores, false);
}

void reduce_mean(const struct reduce_args *args, uint32_t core, uint32_t cores)
{
    reduce(args, core, cores, true);
}
