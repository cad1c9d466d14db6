/* Barrier ping-pong: in every round each hart reads what another wrote in the round before. */
#include "cluster.h"

static volatile uint32_t *const in_l1 = (volatile uint32_t *)TCDM;
static volatile uint32_t in_l2[HARTS];
static uint32_t wrong;

int main(uint32_t hart) {
  uint32_t value = hart + 1;
  for (uint32_t round = 0; round < 50; round++) {
    volatile uint32_t *slots = round & 1 ? in_l1 : in_l2;
    /* Harts arrive at different times: the barrier must wait for the slowest. */
    for (volatile uint32_t i = 0; i < hart * 7 % 5 * round; i++) {
    }
    slots[hart] = value;
    barrier();
    value = 3 * slots[(hart + 1) % HARTS] + round;
    barrier();
  }
  /* The same computed by one hart alone. */
  uint32_t now[HARTS], next[HARTS];
  for (uint32_t h = 0; h < HARTS; h++) now[h] = h + 1;
  for (uint32_t round = 0; round < 50; round++) {
    for (uint32_t h = 0; h < HARTS; h++) next[h] = 3 * now[(h + 1) % HARTS] + round;
    for (uint32_t h = 0; h < HARTS; h++) now[h] = next[h];
  }
  if (value != now[hart]) __atomic_fetch_or(&wrong, 1u << hart, __ATOMIC_RELAXED);
  barrier();
  return (int)wrong;
}
