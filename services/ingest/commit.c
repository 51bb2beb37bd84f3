/* services/ingest/commit.c - the order inside the transaction: lock the streams, take the numbers, write what is new. */
#include "commit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/store/postgres.h"
#include "meters.h"
#include "marks.h"
#include "rows.h"
#include "states.h"

struct commit {
    struct pg *db;
    char site[32];
    struct marks marks;
    struct rows rows;
    struct states *states;
    bool *fresh; /* of each record in the group: is it new? */
    size_t fresh_room;
};

enum status commit_open(struct commit **out, const char *conninfo, const char *site, struct fault *fault)
{
    struct commit *c = calloc(1, sizeof *c);
    enum status st;

    if (!c)
        return fault_set(fault, ST_FATAL, "out of memory");
    snprintf(c->site, sizeof c->site, "%s", site);
    if ((st = pg_open(&c->db, conninfo, "vigie-ingest-writer", fault)) != ST_OK ||
        (st = states_open(&c->states, c->db, fault)) != ST_OK) {
        commit_close(c);
        return st;
    }
    c->rows.db = c->db;
    c->rows.site = c->site;
    *out = c;
    return ST_OK;
}

/* Take each record's number; what was stored before is not stored again, what would open too many gaps waits. */
static void take_numbers(struct commit *c, struct record *const *records, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct record *r = records[i];
        struct stream_mark *m;
        enum status st;

        c->fresh[i] = !record_is_journalled(r) || !record_has_seq(r);
        if (c->fresh[i])
            continue;
        m = marks_find(&c->marks, r->from.topic.vin, r->head.stream);
        st = watermark_take(&m->mark, r->head.seq);
        c->fresh[i] = st == ST_OK;
        if (st == ST_RETRY)
            continue;
        m->bytes += r->len;
        m->at_once |= record_is_urgent(r);
        if (r->lost_stream[0] && st == ST_OK &&
            (m = marks_find(&c->marks, r->from.topic.vin, r->lost_stream)) != NULL)
            if (watermark_take_range(&m->mark, r->lost_first, r->lost_last) == ST_OK)
                m->at_once = true;
    }
}

/* After the commit only: a group may be tried several times. */
static void count(const struct commit *c, struct record *const *records, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct record *r = records[i];

        if (!c->fresh[i]) {
            metric_add(meters.duplicates, NULL, 1);
            continue;
        }
        if (r->reason[0])
            metric_add(meters.dead_letters, r->reason, 1);
        if (!r->dead)
            metric_add(meters.stored, "postgres", (double)r->telemetry.sample_count);
    }
}

static enum status run(struct commit *c, struct record *const *records, size_t n, struct fault *fault)
{
    enum status st;

    if ((st = marks_lock(&c->marks, c->db, c->site, fault)) != ST_OK)
        return st;
    take_numbers(c, records, n);
    if ((st = rows_facts(&c->rows, records, c->fresh, n, fault)) != ST_OK ||
        (st = rows_dead_letters(&c->rows, records, c->fresh, n, fault)) != ST_OK ||
        (st = states_write(c->states, records, c->fresh, n, fault)) != ST_OK ||
        (st = marks_write(&c->marks, c->db, c->site, fault)) != ST_OK ||
        (st = marks_add_connected(&c->marks, c->db, c->site, records, n, fault)) != ST_OK)
        return st;
    return pg_commit(c->db, fault);
}

static enum status make_room(struct commit *c, size_t n, struct fault *fault)
{
    bool *more;

    if (n <= c->fresh_room)
        return ST_OK;
    more = realloc(c->fresh, n * sizeof *more);
    if (!more)
        return fault_set(fault, ST_RETRY, "out of memory for %zu records", n);
    c->fresh = more;
    c->fresh_room = n;
    return ST_OK;
}

enum status commit_group(struct commit *c, struct record *const *records, size_t n, struct stream_mark **marks,
                         size_t *mark_count, struct fault *fault)
{
    enum status st;

    if ((st = make_room(c, n, fault)) != ST_OK || (st = marks_collect(&c->marks, records, n, fault)) != ST_OK ||
        (st = pg_ready(c->db, fault)) != ST_OK || (st = pg_begin(c->db, fault)) != ST_OK)
        return st;
    st = run(c, records, n, fault);
    if (st != ST_OK) {
        pg_rollback(c->db);
        return st;
    }
    count(c, records, n);
    *marks = c->marks.all;
    *mark_count = c->marks.count;
    return ST_OK;
}

void commit_close(struct commit *c)
{
    if (!c)
        return;
    rows_done(&c->rows);
    states_close(c->states);
    marks_done(&c->marks);
    pg_close(c->db);
    free(c->fresh);
    free(c);
}
