/* Harts take turns on the console; the program ends with a status of its own. */
#include "cluster.h"

static volatile uint32_t turn;

int main(uint32_t hart) {
  while (turn != hart) {
  }
  put_text("hart ");
  put_char((char)('0' + hart));
  put_char('\n');
  fence();
  turn = hart + 1;
  barrier();
  return 42;
}
