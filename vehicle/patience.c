/* vehicle/patience.c - see patience.h. */
#include "patience.h"

static void arm(struct patience *p, int64_t boot_ms)
{
    p->again_ms = boot_ms + backoff_next(&p->pause);
}

void patience_begin(struct patience *p, const struct ledger *l, int64_t first_ms, int64_t last_ms,
                    int64_t boot_ms)
{
    p->pause = (struct backoff){first_ms, last_ms, 0};
    p->settled = ledger_settled_count(l);
    p->owed = ledger_next_unsettled(l, 1);
    arm(p, boot_ms);
}

void patience_heard(struct patience *p, const struct ledger *l, int64_t boot_ms)
{
    int64_t settled = ledger_settled_count(l), owed = ledger_next_unsettled(l, 1);
    int64_t latest_ms = p->again_ms;

    if (settled > p->settled) {
        backoff_reset(&p->pause);
        arm(p, boot_ms);
        if (owed <= p->owed && p->again_ms > latest_ms)
            p->again_ms = latest_ms;
    }
    p->settled = settled;
    p->owed = owed;
}

bool patience_is_over(struct patience *p, const struct ledger *l, int64_t given, int64_t boot_ms)
{
    if (ledger_next_unsettled(l, 1) > given) { /* nothing is owed: it begins with the next */
        backoff_reset(&p->pause);
        arm(p, boot_ms);
        return false;
    }
    if (boot_ms < p->again_ms)
        return false;
    arm(p, boot_ms);
    return true;
}
