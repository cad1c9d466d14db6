/* A misaligned load or store either does what it says or traps and does nothing; LR always traps. */
#include "check.h"
        start   machine
.macro  load instruction, offset, value
        case
        la      s0, data
        li      a1, \value                      /* what the handler gives as the result */
        li      s1, cause_load
        \instruction a0, \offset(s0)
        expect  a0, \value
.endm
        load    lh, 1, 0xffffbbcc
        load    lhu, 1, 0xbbcc
        load    lh, 3, 0xffff99aa
        load    lw, 1, 0x99aabbcc
        load    lw, 2, 0x8899aabb
        load    lw, 3, 0x778899aa

.macro  store instruction, offset, bytes
        case
        la      s0, cells
        li      a0, -1
        sw      a0, 0(s0)
        sw      a0, 4(s0)
        li      s1, cause_store
        li      s2, 0
        \instruction zero, \offset(s0)
        bnez    s2, 5f                          /* it trapped: nothing may have changed */
        sb      a0, \offset(s0)                 /* else put back what it must have cleared */
        lbu     a1, (\offset + \bytes - 1)(s0)
        expect  a1, 0
        sb      a0, (\offset + \bytes - 1)(s0)
        .if     \bytes > 2
        lbu     a1, (\offset + 1)(s0)
        expect  a1, 0
        lbu     a1, (\offset + 2)(s0)
        expect  a1, 0
        sb      a0, (\offset + 1)(s0)
        sb      a0, (\offset + 2)(s0)
        .endif
5:      lw      a1, 0(s0)
        expect  a1, -1
        lw      a1, 4(s0)
        expect  a1, -1
.endm
        store   sh, 1, 2
        store   sh, 3, 2
        store   sw, 1, 4
        store   sw, 2, 4
        store   sw, 3, 4

        case                                    /* LR traps whatever loads do */
        la      s0, cells
        addi    s0, s0, 2
        li      s1, cause_load
        li      s2, 0
        lr.w    a0, (s0)
        expect  s2, 1
        finish

        .align  2
handler:
        csrr    t0, mcause
        expect_same t0, s1
        csrr    t0, mepc
        addi    t0, t0, 4
        csrw    mepc, t0
        mv      a0, a1
        li      t0, cause_store
        bne     t0, s1, 1f
        li      a0, -1
1:      li      s2, 1
        mret

        .data
        .align  3
data:   .word   0xaabbccdd, 0x66778899
cells:  .word   0, 0
