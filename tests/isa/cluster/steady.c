/* One loop for long, the same in all its rounds, on WORKERS harts; the others wait at the barrier. -DLOOP=name says
   which: each keeps harts busy with something that they share. */
#include "cluster.h"

#define ONE_OF __attribute__((noinline, unused))
#define LINES10(line) line line line line line line line line line line

static volatile uint32_t in_l2[64];

static NOINLINE void load_columns(volatile uint32_t *from, int rounds) {
  /* 256 bytes on is the same bank. */
  for (int i = 0; i < rounds; i++) (void)from[0], (void)from[64], (void)from[128], (void)from[192];
}

static ONE_OF void same_bank(uint32_t hart) {
  (void)hart;
  load_columns((volatile uint32_t *)TCDM, 8000);
}

static ONE_OF void own_banks(uint32_t hart) { load_columns((volatile uint32_t *)TCDM + 2 * hart, 20000); }

static ONE_OF void atomics(uint32_t hart) {
  (void)hart;
  for (int i = 0; i < 4000; i++) __atomic_fetch_add((uint32_t *)TCDM, 1, __ATOMIC_RELAXED);
}

static ONE_OF void multiplications(uint32_t hart) {
  uint32_t a = hart + 3, b = 5, c = 7, d = 9;
  for (int i = 0; i < 5000; i++) {
    a *= a, b *= b, c *= c, d *= d;
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
  }
}

static ONE_OF void divisions(uint32_t hart) {
  uint32_t seven = 7;
  __asm__ volatile("" : "+r"(seven));
  for (int i = 0; i < 3000; i++) __asm__ volatile("" ::"r"((1000 + hart + i % 8) / seven));
}

static ONE_OF void outside_loads(uint32_t hart) {
  for (int i = 0; i < 3000; i++) (void)in_l2[0], (void)in_l2[hart], (void)in_l2[9], (void)in_l2[10];
}

static ONE_OF void outside_stores(uint32_t hart) {
  for (int i = 0; i < 3000; i++) in_l2[hart] = i;
}

/* The same code at one pace in L1, then at another in L2. */
static NOINLINE void fill(volatile uint32_t *place, int rounds) {
  for (int i = 0; i < rounds; i++) place[0] = i;
}

static ONE_OF void here_and_there(uint32_t hart) {
  fill((volatile uint32_t *)TCDM + 2 * hart, 12000);
  fill(in_l2 + hart, 3000);
}

/* Harts that wait for each other by reading memory. */
static ONE_OF void lock(uint32_t hart) {
  volatile uint32_t *const taken = (volatile uint32_t *)TCDM, *const counter = taken + 1;
  (void)hart;
  for (int i = 0; i < 500; i++) {
    while (__atomic_exchange_n(taken, 1, __ATOMIC_ACQUIRE)) {
    }
    ++*counter;
    __atomic_store_n(taken, 0, __ATOMIC_RELEASE);
  }
}

static ONE_OF void in_turns(uint32_t hart) {
  volatile uint32_t *const turn = (volatile uint32_t *)TCDM;
  for (int i = 0; i < 1000; i++) {
    while (*turn % WORKERS != hart) {
    }
    ++*turn;
  }
}

/* A loop that waits, entered past other instructions, with what it waits for in L1, later in L2: there at once. */
static NOINLINE uint32_t await_zero(volatile uint32_t *place, uint32_t n) {
  uint32_t found;
  __asm__ volatile("addi %0, %1, 3\n xor %0, %0, %1\n1: lw %0, 0(%2)\n bnez %0, 1b"
                   : "=&r"(found)
                   : "r"(n), "r"(place));
  return found + n;
}

static ONE_OF void no_wait(uint32_t hart) {
  volatile uint32_t *const here = (volatile uint32_t *)TCDM + 2 * hart;
  *here = 0;
  uint32_t sum = 0;
  for (uint32_t i = 0; i < 6000; i++) sum += await_zero(i >= 3000 && i / 500 % 2 ? in_l2 + hart : here, i);
  __asm__ volatile("" ::"r"(sum));
}

/* Twenty lines of code and more, one jump in each: more than the L0 holds. */
static ONE_OF void far_jumps(uint32_t hart) {
  (void)hart;
  for (int i = 0; i < 2000; i++) {
    __asm__ volatile(LINES10("j 1f\n.balign 64\n1:\n") LINES10("j 1f\n.balign 64\n1:\n"));
  }
}

static NOINLINE uint32_t fibonacci(uint32_t n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static ONE_OF void calls(uint32_t hart) { __asm__ volatile("" ::"r"(fibonacci(17 + hart / 8))); }

/* The hart with the DMA moves tiles all the while. */
static volatile uint32_t is_over;

static ONE_OF void beside_dma(uint32_t hart) {
  load_columns((volatile uint32_t *)TCDM + 2 * hart, 20000);
  if (hart == 0) is_over = 1;
}

static void move_tiles(void) {
  while (!is_over) {
    dma_source(TCDM + 0x8000);
    dma_destination(TCDM + 0xc000);
    dma_start(8192, 0);
    dma_wait();
  }
}

int main(uint32_t hart) {
  void (*const loop)(uint32_t) = LOOP;
  barrier();
  if (hart < WORKERS) loop(hart);
  else if (hart == HARTS - 1 && loop == beside_dma) move_tiles();
  barrier();
  return 0;
}
