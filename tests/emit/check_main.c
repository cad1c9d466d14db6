/* A program around a generated network that checks it without a host: runs every case through the API of network.h,
 * first with the data in its place, then with arrays of its own, and ends with exit code 0, or 1 + the index of the
 * first output that differs. check_cases.h has a line for each array of each case; check_data.S the bytes. */
#include "check_size.h"
#include "mailbox.h"
#include "network.h"
#include "runtime.h"

extern const uint8_t check_data[];

static uint8_t results[CHECK_BYTES] __attribute__((aligned(64)));

static int differs(const void *array, uint32_t offset, uint32_t bytes)
{
    const uint8_t *got = array;
    for (uint32_t i = 0; i < bytes; i++) {
        if (got[i] != check_data[offset + i])
            return 1;
    }
    return 0;
}

static void check_in_place(void)
{
#define INPUT(field, array, offset, bytes) memcpy(array, &check_data[offset], bytes);
#define RESULT(field, array, offset, bytes)
#define RUN network_run(NULL, NULL);
#define OUTPUT(index, array, offset, bytes) \
    if (differs(array, offset, bytes)) \
        end_program(1 + index);
#include "check_cases.h"
#undef INPUT
#undef RESULT
#undef RUN
#undef OUTPUT
}

static void check_with_arrays(void)
{
    struct network_input input;
    struct network_output output;
#define INPUT(field, array, offset, bytes) input.field = (const void *)&check_data[offset];
#define RESULT(field, array, offset, bytes) output.field = (void *)&results[offset];
#define RUN network_run(&input, &output);
#define OUTPUT(index, array, offset, bytes) \
    if (differs(&results[offset], offset, bytes)) \
        end_program(1 + index);
#include "check_cases.h"
}

_Noreturn void attoflow_main(uint32_t hart)
{
    network_init(hart);
    if (hart != 0) {
        network_join(hart);
        park();
    }
    check_in_place();
    check_with_arrays();
    network_stop();
    end_program(attoflow_mailbox.layer == NETWORK_LAYERS ? 0 : 100);
}
