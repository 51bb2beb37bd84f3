/* services/ingest/commit/commit.c - the order inside the transaction: lock the streams, take the
 * numbers, write what is new.  A number is taken twice: into the history of this site, and into the
 * facts, of which all sites have one set and which `duty` says who writes. */
#include "commit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "facts.h"
#include "full.h"
#include "letters.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/store/postgres.h"
#include "marks.h"
#include "news.h"
#include "numbers.h"
#include "results.h"
#include "rows.h"
#include "services/ingest/record/at.h"
#include "services/ingest/record/lost.h"
#include "services/ingest/record/meters.h"
#include "services/ingest/record/session.h"
#include "states.h"
#include "tally.h"
#include "touched.h"

#define ANSWER_MS 30000 /* a server that takes longer for all that is queued is away */
#define TELL_PAUSE_MS 60000

struct commit {
    struct pg *db;
    char site[32];
    struct marks marks;
    struct rows rows;
    struct letters letters;
    struct states *states;
    struct facts *facts;
    struct tallies *tallies;
    struct touched *touched;
    struct full *full;
    struct duty *duty;
    unsigned listening; /* pg_connections when we said so */
    bool *fresh;        /* of each record in the group: are its facts to be written, and by us? */
    bool *arrived;      /* is it new to the history of this site? */
    bool *refused;      /* it would open too many gaps: neither new nor known */
    size_t room;
    int64_t told_ms; /* when a letter of a store was last told, of clock_boot_ms; 0 never */
    size_t untold;   /* such letters since */
};

enum status commit_open(struct commit **out, const char *conninfo, const char *site,
                        struct duty *duty, const struct commit_waits *waits, struct fault *fault)
{
    struct commit *c = calloc(1, sizeof *c);
    enum status st;

    if (!c)
        return fault_set(fault, ST_FATAL, "out of memory");
    snprintf(c->site, sizeof c->site, "%s", site);
    if ((st = session_open(&c->db, conninfo, "writer", fault)) != ST_OK ||
        (st = states_open(&c->states, c->db, fault)) != ST_OK ||
        (st = facts_open(&c->facts, c->db, fault)) != ST_OK ||
        (st = tallies_open(&c->tallies, c->db, c->site, waits->count_ms, fault)) != ST_OK ||
        (st = touched_open(&c->touched, c->db, c->site, waits->minute_ms, fault)) != ST_OK ||
        (st = full_open(&c->full, fault)) != ST_OK) {
        commit_close(c);
        return st;
    }
    pg_set_patience(c->db, ANSWER_MS);
    c->rows.db = c->db;
    c->rows.site = c->site;
    c->letters.db = c->db;
    c->duty = duty;
    *out = c;
    return ST_OK;
}

static bool is_numbered(const struct record *r)
{
    return record_is_journalled(r) && record_has_seq(r);
}

/* ---- who writes the facts */
static void read_duty(struct commit *c, struct record *const *records, size_t n)
{
    for (size_t i = 0; i < c->marks.count; i++)
        c->marks.all[i].facts_ours = duty_has(&c->duty->facts, c->marks.all[i].vin);
    for (size_t i = 0; i < n; i++) /* a letter is replayed at one site alone */
        if (records[i]->letter[0] && records[i]->lost_stream[0])
            marks_find(&c->marks, records[i]->from.topic.vin, records[i]->lost_stream)->facts_ours =
                true;
}

/* Those of another whose owner has not: see duty_takes_over. */
static bool take_over(struct commit *c, struct record *const *records, size_t n)
{
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        const struct record *r = records[i];
        struct stream_mark *own =
            is_numbered(r) ? marks_find(&c->marks, r->from.topic.vin, r->head.stream) : NULL;

        if (!own || own->facts_ours ||
            !duty_takes_over(&own->history, &own->facts, own->facts_age_ms, r->head.seq))
            continue;
        own->facts_ours = any = true;
        if (r->lost_stream[0])
            marks_find(&c->marks, r->from.topic.vin, r->lost_stream)->facts_ours = true;
    }
    return any;
}

static enum status lock_streams(struct commit *c, struct record *const *records, size_t n,
                                struct fault *fault)
{
    enum status st;

    read_duty(c, records, n);
    if ((st = marks_lock(&c->marks, c->db, c->site, fault)) != ST_OK ||
        (st = marks_peek(&c->marks, c->db, fault)) != ST_OK)
        return st;
    for (size_t i = 0; i < c->marks.count; i++)
        c->marks.all[i].missing_before = lost_missing(&c->marks.all[i].history);
    return take_over(c, records, n) ? marks_lock_facts(&c->marks, c->db, fault) : ST_OK;
}

