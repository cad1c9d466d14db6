/* SPDX-License-Identifier: Apache-2.0
 *
 * Entry of the kernels' test program: one hart without anything. Ends it through the finisher of QEMU's virt.
 */
    .section .text.boot, "ax"
    .globl _start
_start:
    la      sp, stack_end
    call    run_kernels
    li      t0, 0x00100000
    li      t1, 0x5555
    sw      t1, 0(t0)
1:  j       1b

    .section .data
    .balign 8
    .globl  data
data:
    .incbin "data.bin"

    .section .bss
    .balign 16
    .skip   4096
stack_end:
