/* services/api/audit.h - who did what, and who looked at what.  Insert only; each row of a customer
 * carries the hash of the one before, so that a missing or altered row shows. */
#ifndef API_AUDIT_H
#define API_AUDIT_H

#include "workers.h"

struct audit_entry {
    const char *customer, *user; /* UUIDs; NULL: not known */
    const char *action;          /* "track.read" */
    const char *vin;             /* NULL: none */
    const char *detail;          /* a JSON object; NULL: {} */
    const char *address;
};

/* Write one row in the transaction that is open on `pg`. */
enum status audit_add(struct pg *pg, const struct audit_entry *entry,
                      struct fault *fault) MUST_CHECK;
/* The same for a signed-in request. */
enum status audit_request(struct worker *w, const struct request *r, const char *action,
                          const char *detail, struct fault *fault) MUST_CHECK;

#endif
