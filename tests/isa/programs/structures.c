/* Structures by value, packed fields, unions, function pointers and a linked list. */
#include "console.h"

struct point {
  int16_t x, y;
};
struct record {
  struct point points[5];
  uint8_t tag;
  uint32_t sum;
  struct record *next;
};
struct __attribute__((packed)) packed {
  uint8_t a;
  uint32_t b;
  uint16_t c;
};
struct fields {
  unsigned low : 5, middle : 13, high : 14;
  int sign : 3;
};

static struct record pool[40];

static NOINLINE struct record transform(struct record r, struct point by) {
  r.sum = r.tag;
  for (int i = 0; i < 5; i++) {
    r.points[i].x = (int16_t)(r.points[i].x * by.x);
    r.points[i].y = (int16_t)(r.points[i].y - by.y);
    r.sum += (uint32_t)(r.points[i].x ^ r.points[i].y);
  }
  return r;
}

static uint32_t twice(uint32_t x) { return 2 * x; }
static uint32_t square(uint32_t x) { return x * x; }
static uint32_t flip(uint32_t x) { return ~x; }
static uint32_t (*const operations[])(uint32_t) = {twice, square, flip};

int main(void) {
  uint32_t state = 31337, hash = HASH_START;
  struct record *list = NULL;
  for (int i = 0; i < 40; i++) {
    struct record r = {.tag = (uint8_t)i, .next = list};
    for (int k = 0; k < 5; k++) {
      r.points[k].x = (int16_t)random_word(&state);
      r.points[k].y = (int16_t)(random_word(&state) >> 16);
    }
    pool[i] = transform(r, r.points[i % 5]);
    list = &pool[i];
  }
  for (struct record *r = list; r; r = r->next) {
    hash = hash_word(hash, operations[r->tag % 3](r->sum));
    struct packed p = {r->tag, r->sum, (uint16_t)(r->sum >> 7)};
    const volatile uint8_t *bytes = (const volatile uint8_t *)&p;
    for (size_t i = 0; i < sizeof p; i++) hash = hash_word(hash, bytes[i]);
    struct fields f = {r->sum & 31, r->sum >> 5 & 8191, r->sum >> 18, (int)(r->sum & 3)};
    f.middle += f.high;
    f.sign -= 2;
    hash = hash_word(hash, f.low + 64u * f.middle + (uint32_t)f.sign);
  }
  put_line("list", hash);
  return 0;
}