/* ---- numbers */
/* A letter has had its number, but the loss it announces was perhaps not understood then. */
static void take_letter(struct commit *c, size_t i, struct record *r)
{
    c->refused[i] = c->fresh[i] && r->lost_stream[0] &&
                    (numbers_take_loss(&c->marks, r, false) != ST_OK ||
                     numbers_take_loss(&c->marks, r, true) != ST_OK);
    c->arrived[i] = c->fresh[i] = c->fresh[i] && !c->refused[i];
}

/* What memory says is stored must be in the rows too: they may have been deleted since. */
static bool is_stored(const struct stream_mark *own, int64_t seq)
{
    return watermark_has(&own->history, seq) && watermark_has(&own->facts, seq);
}

/* What was stored before is not stored again, what would open too many gaps waits. */
static void take_numbers(struct commit *c, struct record *const *records, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct record *r = records[i];
        struct stream_mark *own;
        enum status history, facts = ST_NONE;

        at_record(r);
        if (r->letter[0]) {
            take_letter(c, i, r);
            continue;
        }
        c->refused[i] = false;
        if (!is_numbered(r)) {
            c->arrived[i] = true;
            c->fresh[i] = duty_has(&c->duty->unnumbered, r->from.topic.vin);
            continue;
        }
        own = marks_find(&c->marks, r->from.topic.vin, r->head.stream);
        c->arrived[i] = c->fresh[i] = false;
        if (r->again) {
            r->missed = !is_stored(own, r->head.seq);
            continue;
        }
        history = numbers_take(&c->marks, r, own, false);
        if (history != ST_RETRY && own->facts_ours)
            facts = numbers_take(&c->marks, r, own, true);
        c->arrived[i] = history == ST_OK;
        c->fresh[i] = facts == ST_OK;
        c->refused[i] = history == ST_RETRY || facts == ST_RETRY;
    }
    at_record(NULL);
}

/* What is covered now, by this group or by one before, may be forgotten by its vehicle. */
static void find_told(struct commit *c, struct record *const *records, size_t n)
{
    for (size_t i = 0; i < c->marks.count; i++) {
        struct stream_mark *s = &c->marks.all[i];

        watermark_both(&s->mark, &s->history, &s->facts);
    }
    for (size_t i = 0; i < n; i++) {
        const struct record *r = records[i];
        struct stream_mark *own;

        if (!is_numbered(r) || r->missed || r->letter[0])
            continue;
        own = marks_find(&c->marks, r->from.topic.vin, r->head.stream);
        if (watermark_has(&own->mark, r->head.seq)) {
            own->bytes += r->len;
            own->at_once |= record_is_urgent(r);
            own->told = true;
        } else if (c->refused[i]) {
            own->told = true; /* so far and no farther */
        }
    }
}

static void tell_refused(const struct commit *c, const struct record *r, int64_t now_ms)
{
    const char *vin = r->from.topic.vin, *stream = r->letter[0] ? r->lost_stream : r->head.stream;

    metric_add(meters.rejected, "gaps", 1);
    full_refused(c->full, vin, stream, r->head.seq, now_ms);
}

/* Not each of them: they may be thousands. */
static void tell_letter(struct commit *c, const struct record *r)
{
    int64_t now_ms = clock_boot_ms();

    metric_add(meters.dead_letters, r->reason, 1);
    if (strcmp(r->reason, "store") != 0)
        return;
    c->untold++;
    if (c->told_ms != 0 && now_ms - c->told_ms < TELL_PAUSE_MS)
        return;
    log_warn("letter.store", "vehicle=%s seq=%lld kind=%s letters=%zu reason=\"%s\"",
             r->from.topic.vin, (long long)r->head.seq, topic_leaf_name(r->from.topic.leaf),
             c->untold, r->detail);
    c->told_ms = now_ms;
    c->untold = 0;
}

