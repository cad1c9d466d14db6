/* Code that is written while it runs: a function patched again and again, with fence.i, and a small compiler. */
#include "console.h"

static uint32_t code[64];

static uint32_t addi(unsigned rd, unsigned rs1, int imm) {
  return (uint32_t)imm << 20 | rs1 << 15 | rd << 7 | 0x13;
}
static uint32_t mul(unsigned rd, unsigned rs1, unsigned rs2) {
  return 1u << 25 | rs2 << 20 | rs1 << 15 | rd << 7 | 0x33;
}
enum { A0 = 10, RETURN = 0x00008067 };

static uint32_t run(uint32_t x) {
  __asm__ volatile("fence.i" ::: "memory");
  return ((uint32_t(*)(uint32_t))(uintptr_t)code)(x);
}

int main(void) {
  uint32_t hash = HASH_START, wrong = 0, state = 77;
  for (int i = 0; i < 200; i++) {
    int n = (int)(random_word(&state) % 60), expected = 3;
    for (int k = 0; k < n; k++) {
      int amount = (int)(random_word(&state) % 4096) - 2048;
      if (amount & 1) {
        code[k] = addi(A0, A0, amount), expected += amount;
      } else {
        code[k] = mul(A0, A0, A0), expected = (int)((uint32_t)expected * (uint32_t)expected);
      }
    }
    code[n] = RETURN;
    uint32_t result = run(3);
    wrong += result != (uint32_t)expected;
    hash = hash_word(hash, result);
  }
  put_line("hash", hash);
  put_line("wrong", wrong);
  return (int)wrong;
}
