/* SPDX-License-Identifier: Apache-2.0
 *
 * Template: dot products of rows of A with columns of B, for one pair of element types. A file defines DOT_A,
 * DOT_B (element types) and DOT_NAME(x) (how a function is called for them), then includes this page; it may
 * do so for several pairs. DOT_ALONG_ONLY leaves out what only columns across memory need.
 *
 * The cluster has one multiplier for all its cores, one product a cycle (snitch-cluster.md, section 2.3), so a
 * product is what is dear. Blocks of rows and columns therefore use Winograd's inner product (IEEE Trans.
 * Computers C-17, 1968), which needs half the products, is exact in any ring, hence also modulo 2^32:
 *
 *     sum a[k] b[k] = sum over pairs (a[k] + b[k+1]) (a[k+1] + b[k])  -  pairs(a)  -  pairs(b)
 *     pairs(v)      = sum over pairs v[k] v[k+1]
 *
 * pairs(a) is computed once for a row and pairs(b) once for a column. An odd last element is multiplied as is.
 */
#ifndef DOT_H
#define DOT_H

#include "attoflow_kernel.h"

/** Starts a pair: its elements in two columns and in the first two rows. */
#define DOT_COLUMNS(k, b00, b01, b10, b11)                                                                     \
    uint32_t u0 = (uint32_t)(b00), u1 = (uint32_t)(b01), v0 = (uint32_t)(b10), v1 = (uint32_t)(b11);           \
    uint32_t x0 = (uint32_t)a0[k], x1 = (uint32_t)a0[(k) + 1];                                                 \
    uint32_t y0 = (uint32_t)a1[k], y1 = (uint32_t)a1[(k) + 1]

/** A pair x0, x1 of a row times those of the two columns. */
#define DOT_PRODUCTS(m, n, x0, x1)                                                                             \
    m = ((x0) + u1) * ((x1) + u0);                                                                             \
    STAGE(m, n, x0, x1);                                                                                       \
    n = ((x0) + v1) * ((x1) + v0);                                                                             \
    STAGE(m, n, x0, x1)

/**
 * A pair of four rows by two columns. Rows are loaded long before they are multiplied, and products are added when
 * the next ones are under way, those of the last row (n0, n1) in the next step: so the latency of loads and of the
 * multiplier, which eight cores share, passes by.
 */
#define DOT_STEP_4(k, b00, b01, b10, b11)                                                                      \
    do {                                                                                                       \
        DOT_COLUMNS(k, b00, b01, b10, b11);                                                                    \
        STAGE(x0, x1, y0, y1);                                                                                 \
        s6 += n0;                                                                                              \
        s7 += n1;                                                                                              \
        DOT_PRODUCTS(m0, m1, x0, x1);                                                                          \
        x0 = (uint32_t)a2[k];                                                                                  \
        x1 = (uint32_t)a2[(k) + 1];                                                                            \
        STAGE(x0, x1, y0, y1);                                                                                 \
        DOT_PRODUCTS(n0, n1, y0, y1);                                                                          \
        y0 = (uint32_t)a3[k];                                                                                  \
        y1 = (uint32_t)a3[(k) + 1];                                                                            \
        s0 += m0;                                                                                              \
        s1 += m1;                                                                                              \
        STAGE(s0, s1, y0, y1);                                                                                 \
        DOT_PRODUCTS(m0, m1, x0, x1);                                                                          \
        s2 += n0;                                                                                              \
        s3 += n1;                                                                                              \
        STAGE(s2, s3, y0, y1);                                                                                 \
        DOT_PRODUCTS(n0, n1, y0, y1);                                                                          \
        s4 += m0;                                                                                              \
        s5 += m1;                                                                                              \
        STAGE(s4, s5, n0, n1);                                                                                 \
    } while (0)

/** A pair of two rows by two columns. */
#define DOT_STEP_2(k, b00, b01, b10, b11)                                                                      \
    do {                                                                                                       \
        DOT_COLUMNS(k, b00, b01, b10, b11);                                                                    \
        STAGE(x0, x1, y0, y1);                                                                                 \
        s2 += n0;                                                                                              \
        s3 += n1;                                                                                              \
        DOT_PRODUCTS(m0, m1, x0, x1);                                                                          \
        DOT_PRODUCTS(n0, n1, y0, y1);                                                                          \
        s0 += m0;                                                                                              \
        s1 += m1;                                                                                              \
        STAGE(s0, s1, n0, n1);                                                                                 \
    } while (0)

/** Of two rows: what a depth that is odd leaves, elements b0 and b1 of the columns, and the sums. */
#define DOT_END_2(b0, b1)                                                                                      \
    do {                                                                                                       \
        if (depth & 1) {                                                                                       \
            uint32_t u = (uint32_t)(b0), v = (uint32_t)(b1);                                                   \
            s0 += (uint32_t)*a0 * u;                                                                           \
            s1 += (uint32_t)*a0 * v;                                                                           \
            s2 += (uint32_t)*a1 * u;                                                                           \
            s3 += (uint32_t)*a1 * v;                                                                           \
        }                                                                                                      \
        sums[0] = (int32_t)s0;                                                                                 \
        sums[1] = (int32_t)s1;                                                                                 \
        sums[2] = (int32_t)(s2 + n0);                                                                          \
        sums[3] = (int32_t)(s3 + n1);                                                                          \
    } while (0)

