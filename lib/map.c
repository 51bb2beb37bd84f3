/* lib/map.c - text keys to values, on uthash. */
#include "lib/map.h"

#include <stdlib.h>
#include <string.h>

#include "proto/hash.h"

/* uthash's own default falls through switch labels, which clang reports, and takes a byte at a
 * time. */
#define HASH_FUNCTION(key, length, hash) ((hash) = hash_of((key), (length)))
#define HASH_NONFATAL_OOM 1
static unsigned hash_of(const char *key, size_t len);
#include <uthash.h>

struct entry {
    UT_hash_handle hh;   /* points to the key, too */
    max_align_t value[]; /* and behind it the key: a VIN each, times thousands of vehicles */
};

struct map {
    struct entry *all;
    size_t value_size, max;
    void (*done)(void *value);
};

/* uthash takes the lower bits of it. */
static unsigned hash_of(const char *key, size_t len)
{
    return (unsigned)hash_bytes(len, key, len);
}

enum status map_open(struct map **out, size_t value_size, size_t max, void (*done)(void *value),
                     struct fault *fault)
{
    struct map *m = calloc(1, sizeof *m);

    if (!m)
        return fault_set(fault, ST_FATAL, "out of memory for a map");
    m->value_size = value_size;
    m->max = max;
    m->done = done;
    *out = m;
    return ST_OK;
}

static struct entry *find(struct map *m, const char *key)
{
    struct entry *e;

    HASH_FIND(hh, m->all, key, strlen(key), e);
    return e;
}

void *map_get(struct map *m, const char *key)
{
    struct entry *e = find(m, key);

    return e ? e->value : NULL;
}

void *map_put(struct map *m, const char *key)
{
    struct entry *e = find(m, key);
    size_t len = strlen(key);
    char *own;

    if (e)
        return e->value;
    if (len > MAP_KEY_MAX || HASH_COUNT(m->all) >= m->max)
        return NULL;
    e = calloc(1, sizeof *e + m->value_size + len + 1);
    if (!e)
        return NULL;
    own = (char *)e->value + m->value_size;
    memcpy(own, key, len + 1);
    HASH_ADD_KEYPTR(hh, m->all, own, len, e);
    if (!e->hh.tbl) { /* out of memory for the table */
        free(e);
        return NULL;
    }
    return e->value;
}

static void discard(struct map *m, struct entry *e)
{
    HASH_DEL(m->all, e);
    if (m->done)
        m->done(e->value);
    free(e);
}

void map_remove(struct map *m, const char *key)
{
    struct entry *e = find(m, key);

    if (e)
        discard(m, e);
}

size_t map_count(const struct map *m)
{
    return HASH_COUNT(m->all);
}

void map_each(struct map *m, bool (*keep)(void *self, const char *key, void *value), void *self)
{
    struct entry *e, *next;

    HASH_ITER(hh, m->all, e, next)
    {
        if (!keep(self, e->hh.key, e->value))
            discard(m, e);
    }
}

void map_close(struct map *m)
{
    struct entry *e, *next;

    if (!m)
        return;
    HASH_ITER(hh, m->all, e, next)
    {
        discard(m, e);
    }
    free(m);
}
