/* Start of ITA's test program on the cluster: hart 0 runs main and reports to the finisher, the others run helper. */
#include "soc.h"

    .section .text.start, "ax"
    .globl _start
_start:
    .option push
    .option norelax
    la      gp, __global_pointer$
    .option pop
    csrw    mie, zero
    csrr    a0, mhartid
    li      t1, SOC_CLUSTER_BASE + CLUSTER_CL_CLINT_CLEAR
    li      t2, 1
    sll     t2, t2, a0
    sw      t2, 0(t1)
    la      sp, __stack_top
    slli    t1, a0, 10
    sub     sp, sp, t1
    bnez    a0, 1f
    call    main
    li      t0, SOC_FINISHER_BASE
    li      t1, FINISHER_PASS
    sw      t1, 0(t0)
    j       2f
1:  call    helper
2:  wfi
    j       2b
