/* SPDX-License-Identifier: Apache-2.0
 *
 * RequantShift. Each core takes a run of the elements; within it, each channel is a run with one set of
 * constants. Four elements at a time hide the latency of loads and of the shared multiplier.
 */
#include "requant_shift.h"

typedef void requantise_run(const void *x, void *y, int32_t count, const struct requantiser *constants);

#define DEFINE_RUN(name, x_type, y_type, scale, clip_scaled)                                                   \
    static void name(const void *from, void *to, int32_t count, const struct requantiser *constants)           \
    {                                                                                                          \
        const x_type *x = from;                                                                                \
        y_type *y = to;                                                                                        \
        const struct requantiser r = *constants;                                                               \
        for (; count >= 4; count -= 4) {                                                                       \
            int32_t x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];                                                \
            STAGE(x0, x1, x2, x3);                                                                             \
            x0 = scale(x0, &r);                                                                                \
            x1 = scale(x1, &r);                                                                                \
            x2 = scale(x2, &r);                                                                                \
            x3 = scale(x3, &r);                                                                                \
            STAGE(x0, x1, x2, x3);                                                                             \
            y[0] = (y_type)clip_scaled(x0, &r);                                                                \
            y[1] = (y_type)clip_scaled(x1, &r);                                                                \
            y[2] = (y_type)clip_scaled(x2, &r);                                                                \
            y[3] = (y_type)clip_scaled(x3, &r);                                                                \
            x += 4;                                                                                            \
            y += 4;                                                                                            \
        }                                                                                                      \
        for (; count > 0; count--)                                                                             \
            *y++ = (y_type)clip_scaled(scale(*x++, &r), &r);                                                   \
    }

/* The narrow way; int8 and uint8 results are the same byte. */
DEFINE_RUN(narrow_s8_8, int8_t, uint8_t, scale_narrow, clip_narrow)
DEFINE_RUN(narrow_u8_8, uint8_t, uint8_t, scale_narrow, clip_narrow)
DEFINE_RUN(narrow_s32_8, int32_t, uint8_t, scale_narrow, clip_narrow)
DEFINE_RUN(narrow_s8_32, int8_t, int32_t, scale_narrow, clip_narrow)
DEFINE_RUN(narrow_u8_32, uint8_t, int32_t, scale_narrow, clip_narrow)
DEFINE_RUN(narrow_s32_32, int32_t, int32_t, scale_narrow, clip_narrow)

/* The wide way, which has no halves. */
static inline int32_t as_is(int32_t x, const struct requantiser *r)
{
    (void)r;
    return x;
}

DEFINE_RUN(wide_s8_8, int8_t, uint8_t, as_is, requantise_wide)
DEFINE_RUN(wide_u8_8, uint8_t, uint8_t, as_is, requantise_wide)
DEFINE_RUN(wide_s32_8, int32_t, uint8_t, as_is, requantise_wide)
DEFINE_RUN(wide_s8_32, int8_t, int32_t, as_is, requantise_wide)
DEFINE_RUN(wide_u8_32, uint8_t, int32_t, as_is, requantise_wide)
DEFINE_RUN(wide_s32_32, int32_t, int32_t, as_is, requantise_wide)

static requantise_run *run_for(const struct requant_shift_args *args)
{
    bool word = args->y_type == ATTOFLOW_S32;
    switch (args->x_type) {
    case ATTOFLOW_S8:
        if (args->wide)
            return word ? wide_s8_32 : wide_s8_8;
        return word ? narrow_s8_32 : narrow_s8_8;
    case ATTOFLOW_U8:
        if (args->wide)
            return word ? wide_u8_32 : wide_u8_8;
        return word ? narrow_u8_32 : narrow_u8_8;
    default:
        if (args->wide)
            return word ? wide_s32_32 : wide_s32_8;
        return word ? narrow_s32_32 : narrow_s32_8;
    }
}

/** Constants of a channel. */
static inline struct requantiser requantiser_of(const struct requant_shift_args *args, int32_t channel)
{
    int32_t shift = args->shifts ? args->shifts[channel] : args->shift;
    return make_requantiser(args->mul[channel], args->add[channel], shift, args->low, args->high);
}

/** Where channels are neighbours there are no runs: each element has constants of its own. */
static void requantise_each(const struct requant_shift_args *args, struct span mine)
{
    int32_t channel = (int32_t)((uint32_t)mine.first % (uint32_t)args->channels);
    bool plain = !args->wide && !args->shifts;
    const struct requantiser common = make_requantiser(0, 0, args->shift, args->low, args->high);
    for (int32_t at = mine.first; at < mine.end; at++) {
        int32_t x = load_element(args->x, at, args->x_type);
        if (plain) {
            uint32_t scaled = (uint32_t)x * (uint32_t)args->mul[channel];
            scaled += (uint32_t)args->add[channel] + common.offset_low;
            x = clip_narrow((int32_t)scaled, &common);
        } else {
            struct requantiser r = requantiser_of(args, channel);
            x = args->wide ? requantise_wide(x, &r) : requantise_narrow(x, &r);
        }
        store_element(args->y, at, args->y_type, x);
        if (++channel == args->channels)
            channel = 0;
    }
}

void requant_shift(const struct requant_shift_args *args, uint32_t core, uint32_t cores)
{
    requantise_run *run = run_for(args);
    int32_t inner = args->inner;
    struct span mine = share(args->outer * args->channels * inner, core, cores);
    if (mine.first == mine.end)
        return;
    if (inner == 1) {
        requantise_each(args, mine);
        return;
    }
    int32_t row = (int32_t)((uint32_t)mine.first / (uint32_t)inner);
    int32_t channel = (int32_t)((uint32_t)row % (uint32_t)args->channels);
    int32_t end_of_row = (row + 1) * inner;
    for (int32_t at = mine.first; at < mine.end; end_of_row += inner) {
        int32_t count = min_s32(end_of_row, mine.end) - at;
        struct requantiser r = requantiser_of(args, channel);
        run(element_address(args->x, at, args->x_type), (uint8_t *)args->y + (at << type_shift(args->y_type)), count,
            &r);
        at += count;
        if (++channel == args->channels)
            channel = 0;
    }
}
