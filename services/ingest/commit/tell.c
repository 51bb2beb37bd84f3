/* services/ingest/commit/tell.c - each thing in two places: the fact, and the case. */
#include "tell.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text.h"
#include "proto/json.h"
#include "services/ingest/car/detect.h"
#include "services/ingest/facts/finding.h"

struct tell {
    struct events *events;
    struct cases *cases;
};

enum status tell_open(struct tell **out, struct pg *db, struct fault *fault)
{
    struct tell *t = calloc(1, sizeof *t);
    enum status st;

    if (!t)
        return fault_set(fault, ST_FATAL, "out of memory");
    if ((st = events_open(&t->events, db, fault)) != ST_OK ||
        (st = cases_open(&t->cases, db, fault)) != ST_OK) {
        tell_close(t);
        return st;
    }
    *out = t;
    return ST_OK;
}

void tell_close(struct tell *t)
{
    if (!t)
        return;
    events_close(t->events);
    cases_close(t->cases);
    free(t);
}

static struct alert_key key_of(const char *vin, const char *type, const char *subject)
{
    struct alert_key key;

    text_copy(key.vin, sizeof key.vin, vin);
    text_copy(key.type, sizeof key.type, type);
    text_copy(key.subject, sizeof key.subject, subject);
    return key;
}

/* Since when it could be known: nobody is late for what has to last, and time alone tells. */
static int64_t told_ms(const struct found *f)
{
    static const char *const by_time[] = {"vehicle_silent", "geofence_dwell", "maintenance_due",
                                          "contract_mileage"};

    for (size_t i = 0; f->told_ms == 0 && i < sizeof by_time / sizeof *by_time; i++)
        if (!strcmp(f->type, by_time[i]))
            return 0;
    return f->told_ms > 0 ? f->told_ms : f->occurred_ms;
}

static void raise_found(struct tell *t, const char *vin, const struct found *f, int64_t now_ms)
{
    struct alert_raise raise = {.key = key_of(vin, f->type, f->subject),
                                .ending = ALERT_CONDITION,
                                .severity = f->severity,
                                .occurred_ms = f->occurred_ms,
                                .detected_ms = now_ms,
                                .told_ms = told_ms(f)};
    struct case_about about = {f->lat, f->lon, f->data, f->told_ms > 0};
    enum alert_severity usual;
    struct finding id;

    (void)alert_type(f->type, &raise.ending, &usual);
    /* A silence is looked at as long as its case is there; its time says which one it is. */
    raise.ends = raise.ending == ALERT_CONDITION && strcmp(f->type, "vehicle_silent") != 0;
    if (raise.ending == ALERT_POINT) { /* one id for the event and its alert */
        finding_init(&id, vin, f->type, f->subject, f->occurred_ms, now_ms);
        raise.id = id.id;
    }
    cases_raise(t->cases, &raise, &about);
}

void tell_found(struct tell *t, const char *vin, const struct found *found, size_t n,
                int64_t now_ms)
{
    for (size_t i = 0; i < n; i++) {
        const struct found *f = &found[i];
        struct alert_key key = key_of(vin, f->type, f->subject);

        if (f->parts & FOUND_EVENT)
            events_add_found(t->events, vin, f, now_ms);
        if (f->parts & FOUND_ALERT)
            raise_found(t, vin, f, now_ms);
        if (f->parts & FOUND_GONE) {
            events_add_gone(t->events, vin, f);
            cases_correct(t->cases, &key, f->occurred_ms);
        }
        if (f->parts & FOUND_END)
            cases_end(t->cases, &key, f->occurred_ms);
    }
}

void tell_again(struct tell *t, const char *vin, const char *const *types, size_t n,
                int64_t after_ms)
{
    cases_again(t->cases, vin, types, n, after_ms);
}

void tell_gone(struct tell *t, const char *vin, const struct found *gone, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct alert_key key = key_of(vin, gone[i].type, gone[i].subject);

        cases_correct(t->cases, &key, gone[i].occurred_ms);
    }
}

/* ---- the car's word */
static enum alert_severity severity_of(const char *word, enum alert_severity usual)
{
    for (int i = ALERT_INFO; i <= ALERT_CRITICAL; i++)
        if (word && !strcmp(alert_severity_word((enum alert_severity)i), word))
            return (enum alert_severity)i;
    return usual;
}

static void raise_told(struct tell *t, const struct record *r, const json_t *message,
                       struct case_about about, int64_t now_ms, const char *subject)
{
    struct alert_raise raise = {.key = key_of(r->from.topic.vin, r->fact.type, subject),
                                .id = r->fact.id,
                                .occurred_ms = r->fact.t_ms,
                                .detected_ms = now_ms,
                                .told_ms = r->fact.t_ms};
    const json_t *data = json_object_get(message, "data");
    char *text = json_is_object(data) ? json_dumps(data, JSON_COMPACT) : NULL;
    enum alert_severity usual;

    if (text)
        about.data = text;
    if (alert_type(r->fact.type, &raise.ending, &usual)) {
        raise.severity =
            severity_of(json_string_value(json_object_get(message, "severity")), usual);
        if (raise.ending != ALERT_POINT)
            raise.id = NULL; /* two sites, or two of its words, are one case */
        raise.ends = detect_ends(r->fact.type, subject);
        cases_raise(t->cases, &raise, &about);
    }
    free(text);
}

void tell_told(struct tell *t, const struct record *r, double lat, double lon, int64_t now_ms,
               char *subject)
{
    struct case_about about = {lat, lon, "{}", false};
    json_t *message = NULL;
    const char *kind;

    subject[0] = '\0';
    if (r->fact.t_ms > 0)
        events_add_told(t->events, r, lat, lon);
    if (r->from.topic.leaf != LEAF_ALERT ||
        json_read(&message, r->payload, r->len, JSON_MAX_BYTES, NULL) != ST_OK)
        return;
    kind = json_string_value(json_object_get(json_object_get(message, "data"), "kind"));
    if (kind && !strcmp(r->fact.type, "low_battery"))
        text_copy(subject, ALERT_SUBJECT_MAX + 1, kind);
    raise_told(t, r, message, about, now_ms, subject);
    json_decref(message);
}

void tell_found_places(struct tell *t, const char *vin, const struct found *found, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct found_place place = {.lat = found[i].lat, .lon = found[i].lon};
        struct finding event;

        if (!(found[i].parts & FOUND_EVENT))
            continue;
        finding_init(&event, vin, found[i].type, found[i].subject, found[i].occurred_ms, 0);
        if (uuid_scan(place.id, event.id))
            events_add_place(t->events, vin, &place);
    }
}

void tell_places(struct tell *t, const char *vin, const struct found_place *places, size_t n)
{
    for (size_t i = 0; i < n; i++)
        events_add_place(t->events, vin, &places[i]);
}

struct events *tell_events(struct tell *t)
{
    return t->events;
}

void tell_forget(struct tell *t)
{
    events_forget(t->events);
    cases_forget(t->cases);
}

enum status tell_write(struct tell *t, int64_t now_ms, struct fault *fault)
{
    enum status st = events_write(t->events, fault);

    if (st == ST_OK)
        st = cases_write(t->cases, now_ms, fault);
    return st == ST_OK ? events_write_places(t->events, fault) : st;
}

const struct alert_change_message *tell_changes(const struct tell *t, size_t *n)
{
    return cases_changes(t->cases, n);
}
