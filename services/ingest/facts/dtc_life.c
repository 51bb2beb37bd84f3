/* services/ingest/facts/dtc_life.c - codes that come and go. */
#include "dtc_life.h"

#include <math.h>
#include <string.h>

const char *dtc_severity_word(enum dtc_severity s)
{
    static const char *const word[] = {"info", "warning", "minor", "major"};

    return word[s];
}

enum dtc_severity dtc_severity(enum dtc_severity hint, enum dtc_list list)
{
    return list == DTC_PENDING && hint > DTC_INFO ? hint - 1 : hint;
}

const char *dtc_list_word(enum dtc_list list)
{
    static const char *const word[DTC_LISTS] = {"stored", "pending", "permanent"};

    return word[list];
}

int dtc_list_of(const char *word)
{
    for (int i = 0; i < DTC_LISTS; i++)
        if (!strcmp(word, dtc_list_word((enum dtc_list)i)))
            return i;
    return -1;
}

enum dtc_extent dtc_extent_of(const char *word)
{
    return !strcmp(word, "full") ? DTC_FULL : !strcmp(word, "partial") ? DTC_PARTIAL : DTC_ABSENT;
}

static bool same(const struct dtc *a, const struct dtc *b)
{
    return a->list == b->list && !strcmp(a->code, b->code) && !strcmp(a->ecu, b->ecu);
}

struct facts {
    struct dtc_fact *out;
    size_t n;
};

static void tell(struct facts *f, enum dtc_kind kind, const struct dtc_known *k, bool erased)
{
    if (f->n >= DTC_FACTS_MAX)
        return;
    f->out[f->n] = (struct dtc_fact){.kind = kind, .erased = erased};
    if (k) {
        f->out[f->n].dtc = k->dtc;
        f->out[f->n].first_ms = k->first_ms;
        f->out[f->n].count = k->count;
    }
    f->n++;
}

/* Room for a code that was never seen: a free place, else that of the one longest gone. */
static struct dtc_known *room(struct dtc_life *d)
{
    struct dtc_known *oldest = NULL;

    if (d->n < DTC_MAX)
        return &d->known[d->n++];
    for (size_t i = 0; i < d->n; i++)
        if (!d->known[i].there && (!oldest || d->known[i].gone_ms < oldest->gone_ms))
            oldest = &d->known[i];
    return oldest;
}

static void see(struct dtc_life *d, const struct dtc *dtc, int64_t t_ms, struct facts *f)
{
    struct dtc_known *k = NULL;
    bool back;

    for (size_t i = 0; i < d->n && !k; i++)
        k = same(&d->known[i].dtc, dtc) ? &d->known[i] : NULL;
    if (k && k->there) {
        k->last_ms = t_ms;
        return;
    }
    back = k != NULL;
    if (!k) {
        k = room(d);
        if (!k) {
            d->forgotten++;
            return;
        }
        *k = (struct dtc_known){.dtc = *dtc, .first_ms = t_ms};
    }
    k->there = true;
    k->last_ms = t_ms;
    k->gone_ms = 0;
    k->count++;
    tell(f, back ? DTC_BACK : DTC_NEW, k, false);
}

/* The car's own witnesses that somebody cleared its codes: the distance since then, and the
 * monitors, fall back together. */
static bool distance_fell(const struct dtc_life *d, const struct dtc_report *r)
{
    return r->fell ||
           (d->cleared_known && isfinite(r->cleared_km) && r->cleared_km < d->cleared_km);
}

static bool monitors_fell(const struct dtc_life *d, const struct dtc_report *r)
{
    uint32_t were_complete = d->supported & ~d->incomplete;

    return d->readiness_known && r->readiness_known &&
           (were_complete & r->supported & r->incomplete) != 0;
}

static bool listed(const struct dtc_report *r, const struct dtc *dtc)
{
    for (size_t i = 0; i < r->n; i++)
        if (same(&r->codes[i], dtc))
            return true;
    return false;
}

size_t dtc_life_step(struct dtc_life *d, const struct dtc_report *r,
                     struct dtc_fact out[DTC_FACTS_MAX])
{
    struct facts f = {.out = out};
    bool fell, erased, went = false;

    if (r->t_ms <= d->t_ms)
        return 0;
    d->t_ms = r->t_ms;
    fell = distance_fell(d, r);
    erased = fell || monitors_fell(d, r);
    for (size_t i = 0; i < d->n; i++) {
        struct dtc_known *k = &d->known[i];

        if (!k->there || r->extent[k->dtc.list] != DTC_FULL || listed(r, &k->dtc))
            continue;
        k->there = false;
        k->gone_ms = r->t_ms;
        went = true;
        tell(&f, DTC_GONE, k, erased);
    }
    if (erased && !went)
        tell(&f, DTC_ERASED, NULL, true);
    for (size_t i = 0; i < f.n; i++)
        out[i].fell = fell;
    for (size_t i = 0; i < r->n; i++)
        if (r->codes[i].list < DTC_LISTS)
            see(d, &r->codes[i], r->t_ms, &f);
    if (r->mil >= 0 && r->mil != d->mil)
        tell(&f, r->mil ? DTC_MIL_ON : DTC_MIL_OFF, NULL, false);
    d->mil = r->mil >= 0 ? r->mil : d->mil;
    if (r->readiness_known) {
        d->readiness_known = true;
        d->supported = r->supported;
        d->incomplete = r->incomplete;
    }
    if (isfinite(r->cleared_km)) {
        d->cleared_known = true;
        d->cleared_km = r->cleared_km;
    }
    return f.n;
}

void dtc_life_ground(struct dtc_life *d, const struct dtc_report *first)
{
    for (size_t i = 0; i < d->n; i++) {
        struct dtc_known *k = &d->known[i];

        k->there = listed(first, &k->dtc);
        k->last_ms = k->there ? first->t_ms : k->first_ms;
        k->gone_ms = k->there ? 0 : first->t_ms;
    }
    d->mil = first->mil > 0;
}

bool dtc_life_is_last(const struct dtc_life *end, const struct dtc_fact *fact)
{
    bool came = fact->kind == DTC_NEW || fact->kind == DTC_BACK;

    if (!came && fact->kind != DTC_GONE)
        return true;
    for (size_t i = 0; i < end->n; i++)
        if (same(&end->known[i].dtc, &fact->dtc))
            return end->known[i].count == fact->count && end->known[i].there == came;
    return false;
}
