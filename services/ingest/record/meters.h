/* services/ingest/record/meters.h - what ingest counts; names as in the contract.  Any thread. */
#ifndef INGEST_METERS_H
#define INGEST_METERS_H

#include "lib/metrics.h"
#include "proto/topic.h"

struct meters {
    struct metric *messages; /* {kind} */
    struct series *messages_of[LEAF_RESULT + 1];
    struct metric *samples;
    struct metric *stored; /* {store} influx, postgres */
    struct metric *duplicates;
    struct metric *mislabelled;     /* content type says other than the first byte */
    struct metric *rejected;        /* {reason} */
    struct metric *dead_letters;    /* {reason} */
    struct metric *letters_dropped; /* a vehicle had too many */
    struct metric *minutes;
    struct metric *skipped, *recovered, *lost; /* sequence numbers */
    struct metric *replayed;                   /* {outcome} */
    struct metric *ring_dropped;
    struct metric
        *live_dropped; /* live messages the broker could not take; the next one replaces them */
    struct metric *ring_depth, *ring_slots;
    struct metric *queue_depth;
    struct metric *unacked_age_seconds;
    struct metric *unknown_signals;
    struct metric *lag_seconds;    /* now - sample time */
    struct metric *commit_seconds; /* {store} */
    struct metric *shards_owned;
    struct metric *bridge_up;    /* {site} that keeps it; none where no bridge is kept */
    struct metric *own_silences; /* outages of ours that would have looked like silent vehicles */
    struct metric *recomputed;   /* {cause} late, gap, layout: facts of a vehicle computed again */
    struct metric *rules_ignored, *fences_crowded; /* limits of a vehicle that were met */
    struct metric *codes_crowded, *codes_caseless; /* the same */
    struct metric *recomputes_failed;
};

extern struct meters meters; /* set once by meters_open, before threads start */

void meters_open(void);

#endif
