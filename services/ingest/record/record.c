/* services/ingest/record/record.c - bytes become a record, or a dead letter with its reason. */
#include "record.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "at.h"
#include "lib/store/line.h"
#include "proto/columnar.h"
#include "proto/json.h"
#include "proto/scanner.h"
#include "proto/unfilled.h"
#include "proto/wild.h"

#define OLDEST_MS (60LL * 24 * 3600 * 1000)
#define SPREAD_MAX (2 * JSON_MAX_BYTES) /* of a fact, its numbers written out */
#define AHEAD_MS (10LL * 60 * 1000)

static atomic_size_t held_bytes;
_Thread_local _Atomic uint64_t *at_place;

void record_condemn(struct record *r, const char *reason, const char *detail)
{
    r->dead = true;
    snprintf(r->reason, sizeof r->reason, "%s", reason);
    snprintf(r->detail, sizeof r->detail, "%.199s", detail);
    for (char *c = r->detail; *c; c++) /* a cut in the middle of a character is no UTF-8 */
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
}

void record_put_aside(struct record *r, const char *reason, const char *detail)
{
    if (r->reason[0])
        return;
    snprintf(r->reason, sizeof r->reason, "%s", reason);
    snprintf(r->detail, sizeof r->detail, "%s", detail);
}

static bool is_timely(int64_t t_ms, int64_t now_ms)
{
    return t_ms >= now_ms - OLDEST_MS && t_ms <= now_ms + AHEAD_MS;
}

/* Samples outside the window leave; the record then also becomes a dead letter, its good samples
 * are kept. */
static void drop_untimely(struct record *r, int64_t now_ms)
{
    struct telemetry *t = &r->telemetry;
    size_t kept = 0;

    for (size_t i = 0; i < t->sample_count; i++)
        if (is_timely(t->samples[i].t_ms, now_ms))
            t->samples[kept++] = t->samples[i];
    if (kept == t->sample_count)
        return;
    snprintf(r->reason, sizeof r->reason, "time");
    snprintf(r->detail, sizeof r->detail,
             "%zu of %zu samples are not within 60 days back and 10 minutes ahead",
             t->sample_count - kept, t->sample_count);
    r->dead = kept == 0;
    t->sample_count = kept;
}

/* What the signal at one place of a sample can say at all: the next sample has most likely the
 * same there. */
#define PLACES 64

struct place {
    uint16_t signal; /* SIGNAL_NONE: nobody was here */
    double least, most;
};

struct places {
    struct place at[PLACES + 1]; /* one for all that come later */
    size_t taken;                /* how often a place was given a signal */
};

/* Its sender rounds: 127.996 with two decimals is 128. */
static struct place place_of(uint16_t signal)
{
    const struct signal_row *row = signal_row(signal);
    double least = signal_round(signal, row->lowest), most = signal_round(signal, row->highest);

    return (struct place){signal, least < row->lowest ? least : row->lowest,
                          most > row->highest ? most : row->highest};
}

/* How many of the readings are possible; they move to the front. */
static uint32_t keep_possible(struct reading *of, uint32_t count, struct places *p)
{
    uint32_t kept = 0;

    for (uint32_t k = 0; k < count; k++) {
        struct place *at = &p->at[k < PLACES ? k : PLACES];

        if (of[k].signal != at->signal) {
            *at = place_of(of[k].signal);
            p->taken++;
        }
        if (!(of[k].value >= at->least && of[k].value <= at->most))
            continue;
        if (kept != k)
            of[kept] = of[k];
        kept++;
    }
    return kept;
}

static bool are_possible(const struct columnar_span *spans, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct place place = place_of(spans[i].signal);

        if (!(spans[i].least >= place.least && spans[i].most <= place.most))
            return false;
    }
    return true;
}

/* Values outside what their signal can say leave; the record then also becomes a dead letter, the
 * rest of it is kept.  A sample without any left goes too: nobody stores its time, so nobody may
 * step to it. */
