/* services/ingest/record/newest.c - late data never replaces newer data. */
#include "newest.h"

#include <stdlib.h>
#include <string.h>

#include "proto/json.h"

#define TOGETHER_MS 10000 /* values this close belong to one picture */
#define MET_WORDS 8       /* of 64 signals */

void newest_done(struct newest *n)
{
    free(n->values);
    *n = (struct newest){0};
}

/* The place of `signal`: where it is, or where it belongs. */
static size_t place_of(const struct newest *n, uint16_t signal)
{
    size_t low = 0, high = n->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (n->values[middle].signal < signal)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct newest_value *newest_find(const struct newest *n, uint16_t signal)
{
    size_t at = place_of(n, signal);

    return at < n->count && n->values[at].signal == signal ? &n->values[at] : NULL;
}

/* Where the signal at each place of a sample was in the list of the last vehicle: cars of a fleet
 * have mostly the same.  A guess that is looked at. */
#define PLACES 64
static _Thread_local uint16_t guesses[PLACES];

static size_t guessed_place(const struct newest *n, uint16_t signal, uint16_t *guess)
{
    if (*guess >= n->count || n->values[*guess].signal != signal)
        *guess = (uint16_t)place_of(n, signal);
    return *guess;
}

/* When it was measured, or came if that is sooner. */
static int64_t counts_from(const struct newest_value *v)
{
    return (int64_t)v->t_ms - NEWEST_STEP_MS * (int64_t)v->ahead;
}

/* Of one clock the later time is newer, however much that is ahead. */
static bool is_older(const struct newest_value *a, const struct newest_value *b)
{
    return a->t_ms < b->t_ms && counts_from(a) < counts_from(b);
}

static uint64_t steps_ahead(int64_t t_ms, int64_t latest_ms)
{
    int64_t steps = t_ms > latest_ms ? (t_ms - latest_ms - 1) / NEWEST_STEP_MS + 1 : 0;

    return (uint64_t)(steps < 1023 ? steps : 1023);
}

/* At the place of its signal. */
static bool take_at(struct newest *n, size_t at, struct newest_value new)
{
    if (at < n->count && n->values[at].signal == new.signal) {
        if (is_older(&new, &n->values[at]))
            return false;
        n->values[at] = new;
        return true;
    }
    if (n->count == n->room) {
        uint32_t room = n->room + 2; /* times thousands of vehicles */
        struct newest_value *more = realloc(n->values, room * sizeof *more);

        if (!more)
            return false; /* shown a second later, stored all the same */
        n->values = more;
        n->room = room;
    }
    memmove(n->values + at + 1, n->values + at, (n->count - at) * sizeof new);
    n->values[at] = new;
    n->count++;
    return true;
}

static bool take(struct newest *n, size_t at, uint16_t signal, int64_t t_ms, int64_t latest_ms,
                 double value, enum origin origin)
{
    if (t_ms > NEWEST_T_MAX || t_ms < 0 || signal > NEWEST_SIGNAL_MAX)
        return false;
    return take_at(n, at,
                   (struct newest_value){.value = value,
                                         .t_ms = (uint64_t)t_ms & NEWEST_T_MAX,
                                         .ahead = steps_ahead(t_ms, latest_ms) & 1023,
                                         .signal = (uint64_t)signal & NEWEST_SIGNAL_MAX,
                                         .origin = origin});
}

bool newest_take(struct newest *n, uint16_t signal, int64_t t_ms, double value, enum origin origin)
{
    return take(n, place_of(n, signal), signal, t_ms, t_ms, value, origin);
}

static bool is_position(uint16_t signal)
{
    return signal >= SIGNAL_LATITUDE && signal <= SIGNAL_VERTICAL_ACCURACY;
}

static bool is_shown(uint16_t signal)
{
    return signal == SIGNAL_LATITUDE || signal == SIGNAL_LONGITUDE || signal == SIGNAL_SPEED ||
           signal == SIGNAL_HEADING || signal == SIGNAL_LOW_VOLTAGE_STATE ||
           signal == SIGNAL_ENGINE_RUNNING;
}

/* Speed beside an engine speed is the car's own. */
static enum origin origin_of(uint16_t signal, const struct reading *r, uint32_t count)
{
    if (is_position(signal))
        return ORIGIN_GPS;
    if (signal != SIGNAL_SPEED)
        return ORIGIN_OBD;
    for (uint32_t k = 0; k < count; k++)
        if (r[k].signal == SIGNAL_ENGINE_SPEED)
            return ORIGIN_OBD;
    return ORIGIN_GPS;
}

/* From the last sample back: of each signal the first one met is the newest of the record, and the
 * others need not be looked at; nor the other samples, where all are alike. */
static bool merge(struct newest *n, const struct telemetry *record, int64_t latest_ms,
                  bool shown_only)
{
    uint64_t met[MET_WORDS] = {0};
    bool changed = false;

    for (size_t i = record->sample_count; i-- > 0;) {
        const struct sample *s = &record->samples[i];
        const struct reading *r = record->readings + s->first;
        int64_t t_ms = s->t_ms < latest_ms ? s->t_ms : latest_ms;

        for (uint32_t k = 0; k < s->count; k++) {
            uint16_t signal = r[k].signal;
            uint64_t bit = UINT64_C(1) << signal % 64, *word = &met[signal / 64 % MET_WORDS];

            if (*word & bit && signal < MET_WORDS * 64)
                continue;
            *word |= bit;
            if (shown_only && !is_shown(signal))
                continue;
            changed |= take(n, guessed_place(n, signal, &guesses[k % PLACES]), signal, s->t_ms,
                            latest_ms, r[k].value, origin_of(signal, r, s->count));
        }
        if (t_ms > n->t_ms)
            n->t_ms = t_ms;
        if (record->alike)
            break;
    }
    return changed;
}

bool newest_merge(struct newest *n, const struct telemetry *record, int64_t latest_ms)
{
    return merge(n, record, latest_ms, false);
}

bool newest_merge_shown(struct newest *n, const struct telemetry *record, int64_t latest_ms)
{
    return merge(n, record, latest_ms, true);
}

void newest_print(const struct newest *n, struct text *out)
{
    char number[32];

    text_add(out, "{", 1);
    for (size_t i = 0; i < n->count; i++) {
        const struct newest_value *v = &n->values[i];

        json_print_double(number, v->value);
        text_print(out, "%s\"%s\":[%s,%lld,\"%s\"", i ? "," : "", signal_row(v->signal)->path,
                   number, (long long)v->t_ms, v->origin == ORIGIN_GPS ? "gps" : "obd");
        if (v->ahead)
            text_print(out, ",%d", (int)v->ahead * NEWEST_STEP_MS);
        text_add(out, "]", 1);
    }
    text_add(out, "}", 1);
}

void newest_read(struct newest *n, const char *json, size_t len)
{
    /* What we wrote ourselves, but the database prints 1e20 as an integer no int64_t holds. */
    json_t *root = json_loadb(json, len, JSON_DECODE_INT_AS_REAL, NULL), *entry;
    const char *path;

    json_object_foreach(root, path, entry)
    {
        uint16_t signal = signal_find(path, strlen(path));
        const json_t *value = json_array_get(entry, 0), *t = json_array_get(entry, 1);
        const char *origin = json_string_value(json_array_get(entry, 2));
        double at = json_number_value(t), ahead = json_number_value(json_array_get(entry, 3));

        if (signal == SIGNAL_NONE || !json_is_number(value) ||
            !(at > 0 && at <= (double)NEWEST_T_MAX && ahead >= 0 && ahead <= at))
            continue;
        take(n, place_of(n, signal), signal, (int64_t)at, (int64_t)(at - ahead),
             json_number_value(value),
             origin && strcmp(origin, "gps") == 0 ? ORIGIN_GPS : ORIGIN_OBD);
        if ((int64_t)(at - ahead) > n->t_ms)
            n->t_ms = (int64_t)(at - ahead);
    }
    json_decref(root);
}

static bool fresh(const struct newest *n, uint16_t signal, double *out)
{
    const struct newest_value *v = newest_find(n, signal);

    if (!v || counts_from(v) < n->t_ms - TOGETHER_MS)
        return false;
    *out = v->value;
    return true;
}

void newest_live(const struct newest *n, struct live *out)
{
    double lat, lon, running;

    out->t_ms = n->t_ms;
    out->has_position = fresh(n, SIGNAL_LATITUDE, &lat) && fresh(n, SIGNAL_LONGITUDE, &lon);
    if (out->has_position) {
        out->lat = lat;
        out->lon = lon;
    }
    out->has_speed = fresh(n, SIGNAL_SPEED, &out->speed_kmh);
    out->has_heading = fresh(n, SIGNAL_HEADING, &out->heading_deg);
    out->has_ignition = fresh(n, SIGNAL_LOW_VOLTAGE_STATE, &running);
    if (out->has_ignition)
        out->ignition_on = running >= 4; /* on, start */
    else if ((out->has_ignition = fresh(n, SIGNAL_ENGINE_RUNNING, &running)))
        out->ignition_on = running != 0;
}
