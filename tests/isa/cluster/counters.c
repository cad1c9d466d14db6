/* All harts count in the same words, by AMO, by LR and SC and under a lock, in L1 and in L2: no count is lost. */
#include "cluster.h"

enum { TIMES = 40 };
struct counts {
  uint32_t added, exchanged, locked, lock, bits, largest;
};
static struct counts in_l2;

static NOINLINE void increment_exchanged(uint32_t *word) {
  uint32_t value, failed;
  do {
    __asm__ volatile(
        "lr.w %0, (%2)\n"
        "addi %0, %0, 1\n"
        "sc.w %1, %0, (%2)"
        : "=&r"(value), "=&r"(failed)
        : "r"(word)
        : "memory");
  } while (failed);
}

static NOINLINE void increment_locked(struct counts *counts) {
  while (__atomic_exchange_n(&counts->lock, 1, __ATOMIC_ACQUIRE)) {
  }
  counts->locked++;
  fence();
  __atomic_store_n(&counts->lock, 0, __ATOMIC_RELEASE);
}

static int wrong(const struct counts *counts) {
  return counts->added != HARTS * TIMES || counts->exchanged != HARTS * TIMES || counts->locked != HARTS * TIMES ||
         counts->bits != 0x1ff || counts->largest != HARTS * 1000;
}

int main(uint32_t hart) {
  struct counts *in_l1 = (struct counts *)TCDM;
  if (hart == 0) {
    for (uint32_t i = 0; i < sizeof *in_l1 / 4; i++) ((volatile uint32_t *)TCDM)[i] = 0;
  }
  barrier();
  for (int i = 0; i < TIMES; i++) {
    for (int where = 0; where < 2; where++) {
      struct counts *counts = where ? in_l1 : &in_l2;
      __atomic_fetch_add(&counts->added, 1, __ATOMIC_RELAXED);
      increment_exchanged(&counts->exchanged);
      increment_locked(counts);
      __atomic_fetch_or(&counts->bits, 1u << hart, __ATOMIC_RELAXED);
      __asm__ volatile("amomaxu.w zero, %0, (%1)" ::"r"((hart + 1) * 1000), "r"(&counts->largest) : "memory");
    }
  }
  barrier();
  return wrong(in_l1) + 2 * wrong(&in_l2);
}
