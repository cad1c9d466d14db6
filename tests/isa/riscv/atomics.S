/* RV32A: read-modify-write returns the old word; LR and SC. */
#include "check.h"
        start   user
.macro  atomic instruction, before, operand, after
        case
        la      a0, cell
        li      a1, \before
        sw      a1, 0(a0)
        li      a2, \operand
        \instruction a3, a2, (a0)
        expect  a3, \before
        lw      a3, 0(a0)
        expect  a3, \after
        \instruction a2, a2, (a0)               /* the result into the operand */
        expect  a2, \after
.endm
        atomic  amoadd.w, 0x80000000, -2048, 0x7ffff800
        atomic  amoswap.w, 5, 0x12345678, 0x12345678
        atomic  amoxor.w, 0xff00ff00, 0x0f0f0f0f, 0xf00ff00f
        atomic  amoor.w, 0xff00ff00, 0x0f0f0f0f, 0xff0fff0f
        atomic  amoand.w, 0xff00ff00, 0x0f0f0f0f, 0x0f000f00
        atomic  amomin.w, 0x80000000, 1, 0x80000000
        atomic  amomin.w, 1, -1, -1
        atomic  amomax.w, 0x80000000, 1, 1
        atomic  amomax.w, 1, -1, 1
        atomic  amominu.w, 0x80000000, 1, 1
        atomic  amominu.w, 0, -1, 0
        atomic  amomaxu.w, 0x80000000, 1, 0x80000000
        atomic  amomaxu.w, 0, -1, -1
        atomic  amoadd.w.aqrl, 1, 2, 3

        case                                    /* x0 as destination still writes memory */
        la      a0, cell
        li      a1, 3
        sw      zero, 0(a0)
        amoadd.w zero, a1, (a0)
        lw      a2, 0(a0)
        expect  a2, 3

        case                                    /* SC without a reservation fails and writes nothing */
        la      a0, cell
        li      a1, 77
        sw      a1, 0(a0)
        sc.w    a2, zero, (a0)
        expect  a2, 1
        lw      a2, 0(a0)
        expect  a2, 77

        case                                    /* LR and SC: once, not twice */
        la      a0, cell
        lr.w    a1, (a0)
        expect  a1, 77
        addi    a1, a1, 1
        sc.w    a2, a1, (a0)
        expect  a2, 0
        sc.w    a2, zero, (a0)
        expect  a2, 1
        lw      a1, 0(a0)
        expect  a1, 78

        case                                    /* SC to another place than the LR fails */
        la      a0, cell
        addi    a1, a0, 1024
        lr.w    a2, (a1)
        sc.w    a3, a2, (a0)
        expect  a3, 1

        case                                    /* a thousand increments by LR and SC */
        la      a0, cell
        sw      zero, 0(a0)
        li      a1, 1000
1:      lr.w    a2, (a0)
        addi    a2, a2, 1
        sc.w    a3, a2, (a0)
        bnez    a3, 1b
        addi    a1, a1, -1
        bnez    a1, 1b
        lw      a2, 0(a0)
        expect  a2, 1000
        finish

        .data
        .align  3
cell:   .word   0
        .zero   2048
