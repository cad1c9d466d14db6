/* User mode: machine registers are out of reach, ecall has its own cause, mret leads in. */
#include "check.h"
        start   machine
        case                                    /* MPP takes 3 and 0; it need not take 1 */
        li      a0, 0x1800
        csrs    mstatus, a0
        csrr    a1, mstatus
        and     a1, a1, a0
        expect_same a0, a1
        csrc    mstatus, a0
        csrr    a1, mstatus
        and     a1, a1, a0
        expect  a1, 0

        la      a0, 1f
        csrw    mepc, a0
        mret
1:
        case                                    /* in user mode now */
        li      s0, -1
        li      a0, 55
        csrr    a0, mscratch
        expect  s0, cause_illegal
        expect  a0, 55
        li      s0, -1
        csrw    mscratch, a0
        expect  s0, cause_illegal
        li      s0, -1
        csrr    a0, mstatus
        expect  s0, cause_illegal

        case                                    /* so is mret */
        li      s0, -1
        mret
        expect  s0, cause_illegal

        case                                    /* a breakpoint is as before; MPP says whence it came */
        li      s0, -1
        ebreak
        expect  s0, cause_breakpoint
        li      a0, 0x1800
        and     a0, a0, s3
        expect  a0, 0

        /* The frame reports at an ecall of either mode; mcause is then 8, which the emulator's tests look at. */
        finish

        .align  2
handler:
        csrr    s0, mcause
        csrr    s3, mstatus
        csrr    t6, mepc
        addi    t6, t6, 4
        csrw    mepc, t6
        mret
