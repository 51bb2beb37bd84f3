/* proto/signals.c - the compiled signal table and its perfect hash. */
#include "proto/signals.h"

#include <endian.h>
#include <math.h>
#include <string.h>

#include "proto/signals_table.inc"

size_t signal_count(void)
{
    return SIGNAL_ROWS;
}

const struct signal_row *signal_row(uint16_t id)
{
    return id >= 1 && id <= SIGNAL_ROWS ? &signal_rows[id - 1] : NULL;
}

size_t signal_path_len(uint16_t id)
{
    return id >= 1 && id <= SIGNAL_ROWS ? signal_lengths[id - 1] : 0;
}

/* The hash proto/tables.py computed: eight bytes at a time, little-endian, the rest padded with
 * zeros. */
static uint64_t path_hash(const char *path, size_t len)
{
    uint64_t hash = SIGNAL_HASH_SEED ^ len, word;

    for (; len >= sizeof word; path += sizeof word, len -= sizeof word) {
        memcpy(&word, path, sizeof word);
        hash = (hash ^ le64toh(word)) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    word = 0;
    memcpy(&word, path, len);
    hash = (hash ^ le64toh(word)) * UINT64_C(0x9e3779b97f4a7c15);
    return hash >> (64 - SIGNAL_HASH_BITS);
}

uint16_t signal_find(const char *path, size_t len)
{
    uint16_t id;

    if (len == 0 || len > SIGNAL_PATH_MAX)
        return SIGNAL_NONE;
    id = signal_slots[path_hash(path, len)];
    if (id == SIGNAL_NONE || signal_lengths[id - 1] != len ||
        memcmp(signal_rows[id - 1].path, path, len) != 0)
        return SIGNAL_NONE;
    return id;
}

double signal_round(uint16_t id, double value)
{
    static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    const struct signal_row *row = signal_row(id);
    double scaled;

    if (!row || !isfinite(value))
        return value;
    scaled = value * tens[row->decimals];
    if (fabs(scaled) < 0x1p53) /* beyond, a double has no digits left to round away */
        value = round(scaled) / tens[row->decimals];
    return value == 0 ? 0.0 : value;
}
