/* services/ingest/facts/score.c - points lost, and by what. */
#include "score.h"

#include <math.h>

const struct score_settings score_defaults = {
    .weight = {1, 40, 100, 50, 50},
    .cap = {40, 20, 20, 10, 10},
    .band_weight = {1, 2, 4},
    .least_km = 1,
    .harsh_km = 5,
    .least_caps = 60,
};

static double share(double part, double of)
{
    return of > 0 ? part / of : 0;
}

static double amount(const struct score_sums *s, const struct score_settings *set,
                     enum score_term term)
{
    double weights = 0;

    switch (term) {
    case SCORE_HARSH:
        for (int i = 0; i < 3; i++)
            weights += set->band_weight[i] * s->bands[i];
        return weights * 100 / fmax(s->km, set->harsh_km);
    case SCORE_IDLE:
        return share(s->idle_s, s->engine_s);
    case SCORE_OVERSPEED:
        return share(s->above_s, s->moving_s);
    case SCORE_RPM:
        return share(s->high_rpm_s, s->engine_s);
    default:
        return share(s->cold_s, s->engine_s);
    }
}

struct score score_trip(const struct score_sums *sums, const struct score_settings *set)
{
    struct score score = {0};
    double caps = 0, lost = 0;

    for (int i = 0; i < SCORE_TERMS; i++) {
        score.penalty[i] = (double)NAN;
        if (!sums->measured[i])
            continue;
        score.penalty[i] =
            fmin(set->weight[i] * amount(sums, set, (enum score_term)i), set->cap[i]);
        caps += set->cap[i];
        lost += score.penalty[i];
    }
    if (caps < set->least_caps || !(sums->km >= set->least_km))
        return score;
    score.present = true;
    score.value = floor(1000 * (1 - lost / caps) + 0.5 + 1e-9) / 10;
    return score;
}
