/* lib/drive/battery.c - at rest, charging, too much. */
#include "battery.h"

#include <math.h>
#include <string.h>

#define VOLTS_MAX 60

const struct battery_settings battery_defaults = {
    .rest_ms = 600000,
    .low_v = 12.2,
    .low_ms = 180000,
    .empty_v = 11.8,
    .empty_ms = 60000,
    .charging_v = 12.8,
    .charging_ms = 300000,
    .running_ms = 60000,
    .over_v = 15.0,
    .over_ms = 10000,
    .dip_ms = 10000,
    .rested_v = 12.5,
    .rested_ms = 600000,
    .charged_v = 13.2,
    .charged_ms = 120000,
    .truck_v = 18,
    .hole_ms = 7500000,
    .running_hole_ms = 60000,
    .nominal_v = 0,
    .low_heartbeat_ms = 3600000,
};

const char *battery_severity(enum battery_kind kind)
{
    return kind == BATTERY_LOW ? "minor" : "major";
}

const char *battery_word(enum battery_kind kind)
{
    static const char *const word[BATTERY_KINDS] = {"low", "empty", "charging", "over"};

    return word[kind];
}

int64_t battery_heartbeat_ms(const struct battery *b, const struct battery_settings *set,
                             int64_t parked_ms)
{
    bool low = b->open[BATTERY_LOW] || b->open[BATTERY_EMPTY];

    return low && parked_ms < set->low_heartbeat_ms ? set->low_heartbeat_ms : parked_ms;
}

static void keep(float *list, int *n, double volts)
{
    if (*n == 5)
        memmove(list, list + 1, 4 * sizeof *list);
    else
        ++*n;
    list[*n - 1] = (float)volts;
}

static double median(const float *list, int n)
{
    float sorted[5];

    for (int i = 0; i < n; i++) {
        int at = i;

        for (; at > 0 && sorted[at - 1] > list[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = list[i];
    }
    return n > 0 ? (double)sorted[n / 2] : 0;
}

/* At rest decides; until it has rested three readings, what has been read so far. */
bool battery_is_24v(const struct battery *b, const struct battery_settings *set)
{
    if (set->nominal_v > 0)
        return set->nominal_v == 24;
    return (b->rests >= 3 ? median(b->rest, b->rests) : median(b->any, b->anys)) > set->truck_v;
}

/* As hold_step for a voltage that has to stay up: a dip shorter than dip_ms does not end it. */
static int64_t stays_up(struct hold *h, int64_t *dip_ms, const struct battery_settings *set,
                        bool up, int64_t t_ms, int64_t hole_ms)
{
    if (up && (*dip_ms == 0 || t_ms - *dip_ms < set->dip_ms)) {
        *dip_ms = 0;
        return hold_step(h, true, t_ms, hole_ms);
    }
    if (h->since_ms > 0 && !up && (*dip_ms == 0 || t_ms - *dip_ms < set->dip_ms)) {
        *dip_ms = *dip_ms == 0 ? t_ms : *dip_ms;
        return -1;
    }
    *dip_ms = 0;
    (void)hold_step(h, false, t_ms, hole_ms);
    return hold_step(h, up, t_ms, hole_ms);
}

static unsigned raise_if(struct battery *b, enum battery_kind kind, bool on, int64_t t_ms,
                         int64_t needed_ms, int64_t hole_ms)
{
    int64_t held_ms = hold_step(&b->held[kind], on, t_ms, hole_ms);

    if (held_ms < needed_ms || b->open[kind])
        return 0;
    b->open[kind] = true;
    b->since_ms[kind] = b->held[kind].since_ms;
    return BATTERY_RAISED(kind);
}

static unsigned clear_if(struct battery *b, enum battery_kind kind, bool good)
{
    if (!good || !b->open[kind])
        return 0;
    b->open[kind] = false;
    return BATTERY_CLEARED(kind);
}

static unsigned judge(struct battery *b, const struct battery_settings *set, int64_t t_ms,
                      bool rests, bool runs)
{
    double v = b->volts / (battery_is_24v(b, set) ? 2 : 1);
    int64_t hole_ms = rests ? set->hole_ms : set->running_hole_ms;
    bool warm = runs && t_ms - b->on_ms >= set->running_ms;
    bool over = v > set->over_v;
    unsigned facts = 0;
    bool rested, charged;

    facts |= raise_if(b, BATTERY_LOW, rests && v <= set->low_v, t_ms, set->low_ms, hole_ms);
    facts |= raise_if(b, BATTERY_EMPTY, rests && v <= set->empty_v, t_ms, set->empty_ms, hole_ms);
    facts |=
        raise_if(b, BATTERY_CHARGING, warm && v < set->charging_v, t_ms, set->charging_ms, hole_ms);
    facts |= raise_if(b, BATTERY_OVER, over, t_ms, set->over_ms, set->running_hole_ms);
    rested = stays_up(&b->rested, &b->dip_ms[0], set, rests && v >= set->rested_v && !over, t_ms,
                      hole_ms) >= set->rested_ms;
    charged = stays_up(&b->charged, &b->dip_ms[1], set, runs && v >= set->charged_v && !over, t_ms,
                       hole_ms) >= set->charged_ms;
    facts |= clear_if(b, BATTERY_LOW, rested || charged);
    facts |= clear_if(b, BATTERY_EMPTY, rested || charged);
    facts |= clear_if(b, BATTERY_CHARGING, charged);
    facts |= clear_if(b, BATTERY_OVER, charged);
    return facts;
}

unsigned battery_step(struct battery *b, const struct battery_settings *set,
                      const struct battery_input *in)
{
    bool rests, runs;

    if (in->t_ms <= b->t_ms)
        return 0;
    b->t_ms = in->t_ms;
    runs = in->running == KNOWN_YES;
    b->off_ms = in->running != KNOWN_NO ? 0 : b->off_ms > 0 ? b->off_ms : in->t_ms;
    b->on_ms = !runs ? 0 : b->on_ms > 0 ? b->on_ms : in->t_ms;
    if (!(in->volts > 0 && in->volts <= VOLTS_MAX) || in->cranking)
        return 0;
    rests = b->off_ms > 0 && in->t_ms - b->off_ms >= set->rest_ms;
    b->volts = in->volts;
    keep(b->any, &b->anys, in->volts);
    if (rests)
        keep(b->rest, &b->rests, in->volts);
    return judge(b, set, in->t_ms, rests, runs);
}
