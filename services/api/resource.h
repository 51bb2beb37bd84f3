/* services/api/resource.h - rows a customer sets up: geofences, rules, drivers and the like.  Each
 * is a table with id, customer_id and version, and the same five routes; a description says what
 * is its own. */
#ifndef API_RESOURCE_H
#define API_RESOURCE_H

#include "fields.h"
#include "page.h"
#include "tenant.h"

struct resource {
    const char *table; /* and the word in the audit: "geofence.create" */
    const char *json;  /* SQL: one row of alias t as JSON */
    const char *joins; /* SQL after the table: " LEFT JOIN ..."; "" for none */
    const struct field *fields;
    /* Do the members fit together?  `whole` is the row as it would be.  False: the answer is set.
     * NULL: any do. */
    bool (*fits)(const struct request *r, const json_t *whole, struct answer *a);
    bool by_vin; /* lists take ?vin= */
    /* Made or changed by `body`, in that transaction: does it fit what else is there?  ST_NONE: no;
     * the answer is set, the transaction is over.  NULL: it does. */
    enum status (*settles)(struct worker *w, const struct request *r, const char *id,
                           const json_t *body, struct answer *a, struct fault *fault);
    /* About to be deleted, its row locked: may it?  ST_NONE: no, as above.  NULL: it may. */
    enum status (*leaves)(struct worker *w, const struct request *r, struct answer *a,
                          struct fault *fault);
};

extern const struct resource geofence_resource, rule_resource, driver_resource, assignment_resource,
    contract_resource, maintenance_resource, customer_resource, user_resource; /* resources.c */

/* In the tenant's transaction: the row of `id` as the answer, with its ETag.  ST_NONE: 404 is set.
 */
enum status resource_answer(struct worker *w, const struct request *r, const char *id, int code,
                            struct answer *a, struct fault *fault) MUST_CHECK;

/* Are the vehicles and rows that `body` names ours?  ST_NONE: 422 is set, the transaction is over.
 */
enum status resource_refers(struct worker *w, const struct request *r, const struct field *fields,
                            const json_t *body, struct answer *a, struct fault *fault) MUST_CHECK;

#endif
