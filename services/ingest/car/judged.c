/* services/ingest/car/judged.c - settings of now and of then. */
#include "judged.h"

#include <string.h>

void judged_step(struct judged *j, const uint64_t stamp[JUDGED_KINDS], int64_t before_ms)
{
    for (int k = 0; k < JUDGED_KINDS; k++) {
        if (j->stamp[k] == stamp[k])
            continue;
        if (j->stamp[k] != 0)
            j->since_ms[k] = before_ms;
        j->stamp[k] = stamp[k];
    }
}

bool judged_anew(const struct judged *now, const struct judged *before,
                 const uint64_t stamp[JUDGED_KINDS])
{
    bool anew = false;

    for (int k = 0; k < JUDGED_KINDS; k++)
        anew |= now->stamp[k] != before->stamp[k] && now->stamp[k] != stamp[k];
    return anew;
}

bool judged_so(const struct judged *j, const uint64_t stamp[JUDGED_KINDS])
{
    return !memcmp(j->stamp, stamp, sizeof j->stamp);
}

/* By which settings it was found; JUDGED_KINDS: by none that a person changes. */
static enum judged_by kind_of(const char *type)
{
    static const char *const detected[] = {
        "crash",       "harsh_braking", "harsh_acceleration", "harsh_cornering",
        "low_battery", "overheating",   "gps_lost",           "tow"};

    if (!strncmp(type, "geofence_", strlen("geofence_")))
        return JUDGED_ZONES;
    if (!strcmp(type, "overspeed"))
        return JUDGED_LIMITS;
    if (!strcmp(type, "rule"))
        return JUDGED_RULES;
    for (size_t i = 0; i < sizeof detected / sizeof *detected; i++)
        if (!strcmp(type, detected[i]))
            return JUDGED_DETECTS;
    return JUDGED_KINDS;
}

bool judged_is_past(const struct judged_past *past, const char *type, int64_t occurred_ms)
{
    enum judged_by kind = kind_of(type);

    return kind < JUDGED_KINDS && occurred_ms <= past->since_ms[kind];
}

bool judged_spares(const struct judged_past *past, const char *type, const char *subject,
                   int64_t occurred_ms)
{
    enum alert_ending ending;
    enum alert_severity usual;
    bool open = false;

    if (judged_is_past(past, type, occurred_ms))
        return true;
    if (!alert_type(type, &ending, &usual) || ending == ALERT_POINT)
        return false;
    for (size_t i = 0; i < past->n; i++) {
        const struct found *f = &past->found[i];

        if (strcmp(f->type, type) != 0 || strcmp(f->subject, subject) != 0)
            continue;
        if (f->parts & FOUND_EVENT)
            open |= judged_is_past(past, type, f->occurred_ms);
        if ((f->parts & FOUND_END) && f->occurred_ms < occurred_ms)
            open = false;
    }
    return open;
}
