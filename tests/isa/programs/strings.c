/* Length, comparison, search, reversal, decimal printing and parsing of strings, a byte at a time. */
#include "console.h"

static const char *const words[] = {"tensor", "core", "barrier", "a", "", "accelerator", "attoflow", "core", "Zebra"};
enum { WORDS = sizeof words / sizeof *words };

static NOINLINE size_t length(const char *text) {
  const char *end = text;
  while (*end) end++;
  return (size_t)(end - text);
}

static NOINLINE int compare(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return (uint8_t)*a - (uint8_t)*b;
}

static NOINLINE int find(const char *text, const char *part) {
  for (int at = 0; text[at]; at++) {
    int i = 0;
    while (part[i] && text[at + i] == part[i]) i++;
    if (!part[i]) return at;
  }
  return -1;
}

static NOINLINE char *decimal(int32_t value, char *end) {
  uint32_t rest = value < 0 ? -(uint32_t)value : (uint32_t)value;
  *--end = 0;
  do *--end = (char)('0' + rest % 10);
  while (rest /= 10);
  if (value < 0) *--end = '-';
  return end;
}

static NOINLINE int32_t parse(const char *text) {
  int negative = *text == '-';
  uint32_t value = 0;
  for (text += negative; *text; text++) value = value * 10 + (uint32_t)(*text - '0');
  return (int32_t)(negative ? -value : value);
}

int main(void) {
  int wrong = 0;
  for (int i = 0; i < WORDS; i++) {
    put_line(words[i], (uint32_t)length(words[i]));
    int order = compare(words[i], words[(i + 1) % WORDS]);
    put_line("order", (uint32_t)((order > 0) - (order < 0)));
    put_line("or", (uint32_t)find(words[i], "or"));
  }
  static const int32_t numbers[] = {0, 1, -1, 42, 2147483647, -2147483647 - 1, -1000000, 123456789};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    char buffer[16], *text = decimal(numbers[i], buffer + sizeof buffer);
    put_text(text);
    put_char('\n');
    wrong += parse(text) != numbers[i];
    char *low = text, *high = text + length(text) - 1;
    while (low < high) {
      char swap = *low;
      *low++ = *high;
      *high-- = swap;
    }
    put_text(text);
    put_char('\n');
  }
  return wrong;
}
