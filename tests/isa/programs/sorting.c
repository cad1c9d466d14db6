/* Quicksort, heapsort and a byte insertion sort of the same words agree. */
#include "console.h"

enum { N = 500 };
static uint32_t first[N], second[N];
static uint8_t bytes[128];

static NOINLINE void quicksort(uint32_t *low, uint32_t *high) {
  if (low >= high) return;
  uint32_t pivot = low[(high - low) / 2], *i = low, *j = high;
  while (i <= j) {
    while (*i < pivot) i++;
    while (*j > pivot) j--;
    if (i <= j) {
      uint32_t swap = *i;
      *i++ = *j;
      *j-- = swap;
    }
  }
  quicksort(low, j);
  quicksort(i, high);
}

static NOINLINE void sift(uint32_t *heap, int root, int size) {
  for (int child; (child = 2 * root + 1) < size; root = child) {
    if (child + 1 < size && heap[child + 1] > heap[child]) child++;
    if (heap[root] >= heap[child]) return;
    uint32_t swap = heap[root];
    heap[root] = heap[child];
    heap[child] = swap;
  }
}

static NOINLINE void heapsort(uint32_t *heap, int size) {
  for (int i = size / 2; i-- > 0;) sift(heap, i, size);
  while (size-- > 1) {
    uint32_t swap = heap[0];
    heap[0] = heap[size];
    heap[size] = swap;
    sift(heap, 0, size);
  }
}

int main(void) {
  uint32_t state = 12345, hash = HASH_START;
  for (int i = 0; i < N; i++) first[i] = second[i] = random_word(&state) >> (i % 3 * 10);
  quicksort(first, first + N - 1);
  heapsort(second, N);
  int wrong = 0;
  for (int i = 0; i < N; i++) {
    wrong += first[i] != second[i] || (i && first[i - 1] > first[i]);
    hash = hash_word(hash, first[i]);
  }
  for (int i = 0; i < 128; i++) {
    uint8_t value = (uint8_t)random_word(&state);
    int at = i;
    for (; at > 0 && bytes[at - 1] > value; at--) bytes[at] = bytes[at - 1];
    bytes[at] = value;
  }
  for (int i = 0; i < 128; i++) hash = hash_word(hash, bytes[i]);
  put_line("sorted", hash);
  put_line("wrong", (uint32_t)wrong);
  return wrong;
}
