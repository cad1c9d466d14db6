/* 64-bit sums, products, shifts and comparisons, and a 64 by 32 bit division by hand. */
#include "console.h"

static NOINLINE uint64_t mix(uint64_t a, uint64_t b) { return a * b + (a ^ b) - (a & ~b); }
static NOINLINE uint64_t left(uint64_t a, unsigned n) { return a << n; }
static NOINLINE uint64_t right(uint64_t a, unsigned n) { return a >> n; }
static NOINLINE int64_t arithmetic(int64_t a, unsigned n) { return a >> n; }
static NOINLINE int64_t product(int32_t a, int32_t b) { return (int64_t)a * b; }

/* Restoring division, a bit at a time. */
static NOINLINE uint64_t divide(uint64_t a, uint32_t b, uint32_t *remainder) {
  uint64_t quotient = 0, rest = 0;
  for (int i = 63; i >= 0; i--) {
    rest = rest << 1 | (a >> i & 1);
    if (rest >= b) rest -= b, quotient |= (uint64_t)1 << i;
  }
  *remainder = (uint32_t)rest;
  return quotient;
}

static uint32_t hash = HASH_START;
static void add(uint64_t value) { hash = hash_word(hash_word(hash, (uint32_t)value), (uint32_t)(value >> 32)); }

int main(void) {
  uint32_t state = 2024, wrong = 0;
  uint64_t a = 0x123456789abcdefull, b = 0xfedcba9876543210ull;
  for (int i = 0; i < 300; i++) {
    uint32_t x = random_word(&state), y = random_word(&state) >> (x & 15), rest;
    a = mix(a, b), b = mix(b ^ x, (uint64_t)y << 20);
    add(left(a, x & 63));
    add(right(b, y & 63));
    add((uint64_t)arithmetic((int64_t)a, x >> 8 & 63));
    add((uint64_t)product((int32_t)x, (int32_t)y));
    add((uint64_t)((int64_t)a < (int64_t)b) + 2 * (a < b));
    uint32_t divisor = y | 1;
    uint64_t quotient = divide(a, divisor, &rest);
    wrong += quotient * divisor + rest != a || rest >= divisor;
    add(quotient);
  }
  put_line("hash", hash);
  put_line("wrong", wrong);
  return (int)wrong;
}
