/* SPDX-License-Identifier: Apache-2.0
 *
 * What compilers call without being asked: block operations and 64-bit shifts. With these no compiler needs its
 * runtime library. Written so that they are not turned into calls of themselves (see the flags in the Makefile).
 */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict destination, const void *restrict source, size_t bytes);
void *memmove(void *destination, const void *source, size_t bytes);
void *memset(void *destination, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
uint64_t __ashldi3(uint64_t value, int32_t count);
uint64_t __lshrdi3(uint64_t value, int32_t count);
int64_t __ashrdi3(int64_t value, int32_t count);
int32_t __clzsi2(uint32_t value);

void *memcpy(void *restrict destination, const void *restrict source, size_t bytes)
{
    uint8_t *to = destination;
    const uint8_t *from = source;
    if ((((uintptr_t)to | (uintptr_t)from) & 3u) == 0) {
        for (; bytes >= 16; bytes -= 16, to += 16, from += 16) {
            uint32_t a = ((const uint32_t *)from)[0], b = ((const uint32_t *)from)[1];
            uint32_t c = ((const uint32_t *)from)[2], d = ((const uint32_t *)from)[3];
            ((uint32_t *)to)[0] = a;
            ((uint32_t *)to)[1] = b;
            ((uint32_t *)to)[2] = c;
            ((uint32_t *)to)[3] = d;
        }
    }
    for (; bytes > 0; bytes--)
        *to++ = *from++;
    return destination;
}

void *memmove(void *destination, const void *source, size_t bytes)
{
    uint8_t *to = destination;
    const uint8_t *from = source;
    if ((uintptr_t)to <= (uintptr_t)from)
        return memcpy(destination, source, bytes);
    while (bytes-- > 0)
        to[bytes] = from[bytes];
    return destination;
}

void *memset(void *destination, int value, size_t bytes)
{
    uint8_t *to = destination;
    uint32_t word = (uint8_t)value * 0x01010101u;
    if (((uintptr_t)to & 3u) == 0) {
        for (; bytes >= 4; bytes -= 4, to += 4)
            *(uint32_t *)to = word;
    }
    for (; bytes > 0; bytes--)
        *to++ = (uint8_t)value;
    return destination;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
    const uint8_t *left = a, *right = b;
    for (; bytes > 0; bytes--, left++, right++) {
        if (*left != *right)
            return *left - *right;
    }
    return 0;
}

uint64_t __ashldi3(uint64_t value, int32_t count)
{
    uint32_t low = (uint32_t)value, high = (uint32_t)(value >> 32);
    if (count == 0)
        return value;
    if (count >= 32)
        return (uint64_t)(low << (count - 32)) << 32;
    return (uint64_t)(high << count | low >> (32 - count)) << 32 | low << count;
}

uint64_t __lshrdi3(uint64_t value, int32_t count)
{
    uint32_t low = (uint32_t)value, high = (uint32_t)(value >> 32);
    if (count == 0)
        return value;
    if (count >= 32)
        return high >> (count - 32);
    return (uint64_t)(high >> count) << 32 | (low >> count | high << (32 - count));
}

int64_t __ashrdi3(int64_t value, int32_t count)
{
    uint32_t low = (uint32_t)(uint64_t)value;
    int32_t high = (int32_t)((uint64_t)value >> 32);
    if (count == 0)
        return value;
    if (count >= 32)
        return high >> (count - 32);
    return (int64_t)((uint64_t)(uint32_t)(high >> count) << 32 | (low >> count | (uint32_t)high << (32 - count)));
}

int32_t __clzsi2(uint32_t value)
{
    int32_t zeros = 0;
    for (int32_t width = 16; width > 0; width >>= 1) {
        if (value >> (32 - width) == 0) {
            zeros += width;
            value <<= width;
        }
    }
    return zeros;
}
