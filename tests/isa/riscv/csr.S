/* The six CSR instructions on mscratch, and what every machine's identification registers say. */
#include "check.h"
        start   machine
        case
        csrwi   mscratch, 3
        csrr    a0, mscratch
        expect  a0, 3
        csrrci  a0, mscratch, 1
        expect  a0, 3
        csrrsi  a0, mscratch, 4
        expect  a0, 2
        csrrwi  a0, mscratch, 31
        expect  a0, 6
        li      a1, 0xbad1dea
        csrrw   a0, mscratch, a1
        expect  a0, 31
        li      a1, 0x0001dea
        csrrc   a0, mscratch, a1
        expect  a0, 0xbad1dea
        li      a1, 0x000beef
        csrrs   a0, mscratch, a1
        expect  a0, 0xbad0000
        csrr    a0, mscratch
        expect  a0, 0xbadbeef
        csrrw   a0, mscratch, a0                /* one register as source and destination */
        csrr    a1, mscratch
        expect_same a0, a1

        case                                    /* csrrs and csrrc with x0 only read: also where nobody may write */
        csrr    a0, mhartid
        expect  a0, 0
        csrrc   a0, mhartid, zero
        expect  a0, 0
        csrr    a0, mvendorid
        csrr    a0, marchid
        csrr    a0, mimpid

        case                                    /* misa: 32 bit, with A, I and M */
        csrr    a0, misa
        srli    a1, a0, 30
        expect  a1, 1
        li      a1, 0x1101
        and     a0, a0, a1
        expect  a0, 0x1101

        case                                    /* mtvec and mepc keep addresses */
        csrr    a0, mtvec
        la      a1, trap
        expect_same a0, a1
        li      a0, 0x80001234
        csrw    mepc, a0
        csrr    a1, mepc
        expect_same a0, a1

        case                                    /* MIE and MPIE can be set and cleared */
        csrw    mie, zero
        csrsi   mstatus, 8
        csrr    a0, mstatus
        andi    a0, a0, 8
        expect  a0, 8
        csrci   mstatus, 8
        csrr    a0, mstatus
        andi    a0, a0, 8
        expect  a0, 0
        finish