/** The same of four rows. */
#define DOT_END_4(b0, b1)                                                                                      \
    do {                                                                                                       \
        if (depth & 1) {                                                                                       \
            uint32_t u = (uint32_t)(b0), v = (uint32_t)(b1);                                                   \
            s0 += (uint32_t)*a0 * u;                                                                           \
            s1 += (uint32_t)*a0 * v;                                                                           \
            s2 += (uint32_t)*a1 * u;                                                                           \
            s3 += (uint32_t)*a1 * v;                                                                           \
            s4 += (uint32_t)*a2 * u;                                                                           \
            s5 += (uint32_t)*a2 * v;                                                                           \
            s6 += (uint32_t)*a3 * u;                                                                           \
            s7 += (uint32_t)*a3 * v;                                                                           \
        }                                                                                                      \
        sums[0] = (int32_t)s0;                                                                                 \
        sums[1] = (int32_t)s1;                                                                                 \
        sums[2] = (int32_t)s2;                                                                                 \
        sums[3] = (int32_t)s3;                                                                                 \
        sums[4] = (int32_t)s4;                                                                                 \
        sums[5] = (int32_t)s5;                                                                                 \
        sums[6] = (int32_t)(s6 + n0);                                                                          \
        sums[7] = (int32_t)(s7 + n1);                                                                          \
    } while (0)

#endif

/** Sum of the products of neighbouring elements; `stride` is the distance from element to element. */
#define DOT_PAIRS(name, type)                                                                                  \
    static int32_t name(const void *vector, int32_t stride, int32_t depth)                                     \
    {                                                                                                          \
        const type *v = vector;                                                                                \
        uint32_t sum0 = 0, sum1 = 0;                                                                           \
        int32_t step = 2 * stride;                                                                             \
        for (; depth >= 8; depth -= 8) {                                                                       \
            const type *w = v + stride;                                                                        \
            uint32_t a0 = (uint32_t)*v, a1 = (uint32_t)*w, b0, b1, c0, c1, d0, d1;                             \
            v += step;                                                                                         \
            w += step;                                                                                         \
            b0 = (uint32_t)*v;                                                                                 \
            b1 = (uint32_t)*w;                                                                                 \
            v += step;                                                                                         \
            w += step;                                                                                         \
            c0 = (uint32_t)*v;                                                                                 \
            c1 = (uint32_t)*w;                                                                                 \
            v += step;                                                                                         \
            w += step;                                                                                         \
            d0 = (uint32_t)*v;                                                                                 \
            d1 = (uint32_t)*w;                                                                                 \
            v += step;                                                                                         \
            sum0 += a0 * a1 + b0 * b1;                                                                         \
            sum1 += c0 * c1 + d0 * d1;                                                                         \
        }                                                                                                      \
        for (; depth >= 2; depth -= 2, v += step)                                                              \
            sum0 += (uint32_t)v[0] * (uint32_t)v[stride];                                                      \
        return (int32_t)(sum0 + sum1);                                                                         \
    }

DOT_PAIRS(DOT_NAME(pairs_a), DOT_A)
DOT_PAIRS(DOT_NAME(pairs_b), DOT_B)

#undef DOT_PAIRS

/**
 * Two rows (`a_stride` elements apart, 0 for one row twice) by two columns, each along memory and `b_stride`
 * elements apart. Leaves the Winograd sums, without the subtraction of the pairs, in `sums`, row by row.
 */
static void DOT_NAME(two_along)(const void *rows, int32_t a_stride, const void *columns, int32_t b_stride,
                                int32_t depth, int32_t *sums)
{
    uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, m0 = 0, m1 = 0, n0 = 0, n1 = 0;
    const DOT_A *a0 = rows, *a1 = a0 + a_stride;
    const DOT_B *b0 = columns, *b1 = b0 + b_stride;
    for (; depth >= 4; depth -= 4) {
        DOT_STEP_2(0, b0[0], b0[1], b1[0], b1[1]);
        STAGE(s0, s1, s2, s3);
        DOT_STEP_2(2, b0[2], b0[3], b1[2], b1[3]);
        a0 += 4;
        a1 += 4;
        b0 += 4;
        b1 += 4;
        STAGE(a0, a1, b0, b1);
    }
    if (depth >= 2) {
        DOT_STEP_2(0, b0[0], b0[1], b1[0], b1[1]);
        a0 += 2;
        a1 += 2;
        b0 += 2;
        b1 += 2;
    }
    DOT_END_2(*b0, *b1);
}

