/* services/ingest/commit.c - the order inside the transaction: lock the streams, take the numbers,
 * write what is new. */
#include "commit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "letters.h"
#include "lib/store/postgres.h"
#include "lost.h"
#include "meters.h"
#include "marks.h"
#include "rows.h"
#include "states.h"

#define ANSWER_MS 10000 /* a server that takes longer for one statement is away */

struct commit {
    struct pg *db;
    char site[32];
    struct marks marks;
    struct rows rows;
    struct letters letters;
    struct states *states;
    bool *fresh;   /* of each record in the group: is it new? */
    bool *refused; /* it would open too many gaps: neither new nor known */
    size_t room;
};

enum status commit_open(struct commit **out, const char *conninfo, const char *site,
                        struct fault *fault)
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
    pg_set_patience(c->db, ANSWER_MS);
    c->rows.db = c->db;
    c->rows.site = c->site;
    c->letters.db = c->db;
    *out = c;
    return ST_OK;
}

/* The numbers of a loss the vehicle announces.  ST_RETRY: they open too many gaps.  What it cannot
 * have lost is put aside and closes nothing. */
static enum status take_loss(struct commit *c, struct record *r)
{
    struct stream_mark *lost = marks_find(&c->marks, r->from.topic.vin, r->lost_stream);

    if (!lost_is_possible(r, lost->mark.upto)) {
        record_put_aside(r, "loss", "it says to have lost numbers it cannot have given");
        return ST_OK;
    }
    if (watermark_take_range(&lost->mark, r->lost_first, r->lost_last) == ST_RETRY)
        return ST_RETRY;
    lost->at_once = lost->changed = true; /* perhaps all of it had come: all the better */
    return ST_OK;
}

/* Take one record's number, and with it the numbers of a loss it announces: both or none, for the
 * vehicle forgets the announcement once it is acknowledged. */
static enum status take_one(struct commit *c, struct record *r)
{
    struct stream_mark *own = marks_find(&c->marks, r->from.topic.vin, r->head.stream);
    struct watermark before;
    enum status st;

    if (r->lost_stream[0])
        before = own->mark;
    st = watermark_take(&own->mark, r->head.seq);
    if (st == ST_OK && r->lost_stream[0] && (st = take_loss(c, r)) != ST_OK)
        own->mark = before;
    if (st != ST_RETRY)
        own->bytes += r->len;
    own->changed |= st == ST_OK;
    own->at_once |= record_is_urgent(r);
    return st;
}

/* A letter has had its number, but the loss it announces was perhaps not understood then. */
static void take_letter(struct commit *c, size_t i, struct record *r)
{
    c->refused[i] = c->fresh[i] && r->lost_stream[0] && take_loss(c, r) != ST_OK;
    c->fresh[i] = c->fresh[i] && !c->refused[i];
}

/* What memory says is stored must be in the row too: that may have been deleted since. */
static void check_again(struct commit *c, struct record *r)
{
    struct stream_mark *own = marks_find(&c->marks, r->from.topic.vin, r->head.stream);

    r->missed = !watermark_has(&own->mark, r->head.seq);
    if (!r->missed)
        own->bytes += r->len;
}

/* What was stored before is not stored again, what would open too many gaps waits. */
static void take_numbers(struct commit *c, struct record *const *records, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (records[i]->letter[0]) {
            take_letter(c, i, records[i]);
            continue;
        }
        bool numbered = record_is_journalled(records[i]) && record_has_seq(records[i]);
        bool again = records[i]->again;
        enum status st = numbered && !again ? take_one(c, records[i]) : ST_OK;

        if (again)
            check_again(c, records[i]);
        c->fresh[i] = st == ST_OK && !again;
        c->refused[i] = st == ST_RETRY;
    }
}

/* After the commit only: a group may be tried several times. */
static void count(const struct commit *c, struct record *const *records, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct record *r = records[i];

        if (r->missed)
            continue; /* read after all, it comes through here once more */
        if (c->refused[i])
            metric_add(meters.rejected, "gaps", 1);
        else if (!c->fresh[i])
            metric_add(meters.duplicates, NULL, 1);
        else if (r->letter[0])
            metric_add(meters.replayed, r->reason[0] ? "refused" : "stored", 1);
        else if (r->reason[0])
            metric_add(meters.dead_letters, r->reason, 1);
        if (c->fresh[i] && !r->dead)
            metric_add(meters.stored, "postgres", (double)r->telemetry.sample_count);
    }
}

static enum status run(struct commit *c, struct record *const *records, size_t n,
                       struct fault *fault)
{
    enum status st;

    if ((st = marks_lock(&c->marks, c->db, c->site, fault)) != ST_OK)
        return st;
    if ((st = letters_lock(&c->letters, records, c->fresh, n, fault)) != ST_OK)
        return st;
    take_numbers(c, records, n);
    if ((st = rows_facts(&c->rows, records, c->fresh, n, fault)) != ST_OK ||
        (st = rows_dead_letters(&c->rows, records, c->fresh, n, fault)) != ST_OK ||
        (st = letters_settle(&c->letters, records, c->fresh, n, fault)) != ST_OK ||
        (st = states_write(c->states, records, c->fresh, n, fault)) != ST_OK ||
        (st = marks_write(&c->marks, c->db, c->site, fault)) != ST_OK ||
        (st = marks_add_connected(&c->marks, c->db, c->site, records, n, fault)) != ST_OK)
        return st;
    return pg_commit(c->db, fault);
}

static bool grow(bool **flags, size_t n)
{
    bool *more = realloc(*flags, n * sizeof *more);

    if (more)
        *flags = more;
    return more;
}

static enum status make_room(struct commit *c, size_t n, struct fault *fault)
{
    if (n <= c->room)
        return ST_OK;
    if (!grow(&c->fresh, n) || !grow(&c->refused, n))
        return fault_set(fault, ST_RETRY, "out of memory for %zu records", n);
    c->room = n;
    return ST_OK;
}

enum status commit_group(struct commit *c, struct record *const *records, size_t n,
                         struct stream_mark **marks, size_t *mark_count, struct fault *fault)
{
    enum status st;

    if ((st = make_room(c, n, fault)) != ST_OK ||
        (st = marks_collect(&c->marks, records, n, fault)) != ST_OK ||
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

enum status commit_check(struct commit *c, struct fault *fault)
{
    enum status st = pg_ready(c->db, fault);

    return st == ST_OK ? pg_run(c->db, "SELECT FROM watermark LIMIT 0", 0, NULL, NULL, fault) : st;
}

void commit_close(struct commit *c)
{
    if (!c)
        return;
    rows_done(&c->rows);
    letters_done(&c->letters);
    states_close(c->states);
    marks_done(&c->marks);
    pg_close(c->db);
    free(c->fresh);
    free(c->refused);
    free(c);
}
