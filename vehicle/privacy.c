/* vehicle/privacy.c - see privacy.h. */
#include "privacy.h"

#include <stdlib.h>
#include <string.h>

static const char *const causes[] = {[PRIVACY_NONE] = "none",
                                     [PRIVACY_BUTTON] = "button",
                                     [PRIVACY_COMMAND] = "command",
                                     [PRIVACY_HOURS] = "hours"};

const char *privacy_cause_word(enum privacy_cause cause)
{
    return (unsigned)cause <= PRIVACY_HOURS ? causes[cause] : causes[PRIVACY_NONE];
}

/* ---- the rules */

static enum status privacy_days(uint8_t *out, const json_t *list, struct fault *fault)
{
    if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > 7)
        return fault_set(fault, ST_REJECT, "privacy.work: days is a list of 1 Monday .. 7 Sunday");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *day = json_array_get(list, i);

        if (!json_is_integer(day) || json_integer_value(day) < 1 || json_integer_value(day) > 7)
            return fault_set(fault, ST_REJECT,
                             "privacy.work: days is a list of 1 Monday .. 7 Sunday");
        *out = (uint8_t)(*out | 1U << (json_integer_value(day) - 1));
    }
    return ST_OK;
}

static enum status privacy_span_read(struct privacy_span *out, const json_t *span,
                                     struct fault *fault)
{
    int64_t from, to;

    if (!json_is_object(span))
        return fault_set(fault, ST_REJECT, "privacy.work: a list of {days, from, to}");
    if (json_get_int64(span, "from", 0, PRIVACY_DAY_MINUTES - 1, &from, fault) != ST_OK ||
        json_get_int64(span, "to", 0, PRIVACY_DAY_MINUTES, &to, fault) != ST_OK)
        return fault_set(fault, ST_REJECT, "privacy.work: from and to are minutes of the day");
    out->from = (int)from;
    out->to = (int)to;
    return privacy_days(&out->days, json_object_get(span, "days"), fault);
}

static enum status privacy_hours(struct privacy_rules *r, const json_t *object, struct fault *fault)
{
    const json_t *work = json_object_get(object, "work");
    char zone[ZONE_TEXT_MAX] = "UTC0";
    enum status st;

    if (json_get_text(object, "zone", zone, sizeof zone, fault) == ST_REJECT ||
        zone_read(&r->zone, zone, NULL) != ST_OK)
        return fault_set(fault, ST_REJECT,
                         "privacy.zone: a POSIX time zone, as CET-1CEST,M3.5.0,M10.5.0/3");
    if (work == NULL)
        return ST_OK;
    if (!json_is_array(work) || json_array_size(work) > PRIVACY_SPANS_MAX)
        return fault_set(fault, ST_REJECT, "privacy.work: a list of at most %d {days, from, to}",
                         PRIVACY_SPANS_MAX);
    r->has_hours = true;
    for (size_t i = 0; i < json_array_size(work); i++)
        if ((st = privacy_span_read(&r->spans[r->span_count++], json_array_get(work, i), fault)) !=
            ST_OK)
            return st;
    return ST_OK;
}

enum status privacy_rules_read(struct privacy_rules *out, const json_t *object, struct fault *fault)
{
    struct privacy_rules r;
    enum status st;

    memset(&r, 0, sizeof r);
    if (object != NULL) {
        if (!json_is_object(object))
            return fault_set(fault, ST_REJECT, "privacy: not an object");
        if ((st = privacy_hours(&r, object, fault)) != ST_OK)
            return st;
        if (json_get_bool(object, "crash_place", &r.crash_place, NULL) == ST_REJECT)
            return fault_set(fault, ST_REJECT, "privacy.crash_place: true or false");
    }
    *out = r;
    return ST_OK;
}

static bool privacy_has_day(const struct privacy_span *span, int weekday)
{
    return (span->days & 1U << (weekday - 1)) != 0;
}

