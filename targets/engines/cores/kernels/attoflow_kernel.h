/* SPDX-License-Identifier: Apache-2.0
 *
 * What all kernels of the worker cores share: element types, the work split, clipping, requantisation and
 * the walk over strided operands. Plain C for rv32im: no libc, no floating point, no 64-bit division.
 *
 * A kernel is `void NAME(const struct NAME_args *args, uint32_t core, uint32_t cores)`; every core calls it
 * with its own index and does its share. Operands are dense row-major arrays; the cores never write the same
 * byte, so they need no lock, and the caller's barrier ends the work.
 */
#ifndef ATTOFLOW_KERNEL_H
#define ATTOFLOW_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Element types as they stand in the `..._type` fields of an args struct. */
enum attoflow_type { ATTOFLOW_S8 = 0, ATTOFLOW_U8 = 1, ATTOFLOW_S32 = 2 };

/** Half-open interval of indices. */
struct span {
    int32_t first;
    int32_t end;
};

static inline int32_t min_s32(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t max_s32(int32_t a, int32_t b) { return a > b ? a : b; }

/** `value` limited to low … high; most values are within, which costs two branches that are not taken. */
static inline int32_t clip(int32_t value, int32_t low, int32_t high)
{
    if (__builtin_expect(value < low, 0))
        value = low;
    if (__builtin_expect(value > high, 0))
        value = high;
    return value;
}

/**
 * Ends a stage: what makes these values comes before it, what uses them behind it. It costs no instruction. Loads
 * and products take four cycles (snitch-cluster.md, section 2): several of them belong in front of the first use,
 * and compilers that do not know the core would place them elsewhere.
 */
#define STAGE(a, b, c, d) __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d) : : "memory")

/**
 * Pins an instruction: the value is made behind all that stands in front and ahead of all that follows. Costs nothing
 * itself. Where the order of single instructions counts: a load or product can be written back only in a cycle in
 * which the issuing instruction has no result of its own, a store, a load or a branch (snitch-cluster.md, section 2.1).
 */
#define PIN(value) __asm__ volatile("" : "+r"(value) : : "memory")

/** int32 arithmetic that wraps, as the dialect's does; plain signed overflow is undefined in C. */
static inline int32_t wrap_add(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
static inline int32_t wrap_sub(int32_t a, int32_t b) { return (int32_t)((uint32_t)a - (uint32_t)b); }
static inline int32_t wrap_mul(int32_t a, int32_t b) { return (int32_t)((uint32_t)a * (uint32_t)b); }

/** This core's contiguous share of `count` items; shares differ by one item at most in being a full chunk. */
static inline struct span share(int32_t count, uint32_t core, uint32_t cores)
{
    /* The divider is shared, and eight cores are the usual number. */
    uint32_t chunk = cores == 8 ? ((uint32_t)count + 7u) >> 3 : ((uint32_t)count + cores - 1u) / cores;
    uint32_t first = chunk * core;
    uint32_t end = first + chunk;
    struct span span;
    span.first = first < (uint32_t)count ? (int32_t)first : count;
    span.end = end < (uint32_t)count ? (int32_t)end : count;
    return span;
}

/** Element `index` of an array whose type is known at run time only. */
static inline int32_t load_element(const void *array, int32_t index, int32_t type)
{
    if (type == ATTOFLOW_S8)
        return ((const int8_t *)array)[index];
    if (type == ATTOFLOW_U8)
        return ((const uint8_t *)array)[index];
    return ((const int32_t *)array)[index];
}

static inline void store_element(void *array, int32_t index, int32_t type, int32_t value)
{
    if (type == ATTOFLOW_S32)
        ((int32_t *)array)[index] = value;
    else
        ((uint8_t *)array)[index] = (uint8_t)value;
}

/** Bytes of an element, as a shift. */
static inline int32_t type_shift(int32_t type) { return type == ATTOFLOW_S32 ? 2 : 0; }

/** Address of element `index`. */
static inline const void *element_address(const void *array, int32_t index, int32_t type)
{
    return (const uint8_t *)array + ((ptrdiff_t)index << type_shift(type));
}

/**
 * Constants of y = clip((x * mul + add + rounding) >> shift), rounding = 2^(shift-1) (dialect, section 3).
 * `offset` is add + rounding in 64 bits; its low word alone serves the narrow path.
 */
struct requantiser {
    int32_t mul;
    uint32_t offset_low;
    int32_t offset_high;
    int32_t shift;
    int32_t low;
    int32_t high;
};

/** Makes the constants ready; shift is 0 … 31. */
static inline struct requantiser make_requantiser(int32_t mul, int32_t add, int32_t shift, int32_t low,
                                                  int32_t high)
{
    uint32_t rounding = shift > 0 ? 1u << (shift - 1) : 0u;
    struct requantiser r = {mul, (uint32_t)add + rounding, add >> 31, shift, low, high};
    r.offset_high += r.offset_low < rounding;
    return r;
}

/** First half of requantise_narrow: the product. */
static inline int32_t scale_narrow(int32_t x, const struct requantiser *r)
{
    return (int32_t)((uint32_t)x * (uint32_t)r->mul + r->offset_low);
}

/** Second half: shift and clip. */
static inline int32_t clip_narrow(int32_t scaled, const struct requantiser *r)
{
    return clip(scaled >> r->shift, r->low, r->high);
}

/** Requantises where x * mul + add + rounding is known to fit in 32 bits. */
static inline int32_t requantise_narrow(int32_t x, const struct requantiser *r)
{
    return clip_narrow(scale_narrow(x, r), r);
}

/** Requantises with an exact 64-bit intermediate. */
static inline int32_t requantise_wide(int32_t x, const struct requantiser *r)
{
    uint32_t low = (uint32_t)x * (uint32_t)r->mul;
    int32_t high = (int32_t)(((int64_t)x * r->mul) >> 32);
    low += r->offset_low;
    high += r->offset_high + (low < r->offset_low);
    if (r->shift > 0) {
        low = (low >> r->shift) | ((uint32_t)high << (32 - r->shift));
        high >>= r->shift;
    }
    if (high != (int32_t)low >> 31)
        return high < 0 ? r->low : r->high;
    return clip((int32_t)low, r->low, r->high);
}

/* ---- Walk over a strided operand or two, run by run ------------------------------------------------- */

enum { WALK_AXES = 6 };

/**
 * Position in the row-major order of a result, and the offsets of the operands that belong to it. Axis 0 is
 * the innermost; strides are elements. Unused axes have extent 1.
 */
struct walk {
    int32_t extent[WALK_AXES];
    int32_t stride_a[WALK_AXES];
    int32_t stride_b[WALK_AXES];
    int32_t index[WALK_AXES];
    int32_t a;
    int32_t b;
};

/** Elements of the result. */
static inline int32_t walk_count(const struct walk *walk)
{
    int32_t count = 1;
    for (int axis = 0; axis < WALK_AXES; axis++)
        count *= walk->extent[axis];
    return count;
}

/** Puts the walk at element `position` of the result. */
static inline void walk_to(struct walk *walk, int32_t position)
{
    walk->a = 0;
    walk->b = 0;
    for (int axis = 0; axis < WALK_AXES; axis++) {
        int32_t extent = walk->extent[axis];
        int32_t index = position;
        if (position >= extent) {
            position = (int32_t)((uint32_t)index / (uint32_t)extent);
            index -= position * extent;
        } else {
            position = 0;
        }
        walk->index[axis] = index;
        walk->a += index * walk->stride_a[axis];
        walk->b += index * walk->stride_b[axis];
    }
}

/** Steps over `run` elements, which end at the end of axis 0 or before it. */
static inline void walk_on(struct walk *walk, int32_t run)
{
    walk->index[0] += run;
    walk->a += run * walk->stride_a[0];
    walk->b += run * walk->stride_b[0];
    for (int axis = 0; axis < WALK_AXES - 1 && walk->index[axis] == walk->extent[axis]; axis++) {
        walk->index[axis] = 0;
        walk->a += walk->stride_a[axis + 1] - walk->extent[axis] * walk->stride_a[axis];
        walk->b += walk->stride_b[axis + 1] - walk->extent[axis] * walk->stride_b[axis];
        walk->index[axis + 1]++;
    }
}

#endif
