/* vehicle/obd/extra.h - which identifiers of the make's table are asked when: each about every ten
 * seconds, one a round; one that is refused or thrice not answered never again in this session.
 * Pure: the time comes as an argument. */
#ifndef VEHICLE_OBD_EXTRA_H
#define VEHICLE_OBD_EXTRA_H

#include "link.h"
#include "makes.h"

#define EXTRA_MAX 64
#define EXTRA_EVERY_MS 10000
#define EXTRA_MISSES 3

struct extra {
    size_t count;
    struct extra_item {
        uint32_t ecu;
        uint16_t did;
        unsigned misses;
        int64_t asked_ms; /* 0 never */
    } items[EXTRA_MAX];
};

/* What the tables have for this VIN on a bus of this protocol. */
void extra_init(struct extra *e, const struct makes *makes, const char *vin, char protocol);

/* The one whose turn it is; NULL: none now. */
struct extra_item *extra_next(struct extra *e, int64_t now_ms);

struct link_request extra_request(const struct extra_item *item);

void extra_note(struct extra_item *item, const struct link_answer *answer);

#endif
