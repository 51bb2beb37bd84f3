/* services/api/tenant.h - the one way a handler gets at tables: a transaction whose role and tenant
 * are set first. Whatever the connection's own role may do, inside these only the role's policies
 * count. */
#ifndef API_TENANT_H
#define API_TENANT_H

#include "workers.h"

/* Begin as vigie_api with the tenant of the token, and check that the token is still good: user
 * there, not disabled, epoch not raised.  ST_NONE: it is void; the answer (401) is set and the
 * transaction is over. */
enum status tenant_begin(struct worker *w, const struct request *r, struct answer *a,
                         struct fault *fault) MUST_CHECK;
/* Begin as vigie_login (before a tenant is known) or vigie_enroll. */
enum status login_begin(struct worker *w, struct fault *fault) MUST_CHECK;
enum status enroll_begin(struct worker *w, struct fault *fault) MUST_CHECK;
/* vigie_dispatch: what the api does by itself, for every customer. */
enum status dispatch_begin(struct worker *w, struct fault *fault) MUST_CHECK;

/* Is the vehicle of r->vin one of ours?  ST_NONE: no; the answer (404) is set. */
enum status tenant_owns(struct worker *w, const struct request *r, struct answer *a,
                        struct fault *fault) MUST_CHECK;

/* Does If-Match name `version`, that of a row (NULL: there is none)?  ST_NONE: no; 400, 404, 412 or
 * 428 is set and the transaction is over. */
enum status tenant_matches(struct worker *w, const struct request *r, const char *version,
                           struct answer *a) MUST_CHECK;

#endif
