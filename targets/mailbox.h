/* SPDX-License-Identifier: Apache-2.0
 *
 * The mailbox: 64 bytes of L2 (symbol `attoflow_mailbox`) through which a host runs inferences. mailbox.ts
 * describes the protocol; a test compares the two files.
 */
#ifndef ATTOFLOW_MAILBOX_H
#define ATTOFLOW_MAILBOX_H

#include <stdint.h>

#define MAILBOX_BYTES 64
#define MAILBOX_MAGIC 0x6f747461u /* "atto" */
#define MAILBOX_VERSION 1u

/* Values of `status`. */
enum mailbox_status {
    MAILBOX_BOOTING = 0,
    MAILBOX_READY = 1,
    MAILBOX_RUNNING = 2,
    MAILBOX_PAUSED = 3,
    MAILBOX_DONE = 4,
    MAILBOX_FAILED = 5,
};

/* Bits of `options`. */
#define MAILBOX_OPTION_PAUSE 1u

/* Value of `command` that ends the program. */
#define MAILBOX_EXIT 0xffffffffu

/* 32-bit little-endian words, in this order. */
struct mailbox {
    uint32_t magic; /* written last of all when the image is ready */
    uint32_t version;
    uint32_t status;
    uint32_t command;  /* host: number of the inference to run, or MAILBOX_EXIT */
    uint32_t sequence; /* number of inferences finished */
    uint32_t options;  /* host */
    uint32_t layer;    /* last layer finished in this inference, plus 1 */
    uint32_t resume;   /* host: anything but 0 ends a pause; cleared in front of each */
    uint32_t cycles_low; /* mcycle from the start to the end of the inference */
    uint32_t cycles_high;
    uint32_t error;         /* 0, or hart << 24 | 1 << 16 | low 16 bits of mcause */
    uint32_t layer_cycles;  /* address of `layer_count` words: mcycle at the end of each layer, from the start */
    uint32_t layer_count;
    uint32_t error_address; /* mepc of the trap that `error` tells of */
    uint32_t reserved[2];
};

extern volatile struct mailbox attoflow_mailbox;

#endif
