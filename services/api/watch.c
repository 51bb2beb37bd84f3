/* services/api/watch.c - somebody looks at a vehicle: for a while it is to tell more of itself.
 * Whoever looks on asks again, so nothing is left to be taken back by who went away. */
#include "config.h"
#include "handlers.h"
#include "tenant.h"

enum status watch_set(struct worker *w, const struct request *r, struct answer *a,
                      struct fault *fault)
{
    enum status st;

    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = tenant_owns(w, r, a, fault)) != ST_OK ||
        (st = config_watch(w->pg, w->shared->set, r->vin, fault)) != ST_OK)
        return st;
    answer_empty(a);
    return pg_commit(w->pg, fault);
}
