/* Code that the program writes runs after fence.i: where it never ran, and where it has run already. */
#include "check.h"
        start   user
        case
        la      a0, fresh
        la      a1, add5
        lw      a1, 0(a1)
        sw      a1, 0(a0)
        fence.i
        li      a2, 1
fresh:  addi    a2, a2, 100
        expect  a2, 6

        case
        li      a2, 0
        li      a3, 3
again:  addi    a2, a2, 100
        la      a0, again
        sw      a1, 0(a0)
        fence.i
        addi    a3, a3, -1
        bnez    a3, again
        expect  a2, 110

        case                                    /* a function copied to data runs there */
        la      a0, add5
        la      a1, buffer
        lw      a2, 0(a0)
        sw      a2, 0(a1)
        lw      a2, 4(a0)
        sw      a2, 4(a1)
        fence.i
        li      a2, 30
        jalr    a1
        expect  a2, 35
        finish
add5:   addi    a2, a2, 5
        ret

        .data
        .align  2
buffer: .word   0, 0
