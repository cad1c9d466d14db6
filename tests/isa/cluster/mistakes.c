/* One mistake each, chosen at build time; the emulator must say who made it, where and which. */
#include "cluster.h"

volatile uint32_t sink;
const uint32_t numbers[4] = {0xffffffff, 0, 0, 0};

/* Hart 3 does not come to the barrier. */
NOINLINE void deadlock(uint32_t hart) {
  if (hart == 3) {
    for (;;) wait_for_interrupt();
  }
  barrier();
}

NOINLINE void unmapped_load(uint32_t hart) {
  if (hart == 5) sink = *(volatile uint32_t *)0x20000000;
}

NOINLINE void unmapped_store(uint32_t hart) {
  if (hart == 8) *(volatile uint8_t *)0x70000003 = 1;
}

/* Without an end, since the word handed down never becomes 0; hart 0 gets a stack at the bottom of the TCDM. */
NOINLINE uint32_t descend(volatile uint32_t *above) {
  volatile uint32_t here[8] = {*above};
  return here[0] ? descend(here) + here[0] : 0;
}
NOINLINE void stack_overflow(uint32_t hart) {
  if (hart != 0) return;
  __asm__ volatile("li sp, 0x10000400" ::: "memory");
  volatile uint32_t start = 1;
  sink = descend(&start);
}

NOINLINE void jump_into_data(uint32_t hart) {
  if (hart == 2) ((void (*)(void))(uintptr_t)numbers)();
}

NOINLINE void jump_to_nowhere(uint32_t hart) {
  if (hart == 1) ((void (*)(void))0x40000000)();
}

NOINLINE void illegal_instruction(uint32_t hart) {
  if (hart == 7) __asm__ volatile(".word 0x00000053");
}

NOINLINE void dma_on_a_worker(uint32_t hart) {
  if (hart == 4) dma_source(TCDM);
}

NOINLINE void misaligned_load(uint32_t hart) {
  if (hart == 6) __asm__ volatile("lw %0, 2(%1)" : "=r"(hart) : "r"(TCDM));
}

NOINLINE void loop_forever(uint32_t hart) {
  if (hart == 0) {
    for (;;) sink++;
  }
}

NOINLINE void environment_call(uint32_t hart) {
  if (hart == 0) __asm__ volatile("ecall");
}

int main(uint32_t hart) {
  MISTAKE(hart);
  barrier();
  return 0;
}
