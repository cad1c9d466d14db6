/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a program: exit codes through the finisher, and what a trap leaves behind on the UART and in the
 * mailbox. Either device may be absent from a SoC.
 */
#include "mailbox.h"
#include "runtime.h"
#include "soc.h"

#ifdef SOC_UART_BASE

static volatile uint8_t *uart_register(uint32_t offset)
{
    return (volatile uint8_t *)(SOC_UART_BASE + offset);
}

static void print_character(char character)
{
    while (!(*uart_register(UART_LINE_STATUS) & UART_LINE_STATUS_EMPTY))
        ;
    *uart_register(UART_TRANSMIT) = (uint8_t)character;
}

#else

static void print_character(char character) { (void)character; }

#endif

static void print(const char *text)
{
    while (*text)
        print_character(*text++);
}

static void print_word(uint32_t value)
{
    print("0x");
    for (int32_t bit = 28; bit >= 0; bit -= 4)
        print_character("0123456789abcdef"[value >> bit & 15u]);
}

_Noreturn void end_program(uint32_t code)
{
    fence();
#ifdef SOC_FINISHER_BASE
    *(volatile uint32_t *)SOC_FINISHER_BASE = code == 0 ? FINISHER_PASS : FINISHER_FAIL | code << 16;
#else
    (void)code;
#endif
    park();
}

_Noreturn void report_trap(uint32_t hart, uint32_t cause, uint32_t address)
{
    attoflow_mailbox.error_address = address;
    attoflow_mailbox.error = hart << 24 | 1u << 16 | (cause & 0xffffu);
    fence();
    attoflow_mailbox.status = MAILBOX_FAILED;
    print("trap: hart ");
    print_word(hart);
    print(", mcause ");
    print_word(cause);
    print(", mepc ");
    print_word(address);
    print("\n");
    end_program(1);
}
