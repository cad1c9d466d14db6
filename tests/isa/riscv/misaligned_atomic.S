/* A misaligned AMO is a store's misalignment to the privileged specification. (To Snitch it is a load's.) */
#include "check.h"
        start   machine
        case
        la      s0, cell
        addi    s0, s0, 1
        li      a0, 99
        li      a1, 5
        amoadd.w a0, a1, (s0)
        expect  s1, cause_store
        expect  a0, 99
        lw      a1, -1(s0)
        expect  a1, 7
        finish

        .align  2
handler:
        csrr    s1, mcause
        csrr    t0, mepc
        addi    t0, t0, 4
        csrw    mepc, t0
        mret

        .data
        .align  2
cell:   .word   7
