/* RV32M with the operands at which it is defined specially: zero divisors, and the one quotient that overflows. */
#include "check.h"
        start   user
        registers mul, 7, 6, 42
        registers mul, -7, 6, -42
        registers mul, 0x80000000, -1, 0x80000000
        registers mul, 0xaaaaaaab, 0x0002fe7d, 0x0000ff7f
        registers mul, 0x10000, 0x10000, 0
        registers mulh, -1, -1, 0
        registers mulh, 0x80000000, 0x80000000, 0x40000000
        registers mulh, 0x80000000, -1, 0
        registers mulh, 0x7fffffff, 0x7fffffff, 0x3fffffff
        registers mulh, 0x80000000, 0x7fffffff, 0xc0000000
        registers mulhu, -1, -1, 0xfffffffe
        registers mulhu, 0x80000000, 2, 1
        registers mulhu, 0xaaaaaaab, 0x0002fe7d, 0x0001fefe
        registers mulhsu, -1, -1, -1
        registers mulhsu, 0x80000000, -1, 0x80000000
        registers mulhsu, 1, -1, 0
        registers mulhsu, -1, 1, -1
        registers div, 20, 6, 3
        registers div, -20, 6, -3
        registers div, 20, -6, -3
        registers div, -20, -6, 3
        registers div, 1, 0, -1
        registers div, 0, 0, -1
        registers div, 0x80000000, 0, -1
        registers div, 0x80000000, -1, 0x80000000
        registers div, 0x80000000, 1, 0x80000000
        registers div, 0x80000000, 2, 0xc0000000
        registers divu, 20, 6, 3
        registers divu, -20, 6, 0x2aaaaaa7
        registers divu, 0x80000000, -1, 0
        registers divu, -1, 1, -1
        registers divu, 5, 0, -1
        registers rem, 20, 6, 2
        registers rem, -20, 6, -2
        registers rem, 20, -6, 2
        registers rem, -20, -6, -2
        registers rem, 0x80000000, -1, 0
        registers rem, -7, 0, -7
        registers remu, 20, 6, 2
        registers remu, -20, 6, 2
        registers remu, 0x80000000, -1, 0x80000000
        registers remu, 0xfffffffb, 0, 0xfffffffb
        finish