bool privacy_is_work(const struct privacy_rules *rules, int64_t now_ms)
{
    int weekday, minute;

    if (!rules->has_hours)
        return true;
    zone_local(&rules->zone, now_ms, &weekday, &minute);
    for (size_t i = 0; i < rules->span_count; i++) {
        const struct privacy_span *s = &rules->spans[i];
        bool over_night = s->to <= s->from;

        if (privacy_has_day(s, weekday) && minute >= s->from && (over_night || minute < s->to))
            return true;
        if (over_night && privacy_has_day(s, weekday == 1 ? 7 : weekday - 1) && minute < s->to)
            return true;
    }
    return false;
}

/* ---- what is in force */

void privacy_command(struct privacy *p, bool on, int64_t until_ms)
{
    p->commanded = on;
    p->until_ms = on ? until_ms : 0;
}

static enum privacy_cause privacy_cause_now(const struct privacy *p, int64_t now_ms,
                                            bool time_known)
{
    if (p->button)
        return PRIVACY_BUTTON;
    if (p->commanded)
        return PRIVACY_COMMAND;
    if (p->rules.has_hours && (!time_known || !privacy_is_work(&p->rules, now_ms)))
        return PRIVACY_HOURS;
    return PRIVACY_NONE;
}

bool privacy_step(struct privacy *p, int64_t now_ms, bool time_known)
{
    enum privacy_cause before = p->cause;

    if (p->commanded && p->until_ms != 0 && time_known && now_ms >= p->until_ms)
        privacy_command(p, false, 0);
    p->cause = privacy_cause_now(p, now_ms, time_known);
    if (p->cause == before)
        return false;
    if (p->cause == PRIVACY_NONE) {
        p->since_ms = 0;
        p->ended_ms = now_ms;
    } else if (before == PRIVACY_NONE) {
        p->since_ms = now_ms;
        p->since_undated = !time_known;
    }
    return true;
}

bool privacy_covers(const struct privacy *p, int64_t received_ms, int64_t t_ms)
{
    int64_t earlier_ms = t_ms < received_ms ? t_ms : received_ms;

    return p->cause != PRIVACY_NONE || (p->ended_ms != 0 && earlier_ms <= p->ended_ms);
}

void privacy_clock_set(struct privacy *p)
{
    p->ended_ms = 0;
}

bool privacy_shift(struct privacy *p, int64_t step_ms)
{
    if (p->ended_ms != 0)
        p->ended_ms += step_ms;
    if (p->since_ms == 0 || !p->since_undated)
        return false;
    p->since_ms += step_ms;
    return true;
}

/* ---- over a restart */

void privacy_write(const struct privacy *p, struct text *out)
{
    text_clear(out);
    text_print(out, "{\"cause\":\"%s\",\"since\":%lld,\"commanded\":%s,\"until\":%lld}",
               privacy_cause_word(p->cause), (long long)p->since_ms,
               p->commanded ? "true" : "false", (long long)p->until_ms);
}

enum status privacy_load(struct privacy *p, const char *bytes, size_t len, struct fault *fault)
{
    enum privacy_cause found = PRIVACY_NONE;
    int64_t since_ms, until_ms;
    char cause[16] = "";
    bool commanded;
    json_t *root;
    enum status st = json_read(&root, bytes, len, 1024, fault);

    if (st != ST_OK)
        return st;
    if (json_get_text(root, "cause", cause, sizeof cause, fault) != ST_OK ||
        json_get_int64(root, "since", 0, JSON_INTEGER_MAX, &since_ms, fault) != ST_OK ||
        json_get_int64(root, "until", 0, JSON_INTEGER_MAX, &until_ms, fault) != ST_OK ||
        json_get_bool(root, "commanded", &commanded, fault) != ST_OK)
        st = ST_REJECT;
    json_decref(root);
    if (st != ST_OK)
        return st;
    for (int i = PRIVACY_BUTTON; i <= PRIVACY_HOURS; i++)
        if (strcmp(cause, causes[i]) == 0)
            found = (enum privacy_cause)i;
    if ((found == PRIVACY_NONE) != (since_ms == 0))
        return fault_set(fault, ST_REJECT, "cause and since do not fit");
    p->cause = found;
    p->since_ms = since_ms;
    privacy_command(p, commanded, until_ms);
    return ST_OK;
}
