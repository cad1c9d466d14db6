/* SPDX-License-Identifier: Apache-2.0
 *
 * IEEE 754 single precision in integers, as much of it as Quant and Dequant need: quotient, sum, product and
 * conversion, all rounded to nearest even. Each core takes a run of the elements.
 *
 * A number is taken apart into sign, biased exponent and a significand whose leading one is bit 30: the value is
 * significand * 2^(exponent - 157). The seven bits below a float32's 24 round it; bit 0 is sticky: it is set if
 * anything below was lost.
 */
#include "quant.h"

#define SIGN 0x80000000u
#define INFINITE 0x7f800000u

struct parts {
    uint32_t sign; /* SIGN or 0 */
    int32_t exponent;
    uint32_t significand; /* 0 for zero */
};

static inline uint32_t shift_sticky(uint32_t value, int32_t count)
{
    if (count > 31)
        return value != 0;
    return (value >> count) | ((value & ((1u << count) - 1u)) != 0);
}

/** Moves the leading one to bit 30. */
static struct parts normalise(struct parts p)
{
    if (p.significand == 0)
        return p;
    while (p.significand < 1u << 30) {
        p.significand <<= 1;
        p.exponent--;
    }
    return p;
}

/** Parts of a finite number. */
static struct parts unpack(uint32_t bits)
{
    struct parts p = {bits & SIGN, (int32_t)(bits >> 23 & 0xffu), (bits & 0x7fffffu) << 7};
    if (p.exponent != 0) {
        p.significand |= 1u << 30;
        return p;
    }
    p.exponent = 1;
    return normalise(p);
}

/** Rounds to float32. */
static uint32_t pack(struct parts p)
{
    uint32_t rest, bits;
    if (p.significand == 0)
        return p.sign;
    if (p.exponent >= 255)
        return p.sign | INFINITE;
    if (p.exponent < 1) {
        p.significand = shift_sticky(p.significand, 1 - p.exponent);
        p.exponent = 1;
    }
    rest = p.significand & 0x7fu;
    bits = p.significand >> 7;
    bits += rest > 64u || (rest == 64u && (bits & 1u));
    /* The leading one, if there is one, counts the exponent up by one. */
    return p.sign | (((uint32_t)(p.exponent - 1) << 23) + bits);
}

static uint32_t float_divide(uint32_t a, uint32_t b)
{
    struct parts x = unpack(a), y = unpack(b);
    struct parts q = {x.sign ^ y.sign, x.exponent - y.exponent + 127, 0};
    uint32_t divisor = y.significand >> 7;
    uint32_t rest = x.significand >> 7;
    if ((a & ~SIGN) == INFINITE || x.significand == 0)
        return q.sign | (a & ~SIGN);
    if (rest < divisor) {
        rest <<= 1;
        q.exponent--;
    }
    /* The quotient is in [1, 2): its one, then 30 bits, as many at a time as keep the dividend in 32. */
    q.significand = 1;
    rest -= divisor;
    for (int digit = 0; digit < 5; digit++) {
        uint32_t quotient;
        rest <<= 6;
        quotient = rest / divisor;
        rest -= quotient * divisor;
        q.significand = (q.significand << 6) | quotient;
    }
    q.significand |= rest != 0;
    return pack(q);
}

static uint32_t float_add(uint32_t a, uint32_t b)
{
    struct parts x = unpack(a), y = unpack(b), sum;
    if ((a & ~SIGN) == INFINITE)
        return a;
    if (y.significand == 0)
        return x.significand == 0 ? a & b : a;
    if (x.significand == 0)
        return b;
    if (x.exponent < y.exponent) {
        struct parts swap = x;
        x = y;
        y = swap;
    }
    y.significand = shift_sticky(y.significand, x.exponent - y.exponent);
    sum = x;
    if (x.sign == y.sign) {
        sum.significand += y.significand;
        if (sum.significand >> 31) {
            sum.significand = shift_sticky(sum.significand, 1);
            sum.exponent++;
        }
    } else if (x.significand >= y.significand) {
        sum.significand -= y.significand;
    } else {
        sum.significand = y.significand - x.significand;
        sum.sign = y.sign;
    }
    if (sum.significand == 0)
        sum.sign = 0;
    return pack(normalise(sum));
}

static uint32_t float_multiply(uint32_t a, uint32_t b)
{
    struct parts x = unpack(a), y = unpack(b);
    uint64_t product = (uint64_t)x.significand * y.significand;
    struct parts p = {x.sign ^ y.sign, x.exponent + y.exponent - 127, (uint32_t)(product >> 30)};
    p.significand |= ((uint32_t)product & 0x3fffffffu) != 0;
    if (p.significand >> 31) {
        p.significand = shift_sticky(p.significand, 1);
        p.exponent++;
    }
    return pack(p);
}

