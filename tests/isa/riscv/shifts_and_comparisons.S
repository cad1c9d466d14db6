/* Shifts use the low five bits of the count; comparisons give 0 or 1. */
#include "check.h"
        start   user
        registers sll, 1, 0, 1
        registers sll, 1, 31, 0x80000000
        registers sll, 0x21212121, 14, 0x48484000
        registers sll, 0x21212121, 32 + 14, 0x48484000
        registers sll, 0x21212121, -1, 0x80000000
        registers srl, 0x80000000, 31, 1
        registers srl, 0xffffffff, 7, 0x01ffffff
        registers srl, 0x21212121, 0xffffffe7, 0x00424242
        registers srl, 0x80000000, 0, 0x80000000
        registers sra, 0x80000000, 31, -1
        registers sra, 0x7fffffff, 7, 0x00ffffff
        registers sra, 0x81818181, 14, 0xfffe0606
        registers sra, 0x81818181, 0xffffffc1, 0xc0c0c0c0
        immediate slli, 1, 31, 0x80000000
        immediate slli, 0x21212121, 7, 0x90909080
        immediate srli, 0x80000001, 1, 0x40000000
        immediate srli, 0xffffffff, 31, 1
        immediate srai, 0x80000000, 14, 0xfffe0000
        immediate srai, 0x7fffffff, 31, 0
        registers slt, 0, 0, 0
        registers slt, 3, 7, 1
        registers slt, 0x80000000, 0x7fffffff, 1
        registers slt, 0x7fffffff, 0x80000000, 0
        registers slt, -1, 0, 1
        registers sltu, 0x80000000, 0x7fffffff, 0
        registers sltu, 0x7fffffff, 0x80000000, 1
        registers sltu, 0, -1, 1
        registers sltu, -1, -1, 0
        immediate slti, 0, -1, 0
        immediate slti, 0x80000000, -2048, 1
        immediate slti, 2046, 2047, 1
        immediate sltiu, 0, 1, 1
        immediate sltiu, 0x7fffffff, -1, 1      /* the immediate is extended with its sign, then unsigned */
        immediate sltiu, -1, -1, 0
        immediate sltiu, 0xfffff7ff, -2048, 1
        finish
