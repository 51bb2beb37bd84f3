/* vehicle/obd/survey.h - what is asked once per connection: who is there, what they offer, VIN,
 * codes, readiness. */
#ifndef VEHICLE_OBD_SURVEY_H
#define VEHICLE_OBD_SURVEY_H

#include "link.h"
#include "support.h"
#include "vehicle/inbox.h"

void survey_init(void); /* makes the metric; main, once (without it nothing is counted) */

/* Ask through this, so that every request is counted (vigie_vehicle_obd_requests_total). */
enum status survey_ask(struct link *link, const uint8_t *bytes, size_t len, int wait_ms,
                       struct link_answer *answer, struct fault *fault) MUST_CHECK;

/* The same for what somebody has said is there: if nobody answers, once more; it was lost. */
enum status survey_insist(struct link *link, const uint8_t *bytes, size_t len,
                          struct link_answer *answer, struct fault *fault) MUST_CHECK;

/* The same with everything a request can say. */
enum status survey_request(struct link *link, const struct link_request *request,
                           struct link_answer *answer, struct fault *fault) MUST_CHECK;

/* Look for the bus and read the support bitmaps of every ECU.  ST_OK with support->count 0: the bus
 * sleeps, or nobody answers.  ST_RETRY: the cable is gone.  ST_NONE: stop. */
enum status survey_support(struct link *link, struct support *support,
                           struct fault *fault) MUST_CHECK;

/* Read who the car is: VIN and calibrations.  Once per session; empties *out first. */
enum status survey_identity(struct link *link, const struct support *support, struct diagnosis *out,
                            struct fault *fault) MUST_CHECK;

/* Read how it is: readiness, the three lists of codes and the freeze frames it does not know yet.
 * `physical`: one ECU can be addressed.  What does not answer is left absent; a list that an ECU
 * gave before in this session and does not give now is partial. */
enum status survey_codes(struct link *link, bool physical, struct diagnosis *out,
                         struct fault *fault) MUST_CHECK;

#endif
