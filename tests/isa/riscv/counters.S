/* mcycle and minstret count up, and what is written to minstret is what the next instruction reads. */
#include "check.h"
        start   machine
        case
        csrr    a0, mcycle
        csrr    a1, mcycle
        bltu    a0, a1, 1f
        j       fail
1:      csrr    a0, minstret
        nop
        csrr    a1, minstret
        sub     a1, a1, a0
        expect  a1, 2

        case
        csrwi   minstret, 0
        csrr    a0, minstret
        expect  a0, 0

        case                                    /* a carry goes to the upper word */
        li      a0, -1
        csrw    minstret, a0
        csrwi   minstreth, 0
        csrr    a0, minstret
        csrr    a1, minstreth
        expect  a0, -1
        expect  a1, 1

        case
        li      a0, 1000000
        csrw    mcycle, a0
        csrr    a1, mcycle
        bgeu    a1, a0, 1f
        j       fail
1:      finish
