/* SPDX-License-Identifier: Apache-2.0
 *
 * Clip on the worker cores: each takes a run of the elements, four at a time to hide the latency of the loads.
 */
#include "clip.h"

typedef void clip_run(const void *x, void *y, int32_t count, int32_t low, int32_t high);

#define DEFINE_CLIP(name, x_type, y_type)                                                                      \
    static void name(const void *from, void *to, int32_t count, int32_t low, int32_t high)                     \
    {                                                                                                          \
        const x_type *x = from;                                                                                \
        y_type *y = to;                                                                                        \
        for (; count >= 4; count -= 4) {                                                                       \
            int32_t x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];                                                \
            y[0] = (y_type)clip(x0, low, high);                                                                \
            y[1] = (y_type)clip(x1, low, high);                                                                \
            y[2] = (y_type)clip(x2, low, high);                                                                \
            y[3] = (y_type)clip(x3, low, high);                                                                \
            x += 4;                                                                                            \
            y += 4;                                                                                            \
        }                                                                                                      \
        for (; count > 0; count--)                                                                             \
            *y++ = (y_type)clip(*x++, low, high);                                                              \
    }

DEFINE_CLIP(clip_s8_8, int8_t, uint8_t)
DEFINE_CLIP(clip_u8_8, uint8_t, uint8_t)
DEFINE_CLIP(clip_s32_8, int32_t, uint8_t)
DEFINE_CLIP(clip_s8_32, int8_t, int32_t)
DEFINE_CLIP(clip_u8_32, uint8_t, int32_t)
DEFINE_CLIP(clip_s32_32, int32_t, int32_t)

static clip_run *select_clip(int32_t x_type, bool word)
{
    if (x_type == ATTOFLOW_S8)
        return word ? clip_s8_32 : clip_s8_8;
    if (x_type == ATTOFLOW_U8)
        return word ? clip_u8_32 : clip_u8_8;
    return word ? clip_s32_32 : clip_s32_8;
}

void clip_elements(const struct clip_elements_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->count, core, cores);
    clip_run *run = select_clip(args->x_type, args->y_type == ATTOFLOW_S32);
    run(element_address(args->x, mine.first, args->x_type),
        (uint8_t *)args->y + (mine.first << type_shift(args->y_type)), mine.end - mine.first, args->low, args->high);
}
