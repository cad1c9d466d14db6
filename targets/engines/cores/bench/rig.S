/* SPDX-License-Identifier: Apache-2.0
 *
 * Entry of the kernels' bench: nine harts come from the cluster's boot ROM (snitch-cluster.md, section 1.4), each
 * with a stack of its own, a little further on within its row of banks.
 */
    .section .text.start, "ax"
    .globl  _start
_start:
    csrr    a0, mhartid
    la      sp, __stacks_start
    li      t0, 1024 + 8
    addi    t1, a0, 1
    mul     t0, t0, t1
    add     sp, sp, t0
    call    rig_main
1:  wfi
    j       1b
