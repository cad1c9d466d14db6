/* Branches both ways and in both directions, jumps and what they leave in the link register. */
#include "check.h"
        start   user
.macro  taken branch, a, b
        case
        li      a0, \a
        li      a1, \b
        \branch a0, a1, 3f
        j       fail
2:      j       4f
        j       fail
3:      \branch a0, a1, 2b
        j       fail
4:
.endm
.macro  not_taken branch, a, b
        case
        li      a0, \a
        li      a1, \b
2:      \branch a0, a1, 3f
        \branch a0, a1, 2b
        j       4f
3:      j       fail
4:
.endm
        taken   beq, 7, 7
        taken   beq, -1, -1
        not_taken beq, 0, 0x80000000
        taken   bne, 0, 1
        not_taken bne, 0x80000000, 0x80000000
        taken   blt, -2, -1
        taken   blt, 0x80000000, 0x7fffffff
        not_taken blt, 0, 0
        not_taken blt, 1, -1
        taken   bge, 0, 0
        taken   bge, 1, -1
        not_taken bge, 0x80000000, 0x7fffffff
        taken   bltu, 1, 0x80000000
        not_taken bltu, -1, 0
        not_taken bltu, 3, 3
        taken   bgeu, -1, 0
        taken   bgeu, 3, 3
        not_taken bgeu, 0x7fffffff, 0x80000000

        case                                    /* jal: forward, backward, and the link */
        j       3f
2:      j       4f
        j       fail
3:      jal     a0, 2b
back:   j       fail
4:      la      a1, back
        expect_same a0, a1

        case                                    /* jalr: offset of either sign, bit 0 of the sum dropped */
        la      a0, here + 2048
        jalr    a1, -2048(a0)
link:   j       fail
        j       fail
here:   la      a2, link
        expect_same a1, a2
        la      a0, there
        jalr    a1, 1(a0)
        j       fail
there:

        case                                    /* jalr through its own link register */
        la      a0, 2f
        jalr    a0, 0(a0)
1:      j       fail
2:      la      a1, 1b
        expect_same a0, a1

        case                                    /* a loop counts */
        li      a0, 100
        li      a1, 0
1:      add     a1, a1, a0
        addi    a0, a0, -1
        bnez    a0, 1b
        expect  a1, 5050

        case                                    /* a call and a return */
        li      a0, 20
        call    double
        expect  a0, 40
        finish
double: add     a0, a0, a0
        ret
