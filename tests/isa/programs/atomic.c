/* The compiler's atomic built-ins on words: read-modify-write, compare and swap, a lock, a ring. */
#include "console.h"

static uint32_t counter, minimum = ~0u, lock;
static uint32_t ring[8], head, tail;

static NOINLINE int compare_and_swap(uint32_t *where, uint32_t before, uint32_t after) {
  return __atomic_compare_exchange_n(where, &before, after, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static NOINLINE void enter(void) {
  while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) {
  }
}

int main(void) {
  uint32_t state = 5, hash = HASH_START, wrong = 0;
  for (uint32_t i = 0; i < 200; i++) {
    uint32_t value = random_word(&state);
    hash = hash_word(hash, __atomic_fetch_add(&counter, value, __ATOMIC_SEQ_CST));
    hash = hash_word(hash, __atomic_fetch_xor(&counter, value >> 3, __ATOMIC_RELAXED));
    hash = hash_word(hash, __atomic_fetch_or(&counter, i, __ATOMIC_ACQ_REL));
    hash = hash_word(hash, __atomic_and_fetch(&counter, ~(value >> 20), __ATOMIC_SEQ_CST));
    uint32_t seen = __atomic_load_n(&minimum, __ATOMIC_RELAXED);
    while (value < seen && !compare_and_swap(&minimum, seen, value)) seen = minimum;
    wrong += (uint32_t)compare_and_swap(&minimum, minimum + 1, 0);
    enter();
    wrong += !lock;
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
    ring[__atomic_fetch_add(&head, 1, __ATOMIC_SEQ_CST) & 7] = value;
    if (head - tail == 8) {
      while (tail != head) hash = hash_word(hash, ring[tail++ & 7]);
    }
  }
  put_line("hash", hash);
  put_line("minimum", minimum);
  put_line("wrong", wrong);
  return (int)wrong;
}
