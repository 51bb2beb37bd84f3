/* services/ingest/facts/alert.c - cases. */
#include "alert.h"

#include <stdio.h>
#include <string.h>

const struct alert_settings alert_defaults = {
    .reopen_ms = 600000,
    .flap_changes = 6,
    .flap_ms = 3600000,
    .late_ms = 900000,
};

static const struct {
    const char *type;
    enum alert_ending ending;
    enum alert_severity severity;
} types[] = {
    {"crash", ALERT_PERSON, ALERT_CRITICAL},
    {"harsh_braking", ALERT_POINT, ALERT_MINOR},
    {"harsh_acceleration", ALERT_POINT, ALERT_MINOR},
    {"harsh_cornering", ALERT_POINT, ALERT_MINOR},
    {"overspeed", ALERT_CONDITION, ALERT_MINOR},
    {"geofence_enter", ALERT_POINT, ALERT_INFO},
    {"geofence_exit", ALERT_POINT, ALERT_INFO},
    {"geofence_dwell", ALERT_CONDITION, ALERT_WARNING},
    {"dtc_new", ALERT_CONDITION, ALERT_MINOR},
    {"dtc_cleared", ALERT_POINT, ALERT_INFO},
    {"mil_on", ALERT_CONDITION, ALERT_MAJOR},
    {"low_battery", ALERT_CONDITION, ALERT_MINOR},
    {"overheating", ALERT_CONDITION, ALERT_MAJOR},
    {"fuel_drop", ALERT_PERSON, ALERT_MAJOR},
    {"tow", ALERT_PERSON, ALERT_MAJOR},
    {"power_cut", ALERT_CONDITION, ALERT_MAJOR},
    {"vin_mismatch", ALERT_CONDITION, ALERT_MAJOR},
    {"vehicle_silent", ALERT_CONDITION, ALERT_WARNING},
    {"maintenance_due", ALERT_CONDITION, ALERT_INFO},
    {"contract_mileage", ALERT_CONDITION, ALERT_WARNING},
    {"gps_lost", ALERT_CONDITION, ALERT_WARNING},
    {"camera_lost", ALERT_CONDITION, ALERT_WARNING},
    {"rule", ALERT_CONDITION, ALERT_WARNING},
};

bool alert_type(const char *type, enum alert_ending *ending, enum alert_severity *severity)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].type, type) != 0)
            continue;
        *ending = types[i].ending;
        *severity = types[i].severity;
        return true;
    }
    return false;
}

const char *alert_severity_word(enum alert_severity s)
{
    static const char *const word[] = {"info", "warning", "minor", "major", "critical"};

    return word[s];
}

const char *alert_state_word(enum alert_state s)
{
    static const char *const word[] = {"", "open", "acknowledged", "cleared"};

    return word[s];
}

const char *alert_reason_word(enum alert_reason r)
{
    static const char *const word[] = {"", "ended", "person", "corrected", "expired", "retired"};

    return word[r];
}

void alert_note(struct alert *a, int64_t t_ms)
{
    if (a->changes == ALERT_CHANGES)
        memmove(a->changes_ms, a->changes_ms + 1, (size_t)--a->changes * sizeof *a->changes_ms);
    a->changes_ms[a->changes++] = t_ms;
}

static void note_end(struct alert *a, int64_t t_ms)
{
    if (a->ends == ALERT_ENDS)
        memmove(a->ends_ms, a->ends_ms + 1, (size_t)--a->ends * sizeof *a->ends_ms);
    a->ends_ms[a->ends++] = t_ms;
    a->ended_ms = t_ms;
}

static enum alert_change close_case(struct alert *a, int64_t t_ms, enum alert_reason reason)
{
    a->state = ALERT_CLEARED;
    a->reason = reason;
    a->cleared_ms = t_ms;
    alert_note(a, t_ms);
    return ALERT_CLOSED;
}

/* A new case keeps the old one's restlessness: a thing that flaps goes on flapping. */
static enum alert_change open_case(struct alert *a, const struct alert_raise *r)
{
    struct alert old = *a;
    char text[2 * ALERT_SUBJECT_MAX];

    *a = (struct alert){
        .key = r->key,
        .ending = r->ending,
        .state = ALERT_OPEN,
        .severity = r->severity,
        .occurred_ms = r->occurred_ms,
        .detected_ms = r->detected_ms,
        .last_ms = r->occurred_ms,
        .count = 1,
    };
    if (r->id) {
        (void)snprintf(a->id, sizeof a->id, "%s", r->id);
    } else {
        (void)snprintf(text, sizeof text, "alert %s %s %s %lld", r->key.vin, r->key.type,
                       r->key.subject, (long long)r->occurred_ms);
        uuid_of_text(a->id, text);
    }
    if (r->ending != ALERT_POINT) {
        memcpy(a->changes_ms, old.changes_ms, sizeof a->changes_ms);
        a->changes = old.changes;
        a->messaged_ms = old.messaged_ms;
    }
    alert_note(a, r->detected_ms);
    return ALERT_OPENED;
}

static enum alert_change reopen(struct alert *a, const struct alert_raise *r)
{
    bool again = r->occurred_ms > a->last_ms;

