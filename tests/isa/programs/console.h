/* Console, random numbers and hashes for the C test programs. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define NOINLINE __attribute__((noinline))

/* One per program: what to do at a trap; returns the address to go on at. */
uint32_t trap(uint32_t cause, uint32_t pc);

void put_char(char c);
void put_text(const char *text);
void put_hex(uint32_t value);
void put_line(const char *name, uint32_t value);

uint32_t random_word(uint32_t *state);
uint32_t hash_word(uint32_t hash, uint32_t word);
#define HASH_START 2166136261u
