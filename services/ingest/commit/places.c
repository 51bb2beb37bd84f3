/* services/ingest/commit/places.c - open addressing, never more than half full. */
#include "places.h"

#include <stdlib.h>
#include <string.h>

#include "proto/hash.h"

#define SLOTS_LEAST 64

int places_compare(const void *a, const void *b)
{
    const struct place_key *left = a, *right = b;
    int order = strcmp(left->vin, right->vin);

    return order ? order : strcmp(left->stream, right->stream);
}

/* Room for more is taken for good: groups are of about one size. */
static bool make_room(struct places *p, size_t most)
{
    size_t slot_room = p->slot_room ? p->slot_room : SLOTS_LEAST;
    struct place_key *keys;
    uint32_t *slots;

    while (slot_room < 2 * most)
        slot_room *= 2;
    if (most > p->key_room) {
        if (!(keys = realloc(p->keys, most * sizeof *keys)))
            return false;
        p->keys = keys;
        p->key_room = most;
    }
    if (slot_room > p->slot_room) {
        if (!(slots = realloc(p->slots, slot_room * sizeof *slots)))
            return false;
        p->slots = slots;
        p->slot_room = slot_room;
    }
    return true;
}

bool places_clear(struct places *p, size_t most)
{
    bool fits = make_room(p, most);

    p->count = 0;
    if (p->slots)
        memset(p->slots, 0, p->slot_room * sizeof *p->slots);
    return fits;
}

static uint64_t hash_of(const struct place_key *key)
{
    return hash_bytes(hash_bytes(0, key->vin, strlen(key->vin)), key->stream, strlen(key->stream));
}

/* Where its place stands, or a free slot. */
static uint32_t *slot_of(const struct places *p, const struct place_key *key)
{
    size_t mask = p->slot_room - 1, at = hash_of(key) & mask;

    while (p->slots[at] && places_compare(&p->keys[p->slots[at] - 1], key) != 0)
        at = (at + 1) & mask;
    return &p->slots[at];
}

size_t places_take(struct places *p, const char *vin, const char *stream)
{
    const struct place_key key = {vin, stream};
    uint32_t *slot = slot_of(p, &key);

    if (*slot == 0) {
        p->keys[p->count++] = key;
        *slot = (uint32_t)p->count;
    }
    return *slot - 1;
}

bool places_find(const struct places *p, const char *vin, const char *stream, size_t *place)
{
    const struct place_key key = {vin, stream};
    uint32_t slot = p->count ? *slot_of(p, &key) : 0;

    if (slot == 0)
        return false;
    *place = slot - 1;
    return true;
}

void places_done(struct places *p)
{
    free(p->keys);
    free(p->slots);
    *p = (struct places){0};
}
