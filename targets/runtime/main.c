/* SPDX-License-Identifier: Apache-2.0
 *
 * The program of an image: serves inferences through the mailbox (mailbox.h). Replace this file to build the
 * network into a program of your own; network.h says how to call it.
 */
#include "mailbox.h"
#include "network.h"
#include "runtime.h"

static void serve(uint32_t number)
{
    attoflow_mailbox.layer = 0;
    attoflow_mailbox.status = MAILBOX_RUNNING;
    network_run(0, 0); /* inputs and outputs are where the host puts and reads them */
    uint64_t cycles = network_cycles();
    attoflow_mailbox.cycles_low = (uint32_t)cycles;
    attoflow_mailbox.cycles_high = (uint32_t)(cycles >> 32);
    attoflow_mailbox.sequence = number;
    fence();
    attoflow_mailbox.status = MAILBOX_DONE;
}

_Noreturn void attoflow_main(uint32_t hart)
{
    network_init(hart);
    if (hart != 0) {
        network_join(hart);
        park();
    }
    attoflow_mailbox.status = MAILBOX_READY;
    fence();
    attoflow_mailbox.magic = MAILBOX_MAGIC;
    for (;;) {
        uint32_t command = attoflow_mailbox.command;
        if (command == MAILBOX_EXIT)
            break;
        if (command != attoflow_mailbox.sequence)
            serve(command);
    }
    network_stop();
    end_program(0);
}
