/* Start of a benchmark program on the cluster: every hart gets a stack in L1 and its number; hart 0 ends the program. */

    .section .text.start, "ax"
    .globl _start
_start:
    .option push
    .option norelax
    la      gp, __global_pointer$
    .option pop
    csrr    a0, mhartid
    la      sp, stack_top
    slli    t0, a0, 10          /* 1 KiB of stack each */
    sub     sp, sp, t0
    call    work
    fence
    csrr    zero, 0x7c2         /* barrier */
    csrr    a0, mhartid
    bnez    a0, 1f
    call    report
    li      t0, 0x100000        /* finisher */
    li      t1, 0x5555          /* pass */
    sw      t1, 0(t0)
1:  wfi
    j       1b
