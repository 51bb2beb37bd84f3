/* services/ingest/facts/privacy.c - one span, the newest. */
#include "privacy.h"

static int64_t newest(const struct privacy *p)
{
    return p->until_ms > p->from_ms ? p->until_ms : p->from_ms;
}

bool privacy_switch(struct privacy *p, int64_t at_ms, bool on)
{
    if (at_ms < newest(p))
        return false;
    if (on && !privacy_is_on(p))
        *p = (struct privacy){.from_ms = at_ms};
    else if (!on && privacy_is_on(p))
        p->until_ms = at_ms;
    return true;
}

bool privacy_is_on(const struct privacy *p)
{
    return p->from_ms > 0 && p->until_ms == 0;
}

bool privacy_is_newer(const struct privacy *p, const struct privacy *than)
{
    return newest(p) > newest(than);
}