/* After the commit only: a group may be tried several times. */
static void count(struct commit *c, struct record *const *records, size_t n, int64_t now_ms)
{
    for (size_t i = 0; i < n; i++) {
        const struct record *r = records[i];

        if (r->missed)
            continue; /* read after all, it comes through here once more */
        if (c->refused[i])
            tell_refused(c, r, now_ms);
        else if (!c->fresh[i] && !c->arrived[i])
            metric_add(meters.duplicates, NULL, 1);
        else if (r->letter[0])
            metric_add(meters.replayed, r->reason[0] ? "refused" : "stored", 1);
        else if (c->arrived[i] && r->reason[0])
            tell_letter(c, r);
        if (c->fresh[i] && !r->dead)
            metric_add(meters.stored, "postgres", (double)r->telemetry.sample_count);
    }
    metric_add(meters.letters_dropped, NULL, (double)rows_dropped(&c->rows));
}

/* One car that makes up its numbers must not drown what all the others tell: what was skipped of a
 * stream and not recovered is what is missing of it, and no more than that can be. */
static void tally(struct commit *c, struct record *const *records, size_t n, int64_t now_ms)
{
    for (size_t i = 0; i < n; i++)
        if (!records[i]->missed && !c->refused[i] && !records[i]->letter[0] &&
            is_numbered(records[i]))
            tallies_record(c->tallies, records[i], c->arrived[i], now_ms);
    for (size_t i = 0; i < c->marks.count; i++) {
        const struct stream_mark *s = &c->marks.all[i];
        int64_t more = s->history_changed ? lost_missing(&s->history) - s->missing_before : 0;
        int64_t skipped = more > 0 ? more : 0, recovered = more < 0 ? -more : 0;
        int64_t lost = s->lost < LOST_AHEAD ? s->lost : LOST_AHEAD;

        tallies_numbers(c->tallies, s->vin, skipped, recovered, lost, now_ms);
        metric_add(meters.skipped, NULL, (double)skipped);
        metric_add(meters.recovered, NULL, (double)recovered);
        metric_add(meters.lost, NULL, (double)lost);
    }
}

/* A NOTIFY makes commits wait for each other, so none where nobody listens. */
static enum status tell_others(struct commit *c, struct fault *fault)
{
    return atomic_load(&c->duty->others) ? news_tell(&c->marks, c->db, c->site, fault) : ST_OK;
}

/* Three trips to the database: the locks of the streams; those of the vehicles, with what is
 * written of the records themselves; the rest, with the commit.  One more where rows of time are
 * shown, two where a case is told. */
static enum status run(struct commit *c, struct record *const *records, size_t n,
                       struct fault *fault)
{
    int64_t now_ms = clock_now_ms();
    enum status st;

    if ((st = rows_ask_other_facts(&c->rows, records, n, fault)) != ST_OK ||
        (st = lock_streams(c, records, n, fault)) != ST_OK ||
        (st = rows_find_other_facts(&c->rows, records, fault)) != ST_OK)
        return st;
    if ((st = letters_lock(&c->letters, records, c->fresh, n, fault)) != ST_OK)
        return st;
    take_numbers(c, records, n);
    find_told(c, records, n);
    if ((st = rows_facts(&c->rows, records, c->fresh, n, fault)) != ST_OK ||
        (st = results_write(&c->rows.c, c->db, records, c->fresh, n, fault)) != ST_OK ||
        (st = rows_dead_letters(&c->rows, records, c->arrived, n, fault)) != ST_OK ||
        (st = letters_settle(&c->letters, records, c->fresh, n, fault)) != ST_OK ||
        (st = states_ask(c->states, records, c->fresh, n, fault)) != ST_OK ||
        (st = facts_ask(c->facts, records, c->fresh, n, now_ms, fault)) != ST_OK ||
        (st = pg_settle(c->db, fault)) != ST_OK ||
        (st = states_write(c->states, records, c->fresh, n, fault)) != ST_OK ||
        (st = facts_write(c->facts, &c->marks, now_ms, fault)) != ST_OK ||
        (st = touched_write(c->touched, records, c->arrived, n, clock_boot_ms(), fault)) != ST_OK ||
        (st = marks_write(&c->marks, c->db, c->site, fault)) != ST_OK ||
        (st = tell_others(c, fault)) != ST_OK ||
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
    if (!grow(&c->fresh, n) || !grow(&c->arrived, n) || !grow(&c->refused, n))
        return fault_set(fault, ST_RETRY, "out of memory for %zu records", n);
    c->room = n;
    return ST_OK;
}

/* Connected, and listening to what the other sites say.  A statement's plan depends neither on how
 * many keys it is given nor on how small its tables were when it was made: each key is found by its
 * index. */
static enum status prepare(struct commit *c, struct fault *fault)
{
    enum status st = pg_ready(c->db, fault);

