/* services/ingest/history.c - idempotent: the same series and time overwrite, so a group may be
 * sent twice.  Lines are made while they are sent: of the megabytes of a group a piece at a time
 * stands in the cache, and none in memory. */
#include "history.h"

#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/store/line.h"
#include "record/at.h"
#include "record/meters.h"

#define TASTES 8

enum status history_open(struct history *h, const char *url, struct fault *fault)
{
    *h = (struct history){0};
    text_init(&h->lines);
    return influx_open(&h->db, url, "fleet", fault);
}

/* Of a group, what is to be poured next. */
struct pour {
    struct record *const *records;
    size_t n, record, sample;
    size_t lines;
    struct text *spill; /* a line that was longer than the room there was */
    size_t spilled;     /* of it, given out */
    size_t len, poured; /* bytes that were promised, 0 none; of them, given out */
};

static bool has_lines(const struct record *r)
{
    return !r->dead && !r->again && r->from.topic.leaf == LEAF_TELEMETRY &&
           r->telemetry.sample_count > 0;
}

/* The record to go on with; NULL: all are poured. */
static const struct record *rest_of(struct pour *p)
{
    for (; p->record < p->n; p->record++, p->sample = 0) {
        const struct record *r = p->records[p->record];

        if (has_lines(r) && p->sample < r->telemetry.sample_count)
            return r;
    }
    return NULL;
}

static size_t give_out(struct pour *p, char *out, size_t room)
{
    size_t n = p->spill->len - p->spilled;

    if (n > room)
        n = room;
    if (n > 0)
        memcpy(out, p->spill->bytes + p->spilled, n);
    p->spilled += n;
    return n;
}

/* The next line that has something in it, aside.  Without memory nothing is, and the sample stays
 * the next. */
static void spill_line(struct pour *p)
{
    const struct record *r;

    text_clear(p->spill);
    p->spilled = 0;
    while (p->spill->len == 0 && (r = rest_of(p)) != NULL) {
        at_record(r);
        p->lines += line_add(p->spill, r->from.topic.vin, &r->telemetry, p->sample, 1);
        if (p->spill->failed)
            return;
        p->sample++;
    }
}

static size_t pour_lines(struct pour *p, char *out, size_t room)
{
    size_t used = give_out(p, out, room);
    const struct record *r;

    while ((r = rest_of(p)) != NULL && used < room) {
        const struct telemetry *t = &r->telemetry;

        at_record(r);
        if (LINE_ROOM(t->samples[p->sample].count) <= room - used) {
            used += line_fill(out + used, room - used, r->from.topic.vin, t, &p->sample, &p->lines);
            continue;
        }
        if (used == 0)
            spill_line(p);
        if (used > 0 || p->spill->len == 0)
            break;
        used = give_out(p, out, room);
    }
    at_record(NULL);
    return used;
}

/* A line of spaces, which InfluxDB passes over. */
static size_t pour_spaces(struct pour *p, char *out, size_t room)
{
    size_t left = p->len - p->poured, n = left < room ? left : room;

    memset(out, ' ', n);
    if (n > 0 && n == left)
        out[n - 1] = '\n';
    return n;
}

/* As many bytes as were promised: nothing that goes wrong may look like the end. */
static size_t pour_promised(void *self, char *out, size_t room)
{
    struct pour *p = self;
    size_t n = pour_lines(p, out, room);

    if (n == 0)
        n = rest_of(p) ? HTTP_BODY_FAILS : pour_spaces(p, out, room);
    if (n > p->len - p->poured)
        return HTTP_BODY_FAILS;
    p->poured += n;
    return n;
}

static size_t pour_more(void *self, char *out, size_t room)
{
    return pour_lines(self, out, room);
}

/* What all the lines take, at most; 0: not known of some record. */
static size_t length_of(struct record *const *records, size_t n)
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        const struct record *r = records[i];

        if (!has_lines(r))
            continue;
        if (r->line_bytes == 0)
            return 0;
        len += r->line_bytes;
    }
    return len;
}

/* The first line stands ready: whether there is one is known before anything is sent. */
static void pour_anew(void *self)
{
    struct pour *p = self;

    p->record = p->sample = p->lines = p->poured = 0;
    spill_line(p);
    at_record(NULL);
}

static enum status out_of_memory(size_t n, struct fault *fault)
{
    return fault_set(fault, ST_RETRY, "out of memory for %zu records", n);
}

/* *lines: how many were stored. */
static enum status pour(struct history *h, struct record *const *records, size_t n, size_t *lines,
                        struct fault *fault)
{
    struct pour p = {.records = records, .n = n, .spill = &h->lines, .len = length_of(records, n)};
    const struct http_body body = {.len = p.len,
                                   .read = p.len > 0 ? pour_promised : pour_more,
                                   .rewind = pour_anew,
                                   .self = &p};
    enum status st;

    pour_anew(&p);
    if (h->lines.len == 0 && !h->lines.failed)
        return ST_OK;
    st = influx_pour(h->db, &body, fault);
    if (h->lines.failed || (st == ST_OK && rest_of(&p)))
        return out_of_memory(n, fault);
    *lines = p.lines;
    return st;
}

static enum status write_whole(struct history *h, struct record *const *records, size_t n,
                               size_t *lines, struct fault *fault)
{
    text_clear(&h->lines);
    for (size_t i = 0; i < n; i++) {
        const struct record *r = records[i];

        at_record(r);
        if (has_lines(r))
            *lines +=
                line_add(&h->lines, r->from.topic.vin, &r->telemetry, 0, r->telemetry.sample_count);
    }
    at_record(NULL);
    if (h->lines.failed)
        return out_of_memory(n, fault);
    return influx_write(h->db, h->lines.bytes, h->lines.len, fault);
}

