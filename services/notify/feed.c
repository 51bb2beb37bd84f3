/* services/notify/feed.c - a ring, and where in it a cursor is. */
#include "feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const kind_names[KIND_COUNT] = {"alert", "event", "trip", "command", "media"};

struct feed {
    struct feed_item *items; /* a ring: first, and n from there */
    size_t room, first, n;
    size_t bytes, bytes_max;
    struct cursor floor, newest;
    struct cursor present; /* of the database, when it was last looked at */
    int64_t looked_ms;
    unsigned beginnings;
};

/* ---- cursors and kinds */
bool cursor_read(struct cursor *out, const char *text)
{
    size_t whole = strspn(text, "0123456789"), rest;

    if (whole < 1 || whole > 18 || text[whole] != '.')
        return false;
    rest = strspn(text + whole + 1, "0123456789");
    if (rest < 1 || rest > 18 || text[whole + 1 + rest])
        return false;
    out->xid = strtoull(text, NULL, 10);
    out->id = strtoull(text + whole + 1, NULL, 10);
    return true;
}

void cursor_print(char out[CURSOR_TEXT], struct cursor at)
{
    (void)snprintf(out, CURSOR_TEXT, "%" PRIu64 ".%" PRIu64, at.xid, at.id);
}

int cursor_compare(struct cursor a, struct cursor b)
{
    if (a.xid != b.xid)
        return a.xid < b.xid ? -1 : 1;
    return (a.id > b.id) - (a.id < b.id);
}

bool kind_read(enum kind *out, const char *word)
{
    for (int i = 0; i < KIND_COUNT; i++)
        if (!strcmp(word, kind_names[i])) {
            *out = (enum kind)i;
            return true;
        }
    return false;
}

unsigned kinds_read(const char *words)
{
    unsigned kinds = 0;

    while (*words) {
        size_t len = strcspn(words, ",");

        for (int i = 0; i < KIND_COUNT; i++)
            if (strlen(kind_names[i]) == len && !memcmp(words, kind_names[i], len))
                kinds |= 1U << i;
        words += len + (words[len] != '\0');
    }
    return kinds;
}

/* ---- the ring */
enum status feed_open(struct feed **out, size_t items, size_t bytes, struct fault *fault)
{
    struct feed *f = calloc(1, sizeof *f);

    if (f)
        f->items = calloc(items, sizeof *f->items);
    if (!f || !f->items) {
        free(f);
        return fault_set(fault, ST_FATAL, "out of memory");
    }
    f->room = items;
    f->bytes_max = bytes;
    *out = f;
    return ST_OK;
}

static struct feed_item *nth(const struct feed *f, size_t i)
{
    return &f->items[(f->first + i) % f->room];
}

static void drop_oldest(struct feed *f)
{
    struct feed_item *oldest = nth(f, 0);

    f->floor = oldest->at;
    f->bytes -= strlen(oldest->frame);
    free(oldest->frame);
    *oldest = (struct feed_item){0};
    f->first = (f->first + 1) % f->room;
    f->n--;
}

void feed_begin(struct feed *f, struct cursor floor)
{
    while (f->n)
        drop_oldest(f);
    f->floor = f->newest = f->present = floor;
    f->looked_ms = 0;
    f->beginnings++;
}

bool feed_is_begun(const struct feed *f)
{
    return f->beginnings > 0;
}

unsigned feed_beginnings(const struct feed *f)
{
    return f->beginnings;
}

void feed_add(struct feed *f, const struct feed_item *item)
{
    size_t len = strlen(item->frame);

    while (f->n && (f->n == f->room || f->bytes + len > f->bytes_max))
        drop_oldest(f);
    *nth(f, f->n++) = *item;
    f->bytes += len;
    f->newest = item->at;
}

struct cursor feed_newest(const struct feed *f)
{
    return f->newest;
}

bool feed_holds(const struct feed *f, struct cursor at)
{
    return feed_is_begun(f) && cursor_compare(at, f->floor) >= 0;
}

void feed_look(struct feed *f, struct cursor present, int64_t looked_ms)
{
    f->present = present;
    f->looked_ms = looked_ms;
}

enum status feed_resumes(const struct feed *f, struct cursor at, int64_t heard_ms)
{
    if (!feed_is_begun(f))
        return ST_RETRY;
    if (!feed_holds(f, at))
        return ST_NONE;
    if (cursor_compare(at, f->newest) <= 0 || cursor_compare(at, f->present) <= 0)
        return ST_OK;
    return f->looked_ms > heard_ms ? ST_NONE : ST_RETRY;
}

/* How many items do not come after `at`. */
static size_t place_of(const struct feed *f, struct cursor at)
{
    size_t low = 0, high = f->n;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (cursor_compare(nth(f, middle)->at, at) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct feed_item *feed_next(const struct feed *f, const struct fleet *fleet,
                                  const struct feed_reader *reader, struct cursor *at)
{
    for (size_t i = place_of(f, *at); i < f->n; i++) {
        const struct feed_item *item = nth(f, i);

        if (!(reader->kinds & 1U << item->kind) || strcmp(item->customer, reader->customer) != 0 ||
            !filter_names(reader->filter, item->vin) ||
            !fleet_may_see(fleet, reader->customer, item->vin))
            continue;
        *at = item->at;
        return item;
    }
    if (cursor_compare(*at, f->newest) < 0)
        *at = f->newest;
    return NULL;
}

void feed_close(struct feed *f)
{
    if (!f)
        return;
    while (f->n)
        drop_oldest(f);
    free(f->items);
    free(f);
}
