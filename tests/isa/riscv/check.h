/* Frame of the instruction tests. A test is `start machine` or `start user`, cases, `finish`; it may define a label
   `handler` for traps that it expects. gp holds the number of the case. At the end `tohost` becomes 1 if all cases
   held, else 2 * number + 1; or number | 1337 if a trap came that nobody expected. */

.set machine, 0x1800
.set user, 0
.set cause_fetch, 0
.set cause_illegal, 2
.set cause_breakpoint, 3
.set cause_load, 4
.set cause_store, 6
.set cause_user_call, 8
.set cause_machine_call, 11
.set case_number, 1

.macro start mode
        .section .text.start, "ax"
        .globl _start
_start: csrr    t0, mhartid
other:  bnez    t0, other               /* one hart runs the test, the others wait for its end */
        la      t0, 1f
        csrw    mtvec, t0               /* a machine without these registers traps and goes on behind them */
        csrw    satp, zero
        .align  2
1:      la      t0, 1f
        csrw    mtvec, t0
        li      t1, -1
        csrw    pmpaddr0, t1
        li      t1, 0x1f                /* all memory: read, write, execute, power-of-two region */
        csrw    pmpcfg0, t1
        .align  2
1:      la      t0, trap
        csrw    mtvec, t0
        csrw    mie, zero
        li      gp, 0
        li      t0, \mode
        csrw    mstatus, t0
        la      t0, body
        csrw    mepc, t0
        mret

        .align  2
        .weak   handler
trap:   csrr    t5, mcause
        addi    t6, t5, -cause_user_call
        beqz    t6, report
        addi    t6, t5, -cause_machine_call
        beqz    t6, report
        la      t6, handler
        beqz    t6, 1f
        jr      t6
1:      ori     gp, gp, 1337            /* as the official tests mark a trap that nobody expected */
report: la      t6, tohost
        sw      gp, 0(t6)
        sw      zero, 4(t6)
        j       report

        .section .tohost, "aw"
        .align  6
        .globl  tohost
        .type   tohost, @object
        .size   tohost, 8
tohost: .dword  0
        .align  6
        .globl  fromhost
        .type   fromhost, @object
        .size   fromhost, 8
fromhost: .dword 0
        .text
body:
.endm

/* Starts the next case. */
.macro case
        .set    case_number, case_number + 1
        li      gp, case_number
.endm

.macro expect register, value
        li      t6, \value
        expect_same \register, t6
.endm

.macro expect_same a, b
        beq     \a, \b, 99f                    /* fail may be far away */
        j       fail
99:
.endm

/* One case: instruction a2, a0, a1 with these words gives that one; also with the result in place of an operand. */
.macro registers instruction, a, b, value
        case
        li      a0, \a
        li      a1, \b
        \instruction a2, a0, a1
        expect  a2, \value
        mv      a2, a0
        \instruction a2, a2, a1
        expect  a2, \value
        \instruction a1, a0, a1
        expect  a1, \value
.endm

/* One case: instruction a2, a0, immediate. */
.macro immediate instruction, a, constant, value
        case
        li      a0, \a
        \instruction a2, a0, \constant
        expect  a2, \value
        \instruction a0, a0, \constant
        expect  a0, \value
.endm

/* The end of the cases. */
.macro finish
        fence
        li      gp, 1
        ecall
fail:   slli    gp, gp, 1
        ori     gp, gp, 1
        ecall
        unimp
.endm