    if (st != ST_OK || c->listening == pg_connections(c->db))
        return st;
    if ((st = pg_run(c->db,
                     "SELECT set_config('plan_cache_mode', 'force_generic_plan', false), "
                     "set_config('enable_seqscan', 'off', false), "
                     "set_config('enable_hashjoin', 'off', false), "
                     "set_config('enable_mergejoin', 'off', false), "
                     "set_config('jit', 'off', false)",
                     0, NULL, NULL, fault)) == ST_OK &&
        (st = pg_run(c->db, "LISTEN " NEWS_CHANNEL, 0, NULL, NULL, fault)) == ST_OK)
        c->listening = pg_connections(c->db);
    return st;
}

enum status commit_group(struct commit *c, struct record *const *records, size_t n,
                         struct stream_mark **marks, size_t *mark_count, struct fault *fault)
{
    enum status st;

    if ((st = make_room(c, n, fault)) != ST_OK ||
        (st = marks_collect(&c->marks, records, n, fault)) != ST_OK ||
        (st = prepare(c, fault)) != ST_OK || (st = pg_begin(c->db, fault)) != ST_OK)
        return st;
    st = run(c, records, n, fault);
    if (st != ST_OK) {
        pg_rollback(c->db);
        return st;
    }
    count(c, records, n, clock_now_ms());
    tally(c, records, n, clock_now_ms());
    touched_committed(c->touched);
    *marks = c->marks.all;
    *mark_count = c->marks.count;
    return ST_OK;
}

enum status commit_hear(struct commit *c, struct stream_mark **marks, size_t *mark_count,
                        struct fault *fault)
{
    char channel[32], payload[NEWS_MAX + 100];
    enum status st;

    *mark_count = c->marks.count = 0;
    while (pg_take_notify(c->db, channel, sizeof channel, payload, sizeof payload, NULL) == ST_OK)
        if ((st = news_read(&c->marks, payload, c->site, c->duty, fault)) != ST_OK)
            return st;
    if (c->marks.count == 0)
        return ST_OK;
    marks_sort(&c->marks);
    if ((st = marks_read(&c->marks, c->db, c->site, fault)) != ST_OK)
        return st;
    *marks = c->marks.all;
    *mark_count = c->marks.count;
    return ST_OK;
}

const struct alert_change_message *commit_alerts(const struct commit *c, size_t *n)
{
    return facts_changes(c->facts, n);
}

enum status commit_tallies(struct commit *c, bool all, struct fault *fault)
{
    enum status st = prepare(c, fault);

    return st == ST_OK ? tallies_write(c->tallies, clock_now_ms(), all, fault) : st;
}

enum status commit_check(struct commit *c, struct fault *fault)
{
    enum status st = prepare(c, fault);

    return st == ST_OK ? pg_run(c->db, "SELECT FROM watermark LIMIT 0", 0, NULL, NULL, fault) : st;
}

static enum status rehearse_step(struct commit *c, unsigned step, struct fault *fault)
{
    enum status st;

    switch (step) {
    case 0:
        return marks_lock(&c->marks, c->db, c->site, fault);
    case 1:
        if ((st = states_ask(c->states, NULL, NULL, 0, fault)) != ST_OK ||
            (st = pg_settle(c->db, fault)) != ST_OK)
            return st;
        return states_write(c->states, NULL, NULL, 0, fault);
    case 2:
        return facts_rehearse(c->facts, fault);
    case 3:
        return touched_write(c->touched, NULL, NULL, 0, clock_boot_ms(), fault);
    case 4:
        return marks_write(&c->marks, c->db, c->site, fault);
    default:
        return ST_NONE;
    }
}

enum status commit_rehearse(struct commit *c, unsigned step, struct fault *fault)
{
    enum status st = prepare(c, fault);

    if (st != ST_OK)
        return st;
    columns_rehearse(true);
    st = rehearse_step(c, step, fault);
    columns_rehearse(false);
    return st == ST_OK ? pg_settle(c->db, fault) : st;
}

void commit_close(struct commit *c)
{
    if (!c)
        return;
    rows_done(&c->rows);
    letters_done(&c->letters);
    states_close(c->states);
    facts_close(c->facts);
    tallies_close(c->tallies);
    touched_close(c->touched);
    full_close(c->full);
    marks_done(&c->marks);
    pg_close(c->db);
    free(c->fresh);
    free(c->arrived);
    free(c->refused);
    free(c);
}
