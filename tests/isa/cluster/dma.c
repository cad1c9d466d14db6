/* DMA copies in one and two dimensions, of every alignment, between L2, L1 and the zero memory; ids and busy. */
#include "cluster.h"

enum { BYTES = 5000 };
static uint8_t source[BYTES + 64], back[BYTES + 64];
static uint8_t *const l1 = (uint8_t *)TCDM;

static uint32_t copy(const void *to, const void *from, uint32_t bytes) {
  dma_source((uint32_t)(uintptr_t)from);
  dma_destination((uint32_t)(uintptr_t)to);
  return dma_start(bytes, 0);
}

static NOINLINE int differs(const uint8_t *a, const uint8_t *b, uint32_t bytes) {
  for (uint32_t i = 0; i < bytes; i++) {
    if (a[i] != b[i]) return 1;
  }
  return 0;
}

static NOINLINE int one_dimension(void) {
  static const uint32_t sizes[] = {1, 3, 63, 64, 65, 257, 4096, 5000};
  for (uint32_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    uint32_t from = i % 5, to = i * 3 % 7;
    l1[to + sizes[i]] = 0xa5;
    back[sizes[i]] = 0x5a;
    copy(l1 + to, source + from, sizes[i]);
    copy(back, l1 + to, sizes[i]);
    dma_wait();
    if (differs(back, source + from, sizes[i])) return 1;
    if (l1[to + sizes[i]] != 0xa5 || back[sizes[i]] != 0x5a) return 2;
  }
  return 0;
}

/* A 24 x 40 window of an image with rows of 64 bytes, packed, then spread over rows of 50 bytes. */
static NOINLINE int two_dimensions(void) {
  dma_source((uint32_t)(uintptr_t)(source + 5));
  dma_destination(TCDM);
  dma_strides(64, 40);
  dma_repeat(24);
  dma_start(40, DMA_2D);
  dma_source(TCDM);
  dma_destination((uint32_t)(uintptr_t)back);
  dma_strides(40, 50);
  dma_start(40, DMA_2D);
  dma_wait();
  for (uint32_t row = 0; row < 24; row++) {
    if (differs(back + 50 * row, source + 5 + 64 * row, 40)) return 3;
  }
  /* A one-dimensional transfer leaves strides and repetition alone; no rows move nothing. */
  copy(back, source, 100);
  dma_repeat(0);
  dma_wait_for(dma_start(40, DMA_2D));
  if (differs(back, source, 100)) return 4;
  return 0;
}

static NOINLINE int zeros_and_ids(void) {
  for (uint32_t i = 0; i < 300; i++) l1[i] = 0xff;
  fence();
  uint32_t first = copy(l1 + 8, (const void *)ZERO_MEMORY, 256);
  uint32_t second = copy(back, source, 0);
  if (second != first + 1) return 5;
  dma_wait_for(second);
  if (dma_status(DMA_COMPLETED) != second || dma_status(DMA_NEXT) != second + 1 || dma_status(DMA_BUSY)) return 6;
  for (uint32_t i = 0; i < 300; i++) {
    if (l1[i] != (i >= 8 && i < 264 ? 0 : 0xff)) return 7;
  }
  return 0;
}

static int result;

int main(uint32_t hart) {
  for (uint32_t i = hart; i < sizeof source; i += HARTS) source[i] = (uint8_t)(i * 7 + (i >> 8));
  barrier();
  if (hart == DMA_HART) {
    result = one_dimension();
    if (!result) result = two_dimensions();
    if (!result) result = zeros_and_ids();
  }
  barrier();
  return result;
}
