/* Sums, differences, logic, constants: RV32I without shifts and comparisons. */
#include "check.h"
        start   user
        registers add, 0, 0, 0
        registers add, 3, 7, 10
        registers add, 0x7fffffff, 1, 0x80000000
        registers add, 0x80000000, 0x80000000, 0
        registers add, -1, 1, 0
        registers add, 0x7fffffff, 0xffff8000, 0x7fff7fff
        registers sub, 0, 1, -1
        registers sub, 0x80000000, 1, 0x7fffffff
        registers sub, 5, 5, 0
        registers sub, -1, 0x7fffffff, 0x80000000
        registers and, 0xff00ff00, 0x0f0f0f0f, 0x0f000f00
        registers or,  0xff00ff00, 0x0f0f0f0f, 0xff0fff0f
        registers xor, 0xff00ff00, 0x0f0f0f0f, 0xf00ff00f
        immediate addi, 0, 2047, 2047
        immediate addi, 0, -2048, 0xfffff800
        immediate addi, 0x7fffffff, 2047, 0x800007fe
        immediate addi, 0x80000000, -1, 0x7fffffff
        immediate andi, 0xf0f0f0f0, -256, 0xf0f0f000
        immediate andi, 0x12345678, 0x70f, 0x608
        immediate ori, 0x0ff00ff0, -241, 0xffffff1f | 0x0ff00ff0
        immediate ori, 0x00ff00ff, 0x70f, 0x00ff07ff
        immediate xori, 0x00ff0f00, -241, 0xff00f00f
        immediate xori, -1, -1, 0

        case                                    /* x0 stays 0 whatever is written to it */
        li      a0, 5
        add     zero, a0, a0
        addi    zero, a0, 7
        lui     zero, 0x12345
        expect  zero, 0
        mv      a1, zero
        expect  a1, 0

        case
        lui     a0, 0x80000
        expect  a0, 0x80000000
        lui     a0, 0xfffff
        srai    a0, a0, 12
        expect  a0, -1

        case                                    /* auipc counts from its own address, modulo 2^32 */
        auipc   a0, 0
        jal     a1, 1f
1:      sub     a1, a1, a0
        expect  a1, 8
        auipc   a0, 0xfffff
        auipc   a1, 1
        sub     a1, a1, a0
        expect  a1, 0x2004
        finish
