/* A program in which one hart does something illegal, to see what the trap vector makes of it. */
#include "mailbox.h"
#include "network.h"
#include "runtime.h"

_Noreturn void attoflow_main(uint32_t hart)
{
    network_init(hart);
    if (hart == TRAPPING_HART)
        __asm__ volatile(".globl illegal\nillegal:\n\t.word 0");
    park();
}
