/* What the privileged specification says of CSRs and Snitch does not do: mtval, user counters, traps at wrong access. */
#include "check.h"
        start   machine
.macro  illegal instruction:vararg
        case
        li      s0, -1
        \instruction
        expect  s0, cause_illegal
.endm
        illegal csrr a0, 0x5ff                  /* nobody has it */
        illegal csrw mhartid, zero              /* read only */
        illegal csrw cycle, zero

        case                                    /* mtval is the illegal word */
2:      .word   0x00003003
        li      t0, 0x00003003
        expect_same s2, t0

        case                                    /* cycle and instret are mcycle and minstret */
        csrw    mcycle, zero
        li      a0, 1000
        csrw    minstret, a0
        csrr    a1, cycle
        csrr    a2, instret
        li      a3, 100
        bltu    a1, a3, 3f
        j       fail
3:      sub     a2, a2, a0
        expect  a2, 1
        csrr    a0, cycleh
        csrr    a1, instreth
        or      a0, a0, a1
        expect  a0, 0

        case                                    /* a counter that mcountinhibit says is stopped does stop */
        li      a0, -1
        csrw    mcountinhibit, a0
        csrr    a0, mcountinhibit
        csrr    a1, minstret
        nop
        csrr    a2, minstret
        csrw    mcountinhibit, zero
        sub     a2, a2, a1
        andi    a0, a0, 4
        li      a3, 2
        beqz    a0, 3f
        li      a3, 0
3:      expect_same a2, a3

        case                                    /* user mode reads them if mcounteren says so */
        csrwi   mcounteren, 5
        csrr    a0, mcounteren
        andi    a0, a0, 5
        expect  a0, 5
        csrwi   mcounteren, 4
        li      a0, 0x1800
        csrc    mstatus, a0
        la      a0, 3f
        csrw    mepc, a0
        mret
3:      li      s0, -1
        csrr    a0, instret
        expect  s0, -1
        csrr    a0, cycle
        expect  s0, cause_illegal
        finish

        .align  2
handler:
        csrr    s0, mcause
        csrr    s2, mtval
        csrr    t6, mepc
        addi    t6, t6, 4
        csrw    mepc, t6
        mret
