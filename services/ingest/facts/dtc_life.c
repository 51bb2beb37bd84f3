/* services/ingest/facts/dtc_life.c - codes that come and go. */
#include "dtc_life.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/hash.h"

#define FACTS_ROOM 16

const char *dtc_severity_word(enum dtc_severity s)
{
    static const char *const word[] = {"info", "warning", "minor", "major"};

    return word[s];
}

/* How bad a code is by its family: a heuristic, as no standard says. */
static enum dtc_severity hint_of(const char *code)
{
    static const char *const at_once[] = {"P030", "P031", "P0217", "P0218",
                                          "P052", "B00",  "C00",   "P0606"};
    static const char *const soon[] = {"P02", "P03", "P06", "P07", "P08", "P09", "P0A", "P27", "C"};

    for (size_t i = 0; i < sizeof at_once / sizeof *at_once; i++)
        if (!strncmp(code, at_once[i], strlen(at_once[i])))
            return DTC_MAJOR;
    for (size_t i = 0; i < sizeof soon / sizeof *soon; i++)
        if (!strncmp(code, soon[i], strlen(soon[i])))
            return DTC_MINOR;
    return DTC_WARNING;
}

enum dtc_severity dtc_severity(const struct dtc *dtc)
{
    enum dtc_severity hint = hint_of(dtc->code);

    return dtc->list == DTC_PENDING && hint > DTC_INFO ? hint - 1 : hint;
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

/* ---- memory */
void dtc_life_clear(struct dtc_life *d)
{
    struct dtc_life empty = {.known = d->known,
                             .room = d->room,
                             .places = d->places,
                             .slots = d->slots,
                             .facts = d->facts,
                             .facts_room = d->facts_room};

    if (d->slots)
        memset(d->places, 0, d->slots * sizeof *d->places);
    *d = empty;
}

void dtc_life_done(struct dtc_life *d)
{
    free(d->known);
    free(d->places);
    free(d->facts);
    *d = (struct dtc_life){0};
}

/* Where it is, or where it would be; there is a free place. */
static size_t place_of(const struct dtc_life *d, const struct dtc *dtc)
{
    uint64_t hash = hash_bytes((uint64_t)dtc->list, dtc->code, strlen(dtc->code));
    size_t at = (size_t)hash_bytes(hash, dtc->ecu, strlen(dtc->ecu)) & (d->slots - 1);

    while (d->places[at] && !same(&d->known[d->places[at] - 1].dtc, dtc))
        at = (at + 1) & (d->slots - 1);
    return at;
}

static struct dtc_known *find(const struct dtc_life *d, const struct dtc *dtc)
{
    uint32_t index = d->slots ? d->places[place_of(d, dtc)] : 0;

