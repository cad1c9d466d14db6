/* Ackermann, queens, Fibonacci, permutations: deep and wide calls. */
#include "console.h"

static NOINLINE uint32_t ackermann(uint32_t m, uint32_t n) {
  if (m == 0) return n + 1;
  return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

static NOINLINE int queens(unsigned all, unsigned columns, unsigned left, unsigned right) {
  if (columns == all) return 1;
  int count = 0;
  for (unsigned free = all & ~(columns | left | right); free; free &= free - 1) {
    unsigned bit = free & -free;
    count += queens(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
  }
  return count;
}

static NOINLINE uint32_t fibonacci(int n) { return n < 2 ? (uint32_t)n : fibonacci(n - 1) + fibonacci(n - 2); }

static uint8_t order[6];
static uint32_t hash = HASH_START;

static NOINLINE void permute(int at) {
  if (at == 6) {
    for (int i = 0; i < 6; i++) hash = hash_word(hash, order[i]);
    return;
  }
  for (int i = at; i < 6; i++) {
    uint8_t swap = order[at];
    order[at] = order[i], order[i] = swap;
    permute(at + 1);
    order[i] = order[at], order[at] = swap;
  }
}

int main(void) {
  uint32_t a = ackermann(2, 20), q = (uint32_t)queens(127, 0, 0, 0), f = fibonacci(16);
  for (int i = 0; i < 6; i++) order[i] = (uint8_t)i;
  permute(0);
  put_line("ackermann", a);
  put_line("queens", q);
  put_line("fibonacci", f);
  put_line("permutations", hash);
  return a != 43 || q != 40 || f != 987;
}
