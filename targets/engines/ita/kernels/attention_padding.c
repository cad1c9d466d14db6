/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of a softmax in which padding would count, computed again. Nearly always there are none: then a core reads the
 * first logits of each of its rows and is done.
 */
#include "attention_padding.h"

enum {
    TILE = 64,
    TILE_BYTES = TILE * TILE,
    /* Columns that ITA's softmax takes at once. */
    GROUP = 16,
    /* Greatest logit of a row in which a key at -128 still counts: 256 >> 8 is 1. */
    PADDING_COUNTS = -120,
};

/** Bytes from the start of a matrix to one of its rows, of `tiles` tiles. */
static inline int32_t row_offset(int32_t row, int32_t tiles)
{
    return row / TILE * tiles * TILE_BYTES + row % TILE * TILE;
}

/** Bytes from a row's start to one of its columns. */
static inline int32_t column_offset(int32_t column)
{
    return column / TILE * TILE_BYTES + column % TILE;
}

static bool padding_counts(const int8_t *logits, int32_t keys)
{
    for (int32_t key = 0; key < keys; key++)
        if (logits[column_offset(key)] > PADDING_COUNTS)
            return false;
    return true;
}

/** What a distance from the maximum halves; all of it from 9 on. */
static inline uint32_t halved(uint32_t value, int32_t distance)
{
    return distance > 31 ? 0 : value >> distance;
}

/** Denominator of a row, streamed as ITA does it, over the keys that there are; also the row's maximum. */
static uint32_t denominator_of(const int8_t *logits, int32_t keys, int32_t *maximum)
{
    uint32_t denominator = 0;
    int32_t highest = INT8_MIN;
    for (int32_t first = 0; first < keys; first += GROUP) {
        const int8_t *group = logits + column_offset(first);
        int32_t count = min_s32(keys - first, GROUP), risen = highest;
        for (int32_t i = 0; i < count; i++)
            risen = max_s32(risen, group[i]);
        denominator = halved(denominator, risen - highest);
        highest = risen;
        for (int32_t i = 0; i < count; i++)
            denominator += halved(256, highest - group[i]);
    }
    *maximum = highest;
    return denominator;
}

static void compute_row(const struct attention_padding_args *args, const int8_t *logits, int8_t *y)
{
    struct requantiser requantiser =
        make_requantiser(args->mul, args->add, args->shift, args->low, args->high);
    int32_t maximum, tiles = (args->keys + TILE - 1) / TILE;
    uint32_t denominator = denominator_of(logits, args->keys, &maximum);
    uint32_t inverse = 256u * (uint32_t)args->full_scale / denominator;
    for (int32_t column = 0; column < args->width; column++) {
        const int8_t *values = args->v + row_offset(column, tiles);
        int32_t sum = 0;
        for (int32_t key = 0; key < args->keys; key++) {
            int32_t at = column_offset(key);
            sum += (int32_t)halved(inverse, maximum - logits[at]) * values[at];
        }
        y[column_offset(column)] = (int8_t)requantise_wide(sum, &requantiser);
    }
}

void attention_padding(const struct attention_padding_args *args, uint32_t core, uint32_t cores)
{
    struct span mine = share(args->rows, core, cores);
    int32_t key_tiles = (args->keys + TILE - 1) / TILE, width_tiles = (args->width + TILE - 1) / TILE;
    for (int32_t row = mine.first; row < mine.end; row++) {
        const int8_t *logits = args->logits + row_offset(row, key_tiles);
        if (padding_counts(logits, args->keys))
            compute_row(args, logits, args->y + row_offset(row, width_tiles));
    }
}
