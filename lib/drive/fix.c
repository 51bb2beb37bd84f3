/* lib/drive/fix.c - accuracy and jumps. */
#include "fix.h"

#include <math.h>
#include <stdbool.h>

#include "geo.h"
#include "speed.h"

const struct fix_settings fix_defaults = {
    .accuracy_max_m = 50,
    .accuracy_assumed_m = 15,
    .jump_factor = 1.5,
    .jump_slack_ms = 10,
    .jump_unknown_ms = 70,
    .agreeing = 3,
};

double fix_accuracy_m(const struct fix_settings *set, const struct fix *fix)
{
    return isnan(fix->accuracy_m) ? set->accuracy_assumed_m : fix->accuracy_m;
}

double fix_leg_kmh(const struct fix *a, const struct fix *b)
{
    if (a->t_ms <= 0 || b->t_ms <= a->t_ms)
        return (double)NAN;
    return geo_distance_m(a->lat, a->lon, b->lat, b->lon) * 3600 / (double)(b->t_ms - a->t_ms);
}

/* No leg is longer than if meridians were everywhere as far apart as at the equator. */
static double leg_at_most_kmh(const struct fix *a, const struct fix *b)
{
    double up = b->lat - a->lat, over = b->lon - a->lon;

    if (a->t_ms <= 0 || b->t_ms <= a->t_ms)
        return (double)NAN;
    return sqrt(up * up + over * over) * GEO_DEGREE_M * 3600 / (double)(b->t_ms - a->t_ms);
}

static bool reachable(const struct fix_settings *set, const struct fix *a, const struct fix *b)
{
    bool a_knows = speed_valid(a->speed_kmh), b_knows = speed_valid(b->speed_kmh);
    double known_kmh = fmax(a_knows ? a->speed_kmh : 0, b_knows ? b->speed_kmh : 0);
    double limit_ms = a_knows || b_knows ? set->jump_factor * known_kmh / 3.6 + set->jump_slack_ms
                                         : set->jump_unknown_ms;

    return leg_at_most_kmh(a, b) <= limit_ms * 3.6 || fix_leg_kmh(a, b) <= limit_ms * 3.6;
}

enum fix_verdict fix_step(struct fix_filter *f, const struct fix_settings *set,
                          const struct fix *fix)
{
    if (!geo_valid(fix->lat, fix->lon) || fix->accuracy_m < 0 || fix->t_ms <= 0)
        return FIX_INVALID;
    if (fix->t_ms <= f->good.t_ms || (f->rejected_n > 0 && fix->t_ms <= f->rejected.t_ms))
        return FIX_LATE;
    if (fix_accuracy_m(set, fix) > set->accuracy_max_m)
        return FIX_COARSE;
    if (f->good.t_ms > 0 && !reachable(set, &f->good, fix)) {
        bool agrees = f->rejected_n > 0 && reachable(set, &f->rejected, fix);

        f->rejected_n = agrees ? f->rejected_n + 1 : 1;
        f->rejected = *fix;
        if (f->rejected_n < set->agreeing)
            return FIX_JUMP;
    }
    f->good = *fix;
    f->rejected_n = 0;
    return FIX_GOOD;
}