static void drop_impossible(struct record *r)
{
    struct telemetry *t = &r->telemetry;
    uint32_t first = t->sample_count ? t->samples[0].count : 0;
    struct places places = {.taken = 0};
    bool alike = first <= PLACES;
    size_t dropped = 0, left = 0;

    for (size_t i = 0; i < t->sample_count; i++) {
        struct sample s = t->samples[i];
        uint32_t kept = keep_possible(t->readings + s.first, s.count, &places);

        alike = alike && kept == first;
        dropped += s.count - kept;
        s.count = kept;
        if (kept)
            t->samples[left++] = s;
    }
    t->sample_count = left;
    t->alike = alike && !dropped && places.taken == first; /* no place changed its signal */
    if (!dropped || r->reason[0])
        return;
    snprintf(r->reason, sizeof r->reason, "range");
    snprintf(r->detail, sizeof r->detail, "%zu values are outside what their signals can say",
             dropped);
}

/* Two values of one signal at one time: which of them is right nobody knows. */
static void tell_contradicted(struct record *r)
{
    char detail[96];

    if (r->telemetry.contradicted == 0)
        return;
    snprintf(detail, sizeof detail, "%zu values contradict a later one of the same signal and time",
             r->telemetry.contradicted);
    record_put_aside(r, "conflict", detail);
}

/* An outbox_lost event tells which numbers of which stream will never come; without them it tells
 * nothing. */
static enum status read_loss(struct record *r, struct fault *fault)
{
    json_t *message = NULL;
    const json_t *data;
    enum status st;

    if (r->from.topic.leaf != LEAF_EVENT || strcmp(r->fact.type, "outbox_lost") != 0)
        return ST_OK;
    if ((st = json_read(&message, r->payload, r->len, JSON_MAX_BYTES, fault)) != ST_OK)
        return st;
    data = json_object_get(message, "data");
    if (json_get_text(data, "stream", r->lost_stream, sizeof r->lost_stream, fault) != ST_OK ||
        json_get_int64(data, "first", 1, JSON_INTEGER_MAX, &r->lost_first, fault) != ST_OK ||
        json_get_int64(data, "last", r->lost_first, JSON_INTEGER_MAX, &r->lost_last, fault) !=
            ST_OK)
        st = ST_REJECT;
    else if (!uuid_is_valid(r->lost_stream, strlen(r->lost_stream)))
        st = fault_set(fault, ST_REJECT, "stream is not a UUID in lower case");
    if (st != ST_OK)
        r->lost_stream[0] = '\0';
    json_decref(message);
    return st;
}

/* The first byte decides, whatever the label says: no JSON begins with 0xC1. */
static enum status read_telemetry(struct record *r, bool *possible, struct fault *fault)
{
    struct columnar_span spans[COLUMNAR_COLUMNS_MAX] UNFILLED;
    enum status st;
    size_t n;

    if (!columnar_is(r->payload, r->len))
        return telemetry_read(&r->telemetry, r->payload, r->len, fault);
    if (r->len <= JSON_MAX_BYTES) {
        st = columnar_read_spans(&r->telemetry, r->payload, r->len, spans, &n, fault);
        *possible = st == ST_OK && are_possible(spans, n);
        return st;
    }
    st = columnar_head(&r->telemetry.head, r->payload, r->len, fault);
    if (st == ST_OK)
        st =
            fault_set(fault, ST_REJECT, "a record of %zu bytes is over %d", r->len, JSON_MAX_BYTES);
    return st;
}

/* *possible: all values are surely what their signals can say. */
static enum status read_payload(struct record *r, bool *possible, struct fault *fault)
{
    enum status st;

    switch (r->from.topic.leaf) {
    case LEAF_STATE:
        return state_read(&r->state, r->payload, r->len, fault);
    case LEAF_TELEMETRY:
        st = read_telemetry(r, possible, fault);
        r->head = r->telemetry.head;
        return st;
    default:
        st = fact_read(&r->fact, r->from.topic.vin, r->from.topic.leaf, r->payload, r->len, fault);
        r->head = r->fact.head;
        return st == ST_OK ? read_loss(r, fault) : st;
    }
}

