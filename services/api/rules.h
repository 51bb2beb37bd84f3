/* services/api/rules.h - how many rules a vehicle may have: as many as ingest follows; and whether
 * the geofence of a rule is one of the vehicles that it is for: of others nobody knows whether they
 * are inside. */
#ifndef API_RULES_H
#define API_RULES_H

#include "tenant.h"

#define RULES_OF_A_VEHICLE 16 /* that are on; RULES_MAX of ingest */

/* In the transaction of a vehicle's change to another group: can it have its rules there?  ST_NONE:
 * no; 422 or 409 is set, the transaction is over. */
enum status rules_follow(struct worker *w, const struct request *r, const char *vin,
                         struct answer *a, struct fault *fault) MUST_CHECK;

/* The same for the vehicles of a rule that `body` made or changed; struct resource's. */
enum status rule_settles(struct worker *w, const struct request *r, const char *id,
                         const json_t *body, struct answer *a, struct fault *fault) MUST_CHECK;
/* No rule that is on may fall silent by the change of a geofence (409); nor may one go with it. */
enum status geofence_settles(struct worker *w, const struct request *r, const char *id,
                             const json_t *body, struct answer *a, struct fault *fault) MUST_CHECK;
enum status geofence_leaves(struct worker *w, const struct request *r, struct answer *a,
                            struct fault *fault) MUST_CHECK;

#endif
