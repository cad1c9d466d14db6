/* SPDX-License-Identifier: Apache-2.0
 *
 * Entry on QEMU's virt machine. Only hart 0 works; QEMU may have been given more.
 */
#include "soc.h"

    .section .text.boot, "ax"
    .globl _start
_start:
    .option push
    .option norelax
    la      gp, __global_pointer$
    .option pop
    csrr    a0, mhartid
    bnez    a0, park
    la      t0, trap
    csrw    mtvec, t0
    csrw    mie, zero
    la      sp, __stacks_start
    li      t0, SOC_STACK_STRIDE
    add     sp, sp, t0

    la      t0, __bss_start
    la      t1, __bss_end
1:  bgeu    t0, t1, 2f
    sw      zero, 0(t0)
    addi    t0, t0, 4
    j       1b
2:  tail    attoflow_main

park:
    wfi
    j       park

    /* Any trap is the end: report it on a fresh stack, for the old one may be the reason. */
    .balign 4
trap:
    csrr    a0, mhartid
    la      sp, __stacks_start
    li      t0, SOC_STACK_STRIDE
    add     sp, sp, t0
    csrr    a1, mcause
    csrr    a2, mepc
    tail    report_trap
