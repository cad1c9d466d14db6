/* Loads and stores of bytes, halves and words, aligned. */
#include "check.h"
        start   user
.macro  loads instruction, offset, value
        case
        la      a0, data
        \instruction a1, \offset(a0)
        expect  a1, \value
        addi    a0, a0, 2047                    /* far from the base, on either side */
        \instruction a1, (\offset - 2047)(a0)
        expect  a1, \value
        addi    a0, a0, \offset
        addi    a0, a0, -2047
        \instruction a0, 0(a0)                  /* into its own base */
        expect  a0, \value
.endm
        loads   lb, 0, 0xffffffef
        loads   lb, 3, 0x01
        loads   lbu, 0, 0xef
        loads   lbu, 1, 0xcd
        loads   lh, 0, 0xffffcdef
        loads   lh, 2, 0x01ab
        loads   lhu, 0, 0xcdef
        loads   lhu, 6, 0x8000
        loads   lw, 0, 0x01abcdef
        loads   lw, 4, 0x80007fff

.macro  stores instruction, offset, word, low, high
        case
        la      a0, cell
        sw      zero, 0(a0)
        li      a1, -1
        sw      a1, 4(a0)
        li      a1, \word
        \instruction a1, \offset(a0)
        lw      a2, 0(a0)
        expect  a2, \low
        lw      a2, 4(a0)
        expect  a2, \high
.endm
        stores  sb, 0, 0x12345678, 0x78, -1
        stores  sb, 3, 0x12345678, 0x78000000, -1
        stores  sb, 6, 0x12345678, 0, 0xff78ffff
        stores  sh, 0, 0x12345678, 0x5678, -1
        stores  sh, 2, 0x12345678, 0x56780000, -1
        stores  sh, 6, 0x12345678, 0, 0x5678ffff
        stores  sw, 0, 0x12345678, 0x12345678, -1
        stores  sw, 4, 0x12345678, 0, 0x12345678

        case                                    /* a store through its own base */
        la      a0, cell
        sw      a0, 0(a0)
        lw      a1, 0(a0)
        expect_same a0, a1
        finish

        .data
        .align  3
data:   .word   0x01abcdef, 0x80007fff
cell:   .word   0, 0
