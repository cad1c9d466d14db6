/* A software interrupt through the CLINT of QEMU's virt machine: taken when enabled, not before; wfi wakes on it. */
#include "check.h"
        .set    msip, 0x02000000
        start   machine
        case                                    /* pending without MIE: no trap, and wfi falls through */
        li      s0, 0
        li      a0, 8
        csrs    mie, a0
        li      a1, msip
        li      a2, 1
        sw      a2, 0(a1)
1:      csrr    a3, mip
        andi    a3, a3, 8
        beqz    a3, 1b
        wfi
        expect  s0, 0

        case                                    /* with MIE it is taken before the next instruction */
        csrsi   mstatus, 8
        nop
        expect  s0, 0x80000003
        csrr    a3, mip
        andi    a3, a3, 8
        expect  a3, 0
        csrci   mstatus, 8
        finish

        .align  2
handler:
        csrr    s0, mcause
        li      t6, msip
        sw      zero, 0(t6)
        mret