    return index ? &d->known[index - 1] : NULL;
}

const struct dtc_known *dtc_life_find(const struct dtc_life *d, const struct dtc *dtc)
{
    return find(d, dtc);
}

void dtc_life_recount(struct dtc_life *d, const struct dtc *dtc, int count)
{
    struct dtc_known *known = find(d, dtc);

    if (known)
        known->count = count;
}

/* At most half of the places are taken. */
static bool make_room(struct dtc_life *d)
{
    size_t room = d->room ? 2 * d->room : 16;
    struct dtc_known *known;
    uint32_t *places;

    if (d->n < d->room)
        return true;
    if (!(known = realloc(d->known, room * sizeof *known)))
        return false;
    d->known = known;
    if (!(places = calloc(2 * room, sizeof *places)))
        return false;
    free(d->places);
    d->places = places;
    d->slots = 2 * room;
    d->room = room;
    for (size_t i = 0; i < d->n; i++)
        d->places[place_of(d, &d->known[i].dtc)] = (uint32_t)i + 1;
    return true;
}

void dtc_life_add(struct dtc_life *d, const struct dtc_known *known)
{
    if (find(d, &known->dtc))
        return;
    if (!make_room(d)) {
        d->failed = true;
        return;
    }
    d->places[place_of(d, &known->dtc)] = (uint32_t)d->n + 1;
    d->known[d->n++] = *known;
    d->there_n += known->there;
}

/* ---- a report */
static void tell(struct dtc_life *d, enum dtc_kind kind, const struct dtc_known *k, bool erased)
{
    size_t room = d->facts_room ? 2 * d->facts_room : FACTS_ROOM;
    struct dtc_fact *more = d->facts_n < d->facts_room ? d->facts
                                                       : realloc(d->facts, room * sizeof *more),
                    *f;

    if (!more) {
        d->failed = true;
        return;
    }
    if (d->facts_n == d->facts_room)
        d->facts_room = room;
    d->facts = more;
    f = &d->facts[d->facts_n++];
    *f = (struct dtc_fact){.kind = kind, .erased = erased};
    if (k) {
        f->dtc = k->dtc;
        f->first_ms = k->first_ms;
        f->count = k->count;
    }
}

static void see(struct dtc_life *d, const struct dtc *dtc, int64_t t_ms)
{
    struct dtc_known *k = find(d, dtc);
    bool back = k != NULL;

    if (k && k->there) {
        k->last_ms = t_ms;
        return;
    }
    if (d->there_n >= DTC_THERE_MAX) {
        d->forgotten++;
        return;
    }
    if (!k) {
        dtc_life_add(d, &(struct dtc_known){.dtc = *dtc, .first_ms = t_ms});
        if (!(k = find(d, dtc)))
            return;
    }
    k->there = true;
    k->last_ms = t_ms;
    k->gone_ms = 0;
    k->count++;
    d->there_n++;
    tell(d, back ? DTC_BACK : DTC_NEW, k, false);
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

static void mark_listed(struct dtc_life *d, const struct dtc_report *r)
{
    for (size_t i = 0; i < d->n; i++)
        d->known[i].listed = false;
    for (size_t i = 0; i < r->n; i++) {
        struct dtc_known *k = find(d, &r->codes[i]);

        if (k)
            k->listed = true;
    }
}

/* Those that a list which was read in full has no more. */
static bool lose(struct dtc_life *d, const struct dtc_report *r, bool erased)
{
    bool went = false;

    mark_listed(d, r);
    for (size_t i = 0; i < d->n; i++) {
        struct dtc_known *k = &d->known[i];

        if (!k->there || k->listed || r->extent[k->dtc.list] != DTC_FULL || k->last_ms == r->t_ms)
            continue;
        k->there = false;
        k->gone_ms = r->t_ms;
        d->there_n--;
        went = true;
        tell(d, DTC_GONE, k, erased);
    }
    return went;
}

static void see_lamp(struct dtc_life *d, int mil)
{
    if (mil != d->mil)
        tell(d, mil ? DTC_MIL_ON : DTC_MIL_OFF, NULL, false);
    d->mil = mil;
}

/* Of those that came, or of those that went. */
static size_t crowd(struct dtc_life *d, bool came)
{
    size_t cases = 0, caseless = 0;

    for (int severity = DTC_MAJOR; severity >= DTC_INFO; severity--)
        for (size_t i = 0; i < d->facts_n; i++) {
            struct dtc_fact *f = &d->facts[i];

            if ((came ? f->kind != DTC_NEW && f->kind != DTC_BACK : f->kind != DTC_GONE) ||
                (int)dtc_severity(&f->dtc) != severity)
                continue;
            f->crowded = cases++ >= DTC_CASES_MAX;
            caseless += f->crowded;
        }
    return caseless;
}

size_t dtc_life_step(struct dtc_life *d, const struct dtc_report *r)
{
    bool more = r->t_ms == d->t_ms; /* of the same time */
    bool fell = !more && distance_fell(d, r);
    bool erased = fell || (!more && monitors_fell(d, r));

    d->facts_n = d->caseless = 0;
    if (r->t_ms < d->t_ms)
        return 0;
    d->t_ms = r->t_ms;
    if (!lose(d, r, erased) && erased)
        tell(d, DTC_ERASED, NULL, true);
    for (size_t i = 0; i < d->facts_n; i++)
        d->facts[i].fell = fell;
    for (size_t i = 0; i < r->n; i++)
        if (r->codes[i].list < DTC_LISTS)
            see(d, &r->codes[i], r->t_ms);
    if (r->mil > 0 || (r->mil == 0 && !more))
        see_lamp(d, r->mil);
    if (r->readiness_known) {
        d->readiness_known = true;
        d->supported = r->supported;
        d->incomplete = r->incomplete;
    }
    if (isfinite(r->cleared_km) && !more) {
        d->cleared_known = true;
        d->cleared_km = r->cleared_km;
    }
    d->caseless = crowd(d, true) + crowd(d, false);
    return d->facts_n;
}

void dtc_life_ground(struct dtc_life *d, const struct dtc_report *first)
{
    mark_listed(d, first);
    d->there_n = 0;
    for (size_t i = 0; i < d->n; i++) {
        struct dtc_known *k = &d->known[i];

        k->there = k->listed || (k->there && first->extent[k->dtc.list] != DTC_FULL);
        k->last_ms = k->listed ? first->t_ms : k->first_ms;
        k->gone_ms = k->there ? 0 : first->t_ms;
        d->there_n += k->there;
    }
    d->mil = first->mil > 0;
}

bool dtc_life_is_last(const struct dtc_life *end, const struct dtc_fact *fact)
{
    bool came = fact->kind == DTC_NEW || fact->kind == DTC_BACK;
    const struct dtc_known *k;

    if (!came && fact->kind != DTC_GONE)
        return true;
    k = find(end, &fact->dtc);
    return k && k->count == fact->count && k->there == came;
}
