/* SPDX-License-Identifier: Apache-2.0
 *
 * The network's constants, as the planner laid them out.
 */
    .section .weights, "a"
    .balign 64
    .globl  network_weights
network_weights:
    .incbin "weights.bin"
