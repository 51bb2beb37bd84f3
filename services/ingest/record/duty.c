/* services/ingest/record/duty.c */
#include "duty.h"

#include <string.h>

#include "proto/topic.h"

bool duty_has(_Atomic uint64_t *shards, const char *vin)
{
    return atomic_load(shards) >> topic_shard(vin) & 1;
}

bool duty_takes_over(const struct watermark *history, const struct watermark *facts,
                     int64_t facts_age_ms, int64_t seq)
{
    struct watermark both;

    if (watermark_has(facts, seq))
        return false;
    if (watermark_has(history, seq))
        return true;
    if (facts_age_ms < DUTY_PATIENCE_MS)
        return false;
    watermark_both(&both, history, facts);
    return both.upto != history->upto || both.gap_count != history->gap_count ||
           memcmp(both.gaps, history->gaps, both.gap_count * sizeof *both.gaps) != 0;
}
