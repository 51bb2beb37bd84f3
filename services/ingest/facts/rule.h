/* services/ingest/facts/rule.h - a customer's rule on any signal: threshold, duration, repeat,
 * schedule, zone and scope.  Pure; {0} starts the state of one rule and one vehicle. */
#ifndef INGEST_RULE_H
#define INGEST_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schedule.h"

enum rule_test { RULE_ABOVE = 0, RULE_BELOW, RULE_EQUAL, RULE_OTHER };
enum rule_place { RULE_ANYWHERE = 0, RULE_INSIDE, RULE_OUTSIDE };

#define RULE_SCOPE_MAX 63
#define RULE_GROUP_MAX (4 * 63) /* bytes of the characters that a group's name may have */
struct rule {
    uint16_t signal;
    enum rule_test test;
    double threshold;
    double release; /* above, below: how far back it has to come to be over; 0: the threshold */
    int64_t duration_ms; /* true for so long without a break; 0: at once */
    int repeat;          /* so many times ... */
    int64_t repeat_ms;   /* ... within this; 0 or 1: the first counts */
    int64_t hole_ms; /* values further apart say nothing about the time between; 0: see rule_step */
    struct schedule schedule;
    enum rule_place place;             /* of the rule's zone */
    char customer[RULE_SCOPE_MAX + 1]; /* always */
    char group[RULE_GROUP_MAX + 1];    /* "": any */
    char vin[18];                      /* "": any */
};

#define RULE_REPEAT_MAX 16
struct rule_state {
    int64_t t_ms;
    int64_t since_ms; /* true since; 0: it is not, or nobody saw it */
    int64_t usual_ms; /* between two values, as they came of late; 0: not known */
    bool counted;     /* this time is in `times`; a hole in it makes no other time */
    bool raised;
    int64_t raised_ms; /* of RULE_RAISED: the first moment it was true, of the time that counted */
    int64_t times[RULE_REPEAT_MAX]; /* when it was true long enough, oldest first */
    int n;
};

enum rule_fact { RULE_NONE = 0, RULE_RAISED, RULE_ENDED };

/* Is the rule about this vehicle? */
bool rule_covers(const struct rule *r, const char *customer, const char *group, const char *vin);

/* One value of its signal.  `in_zone`: of a good fix, or the anchor.  A condition that its schedule
 * or zone does not allow is not true.  A hole (30 s, or three times as long as the values usually
 * are apart, which takes two of them to know) proves no duration: that begins again after it, and
 * so does hysteresis.  RULE_RAISED at s->raised_ms, RULE_ENDED at t_ms. */
enum rule_fact rule_step(struct rule_state *s, const struct rule *r, int64_t t_ms, double value,
                         bool in_zone, int offset_min);

#endif
