/* services/ingest/commit/places.h - streams, each once, by the place they were given.  A group asks
 * for the stream of each of its records several times: found by a hash, not by a search.  One
 * thread.
 */
#ifndef INGEST_PLACES_H
#define INGEST_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct place_key {
    const char *vin, *stream; /* borrowed until the next places_clear */
};

struct places { /* all zero to begin with */
    struct place_key *keys;
    size_t count, key_room, slot_room;
    uint32_t *slots; /* a place, plus one */
};

/* None are there; `most` may come.  False: no memory, and there is room for none. */
bool places_clear(struct places *p, size_t most);
/* The place of a stream; one that is new gets the next. */
size_t places_take(struct places *p, const char *vin, const char *stream);
/* False: it has none. */
bool places_find(const struct places *p, const char *vin, const char *stream, size_t *place);
int places_compare(const void *a, const void *b); /* of two struct place_key: by VIN, by stream */
void places_done(struct places *p);

#endif
