/* services/ingest/inhand.c - a slot per key: its upper bits, and when it was taken. */
#include "inhand.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "proto/hash.h"

#define SLOTS                                                                                      \
    16384 /* more than wait in the queue; two that meet in one: the older is forgotten             \
           */
#define TIME_BITS 16
#define TICK_MS 64 /* so that the time comes round after more than an hour */
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)

struct inhand {
    _Atomic uint64_t slots[SLOTS]; /* 0: free */
};

enum status inhand_open(struct inhand **out, struct fault *fault)
{
    *out = calloc(1, sizeof **out);
    return *out ? ST_OK : fault_set(fault, ST_FATAL, "out of memory");
}

uint64_t inhand_key(const char *vin, const char *stream, int64_t seq)
{
    uint64_t hash = hash_bytes((uint64_t)seq, vin, strlen(vin));

    hash = hash_bytes(hash, stream, strlen(stream));
    return hash & ~TIME_MASK ? hash : UINT64_C(1) << 63;
}

static uint64_t tick(int64_t now_ms)
{
    return (uint64_t)(now_ms / TICK_MS) & TIME_MASK;
}

static size_t place(uint64_t key)
{
    return key >> TIME_BITS & (SLOTS - 1);
}

void inhand_take(struct inhand *h, uint64_t key, int64_t now_ms)
{
    atomic_store_explicit(&h->slots[place(key)], (key & ~TIME_MASK) | tick(now_ms),
                          memory_order_release);
}

bool inhand_has(const struct inhand *h, uint64_t key, int64_t now_ms)
{
    uint64_t slot = atomic_load_explicit(&h->slots[place(key)], memory_order_acquire);
    int64_t age_ms = (int64_t)((tick(now_ms) - slot) & TIME_MASK) * TICK_MS;

    return (slot & ~TIME_MASK) == (key & ~TIME_MASK) && age_ms > INHAND_FRESH_MS &&
           age_ms < INHAND_STALE_MS;
}

void inhand_drop(struct inhand *h, uint64_t key)
{
    _Atomic uint64_t *slot = &h->slots[place(key)];
    uint64_t there = atomic_load_explicit(slot, memory_order_acquire);

    if (key && (there & ~TIME_MASK) == (key & ~TIME_MASK))
        atomic_compare_exchange_strong(slot, &there, 0);
}

void inhand_close(struct inhand *h)
{
    free(h);
}
