/* services/api/rules.h - how many rules a vehicle may have: as many as ingest follows. */
#ifndef API_RULES_H
#define API_RULES_H

#include "tenant.h"

#define RULES_OF_A_VEHICLE 16 /* that are on; RULES_MAX of ingest */

/* In the transaction of a change: does any vehicle have more?  Asked of those that `rule` is about,
 * or (rule NULL) of the one `vin`.  ST_NONE: one has; 422 is set, the transaction is over.  Changes
 * of one customer's rules wait for each other here. */
enum status rules_fit(struct worker *w, const struct request *r, const char *rule, const char *vin,
                      struct answer *a, struct fault *fault) MUST_CHECK;

/* The same for a rule that `body` made or changed; struct resource's. */
enum status rule_settles(struct worker *w, const struct request *r, const char *id,
                         const json_t *body, struct answer *a, struct fault *fault) MUST_CHECK;

#endif
