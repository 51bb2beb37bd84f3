/* vehicle/obd/clearing.h - service 04: the one thing we do to a car that changes it.  It erases
 * stored codes, freeze frames and readiness, so the engine must be off and the car stand, as the
 * car itself says at that moment; it goes out once and is never repeated: who wants to know what
 * it did reads the codes. */
#ifndef VEHICLE_OBD_CLEARING_H
#define VEHICLE_OBD_CLEARING_H

#include "link.h"
#include "support.h"
#include "vehicle/inbox.h"

/* Look whether it may be done, and do it: fills outcome, reason and units.  Read the codes
 * afterwards and call clearing_judge.  ST_RETRY: the cable is gone; ST_NONE: stop. */
enum status clearing_run(struct link *link, const struct support *support, struct codes_result *out,
                         struct fault *fault) MUST_CHECK;

/* Pure.  No ECU answered, and the codes were read since (out->found): an empty list says that it
 * was done all the same. */
void clearing_judge(struct codes_result *out, const struct diagnosis *before);

const char *codes_outcome_name(enum codes_outcome outcome); /* "done" "refused" "failed" "expired":
                                                               states of result/1 */

#endif
