/* Every hart of the cluster comes here from the boot ROM: 2 KiB of stack each, then main(hart). What hart 0 returns
   goes to the finisher once all harts have met; the others sleep. */
        .section .text.start, "ax"
        .globl  _start
        .type   _start, @function
_start:
        .option push
        .option norelax
        la      gp, __global_pointer$
        .option pop
        csrr    a0, mhartid
        la      sp, __stack_top
        slli    t0, a0, 11
        sub     sp, sp, t0
        csrw    mie, zero
        li      t0, 0x100211a8                  /* CL_CLINT_CLEAR: the wake-up of the boot */
        li      t1, 1
        sll     t1, t1, a0
        sw      t1, 0(t0)
        fence
        csrr    zero, 0x7c2
        call    main
        fence
        csrr    zero, 0x7c2
        csrr    t0, mhartid
        bnez    t0, 2f
        li      t1, 0x5555
        beqz    a0, 1f
        slli    t1, a0, 16
        li      t2, 0x3333
        or      t1, t1, t2
1:      li      t0, 0x100000
        sw      t1, 0(t0)
2:      wfi
        j       2b
        .size   _start, . - _start