/* Bytes we cannot take apart, or a message that does not say what it should? */
static const char *reason_of(const struct record *r)
{
    json_t *message = NULL;
    bool is_json;

    if (r->len > JSON_MAX_BYTES)
        return "size";
    if (columnar_is(r->payload, r->len))
        return "columnar";
    is_json = json_read(&message, r->payload, r->len, JSON_MAX_BYTES, NULL) == ST_OK;
    json_decref(message);
    return is_json ? "schema" : "json";
}

/* A fact's bytes go into the database. */
static bool is_kept_as_json(const struct record *r)
{
    return r->from.topic.leaf >= LEAF_EVENT && r->from.topic.leaf <= LEAF_RESULT;
}

/* One report of a clock that is wrong by years would hide all that come after it.  What was lost is
 * lost whenever that was. */
static bool has_time_of_now(const struct record *r)
{
    enum leaf leaf = r->from.topic.leaf;

    return leaf == LEAF_ALERT || leaf == LEAF_DIAGNOSTICS || leaf == LEAF_MEDIA ||
           (leaf == LEAF_EVENT && !r->lost_stream[0]);
}

/* Whoever reads lists of such facts gets them written out. */
static bool is_too_long_as_stored(const struct record *r)
{
    return is_kept_as_json(r) && wild_spread(r->payload, r->len) > SPREAD_MAX;
}

/* ST_FATAL: out of memory. */
static enum status decode(struct record *r, int64_t now_ms)
{
    struct fault fault = {""};
    bool possible = false;
    enum status st = read_payload(r, &possible, &fault);

    if (st == ST_FATAL)
        return st;
    if (st != ST_OK)
        record_condemn(r, reason_of(r), fault.text);
    else if (r->from.topic.leaf == LEAF_TELEMETRY) {
        drop_untimely(r, now_ms);
        if (!possible)
            drop_impossible(r);
        tell_contradicted(r);
        r->line_bytes = line_most(&r->telemetry);
    } else if (has_time_of_now(r) && !is_timely(r->fact.t_ms, now_ms)) {
        record_condemn(r, "time", "not within 60 days back and 10 minutes ahead");
    } else if (is_too_long_as_stored(r)) {
        record_condemn(r, "size", "over 64 KiB once its numbers are written out");
    }
    return ST_OK;
}

/* A desk that one large record made large is made anew. */
#define DESK_READINGS 4096

static size_t rows_bytes(const struct telemetry *t)
{
    return t->sample_count * sizeof *t->samples + t->reading_count * sizeof *t->readings;
}

static void weigh(struct record *r)
{
    size_t before = r->held;

    r->held = sizeof *r + r->len + rows_bytes(&r->telemetry);
    atomic_fetch_add(&held_bytes, r->held - before);
}

/* Bytes behind `r` for its rows and payload. */
static size_t room_behind(size_t rows, size_t len)
{
    return rows + len + 1;
}

/* The rows as they lie on the desk into `room`, which is theirs from now on. */
static void take_rows(struct record *r, void *room)
{
    struct telemetry *t = &r->telemetry;
    struct sample *samples = room;
    struct reading *readings = (struct reading *)(samples + t->sample_count);

    if (t->sample_count)
        memcpy(samples, t->samples, t->sample_count * sizeof *samples);
    if (t->reading_count)
        memcpy(readings, t->readings, t->reading_count * sizeof *readings);
    t->samples = samples;
    t->readings = readings;
    t->sample_room = t->reading_room = 0; /* not to be freed, not to be added to */
}

/* Is there nothing in what stands last in it? */
static bool is_plain(const struct record *r)
{
    return r->from.topic.leaf == LEAF_TELEMETRY && !r->reason[0];
}

/* The database's numbers have bounds of their own. */
static void tame(struct record *r)
{
    if (!r->dead && is_kept_as_json(r)) {
        r->len = wild_tame(r->payload, r->len);
        r->payload[r->len] = '\0';
    }
}

