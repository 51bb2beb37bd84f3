/* vehicle/journal_inside.h - what the files of the journal share: journal.c (opening, records, the
 * commit) and journal_waiting.c (what waits for a commit).  The main thread alone. */
#ifndef VEHICLE_JOURNAL_INSIDE_H
#define VEHICLE_JOURNAL_INSIDE_H

#include "diagnosis.h"
#include "eviction.h"
#include "journal.h"
#include "proto/fact.h"
#include "proto/telemetry.h"

#define JOURNAL_EVENTS_MAX 256  /* kept in memory while the disk takes nothing, */
#define JOURNAL_ALERTS_MAX 1024 /* and alerts: some hundred kB at most */
#define JOURNAL_NOTES_MAX 32

struct journal_note {
    char name[80];
    struct text value;
};

struct journal_fact {
    struct fact fact;
    char severity[16]; /* of an alert; "": an event */
    bool dated;        /* its time is known, whatever ours is worth now */
    char *data;
    struct result *result; /* it is one, and no alert; else NULL */
};

struct journal {
    struct journal_options options;
    struct outbox *outbox;
    struct sampler *sampler;
    struct ledger *ledgers;
    struct eviction eviction;
    struct metric *dropped;
    uint64_t counted_dropped;                      /* samples: in the metric */
    uint64_t told_samples, told_facts, lost_facts; /* dropped: told in an event; and all */
    bool looked;  /* since it was opened: what the outbox has to tell by itself is told */
    bool refused; /* the last commit: the next begins with a few samples */
    bool held, online;
    int64_t sendable[STREAMS];       /* as the outbox says; -1: it must be told */
    size_t event_count, alert_count; /* both; of them alerts */
    struct journal_fact events[JOURNAL_EVENTS_MAX + JOURNAL_ALERTS_MAX]; /* in order */
    bool has_diagnosis;
    struct diagnosis diagnosis;
    size_t note_count;
    struct journal_note notes[JOURNAL_NOTES_MAX];
    struct telemetry telemetry;
    char payload[JSON_MAX_BYTES];
};

void journal_free_fact(struct journal_fact *f); /* what it owns */

#endif
