/* SPDX-License-Identifier: Apache-2.0
 *
 * Template: dot products of rows of A with columns of B, for one pair of element types. A file defines DOT_A,
 * DOT_B (element types) and DOT_NAME(x) (how a function is called for them), then includes this page; it may
 * do so for several pairs. DOT_ALONG_ONLY leaves out what only columns across memory need.
 *
 * The cluster has one multiplier for all its cores, one product a cycle (snitch-cluster.md, section 2.3), so a
 * product is what is dear. The 2 x 2 blocks therefore use Winograd's inner product (IEEE Trans. Computers C-17,
 * 1968), which needs half the products, is exact in any ring, hence also modulo 2^32:
 *
 *     sum a[k] b[k] = sum over pairs (a[k] + b[k+1]) (a[k+1] + b[k])  -  pairs(a)  -  pairs(b)
 *     pairs(v)      = sum over pairs v[k] v[k+1]
 *
 * pairs(a) is computed once for a row and pairs(b) once for a column. An odd last element is multiplied as is.
 */

/** Sum of the products of neighbouring elements; `stride` is the distance from element to element. */
static int32_t DOT_NAME(pairs_a)(const void *row, int32_t depth)
{
    const DOT_A *a = row;
    uint32_t sum = 0;
    for (int32_t k = 0; k + 1 < depth; k += 2, a += 2)
        sum += (uint32_t)a[0] * (uint32_t)a[1];
    return (int32_t)sum;
}

static int32_t DOT_NAME(pairs_b)(const void *column, int32_t stride, int32_t depth)
{
    const DOT_B *b = column;
    uint32_t sum = 0;
    for (int32_t k = 0; k + 1 < depth; k += 2, b += 2 * stride)
        sum += (uint32_t)b[0] * (uint32_t)b[stride];
    return (int32_t)sum;
}

#ifndef DOT_ALONG_ONLY
/** Plain dot product; elements of `b` are `stride` apart. */
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

#endif

/** One step of a 2 x 2 block: a pair of two rows by a pair of two columns. */
#define DOT_STEP(a00, a01, a10, a11, b00, b01, b10, b11)                                                       \
    do {                                                                                                       \
        uint32_t x0 = (uint32_t)(a00), x1 = (uint32_t)(a01), z0 = (uint32_t)(a10), z1 = (uint32_t)(a11);       \
        uint32_t u0 = (uint32_t)(b00), u1 = (uint32_t)(b01), v0 = (uint32_t)(b10), v1 = (uint32_t)(b11);       \
        s00 += (x0 + u1) * (x1 + u0);                                                                          \
        s01 += (x0 + v1) * (x1 + v0);                                                                          \
        s10 += (z0 + u1) * (z1 + u0);                                                                          \
        s11 += (z0 + v1) * (z1 + v0);                                                                          \
    } while (0)

/**
 * Two rows by two columns, each column along memory, `stride` elements from the first to the second.
 * Leaves the Winograd sums (without the subtraction of the pairs) in `sums`, row by row.
 */
static void DOT_NAME(block_along)(const void *row0, const void *row1, const void *columns, int32_t stride,
                                  int32_t depth, int32_t sums[4])
{
    const DOT_A *a0 = row0;
    const DOT_A *a1 = row1;
    const DOT_B *b0 = columns;
    const DOT_B *b1 = b0 + stride;
    uint32_t s00 = 0, s01 = 0, s10 = 0, s11 = 0;
    int32_t quads = depth >> 2;
    for (; quads > 0; quads--) {
        DOT_STEP(a0[0], a0[1], a1[0], a1[1], b0[0], b0[1], b1[0], b1[1]);
        DOT_STEP(a0[2], a0[3], a1[2], a1[3], b0[2], b0[3], b1[2], b1[3]);
        a0 += 4;
        a1 += 4;
        b0 += 4;
        b1 += 4;
    }
    if (depth & 2) {
        DOT_STEP(a0[0], a0[1], a1[0], a1[1], b0[0], b0[1], b1[0], b1[1]);
        a0 += 2;
        a1 += 2;
        b0 += 2;
        b1 += 2;
    }
    if (depth & 1) {
        uint32_t x = (uint32_t)*a0, z = (uint32_t)*a1, u = (uint32_t)*b0, v = (uint32_t)*b1;
        s00 += x * u;
        s01 += x * v;
        s10 += z * u;
        s11 += z * v;
    }
    sums[0] = (int32_t)s00;
    sums[1] = (int32_t)s01;
    sums[2] = (int32_t)s10;
    sums[3] = (int32_t)s11;
}

#ifndef DOT_ALONG_ONLY
/** The same for two neighbouring columns across memory: elements of a column are `stride` apart. */
static void DOT_NAME(block_across)(const void *row0, const void *row1, const void *columns, int32_t stride,
                                   int32_t depth, int32_t sums[4])
{
    const DOT_A *a0 = row0;
    const DOT_A *a1 = row1;
    const DOT_B *b = columns;
    uint32_t s00 = 0, s01 = 0, s10 = 0, s11 = 0;
    const DOT_B *c = b + stride;
    int32_t quads = depth >> 2;
    int32_t step = 2 * stride;
    for (; quads > 0; quads--) {
        DOT_STEP(a0[0], a0[1], a1[0], a1[1], b[0], c[0], b[1], c[1]);
        b += step;
        c += step;
        DOT_STEP(a0[2], a0[3], a1[2], a1[3], b[0], c[0], b[1], c[1]);
        b += step;
        c += step;
        a0 += 4;
        a1 += 4;
    }
    if (depth & 2) {
        DOT_STEP(a0[0], a0[1], a1[0], a1[1], b[0], c[0], b[1], c[1]);
        b += step;
        a0 += 2;
        a1 += 2;
    }
    if (depth & 1) {
        uint32_t x = (uint32_t)*a0, z = (uint32_t)*a1, u = (uint32_t)b[0], v = (uint32_t)b[1];
        s00 += x * u;
        s01 += x * v;
        s10 += z * u;
        s11 += z * v;
    }
    sums[0] = (int32_t)s00;
    sums[1] = (int32_t)s01;
    sums[2] = (int32_t)s10;
    sums[3] = (int32_t)s11;
}

#endif

#undef DOT_STEP
#undef DOT_ALONG_ONLY
#undef DOT_A
#undef DOT_B
#undef DOT_NAME
