/* int8, int16 and int32 matrix products with saturation, a transpose and a 3x3 convolution. */
#include "console.h"

enum { M = 17, N = 13, K = 21 };
static int8_t a[M][K], b[K][N];
static int16_t a16[M][K], b16[K][N];
static int32_t c[M][N], transposed[N][M];

static int8_t clamp(int32_t value) { return (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value); }

static NOINLINE void product8(int multiplier, int shift) {
  for (int i = 0; i < M; i++) {
    for (int j = 0; j < N; j++) {
      int32_t sum = 0;
      for (int k = 0; k < K; k++) sum += a[i][k] * b[k][j];
      c[i][j] = clamp((sum * multiplier + (1 << (shift - 1))) >> shift);
    }
  }
}

static NOINLINE void product16(void) {
  for (int i = 0; i < M; i++) {
    for (int j = 0; j < N; j++) {
      c[i][j] = 0;
      for (int k = 0; k < K; k++) c[i][j] += a16[i][k] * b16[k][j];
    }
  }
}

static uint32_t hash_c(void) {
  uint32_t hash = HASH_START;
  for (int i = 0; i < M; i++) {
    for (int j = 0; j < N; j++) hash = hash_word(hash, (uint32_t)(transposed[j][i] = c[i][j]));
  }
  return hash;
}

int main(void) {
  uint32_t state = 7;
  for (int k = 0; k < K; k++) {
    for (int i = 0; i < M; i++) a16[i][k] = (int16_t)(37 * (a[i][k] = (int8_t)random_word(&state)));
    for (int j = 0; j < N; j++) b16[k][j] = (int16_t)(-53 * (b[k][j] = (int8_t)random_word(&state)));
  }
  product8(5, 11);
  put_line("int8", hash_c());
  product16();
  put_line("int16", hash_c());
  uint32_t hash = HASH_START;
  for (int i = 1; i < N - 1; i++) {
    for (int j = 1; j < M - 1; j++) {
      int32_t sum = 0;
      for (int di = -1; di <= 1; di++) {
        for (int dj = -1; dj <= 1; dj++) sum += (transposed[i + di][j + dj] >> 4) * (di * 3 + dj - 2);
      }
      hash = hash_word(hash, (uint32_t)sum);
    }
  }
  put_line("convolution", hash);
  return 0;
}
