/* SPDX-License-Identifier: Apache-2.0
 *
 * Entry of all nine harts. The cluster's boot ROM sends them here by an interrupt (snitch-cluster.md, section 1.4):
 * mtvec still points into the ROM and this hart's bit of the cluster CLINT is set.
 */
#include "soc.h"

    .section .text.boot, "ax"
    .globl _start
_start:
    .option push
    .option norelax
    la      gp, __global_pointer$
    .option pop
    la      t0, trap
    csrw    mtvec, t0
    csrw    mie, zero
    csrr    a0, mhartid

    /* Stacks lie one above the other, hart 0's lowest, each a little further on within its row of banks. */
    la      sp, __stacks_start
    li      t0, SOC_STACK_STRIDE
    addi    t1, a0, 1
    mul     t0, t0, t1
    add     sp, sp, t0

    /* Take back the interrupt that brought us here, or wfi would never sleep. */
    li      t0, SOC_CLUSTER_BASE + CLUSTER_CL_CLINT_CLEAR
    li      t1, 1
    sll     t1, t1, a0
    sw      t1, 0(t0)

    /* Hart 0 clears .bss; the barrier in network_init makes the others wait for it. */
    bnez    a0, 2f
    la      t0, __bss_start
    la      t1, __bss_end
1:  bgeu    t0, t1, 2f
    sw      zero, 0(t0)
    addi    t0, t0, 4
    j       1b
2:  tail    attoflow_main

    /* Any trap is the end: report it on a fresh stack, for the old one may be the reason. */
    .balign 4
trap:
    csrr    a0, mhartid
    la      sp, __stacks_start
    li      t0, SOC_STACK_STRIDE
    addi    t1, a0, 1
    mul     t0, t0, t1
    add     sp, sp, t0
    csrr    a1, mcause
    csrr    a2, mepc
    tail    report_trap
