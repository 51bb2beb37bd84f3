/* vehicle/ledger.c - see ledger.h. */
#include "ledger.h"

#include <string.h>

void ledger_init(struct ledger *l)
{
    memset(l, 0, sizeof *l);
}

void ledger_require(struct ledger *l, char (*sites)[LEDGER_SITE_TEXT], size_t count)
{
    l->required_count = count < LEDGER_SITES_MAX ? count : LEDGER_SITES_MAX;
    memset(l->required, 0, sizeof l->required);
    for (size_t i = 0; i < l->required_count; i++)
        memcpy(l->required[i], sites[i], LEDGER_SITE_TEXT);
}

static const struct ack *ledger_site(const struct ledger *l, const char *site)
{
    for (size_t i = 0; i < l->site_count; i++)
        if (strcmp(l->sites[i].site, site) == 0)
            return &l->sites[i];
    return NULL;
}

static int64_t mark_count(const struct watermark *w)
{
    int64_t n = w->upto;

    for (size_t i = 0; i < w->gap_count; i++)
        n -= w->gaps[i].last - w->gaps[i].first + 1;
    return n;
}

enum status ledger_take(struct ledger *l, const struct ack *ack, int64_t given)
{
    struct ack *known = NULL;
    int64_t before = 0, after = mark_count(&ack->mark);

    if (ack->mark.upto > given)
        return ST_REJECT;
    for (size_t i = 0; i < l->site_count && known == NULL; i++)
        if (strcmp(l->sites[i].site, ack->site) == 0)
            known = &l->sites[i];
    if (known == NULL) {
        if (l->site_count == LEDGER_SITES_MAX)
            return ST_REJECT;
        known = &l->sites[l->site_count++];
        *known = *ack;
        return after > 0 ? ST_OK : ST_NONE;
    }
    before = mark_count(&known->mark);
    *known = *ack;
    if (after == before)
        return ST_NONE;
    return after > before ? ST_OK : ST_RETRY;
}

/* The lowest number >= from that a watermark has not. */
static int64_t mark_next_missing(const struct watermark *w, int64_t from)
{
    if (from > w->upto)
        return from;
    for (size_t i = 0; i < w->gap_count; i++)
        if (w->gaps[i].last >= from)
            return w->gaps[i].first > from ? w->gaps[i].first : from;
    return w->upto + 1;
}

int64_t ledger_next_unheard(const struct ledger *l, int64_t from)
{
    int64_t seq = from < 1 ? 1 : from, before;

    do {
        before = seq;
        for (size_t i = 0; i < l->site_count; i++)
            seq = mark_next_missing(&l->sites[i].mark, seq);
    } while (seq != before);
    return seq;
}

int64_t ledger_next_unsettled(const struct ledger *l, int64_t from)
{
    int64_t lowest = INT64_MAX, seq;

    if (from < 1)
        from = 1;
    if (l->required_count == 0)
        return ledger_next_unheard(l, from);
    for (size_t i = 0; i < l->required_count; i++) {
        const struct ack *site = ledger_site(l, l->required[i]);

        seq = site == NULL ? from : mark_next_missing(&site->mark, from);
        if (seq < lowest)
            lowest = seq;
    }
    return lowest;
}

bool ledger_is_settled(const struct ledger *l, int64_t seq)
{
    return ledger_next_unsettled(l, seq) != seq;
}

bool ledger_is_heard(const struct ledger *l, int64_t seq)
{
    return ledger_next_unheard(l, seq) != seq;
}

/* The lowest number >= from that every required site has; 0 none. */
static int64_t ledger_next_stored(const struct ledger *l, int64_t from)
{
    int64_t seq = from, before;

    do {
        before = seq;
        for (size_t i = 0; i < l->required_count; i++) {
            const struct ack *site = ledger_site(l, l->required[i]);

            if (site == NULL || seq > site->mark.upto)
                return 0;
            for (size_t k = 0; k < site->mark.gap_count; k++)
                if (seq >= site->mark.gaps[k].first && seq <= site->mark.gaps[k].last)
                    seq = site->mark.gaps[k].last + 1;
        }
    } while (seq != before);
    return seq;
}

bool ledger_stored_range(const struct ledger *l, int64_t from, struct seq_range *out)
{
    int64_t first = l->required_count == 0 ? 0 : ledger_next_stored(l, from < 1 ? 1 : from);

    if (first == 0)
        return false;
    out->first = first;
    out->last = ledger_next_unsettled(l, first) - 1;
    return true;
}

int64_t ledger_settled_count(const struct ledger *l)
{
    struct seq_range range;
    int64_t n = 0, from = 1;

    if (l->required_count == 0) {
        for (size_t i = 0; i < l->site_count; i++)
            n += mark_count(&l->sites[i].mark);
        return n;
    }
    while (ledger_stored_range(l, from, &range)) {
        n += range.last - range.first + 1;
        from = range.last + 1;
    }
    return n;
}
