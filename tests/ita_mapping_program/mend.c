/* Calls ITA's kernel for padding on operands that the host has put into `arena`, as all eight cores of a cluster
 * would, one after the other. The host fills `args`, but for the pointers, which it gives as offsets in `places`.
 */
#include "attention_padding.h"

enum { CORES = 8 };

uint8_t arena[1u << 20] __attribute__((aligned(64), section(".arena")));
/* logits, v, y */
uint32_t places[3];
struct attention_padding_args args;

int main(void)
{
    args.logits = (const int8_t *)arena + places[0];
    args.v = (const int8_t *)arena + places[1];
    args.y = (int8_t *)arena + places[2];
    for (uint32_t core = 0; core < CORES; core++)
        attention_padding(&args, core, CORES);
    return 0;
}

void helper(void)
{
}
