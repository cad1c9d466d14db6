/* SPDX-License-Identifier: Apache-2.0
 *
 * Divisions of 64-bit integers without the compiler's library. Each core takes a run of the elements.
 */
#include "divide.h"

struct division {
    uint64_t quotient;
    uint64_t rest;
};

/** Divides by a divisor that is not 0 and less than 2^63; a step for each bit of the quotient. */
static struct division divide_magnitudes(uint64_t dividend, uint64_t divisor)
{
    struct division result = {0, dividend};
    uint64_t bit = 1;
    if (((dividend | divisor) >> 32) == 0) {
        result.quotient = (uint32_t)dividend / (uint32_t)divisor;
        result.rest = (uint32_t)dividend % (uint32_t)divisor;
        return result;
    }
    while (divisor <= (dividend >> 1)) {
        divisor <<= 1;
        bit <<= 1;
    }
    for (; bit != 0; bit >>= 1, divisor >>= 1) {
        if (result.rest >= divisor) {
            result.rest -= divisor;
            result.quotient |= bit;
        }
    }
    return result;
}

static inline uint64_t magnitude(int64_t value)
{
    return value < 0 ? 0u - (uint64_t)value : (uint64_t)value;
}

static inline int64_t wide(int32_t low, int32_t high)
{
    return (int64_t)(((uint64_t)(uint32_t)high << 32) | (uint32_t)low);
}

static int32_t rounded_quotient(int64_t numerator, int64_t denominator)
{
    int64_t half = denominator >> 1;
    if (denominator == 0 || numerator == 0)
        return 0;
    numerator += numerator > 0 ? half : -half;
    uint32_t quotient = (uint32_t)divide_magnitudes(magnitude(numerator), magnitude(denominator)).quotient;
    return (int32_t)((numerator < 0) != (denominator < 0) ? 0u - quotient : quotient);
}

void integer_div(const struct integer_div_args *args, uint32_t core, uint32_t cores)
{
    struct walk walk = {
        .extent = {args->extent0, args->extent1, args->extent2, args->extent3, args->extent4, args->extent5},
        .stride_a = {args->a_stride0, args->a_stride1, args->a_stride2, args->a_stride3, args->a_stride4,
                     args->a_stride5},
        .stride_b = {args->b_stride0, args->b_stride1, args->b_stride2, args->b_stride3, args->b_stride4,
                     args->b_stride5},
    };
    int64_t factor = wide(args->numerator_low, args->numerator_high);
    struct span mine = share(walk_count(&walk), core, cores);
    if (mine.first == mine.end)
        return;
    walk_to(&walk, mine.first);
    for (int32_t at = mine.first; at < mine.end; at++) {
        int64_t numerator = factor * load_element(args->a, walk.a, args->a_type);
        int64_t denominator = (int64_t)args->eta * load_element(args->b, walk.b, args->b_type) + args->eps;
        store_element(args->y, at, args->y_type, rounded_quotient(numerator, denominator));
        walk_on(&walk, 1);
    }
}

void true_integer_div(const struct true_integer_div_args *args, uint32_t core, uint32_t cores)
{
    int64_t factor = wide(args->numerator_low, args->numerator_high);
    uint64_t denominator = (uint64_t)wide(args->denominator_low, args->denominator_high);
    struct span mine = share(args->count, core, cores);
    for (int32_t i = mine.first; i < mine.end; i++) {
        int64_t numerator = factor * load_element(args->x, i, args->x_type);
        struct division division = divide_magnitudes(magnitude(numerator), denominator);
        uint32_t quotient = (uint32_t)division.quotient;
        if (numerator < 0)
            quotient = 0u - quotient - (division.rest != 0);
        store_element(args->y, i, args->y_type, (int32_t)quotient);
    }
}
