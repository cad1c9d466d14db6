/* A token goes round the harts: each sleeps until the one before sets its bit in the cluster's CLINT. */
#include "cluster.h"

enum { ROUNDS = 5 };
static volatile uint32_t token;
static uint32_t wrong;

int main(uint32_t hart) {
  enable_cluster_interrupt();
  barrier();
  for (uint32_t round = 0; round < ROUNDS; round++) {
    if (hart != 0 || round != 0) {
      wait_for_interrupt();
      CL_CLINT_CLEAR = 1u << hart;
      fence();
    }
    if (token != round * HARTS + hart) __atomic_fetch_or(&wrong, 1u << hart, __ATOMIC_RELAXED);
    token++;
    fence();
    CL_CLINT_SET = 1u << (hart + 1) % HARTS;
  }
  barrier();
  return (int)wrong + (token != ROUNDS * HARTS);
}
