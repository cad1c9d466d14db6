/* Start of a benchmark program on QEMU's riscv32 virt machine: stack, main, end through the test finisher. */

    .section .text.start, "ax"
    .globl _start
_start:
    .option push
    .option norelax
    la      gp, __global_pointer$
    .option pop
    la      sp, stack_top
    call    main
    li      t0, 0x100000        /* finisher */
    li      t1, 0x5555          /* pass */
    sw      t1, 0(t0)
1:  wfi
    j       1b
