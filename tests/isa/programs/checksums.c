/* CRC-32 by bits and by table, Adler-32 and a multiply-rotate hash of the same bytes. */
#include "console.h"

enum { N = 3000 };
static uint8_t data[N];
static uint32_t table[256];

static NOINLINE uint32_t crc_step(uint32_t crc) {
  for (int i = 0; i < 8; i++) crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
  return crc;
}

int main(void) {
  uint32_t state = 99;
  for (int i = 0; i < N; i++) data[i] = (uint8_t)(random_word(&state) >> 9);
  for (uint32_t i = 0; i < 256; i++) table[i] = crc_step(i);
  uint32_t by_bits = ~0u, by_table = ~0u, a = 1, b = 0, rotated = 0;
  for (int i = 0; i < N; i++) {
    by_bits = crc_step(by_bits ^ data[i]);
    by_table = by_table >> 8 ^ table[(by_table ^ data[i]) & 255];
    a = (a + data[i]) % 65521;
    b = (b + a) % 65521;
    rotated = (rotated << 7 | rotated >> 25) * 2654435761u + data[i];
  }
  put_line("crc by bits", ~by_bits);
  put_line("crc by table", ~by_table);
  put_line("adler", b << 16 | a);
  put_line("rotated", rotated);
  return by_bits != by_table;
}
