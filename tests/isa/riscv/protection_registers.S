/* pmpaddr0 and pmpcfg0 exist as registers: software finds the granularity by writing ones and reading back. */
#include "check.h"
        start   machine
        case
        csrw    pmpcfg0, zero
        li      a0, -1
        csrw    pmpaddr0, a0
        csrr    a1, pmpaddr0
        bnez    a1, 1f
        j       fail
1:      neg     a0, a1                          /* the lowest bit that stays: 1 for a granularity of 4 bytes */
        and     a0, a0, a1
        expect  a0, 1
        finish