static uint32_t float_of(int32_t value)
{
    uint32_t magnitude = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
    struct parts p = {value < 0 ? SIGN : 0u, 157, magnitude};
    if (magnitude >> 31) {
        p.significand = shift_sticky(magnitude, 1);
        p.exponent++;
    }
    return pack(normalise(p));
}

/** Rounds half to even; numbers beyond int32 become its ends. */
static int32_t rounded(uint32_t bits)
{
    struct parts p;
    uint32_t whole, rest, half;
    int32_t fraction;
    if ((bits & ~SIGN) >= 0x4f000000u) /* 2^31 */
        return bits & SIGN ? INT32_MIN : INT32_MAX;
    p = unpack(bits);
    fraction = 157 - p.exponent; /* bits of the significand behind the point */
    if (fraction > 31)
        return 0;
    if (fraction <= 0)
        return (int32_t)(p.sign ? 0u - (p.significand << -fraction) : p.significand << -fraction);
    half = 1u << (fraction - 1);
    whole = p.significand >> fraction;
    rest = p.significand & (2u * half - 1u);
    whole += rest > half || (rest == half && (whole & 1u));
    return (int32_t)(p.sign ? 0u - whole : whole);
}

void quant(const struct quant_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->count, core, cores);
    for (int32_t i = mine.first; i < mine.end; i++) {
        uint32_t x = args->x[i];
        int32_t value = args->low;
        if ((x & ~SIGN) <= INFINITE) {
            uint32_t quotient = float_divide(x, (uint32_t)args->scale);
            value = clip(rounded(float_add(quotient, (uint32_t)args->zero_point)), args->low, args->high);
        }
        store_element(args->y, i, args->y_type, value);
    }
}

/** Bits of a float32 number as an integer that grows with it; -0 comes right before 0. */
static inline int32_t ordered(uint32_t bits)
{
    return (int32_t)(bits ^ ((uint32_t)((int32_t)bits >> 31) >> 1));
}

/** Goes on by `size` thresholds if the last of them is not above the number. */
#define SEARCH_STEP(size)                                                                                      \
    do {                                                                                                       \
        int32_t t0 = p0[(size)-1], t1 = p1[(size)-1], t2 = p2[(size)-1], t3 = p3[(size)-1];                    \
        STAGE(t0, t1, t2, t3);                                                                                 \
        if (t0 <= x0)                                                                                          \
            p0 += (size);                                                                                      \
        if (t1 <= x1)                                                                                          \
            p1 += (size);                                                                                      \
        if (t2 <= x2)                                                                                          \
            p2 += (size);                                                                                      \
        if (t3 <= x3)                                                                                          \
            p3 += (size);                                                                                      \
    } while (0)

/** Results above low, of four numbers at once so that none waits for its load. */
static void search_four(const int32_t *thresholds, const int32_t x[4], int32_t results[4])
{
    const int32_t *p0 = thresholds, *p1 = thresholds, *p2 = thresholds, *p3 = thresholds;
    int32_t x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
    SEARCH_STEP(128);
    SEARCH_STEP(64);
    SEARCH_STEP(32);
    SEARCH_STEP(16);
    SEARCH_STEP(8);
    SEARCH_STEP(4);
    SEARCH_STEP(2);
    SEARCH_STEP(1);
    results[0] = (int32_t)(p0 - thresholds);
    results[1] = (int32_t)(p1 - thresholds);
    results[2] = (int32_t)(p2 - thresholds);
    results[3] = (int32_t)(p3 - thresholds);
}

void quant_search(const struct quant_search_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->count, core, cores);
    for (int32_t i = mine.first; i < mine.end; i += 4) {
        int32_t count = min_s32(mine.end - i, 4);
        int32_t x[4], results[4];
        for (int32_t k = 0; k < 4; k++) {
            uint32_t bits = args->x[k < count ? i + k : i];
            x[k] = (bits & ~SIGN) > INFINITE ? INT32_MIN : ordered(bits);
        }
        search_four(args->thresholds, x, results);
        for (int32_t k = 0; k < count; k++)
            store_element(args->y, i + k, args->y_type, args->low + results[k]);
    }
}

void dequant(const struct dequant_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->count, core, cores);
    for (int32_t i = mine.first; i < mine.end; i++) {
        int32_t difference = wrap_sub(load_element(args->x, i, args->x_type), args->zero_point);
        args->y[i] = float_multiply(float_of(difference), (uint32_t)args->scale);
    }
}
