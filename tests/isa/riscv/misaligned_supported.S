/* Where memory splits misaligned accesses, a program in user mode sees no trap: every offset, both directions. */
#include "check.h"
        start   user
.macro  load instruction, offset, value
        case
        la      a0, data
        \instruction a1, \offset(a0)
        expect  a1, \value
.endm
        load    lh, 1, 0x0201
        load    lhu, 3, 0x8403
        load    lh, 3, 0xffff8403
        load    lw, 1, 0x84030201
        load    lw, 2, 0x85840302
        load    lw, 3, 0x86858403
        load    lw, 62, 0xc1c03f3e              /* across what may be a line of a cache */

.macro  store instruction, offset, low, high
        case
        la      a0, cells
        sw      zero, 0(a0)
        sw      zero, 4(a0)
        li      a1, 0xa1b2c3d4
        \instruction a1, \offset(a0)
        lw      a2, 0(a0)
        expect  a2, \low
        lw      a2, 4(a0)
        expect  a2, \high
.endm
        store   sh, 1, 0x00c3d400, 0
        store   sh, 3, 0xd4000000, 0x000000c3
        store   sw, 1, 0xb2c3d400, 0x000000a1
        store   sw, 2, 0xc3d40000, 0x0000a1b2
        store   sw, 3, 0xd4000000, 0x00a1b2c3
        finish

        .data
        .align  6
data:   .byte   0x00, 0x01, 0x02, 0x03, 0x84, 0x85, 0x86, 0x87
        .zero   54
        .byte   0x3e, 0x3f, 0xc0, 0xc1
        .align  3
cells:  .word   0, 0
