/* vehicle/renewal.c - see renewal.h. */
#include "renewal.h"

#include <string.h>

void renewal_plan(struct renewal *r, int64_t from_ms, int64_t to_ms, double chance)
{
    memset(r, 0, sizeof *r);
    r->pause_ms = RENEWAL_PAUSE_MS;
    if (to_ms <= from_ms)
        return;
    r->from_ms = from_ms;
    r->to_ms = to_ms;
    r->due_ms = from_ms + (int64_t)((double)(to_ms - from_ms) * (0.5 + RENEWAL_SPREAD * chance));
}

bool renewal_begin(struct renewal *r, int64_t now_ms, int64_t boot_ms, bool time_known)
{
    if (r->to_ms == 0 || r->under_way || !time_known || now_ms < r->due_ms ||
        boot_ms < r->again_boot_ms)
        return false;
    r->under_way = true;
    return true;
}

void renewal_ended(struct renewal *r, int64_t boot_ms, bool renewed)
{
    r->under_way = false;
    if (renewed)
        return;
    r->again_boot_ms = boot_ms + r->pause_ms;
    r->pause_ms = r->pause_ms * 2 < RENEWAL_PAUSE_MAX_MS ? r->pause_ms * 2 : RENEWAL_PAUSE_MAX_MS;
}
