/* services/ingest/facts/alert.h - the life of one alert: open, acknowledged, cleared.  Pure.
 * An event is a fact and never changes; an alert is a case.  Of a condition there is at most one
 * uncleared case per key (customer, vin, type, subject): repeats raise its count.  Every step is
 * idempotent: told the same fact again, nothing changes; (key, occurred_at) makes the id, so two
 * sites that find the same fact make the same row. */
#ifndef INGEST_ALERT_H
#define INGEST_ALERT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/envelope.h"

enum alert_severity { ALERT_INFO = 0, ALERT_WARNING, ALERT_MINOR, ALERT_MAJOR, ALERT_CRITICAL };
enum alert_ending {
    ALERT_POINT = 0, /* happened; keeps the id it came with */
    ALERT_CONDITION, /* ends when it is no longer so */
    ALERT_PERSON,    /* a person ends it */
};
enum alert_state { ALERT_NONE = 0, ALERT_OPEN, ALERT_ACKNOWLEDGED, ALERT_CLEARED };
enum alert_reason {
    ALERT_NOT = 0,
    ALERT_BY_ITSELF,
    ALERT_BY_HAND,
    ALERT_CORRECTED,
    ALERT_EXPIRED,
    ALERT_RETIRED, /* its vehicle was */
};

/* What a step changed; the caller writes, tells and messages accordingly. */
enum alert_change {
    ALERT_SAME = 0,
    ALERT_OPENED,   /* a new case is in *a, with a new id: insert it */
    ALERT_REOPENED, /* the same case again */
    ALERT_REPEATED, /* count and last_ms */
    ALERT_WORSENED, /* severity, and maybe count */
    ALERT_ENDED,    /* the condition is over, the case waits for a person */
    ALERT_TAKEN,    /* acknowledged */
    ALERT_CLOSED,   /* cleared: a->reason says how */
    ALERT_UNSAID,   /* it was over; now it never was: nobody is told */
};

struct alert_settings {
    int64_t reopen_ms; /* 600,000 after it cleared by itself the same case opens again */
    int flap_changes;  /* more than 6 changes ... */
    int64_t flap_ms;   /* ... in 3,600,000 is flapping: one message in that time */
    int64_t late_ms;   /* 900,000: known later than it could be, only major and critical are sent */
};
extern const struct alert_settings alert_defaults;

/* A point of minor and below expires after a day: `upkeep` sees to that, many rows at a time. */
#define ALERT_SUBJECT_MAX 79
#define ALERT_CHANGES 8
#define ALERT_ENDS 16
struct alert_key {
    char vin[18];
    char type[32];
    char subject[ALERT_SUBJECT_MAX + 1]; /* zone, code + ecu, plan, rule; "" of most */
};

struct alert {
    char id[UUID_TEXT + 1];
    struct alert_key key;
    enum alert_ending ending;
    enum alert_state state;
    enum alert_severity severity;
    enum alert_reason reason;         /* of ALERT_CLEARED */
    int64_t occurred_ms, detected_ms; /* the first time */
    int64_t last_ms;                  /* newest repeat */
    int64_t ended_ms;                 /* the condition is over since; 0: it is not */
    int64_t cleared_ms;
    int count;
    bool held_down; /* cleared by hand while true: what `ends` waits until it has been false once */
    int64_t changes_ms[ALERT_CHANGES]; /* newest last */
    int changes;
    int64_t messaged_ms;
    int64_t ends_ms[ALERT_ENDS]; /* when it was over each time, newest last */
    int ends;
};

struct alert_raise {
    struct alert_key key;
    const char *id; /* a point's own; NULL: derived from key and occurred_ms */
    enum alert_ending ending;
    enum alert_severity severity;
    int64_t occurred_ms, detected_ms;
    int64_t told_ms; /* of the sample or message that told it; 0: time alone did */
    bool ends;       /* alert_end will be told; else each later time is a happening of its own */
};

/* It is so.  `a` is the newest case of the key that began no later, or {0}. */
enum alert_change alert_raise(struct alert *a, const struct alert_settings *set,
                              const struct alert_raise *r);
/* It is no longer so, since t_ms. */
enum alert_change alert_end(struct alert *a, int64_t t_ms);
enum alert_change alert_acknowledge(struct alert *a, int64_t now_ms);
enum alert_change alert_clear(struct alert *a, int64_t now_ms); /* by hand */
/* A newer case of its key began at t_ms, so this one was over by then, whoever was to end it. */
enum alert_change alert_overtake(struct alert *a, int64_t t_ms);
/* A recompute found that it never was so: cleared as corrected, never deleted.  What a person
 * cleared stays as the person left it. */
enum alert_change alert_correct(struct alert *a, int64_t now_ms);

void alert_note(struct alert *a, int64_t t_ms); /* another change, for the next */
bool alert_is_flapping(const struct alert *a, const struct alert_settings *set, int64_t now_ms);
/* Could it have been known so long before? */
bool alert_is_late(const struct alert_settings *set, int64_t told_ms, int64_t now_ms);
/* Is a message about a change of now to be sent?  Remembers that it was.  Of what is late, that it
 * is over is for whoever heard that it began: `late` is for the others. */
bool alert_message(struct alert *a, const struct alert_settings *set, bool late, int64_t now_ms);

/* How a type ends and its usual severity; false: not one of the contract. */
bool alert_type(const char *type, enum alert_ending *ending, enum alert_severity *severity);
const char *alert_severity_word(enum alert_severity s);
const char *alert_state_word(enum alert_state s); /* "" "open" "acknowledged" "cleared" */
const char *alert_reason_word(enum alert_reason r);

#endif
