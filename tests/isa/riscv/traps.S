/* What a trap leaves in mcause, mepc, mtval and mstatus, and how mret goes back. */
#include "check.h"
        start   machine
/* The handler below notes the cause in s0, mepc in s1 and mtval in s2, and goes on behind the instruction. */
.macro  traps cause
        la      t0, 2b
        expect_same s1, t0
        expect  s0, \cause
.endm
        case
        li      s0, -1
2:      ebreak
        traps   cause_breakpoint

        case                                    /* illegal words; mtval is 0 or the word */
.macro  illegal word
        li      s0, -1
2:      .word   \word
        traps   cause_illegal
        li      t0, \word
        beqz    s2, 3f
        expect_same s2, t0
3:
.endm
        illegal 0x00000000
        illegal 0xffffffff
        illegal 0x00000053                      /* fadd.s */
        illegal 0x02051513                      /* slli by 32 */
        illegal 0x00003003                      /* ld */
        illegal 0x00003023                      /* sd */
        illegal 0x1230202f                      /* lr.w with rs2 */
        illegal 0x0000302f                      /* amoadd.d */
        illegal 0x00002063                      /* a branch that nobody defined */

        case                                    /* a compressed nop is no instruction here */
        li      s0, -1
2:      .word   0x00010001
        traps   cause_illegal

        case                                    /* a trap saves MIE in MPIE and the mode in MPP; mret restores them */
        csrw    mie, zero
        csrsi   mstatus, 8
        ebreak
        csrr    t0, mstatus
        andi    t0, t0, 8
        expect  t0, 8
        li      t1, 0x1888
        and     s3, s3, t1
        expect  s3, 0x1880
        csrci   mstatus, 8

        case                                    /* an illegal instruction changes no register */
        li      a0, 123
        .word   0x00003503                      /* ld a0, 0(zero) */
        expect  a0, 123
        finish

        .align  2
handler:
        csrr    s0, mcause
        csrr    s1, mepc
        csrr    s2, mtval
        csrr    s3, mstatus
        addi    t6, s1, 4
        csrw    mepc, t6
        mret