    a->state = ALERT_OPEN;
    a->reason = ALERT_NOT;
    a->ended_ms = a->cleared_ms = 0;
    a->count += again;
    a->last_ms = again ? r->occurred_ms : a->last_ms;
    a->severity = r->severity > a->severity ? r->severity : a->severity;
    alert_note(a, r->detected_ms);
    return ALERT_REOPENED;
}

static enum alert_change raise_cleared(struct alert *a, const struct alert_settings *set,
                                       const struct alert_raise *r)
{
    bool held = a->held_down && r->ends; /* by nobody's word it would be so for ever */

    if (a->reason == ALERT_CORRECTED && r->occurred_ms == a->last_ms)
        return reopen(a, r); /* the recompute after that one found it again */
    if (a->reason == ALERT_CORRECTED && !held)
        return open_case(a, r); /* that one never was, whatever its time */
    if (!held && r->occurred_ms <= a->last_ms && a->reason == ALERT_BY_ITSELF &&
        r->severity > a->severity) { /* it is over, and was worse than was known */
        a->severity = r->severity;
        return ALERT_WORSENED;
    }
    if (held || r->occurred_ms <= a->last_ms)
        return ALERT_SAME;
    if (a->reason == ALERT_BY_ITSELF && r->occurred_ms - a->cleared_ms <= set->reopen_ms)
        return reopen(a, r);
    return open_case(a, r);
}

enum alert_change alert_raise(struct alert *a, const struct alert_settings *set,
                              const struct alert_raise *r)
{
    bool worse = r->severity > a->severity;

    if (a->state == ALERT_NONE)
        return open_case(a, r);
    if (r->ending == ALERT_POINT) {
        struct alert other = *a;

        (void)open_case(&other, r);
        if (!strcmp(other.id, a->id))
            return a->state == ALERT_CLEARED && a->reason == ALERT_CORRECTED ? reopen(a, r)
                                                                             : ALERT_SAME;
        *a = other;
        return ALERT_OPENED;
    }
    if (a->state == ALERT_CLEARED)
        return raise_cleared(a, set, r);
    if (worse)
        a->severity = r->severity;
    if (r->occurred_ms <= a->last_ms)
        return worse ? ALERT_WORSENED : ALERT_SAME;
    a->last_ms = r->occurred_ms;
    a->ended_ms = 0;
    a->count++;
    return worse ? ALERT_WORSENED : ALERT_REPEATED;
}

enum alert_change alert_end(struct alert *a, int64_t t_ms)
{
    if (a->state == ALERT_NONE || a->ending == ALERT_POINT || t_ms < a->last_ms)
        return ALERT_SAME;
    a->held_down = false;
    if (a->state == ALERT_CLEARED || a->ended_ms > 0)
        return ALERT_SAME;
    note_end(a, t_ms);
    if (a->ending == ALERT_PERSON || a->severity == ALERT_CRITICAL) {
        alert_note(a, t_ms);
        return ALERT_ENDED;
    }
    return close_case(a, t_ms, ALERT_BY_ITSELF);
}

enum alert_change alert_acknowledge(struct alert *a, int64_t now_ms)
{
    (void)now_ms;
    if (a->state != ALERT_OPEN)
        return ALERT_SAME;
    a->state = ALERT_ACKNOWLEDGED;
    return ALERT_TAKEN;
}

enum alert_change alert_clear(struct alert *a, int64_t now_ms)
{
    if (a->state == ALERT_NONE || a->state == ALERT_CLEARED)
        return ALERT_SAME;
    a->held_down = a->ending != ALERT_POINT && a->ended_ms == 0;
    return close_case(a, now_ms, ALERT_BY_HAND);
}

enum alert_change alert_overtake(struct alert *a, int64_t t_ms)
{
    if (a->state == ALERT_NONE || a->state == ALERT_CLEARED)
        return ALERT_SAME;
    a->ended_ms = a->ended_ms > 0 ? a->ended_ms : t_ms;
    return close_case(a, t_ms, ALERT_BY_ITSELF);
}

enum alert_change alert_correct(struct alert *a, int64_t now_ms)
{
    if (a->state == ALERT_CLEARED && (a->reason == ALERT_BY_ITSELF || a->reason == ALERT_EXPIRED)) {
        a->reason = ALERT_CORRECTED;
        return ALERT_UNSAID;
    }
    if (a->state == ALERT_NONE || a->state == ALERT_CLEARED)
        return ALERT_SAME;
    return close_case(a, now_ms, ALERT_CORRECTED);
}

bool alert_is_flapping(const struct alert *a, const struct alert_settings *set, int64_t now_ms)
{
    int within = 0;

    for (int i = 0; i < a->changes; i++)
        within += now_ms - a->changes_ms[i] < set->flap_ms;
    return within > set->flap_changes;
}

bool alert_is_late(const struct alert_settings *set, int64_t told_ms, int64_t now_ms)
{
    return told_ms > 0 && now_ms - told_ms > set->late_ms;
}

bool alert_message(struct alert *a, const struct alert_settings *set, bool late, int64_t now_ms)
{
    if (late && a->severity < ALERT_MAJOR)
        return false; /* the inbox has it */
    if (alert_is_flapping(a, set, now_ms) && a->messaged_ms > 0 &&
        now_ms - a->messaged_ms < set->flap_ms)
        return false;
    a->messaged_ms = now_ms;
    return true;
}
