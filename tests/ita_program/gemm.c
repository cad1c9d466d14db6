/* ITA's driver at work: matrix products Y = act(requant(X W + b)), one alone for its time, then all in one chain, with
 * other tile counts from one to the next, then the first one while a core and the DMA use the same memory. The host
 * fills X, W and b in L1 and reads Y and the times.
 *
 * Matrices are stored as tiles of 64x64, in row-major order of the tiles; W as the tiles of its transpose.
 */
#include "dma.h"
#include "ita.h"
#include "soc.h"

struct layer {
    struct ita_sequence sequence;
    uint32_t s, e, p; /* tiles: X is s by e, W is e by p */
    uint32_t bias_by_row;
    enum ita_activation activation;
};

#define LAYER(s_, e_, p_, multiplier, shift, by_row, activation_)                                                      \
    {                                                                                                                  \
        {ITA_TILE_COUNTS(s_, e_, p_, 1), {ITA_BYTES(multiplier, 0, 0, 0), 0}, {ITA_BYTES(shift, 0, 0, 0), 0},          \
         {ITA_BYTES(-3, 0, 0, 0), 0}, ITA_GELU(-80, -7091), ITA_REQUANT(74, 20, 1), ITA_LAYER_LINEAR},                 \
            s_, e_, p_, by_row, activation_                                                                            \
    }

static const struct layer all_layers[] = {
    LAYER(2, 2, 2, 91, 15, 0, ITA_ACTIVATION_IDENTITY), LAYER(1, 3, 2, 77, 14, 0, ITA_ACTIVATION_GELU),
    LAYER(2, 1, 1, 120, 14, 1, ITA_ACTIVATION_RELU),    LAYER(1, 4, 1, 200, 16, 1, ITA_ACTIVATION_IDENTITY),
    LAYER(2, 2, 1, 13, 12, 0, ITA_ACTIVATION_GELU),
};
#define LAYERS (sizeof(all_layers) / sizeof(all_layers[0]))

/* The same in L1: every look into L2 costs eleven cycles. */
static struct layer layers[LAYERS];

typedef int8_t tile[ITA_TILE_BYTES] __attribute__((aligned(64)));

tile x[4], weights[6], y[11];
uint8_t bias[2 * ITA_BIAS_BYTES + ITA_BIAS_READ_BYTES - ITA_BIAS_BYTES] __attribute__((aligned(64)));
tile alone[4], scratch;
/* Cycles of the first layer alone and of the chain, of a core's loads without and with ITA, errors of the driver. */
uint32_t cycles[2], load_cycles[2], errors;

/* What the other harts are to do, and the last thing that hart 1 has done. */
enum { WAIT, LOAD_ALONE, LOAD_BESIDE, COPY, END };
static volatile uint32_t order, obeyed;

static struct ita ita;

static uint32_t now(void)
{
    uint32_t cycle;
    __asm__ volatile("csrr %0, mcycle" : "=r"(cycle));
    return cycle;
}

/* Submits the jobs of one layer; `next` are the weights that come behind it, or null. */
static void submit(const struct layer *layer, tile *output, const void *next)
{
    ita_configure(&ita, &layer->sequence);
    for (uint32_t row = 0; row < layer->s; row++) {
        for (uint32_t column = 0; column < layer->p; column++) {
            for (uint32_t inner = 0; inner < layer->e; inner++) {
                const tile *w = &weights[column * layer->e + inner];
                const int last = inner + 1 == layer->e;
                const int wraps = last && column + 1 == layer->p;
                const int ends = wraps && row + 1 == layer->s;
                const struct ita_job job = {
                    .input = x[row * layer->e + inner],
                    .weights = w,
                    .next_weights = ends ? next : wraps ? (const void *)weights : (const void *)(w + 1),
                    .bias = &bias[ITA_BIAS_BYTES * (layer->bias_by_row ? row : column)],
                    .output = last ? output[row * layer->p + column] : 0,
                    .bias_by_row = layer->bias_by_row,
                    .activation = layer->activation,
                };
                if (ita_submit(&ita, &job) != 0)
                    errors++;
            }
        }
    }
}

/* Reads a word of every bank, again and again. */
static uint32_t time_of_loads(void)
{
    const uint32_t start = now();
    for (uint32_t round = 0; round < 16; round++) {
        const volatile uint32_t *word = (const volatile uint32_t *)x;
        for (uint32_t bank = 0; bank < 32; bank++)
            (void)word[2 * bank];
    }
    return now() - start;
}

/* Harts 1 and up. The workers 2 ... 7 have nothing to do. */
void helper(uint32_t hart)
{
    if (hart == 1) {
        for (uint32_t i = 0; i < 2; i++) {
            while (order != LOAD_ALONE + i)
                ;
            load_cycles[i] = time_of_loads();
            obeyed = LOAD_ALONE + i;
        }
    } else if (hart == SOC_DMA_HART) {
        while (order != COPY)
            ;
        while (order == COPY) {
            dma_copy(scratch, (const void *)SOC_ZERO_BASE, sizeof scratch);
            dma_wait();
        }
    }
}

int main(void)
{
    errors = 0;
    for (uint32_t i = 0; i < LAYERS; i++)
        layers[i] = all_layers[i];
    ita_init(&ita, &layers[0].sequence);
    uint32_t start;
    for (uint32_t round = 0; round < 2; round++) { /* the second one finds its code in the cache */
        start = now();
        submit(&layers[0], alone, 0);
        ita_wait_all(&ita);
        cycles[0] = now() - start;
    }

    start = now();
    tile *output = y;
    for (uint32_t i = 0; i < LAYERS; i++) {
        submit(&layers[i], output, i + 1 < LAYERS ? weights : 0);
        output += layers[i].s * layers[i].p;
    }
    ita_wait_all(&ita);
    cycles[1] = now() - start;

    /* The driver refuses weights other than those that were fetched ahead, and goes on with the right ones. */
    ita_configure(&ita, &layers[2].sequence);
    struct ita_job job = {.input = x[0], .weights = weights[0], .next_weights = weights[1], .output = scratch};
    if (ita_submit(&ita, &job) != 0)
        errors++;
    job.next_weights = 0;
    if (ita_submit(&ita, &job) != ITA_ERROR_PREFETCH)
        errors++;
    job.weights = weights[1];
    if (ita_submit(&ita, &job) != 0)
        errors++;
    ita_wait_all(&ita);
    if (ita_done(&ita) != ita.submitted)
        errors++;

    /* ITA beside a core, then beside the DMA. */
    order = LOAD_ALONE;
    while (obeyed != LOAD_ALONE)
        ;
    submit(&layers[0], alone, 0);
    order = LOAD_BESIDE;
    while (obeyed != LOAD_BESIDE)
        ;
    ita_wait_all(&ita);
    order = COPY;
    submit(&layers[0], alone, 0);
    ita_wait_all(&ita);
    order = END;
    return 0;
}
