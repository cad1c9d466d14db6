/* Console (the ns16550 of QEMU's virt machine), random numbers, hashes, and what compilers call on their own. */
#include "console.h"

#define UART ((volatile uint8_t *)0x10000000)
enum { LINE_STATUS = 5, TRANSMITTER_EMPTY = 0x20 };

void put_char(char c) {
  while (!(UART[LINE_STATUS] & TRANSMITTER_EMPTY)) {
  }
  UART[0] = (uint8_t)c;
}

void put_text(const char *text) {
  while (*text) put_char(*text++);
}

void put_hex(uint32_t value) {
  for (int shift = 28; shift >= 0; shift -= 4) put_char("0123456789abcdef"[value >> shift & 15]);
}

void put_line(const char *name, uint32_t value) {
  put_text(name);
  put_text(" ");
  put_hex(value);
  put_text("\n");
}

uint32_t random_word(uint32_t *state) {
  uint32_t x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}

uint32_t hash_word(uint32_t hash, uint32_t word) { return (hash ^ word) * 16777619u; }

__attribute__((weak)) uint32_t trap(uint32_t cause, uint32_t pc) {
  put_line("unexpected trap", cause);
  put_line("at", pc);
  *(volatile uint32_t *)0x100000 = 1u << 16 | 0x3333;
  return pc;
}

void *memcpy(void *to, const void *from, size_t bytes) {
  char *d = to;
  const char *s = from;
  while (bytes--) *d++ = *s++;
  return to;
}

void *memset(void *to, int value, size_t bytes) {
  char *d = to;
  while (bytes--) *d++ = (char)value;
  return to;
}

void *memmove(void *to, const void *from, size_t bytes) {
  char *d = to;
  const char *s = from;
  if (d < s) return memcpy(to, from, bytes);
  while (bytes--) d[bytes] = s[bytes];
  return to;
}

int memcmp(const void *a, const void *b, size_t bytes) {
  const uint8_t *p = a, *q = b;
  for (; bytes--; p++, q++) {
    if (*p != *q) return *p - *q;
  }
  return 0;
}