/* A record like `from`, its rows and payload behind it. */
static struct record *settle(const struct record *from)
{
    size_t rows = rows_bytes(&from->telemetry);
    struct record *r = malloc(sizeof *r + room_behind(rows, from->len));

    if (!r)
        return NULL;
    memcpy(r, from, is_plain(from) ? offsetof(struct record, fact) : sizeof *r);
    take_rows(r, r + 1);
    r->payload = (char *)(r + 1) + rows;
    if (r->len)
        memcpy(r->payload, from->payload, r->len);
    r->payload[r->len] = '\0';
    tame(r);
    weigh(r);
    return r;
}

/* Decode on the desk: the rows of *r lie there then. */
static enum status decode_on(struct record *r, int64_t now_ms, struct telemetry *desk)
{
    enum status st;

    telemetry_clear(desk);
    r->telemetry = *desk;
    st = decode(r, now_ms);
    *desk = r->telemetry;
    return st;
}

static void tidy(struct telemetry *desk)
{
    if (desk->reading_room > DESK_READINGS)
        telemetry_done(desk);
}

bool record_peek(struct envelope *head, const struct arrival *from, const char *payload, size_t len)
{
    if (from->topic.leaf != LEAF_TELEMETRY)
        return false;
    return columnar_is(payload, len) ? columnar_head(head, payload, len, NULL) == ST_OK
                                     : scanner_head(head, payload, len);
}

struct record *record_again(const struct arrival *from, const struct envelope *head,
                            const char *payload, size_t len)
{
    struct record r = {
        .from = *from, .head = *head, .again = true, .payload = (char *)payload, .len = len};

    return settle(&r);
}

enum status record_read(struct record *r, int64_t now_ms, struct telemetry *desk)
{
    struct record read = *r;
    void *rows = NULL;
    enum status st = decode_on(&read, now_ms, desk);

    if (st == ST_OK && rows_bytes(&read.telemetry) && !(rows = malloc(rows_bytes(&read.telemetry))))
        st = ST_FATAL;
    if (st == ST_OK) {
        take_rows(&read, rows);
        read.again = read.missed = false;
        read.rows = rows;
        *r = read;
        tame(r);
        weigh(r);
    }
    tidy(desk);
    return st;
}

struct record *record_decode(const struct arrival *from, const char *payload, size_t len,
                             int64_t now_ms, struct telemetry *desk)
{
    struct record r = {.from = *from, .payload = (char *)payload, .len = len}, *out = NULL;

    if (decode_on(&r, now_ms, desk) == ST_OK)
        out = settle(&r);
    tidy(desk);
    return out;
}

static void read_head(struct record *r)
{
    if (!columnar_is(r->payload, r->len))
        envelope_salvage(&r->head, r->payload, r->len);
    else if (columnar_head(&r->head, r->payload, r->len, NULL) != ST_OK)
        r->head = (struct envelope){0};
}

struct record *record_poison(const struct arrival *from, const char *payload, size_t len,
                             bool with_head)
{
    struct record r = {.from = *from, .payload = (char *)payload, .len = len};

    if (with_head && from->topic.leaf != LEAF_STATE)
        read_head(&r);
    record_condemn(&r, "poison", "ingest ended twice while it had this in hand");
    return settle(&r);
}

bool record_is_journalled(const struct record *r)
{
    return r->from.topic.leaf != LEAF_STATE;
}

bool record_has_seq(const struct record *r)
{
    return r->head.stream[0] && r->head.seq > 0;
}

bool record_is_urgent(const struct record *r)
{
    return r->from.topic.leaf == LEAF_ALERT || r->from.topic.leaf == LEAF_RESULT;
}

void record_free(struct record *r)
{
    if (!r)
        return;
    atomic_fetch_sub(&held_bytes, r->held);
    free(r->rows);
    free(r);
}

size_t records_held_bytes(void)
{
    return atomic_load(&held_bytes);
}
