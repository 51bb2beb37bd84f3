/* services/ingest/car/rules.h - a vehicle and the rules that are about it.  Pure; {0} starts. */
#ifndef INGEST_RULES_H
#define INGEST_RULES_H

#include "fences.h"
#include "proto/telemetry.h"
#include "services/ingest/facts/rule.h"

struct rule_entry {
    char id[UUID_TEXT + 1];
    unsigned char key[16], fence[16];
    int32_t version;
    enum alert_severity severity;
    struct rule rule;
};

struct rule_list {
    const struct rule_entry *const *all; /* those that are about this vehicle */
    size_t n;
};

/* Is the zone it is about, if any, one of the vehicle's?  Of others nobody knows whether it is
 * inside, and so not whether it is outside. */
bool rule_has_place(const struct rule_entry *rule, const struct fence_list *fences);

/* How far back what they count may reach. */
int64_t rules_reach_ms(const struct rule_list *list);

#define RULES_MAX 16 /* about one vehicle; of more the first count */
struct rule_held {
    unsigned char key[16];
    int64_t version;
    struct rule_state state;
};

struct rules {
    int64_t n;
    struct rule_held each[RULES_MAX];
};

/* One sample's readings.  `fences` as of the last place. */
void rules_step(struct rules *s, const struct rule_list *list, const struct fences *fences,
                const struct wall *wall, int64_t t_ms, const struct reading *readings, size_t n,
                struct car_out *out);

#endif
