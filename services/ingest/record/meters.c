/* services/ingest/record/meters.c - made once, at start. */
#include "meters.h"

#include <string.h>

struct meters meters;

/* ---- what comes, and what becomes of it */
static void open_records(void)
{
    meters.messages = metric_counter("vigie_ingest_messages_total",
                                     "Messages received, by the topic's leaf.", "kind");
    for (enum leaf leaf = 0; leaf <= LEAF_RESULT; leaf++)
        meters.messages_of[leaf] =
            metric_series(meters.messages, strchr(topic_leaf_name(leaf), '/') + 1);
    meters.samples = metric_counter("vigie_ingest_samples_total", "Samples decoded.", NULL);
    meters.stored =
        metric_counter("vigie_ingest_stored_samples_total", "Samples stored, by store.", "store");
    meters.duplicates = metric_counter("vigie_ingest_duplicates_total",
                                       "Records that were stored before and came again.", NULL);
    meters.mislabelled =
        metric_counter("vigie_ingest_mislabelled_total",
                       "Telemetry whose content type is not what its first byte says.", NULL);
    meters.rejected =
        metric_counter("vigie_ingest_rejected_total",
                       "Messages neither stored nor acknowledged, by reason.", "reason");
    meters.dead_letters =
        metric_counter("vigie_ingest_dead_letters_total",
                       "Records put aside with their bytes, by reason.", "reason");
    meters.letters_dropped =
        metric_counter("vigie_ingest_dead_letters_dropped_total",
                       "Dead letters deleted because their vehicle has 1,000 newer ones.", NULL);
    meters.skipped = metric_counter("vigie_ingest_skipped_numbers_total",
                                    "Sequence numbers passed over: records still to come.", NULL);
    meters.recovered = metric_counter("vigie_ingest_recovered_numbers_total",
                                      "Of those, that came later or were announced as lost.", NULL);
    meters.lost = metric_counter("vigie_ingest_lost_numbers_total",
                                 "Sequence numbers vehicles announced as lost.", NULL);
    meters.replayed =
        metric_counter("vigie_ingest_replayed_total",
                       "Dead letters decoded again because somebody asked, by outcome.", "outcome");
    meters.unknown_signals =
        metric_counter("vigie_ingest_unknown_signals_total",
                       "Values left out because their path is not in the signal table.", NULL);
}

/* ---- how it flows */
static void open_flow(void)
{
    static const double lag[] = {0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600, 86400};
    static const double commit[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                    0.1,   0.25,   0.5,   1,    2.5,   5};

    meters.ring_dropped =
        metric_counter("vigie_ingest_ring_dropped_total",
                       "Messages dropped because ingest was full; they come again.", NULL);
    meters.live_dropped = metric_counter("vigie_ingest_live_dropped_total",
                                         "Live messages the broker could not take.", NULL);
    meters.ring_depth =
        metric_gauge("vigie_ingest_ring_depth", "Bytes waiting to be decoded.", NULL);
    meters.ring_slots =
        metric_gauge("vigie_ingest_ring_slots", "Bytes that may wait to be decoded.", NULL);
    meters.queue_depth =
        metric_gauge("vigie_ingest_queue_depth", "Decoded records waiting to be stored.", NULL);
    meters.unacked_age_seconds =
        metric_gauge("vigie_ingest_unacked_age_seconds",
                     "Age of the oldest record that is being stored, 0 when idle.", NULL);
    meters.lag_seconds =
        metric_histogram("vigie_ingest_lag_seconds", "Sample time to decoding, seconds.", NULL, lag,
                         sizeof lag / sizeof *lag);
    meters.commit_seconds =
        metric_histogram("vigie_ingest_commit_seconds", "Time to store one group, seconds.",
                         "store", commit, sizeof commit / sizeof *commit);
    meters.bridge_up = metric_gauge(
        "vigie_ingest_bridge_up", "1 while the bridge that this site keeps is connected.", "site");
    meters.shards_owned =
        metric_gauge("vigie_ingest_shards_owned", "Shards this instance holds.", NULL);
}

/* ---- what is found of cars */
static void open_facts(void)
{
    meters.minutes = metric_counter("vigie_ingest_minutes_total",
                                    "Minutes of vehicles computed, again included.", NULL);
    meters.own_silences = metric_counter("vigie_ingest_own_silences_total",
                                         "Times that vehicles fell silent because of us.", NULL);
    meters.recomputed = metric_counter("vigie_ingest_recomputed_total",
                                       "Facts of a vehicle computed again.", "cause");
    meters.rules_ignored = metric_counter(
        "vigie_ingest_rules_ignored_total",
        "Rules left out because a vehicle has more than 16, each time it is looked at.", NULL);
    meters.fences_crowded = metric_counter(
        "vigie_ingest_fences_crowded_total",
        "Places left out of a zone because the vehicle is in or near more than 24.", NULL);
    meters.codes_crowded = metric_counter(
        "vigie_ingest_codes_crowded_total",
        "Trouble codes left out because a vehicle has 4,096 others at that time.", NULL);
    meters.codes_caseless = metric_counter(
        "vigie_ingest_codes_caseless_total",
        "Trouble codes with an event but no case, because 64 worse ones turned with them.", NULL);
    meters.recomputes_failed =
        metric_counter("vigie_ingest_recomputes_failed_total",
                       "Tries to compute facts of a vehicle again that failed.", NULL);
}

void meters_open(void)
{
    open_records();
    open_flow();
    open_facts();
}
