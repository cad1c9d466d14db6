/* Integer softmax, layer normalisation with an integer square root, and an attention of one head. */
#include "console.h"

enum { S = 12, E = 16 };
static int8_t q[S][E], k[S][E], v[S][E], out[S][E];
static uint8_t weights[S][S];

static NOINLINE uint32_t square_root(uint32_t value) {
  if (value == 0) return 0;
  uint32_t x = 1u << 16, before;
  do {
    before = x;
    x = (x + value / x) >> 1;
  } while (x < before);
  return before;
}

static NOINLINE void softmax(const int32_t *row, uint8_t *result) {
  int32_t largest = row[0];
  for (int i = 1; i < S; i++) largest = row[i] > largest ? row[i] : largest;
  uint32_t sum = 0;
  for (int i = 0; i < S; i++) {
    uint32_t shift = (uint32_t)(largest - row[i]) >> 5;
    sum += shift > 8 ? 0 : 256u >> shift;
  }
  for (int i = 0; i < S; i++) {
    uint32_t shift = (uint32_t)(largest - row[i]) >> 5;
    result[i] = (uint8_t)(shift > 8 ? 0 : 255u * (256u >> shift) / sum);
  }
}

static NOINLINE void normalise(int8_t *row) {
  int32_t sum = 0, squares = 0;
  for (int i = 0; i < E; i++) sum += row[i];
  int32_t mean = sum / E;
  for (int i = 0; i < E; i++) squares += (row[i] - mean) * (row[i] - mean);
  int32_t deviation = (int32_t)square_root((uint32_t)(squares / E) + 1);
  for (int i = 0; i < E; i++) {
    int32_t y = (row[i] - mean) * 32 / deviation;
    row[i] = (int8_t)(y < -128 ? -128 : y > 127 ? 127 : y);
  }
}

int main(void) {
  uint32_t state = 1, hash = HASH_START;
  for (int i = 0; i < S; i++) {
    for (int j = 0; j < E; j++) {
      q[i][j] = (int8_t)random_word(&state);
      k[i][j] = (int8_t)random_word(&state);
      v[i][j] = (int8_t)random_word(&state);
    }
    normalise(q[i]);
    normalise(k[i]);
  }
  for (int i = 0; i < S; i++) {
    int32_t scores[S];
    for (int j = 0; j < S; j++) {
      scores[j] = 0;
      for (int e = 0; e < E; e++) scores[j] += q[i][e] * k[j][e];
      scores[j] >>= 6;
    }
    softmax(scores, weights[i]);
    for (int e = 0; e < E; e++) {
      int32_t sum = 0;
      for (int j = 0; j < S; j++) sum += weights[i][j] * v[j][e];
      out[i][e] = (int8_t)(sum >> 8);
      hash = hash_word(hash, (uint8_t)out[i][e]);
    }
  }
  put_line("attention", hash);
  put_line("root", square_root(2000000000u));
  return 0;
}
