/* A program around a generated network that checks it without a host: runs every case twice through the API of
 * network.h and ends with exit code 0, or 1 + the index of the first output that differs.
 * check_cases.h has a line for each array of each case; check_data.S the bytes. */
#include "mailbox.h"
#include "network.h"
#include "runtime.h"

extern const uint8_t check_data[];

static int differs(const void *array, uint32_t offset, uint32_t bytes)
{
    const uint8_t *got = array;
    for (uint32_t i = 0; i < bytes; i++) {
        if (got[i] != check_data[offset + i])
            return 1;
    }
    return 0;
}

_Noreturn void attoflow_main(uint32_t hart)
{
    network_init(hart);
    if (hart != 0) {
        network_join(hart);
        park();
    }
    for (uint32_t turn = 0; turn < 2; turn++) {
#define INPUT(array, offset, bytes) memcpy(array, &check_data[offset], bytes);
#define RUN network_run(NULL, NULL);
#define OUTPUT(index, array, offset, bytes) \
    if (differs(array, offset, bytes)) \
        end_program(1 + index);
#include "check_cases.h"
    }
    network_stop();
    end_program(attoflow_mailbox.layer == NETWORK_LAYERS ? 0 : 100);
}
