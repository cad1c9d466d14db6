/* ecall from machine mode has cause 11 and from user mode 8. This test brings its own trap vector. */
#include "check.h"
        start   machine
        case
        la      t0, vector
        csrw    mtvec, t0
        li      s0, -1
2:      ecall
        expect  s0, cause_machine_call
        la      t0, 2b
        expect_same s1, t0
        li      t0, 0x1800
        csrc    mstatus, t0
        la      t0, 1f
        csrw    mepc, t0
        mret
1:
        case
2:      ecall
        expect  s0, cause_user_call
        la      t0, 2b
        expect_same s1, t0
        .word   0                               /* back to machine mode, for the frame's own vector */
        la      t0, trap
        csrw    mtvec, t0
        finish

        .align  2
vector: csrr    s0, mcause
        csrr    s1, mepc
        addi    t6, s1, 4
        csrw    mepc, t6
        li      t6, cause_illegal
        bne     t6, s0, 1f
        li      t6, 0x1800
        csrs    mstatus, t6
1:      mret
