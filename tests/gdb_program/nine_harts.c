/* What GDB is tried on: functions to step through, data to watch, nine harts that meet, one that goes wrong. */
#include "../isa/cluster/cluster.h"

struct result {
  uint32_t hart;
  int32_t square;
};
static volatile struct result results[HARTS];
volatile uint32_t total;
static volatile uint32_t moved[4];

NOINLINE int32_t square(int32_t value) {
  int32_t product = value * value;
  return product;
}

NOINLINE void work(uint32_t hart) {
  results[hart].hart = hart;
  results[hart].square = square((int32_t)hart - 4);
  __atomic_fetch_add(&total, 1, __ATOMIC_RELAXED);
}

NOINLINE void move(void) {
  static const uint32_t source[4] = {11, 22, 33, 44};
  dma_source((uint32_t)(uintptr_t)source);
  dma_destination((uint32_t)(uintptr_t)moved);
  dma_start(sizeof source, 0);
  dma_wait();
}

#ifdef GOES_WRONG
NOINLINE void go_wrong(uint32_t hart) {
  volatile uint32_t *nowhere = (volatile uint32_t *)0x40000000;
  if (hart == 5) *nowhere = hart;
}
#endif

NOINLINE void spin(void) {
  for (volatile uint32_t i = 0;; i++) {
  }
}

int main(uint32_t hart) {
  work(hart);
  if (hart == HARTS - 1) move();
  barrier();
#ifdef GOES_WRONG
  go_wrong(hart);
#endif
#ifdef SPINS
  spin();
#endif
  return results[hart].square == 16 && total == HARTS && moved[3] == 44 ? 42 : 1;
}
