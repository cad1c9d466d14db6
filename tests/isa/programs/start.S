/* Start-up of the C test programs: stack, trap vector, main, and the finisher with main's result. */
        .section .text.start, "ax"
        .globl  _start
_start:
        .option push
        .option norelax
        la      gp, __global_pointer$
        .option pop
        la      sp, __stack_top
        la      t0, trap_entry
        csrw    mtvec, t0
        call    main
        li      t0, 0x100000
        li      t1, 0x5555                      /* pass */
        beqz    a0, 1f
        slli    t1, a0, 16
        li      t2, 0x3333                      /* fail, with the status above it */
        or      t1, t1, t2
1:      sw      t1, 0(t0)
2:      j       2b

        /* Saves what a C function may use, calls trap(cause, pc) and returns to where it says. */
        .align  2
trap_entry:
        addi    sp, sp, -64
        sw      ra, 0(sp)
        sw      t0, 4(sp)
        sw      t1, 8(sp)
        sw      t2, 12(sp)
        sw      a0, 16(sp)
        sw      a1, 20(sp)
        sw      a2, 24(sp)
        sw      a3, 28(sp)
        sw      a4, 32(sp)
        sw      a5, 36(sp)
        sw      a6, 40(sp)
        sw      a7, 44(sp)
        sw      t3, 48(sp)
        sw      t4, 52(sp)
        sw      t5, 56(sp)
        sw      t6, 60(sp)
        csrr    a0, mcause
        csrr    a1, mepc
        call    trap
        csrw    mepc, a0
        lw      ra, 0(sp)
        lw      t0, 4(sp)
        lw      t1, 8(sp)
        lw      t2, 12(sp)
        lw      a0, 16(sp)
        lw      a1, 20(sp)
        lw      a2, 24(sp)
        lw      a3, 28(sp)
        lw      a4, 32(sp)
        lw      a5, 36(sp)
        lw      a6, 40(sp)
        lw      a7, 44(sp)
        lw      t3, 48(sp)
        lw      t4, 52(sp)
        lw      t5, 56(sp)
        lw      t6, 60(sp)
        addi    sp, sp, 64
        mret
