/* services/api/hours.h - hours of the week, as zones, rules and private mode have them.  Pure. */
#ifndef API_HOURS_H
#define API_HOURS_H

#include <stdbool.h>

#include "proto/json.h"

/* {"spans": [{"days": [1 .. 7], "from": "08:00", "to": "18:00"}], "except": false}, days from
 * Monday, "from" before "24:00"; "to" at or before it is the next day's.  What is wrong; NULL:
 * nothing. schedule  another form empty     no span: null says always never     all the week is
 * excepted */
const char *hours_fault(const json_t *value);

/* {"zone", "work": [{"days", "from", "to"}], "crash_place"} as config/1 has it: hours of work,
 * minutes of the local day, `to` not included. */
bool hours_are_of_work(const json_t *value);

#endif
