/* Without compressed code a jump to an address that is no multiple of 4 traps at the jump and links nothing. */
#include "check.h"
        start   machine
.macro  misjump target, instruction:vararg
        case
        li      ra, 0
        li      s0, -1
        la      a0, 3f
2:      \instruction
3:      expect  s0, cause_fetch
        la      t0, 2b
        expect_same s1, t0
        expect  ra, 0
.endm
        misjump 0, jalr ra, 2(a0)
        misjump 0, jalr ra, 3(a0)
        misjump 0, .word 0x006000ef             /* jal ra, .+6 */
        misjump 0, .word 0x00000363             /* beq zero, zero, .+6 */

        case                                    /* a branch that is not taken may name any target */
        li      s0, -1
        .word   0x00001363                      /* bne zero, zero, .+6 */
        expect  s0, -1

        case                                    /* bit 0 of a jalr's sum does not count */
        la      a0, 1f
        jalr    ra, 1(a0)
        j       fail
1:
        finish

        .align  2
handler:
        csrr    s0, mcause
        csrr    s1, mepc
        addi    t6, s1, 4
        csrw    mepc, t6
        mret