/** The same for four rows. */
static void DOT_NAME(four_along)(const void *rows, int32_t a_stride, const void *columns, int32_t b_stride,
                                 int32_t depth, int32_t *sums)
{
    uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0, m0 = 0, m1 = 0, n0 = 0, n1 = 0;
    const DOT_A *a0 = rows, *a1 = a0 + a_stride, *a2 = a1 + a_stride, *a3 = a2 + a_stride;
    const DOT_B *b0 = columns, *b1 = b0 + b_stride;
    for (const DOT_B *end = b0 + (depth & ~3); b0 != end;) {
        DOT_STEP_4(0, b0[0], b0[1], b1[0], b1[1]);
        DOT_STEP_4(2, b0[2], b0[3], b1[2], b1[3]);
        a0 += 4;
        a1 += 4;
        a2 += 4;
        a3 += 4;
        b0 += 4;
        b1 += 4;
        STAGE(a0, a1, b0, b1);
    }
    if (depth & 2) {
        DOT_STEP_4(0, b0[0], b0[1], b1[0], b1[1]);
        a0 += 2;
        a1 += 2;
        a2 += 2;
        a3 += 2;
        b0 += 2;
        b1 += 2;
    }
    DOT_END_4(*b0, *b1);
}

#ifndef DOT_ALONG_ONLY
/** Plain dot product; elements of the column are `stride` apart. */
static int32_t DOT_NAME(dot)(const void *row, const void *column, int32_t stride, int32_t depth)
{
    const DOT_A *a = row;
    const DOT_B *b = column;
    uint32_t sum0 = 0;
    uint32_t sum1 = 0;
    int32_t k = 0;
    for (; k + 3 < depth; k += 4, a += 4) {
        uint32_t a0 = (uint32_t)a[0], a1 = (uint32_t)a[1], a2 = (uint32_t)a[2], a3 = (uint32_t)a[3];
        uint32_t b0 = (uint32_t)*b, b1, b2, b3;
        b += stride;
        b1 = (uint32_t)*b;
        b += stride;
        b2 = (uint32_t)*b;
        b += stride;
        b3 = (uint32_t)*b;
        b += stride;
        sum0 += a0 * b0;
        sum1 += a1 * b1;
        sum0 += a2 * b2;
        sum1 += a3 * b3;
    }
    for (; k < depth; k++, a++, b += stride)
        sum0 += (uint32_t)*a * (uint32_t)*b;
    return (int32_t)(sum0 + sum1);
}

/** Two rows by two neighbouring columns across memory: elements of a column are `b_stride` apart. */
static void DOT_NAME(two_across)(const void *rows, int32_t a_stride, const void *columns, int32_t b_stride,
                                 int32_t depth, int32_t *sums)
{
    uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, m0 = 0, m1 = 0, n0 = 0, n1 = 0;
    const DOT_A *a0 = rows, *a1 = a0 + a_stride;
    const DOT_B *b = columns, *c = b + b_stride;
    int32_t step = 2 * b_stride;
    for (; depth >= 4; depth -= 4) {
        DOT_STEP_2(0, b[0], c[0], b[1], c[1]);
        b += step;
        c += step;
        STAGE(s0, s1, s2, s3);
        DOT_STEP_2(2, b[0], c[0], b[1], c[1]);
        b += step;
        c += step;
        a0 += 4;
        a1 += 4;
        STAGE(a0, a1, b, c);
    }
    if (depth >= 2) {
        DOT_STEP_2(0, b[0], c[0], b[1], c[1]);
        b += step;
        a0 += 2;
        a1 += 2;
    }
    DOT_END_2(b[0], b[1]);
}

/** The same for four rows. */
static void DOT_NAME(four_across)(const void *rows, int32_t a_stride, const void *columns, int32_t b_stride,
                                  int32_t depth, int32_t *sums)
{
    uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0, m0 = 0, m1 = 0, n0 = 0, n1 = 0;
    const DOT_A *a0 = rows, *a1 = a0 + a_stride, *a2 = a1 + a_stride, *a3 = a2 + a_stride;
    const DOT_B *b = columns, *c = b + b_stride;
    int32_t step = 2 * b_stride;
    for (const DOT_A *end = a0 + (depth & ~3); a0 != end;) {
        DOT_STEP_4(0, b[0], c[0], b[1], c[1]);
        b += step;
        c += step;
        DOT_STEP_4(2, b[0], c[0], b[1], c[1]);
        b += step;
        c += step;
        a0 += 4;
        a1 += 4;
        a2 += 4;
        a3 += 4;
        STAGE(a0, a1, b, c);
    }
    if (depth & 2) {
        DOT_STEP_4(0, b[0], c[0], b[1], c[1]);
        b += step;
        a0 += 2;
        a1 += 2;
        a2 += 2;
        a3 += 2;
    }
    DOT_END_4(b[0], b[1]);
}
#endif

#undef DOT_ALONG_ONLY
#undef DOT_A
#undef DOT_B
#undef DOT_NAME
