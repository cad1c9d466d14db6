/* Thousands of traps: calls, breakpoints and illegal instructions out of loops that the compiler keeps in registers. */
#include "console.h"

static uint32_t seen[16], places;

uint32_t trap(uint32_t cause, uint32_t pc) {
  seen[cause & 15]++;
  places = hash_word(places, cause);
  return pc + 4;
}

static NOINLINE uint32_t busy(uint32_t x, int kind) {
  uint32_t a = x, b = x * 3, c = x ^ 0x5555, d = ~x;
  for (int i = 0; i < 10; i++) {
    if (kind == 0) __asm__ volatile("ecall" ::: "memory");
    if (kind == 1) __asm__ volatile("ebreak" ::: "memory");
    if (kind == 2) __asm__ volatile(".word 0" ::: "memory");
    if (kind == 3) __asm__ volatile(".word 0x00000053" ::: "memory");
    a += b, b ^= c, c -= d, d = d << 5 | d >> 27;
  }
  return a ^ b ^ c ^ d;
}

int main(void) {
  uint32_t hash = HASH_START, wrong = 0;
  for (uint32_t i = 0; i < 400; i++) {
    uint32_t with = busy(i, (int)(i & 3)), without = busy(i, 4);
    wrong += with != without;
    hash = hash_word(hash, with);
  }
  put_line("hash", hash);
  put_line("places", places);
  for (int cause = 0; cause < 16; cause++) put_line("cause", seen[cause]);
  return (int)(wrong || seen[2] != 2000 || seen[3] != 1000 || seen[11] != 1000);
}