/* After no answer in one piece, so that a part that is too large is told so. */
static enum status send_part(struct history *h, struct record *const *records, size_t n,
                             struct fault *fault)
{
    size_t lines = 0;
    enum status st = h->unanswered ? write_whole(h, records, n, &lines, fault)
                                   : pour(h, records, n, &lines, fault);

    if (st == ST_OK && lines > 0)
        metric_add(meters.stored, "influx", (double)lines);
    return st;
}

/* ---- what is refused */
struct refusal {
    struct record *record;
    bool own; /* the store says so of itself: it is not to blame */
    char why[200];
};

static enum status refuse(struct history *h, struct record *r, struct fault *fault)
{
    struct refusal *more;

    if (h->refused_count == h->refused_room) {
        more = realloc(h->refused, (2 * h->refused_room + 16) * sizeof *more);
        if (!more)
            return out_of_memory(1, fault);
        h->refused = more;
        h->refused_room = 2 * h->refused_room + 16;
    }
    more = &h->refused[h->refused_count++];
    more->record = r;
    more->own = r->letter[0] || influx_forgets(fault);
    text_copy(more->why, sizeof more->why, fault->text);
    return ST_OK;
}

/* Halves of what is refused, until the culprits are alone. */
static enum status divide(struct history *h, struct record *const *records, size_t n,
                          struct fault *fault)
{
    enum status st = send_part(h, records, n, fault);

    if (st != ST_REJECT)
        return st;
    if (n == 1)
        return refuse(h, records[0], fault);
    if ((st = divide(h, records, n / 2, fault)) != ST_OK)
        return st;
    return divide(h, records + n / 2, n - n / 2, fault);
}

/* Some of a group that was refused, each alone, others every time: *taken says how many the store
 * has.  Where it is none the rest need not be asked one by one. */
static enum status taste(struct history *h, struct record *const *records, size_t n, size_t *taken,
                         struct fault *fault)
{
    size_t step = (n + TASTES - 1) / TASTES;

    *taken = 0;
    for (size_t i = h->turn++ % step; i < n && *taken == 0; i += step) {
        enum status st = has_lines(records[i]) ? send_part(h, records + i, 1, fault) : ST_NONE;

        if (st == ST_OK)
            ++*taken;
        else if (st == ST_REJECT)
            st = refuse(h, records[i], fault);
        if (st != ST_OK && st != ST_NONE)
            return st;
    }
    return ST_OK;
}

static enum status away(const struct history *h, struct fault *fault)
{
    size_t i = 0;

    while (i + 1 < h->refused_count && h->refused[i].own)
        i++;
    return fault_set(fault, ST_RETRY, "everybody is refused: %s", h->refused[i].why);
}

/* Whose fault is what was refused, where `taken` others were not?  ST_RETRY: the store's.  It is
 * when it takes nothing at all, or less than it refuses and that of several vehicles. */
static enum status judge(struct history *h, size_t taken, struct fault *fault)
{
    struct fault ignored = {""};
    bool is_store = false;
    size_t blamed = 0;

    for (size_t i = 0; i < h->refused_count; i++) {
        if (h->refused[i].own)
            continue;
        blamed++;
        is_store |= blame_refused(&h->blame, h->refused[i].record->from.topic.vin);
    }
    if (taken > 0 && taken >= blamed) {
        blame_accepted(&h->blame);
        is_store = false;
    }
    if (h->refused_count > 0 && taken == 0 && !is_store)
        is_store = influx_try(h->db, &ignored) != ST_OK;
    return is_store ? away(h, fault) : ST_OK;
}

static size_t count_with_lines(struct record *const *records, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += has_lines(records[i]);
    return count;
}

static enum status store_refused(struct history *h, struct record *const *records, size_t n,
                                 struct fault *fault)
{
    enum status st = ST_OK;
    size_t taken;

    if (n > TASTES) {
        if ((st = taste(h, records, n, &taken, fault)) != ST_OK ||
            (taken == 0 && (st = judge(h, 0, fault)) != ST_OK))
            return st;
        h->refused_count = 0;
    }
    return divide(h, records, n, fault);
}

static enum status store(struct history *h, struct record *const *records, size_t n,
                         struct fault *fault)
{
    enum status st = send_part(h, records, n, fault);

    h->refused_count = 0;
    if (st == ST_REJECT)
        st = store_refused(h, records, n, fault);
    h->unanswered = st == ST_RETRY;
    if (st != ST_OK || (h->refused_count == 0 && h->blame.count == 0))
        return st;
    st = judge(h, count_with_lines(records, n) - h->refused_count, fault);
    for (size_t i = 0; st == ST_OK && i < h->refused_count; i++)
        record_condemn(h->refused[i].record, "store", h->refused[i].why);
    return st;
}

static enum status prepare(struct history *h, struct fault *fault)
{
    enum status st = h->prepared ? ST_OK : influx_prepare(h->db, fault);

    h->prepared = st == ST_OK;
    return st;
}

enum status history_store(struct history *h, struct record *const *records, size_t n,
                          struct fault *fault)
{
    int64_t began_us = clock_boot_us();
    enum status st = prepare(h, fault);

    if (st == ST_OK)
        st = store(h, records, n, fault);
    if (st == ST_OK)
        metric_observe(meters.commit_seconds, "influx", (double)(clock_boot_us() - began_us) / 1e6);
    else if (st == ST_FATAL)
        h->prepared = false; /* perhaps the database was dropped */
    return st;
}

enum status history_check(struct history *h, struct fault *fault)
{
    enum status st = prepare(h, fault);

    return st == ST_OK ? influx_ping(h->db, fault) : st;
}

void history_done(struct history *h)
{
    text_done(&h->lines);
    free(h->refused);
    influx_close(h->db);
    *h = (struct history){0};
}
