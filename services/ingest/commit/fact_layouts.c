/* services/ingest/commit/fact_layouts.c - ours is told once; those of others are read when a state
 * turns up that is not ours. */
#include "fact_layouts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/ingest/car/fields.h"
#include "services/ingest/car/pack.h"

struct other {
    int64_t number;
    struct layout theirs, ours; /* the second paired with the first */
    char *bytes;                /* room for a state of theirs; NULL: it cannot be read */
};

struct fact_layouts {
    struct pg *db;
    struct text own;
    int64_t number;
    struct other *others;
    size_t n;
    PGresult *told;
    bool is_told;
    struct text known;
};

static bool describe(struct fact_layouts *l)
{
    struct layout own = {0};
    bool made = layout_make(&own, fields_of_car, sizeof(struct car));

    if (made)
        layout_print(&own, FIELDS_AGE, &l->own);
    layout_done(&own);
    if (!made || l->own.failed)
        return false;
    l->number = layout_number(l->own.bytes, l->own.len);
    return true;
}

enum status fact_layouts_open(struct fact_layouts **out, struct pg *db, struct fault *fault)
{
    struct fact_layouts *l = calloc(1, sizeof *l);

    if (!l)
        return fault_set(fault, ST_FATAL, "out of memory");
    l->db = db;
    text_init(&l->own);
    text_init(&l->known);
    if (!describe(l)) {
        fact_layouts_close(l);
        return fault_set(fault, ST_FATAL, "out of memory for the layout of a state");
    }
    *out = l;
    return ST_OK;
}

static void forget(struct other *o)
{
    layout_done(&o->theirs);
    layout_done(&o->ours);
    free(o->bytes);
}

void fact_layouts_close(struct fact_layouts *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->n; i++)
        forget(&l->others[i]);
    free(l->others);
    PQclear(l->told);
    text_done(&l->own);
    text_done(&l->known);
    free(l);
}

int64_t fact_layouts_own(const struct fact_layouts *l)
{
    return l->number;
}

/* ---- ours */
enum status fact_layouts_ask(struct fact_layouts *l, struct fault *fault)
{
    char number[24];
    const char *params[] = {number};
    const struct pg_statement ask = {
        .sql = "SELECT FROM fact_layout WHERE layout = $1::bigint", .n = 1, .params = params};

    if (l->is_told)
        return ST_OK;
    PQclear(l->told);
    l->told = NULL;
    (void)snprintf(number, sizeof number, "%lld", (long long)l->number);
    return pg_queue(l->db, &ask, &l->told, fault);
}

/* What this transaction found told another has committed: it is there whatever becomes of us. */
enum status fact_layouts_tell(struct fact_layouts *l, struct fault *fault)
{
    char number[24];
    const char *params[] = {number, l->own.bytes};
    const struct pg_statement tell = {
        .sql = "INSERT INTO fact_layout (layout, fields) VALUES ($1::bigint, $2) "
               "ON CONFLICT DO NOTHING",
        .n = 2,
        .params = params};

    if (l->told && PQntuples(l->told) > 0)
        l->is_told = true;
    PQclear(l->told);
    l->told = NULL;
    if (l->is_told)
        return ST_OK;
    (void)snprintf(number, sizeof number, "%lld", (long long)l->number);
    return pg_queue(l->db, &tell, NULL, fault);
}

/* ---- those of others */
static bool knows(const struct fact_layouts *l, int64_t number)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->others[i].number == number)
            return true;
    return number == l->number;
}

/* One that this build cannot read is remembered as such. */
static bool learn(struct fact_layouts *l, int64_t number, const char *fields)
{
    struct other *more = realloc(l->others, (l->n + 1) * sizeof *more), *o;

    if (!more)
        return false;
    l->others = more;
    o = &more[l->n++];
    *o = (struct other){.number = number};
    if (layout_scan(&o->theirs, FIELDS_AGE, fields) &&
        layout_make(&o->ours, fields_of_car, sizeof(struct car)) &&
        layout_pair(&o->ours, &o->theirs))
        o->bytes = malloc(o->theirs.size);
    return true;
}

enum status fact_layouts_learn(struct fact_layouts *l, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st = pg_run(l->db, "SELECT layout, fields FROM fact_layout", 0, NULL, &rows, fault);

    if (st != ST_OK)
        return st;
    for (int i = 0; i < PQntuples(rows) && st == ST_OK; i++) {
        int64_t number = pg_text_int8(rows, i, 0);

        if (!knows(l, number) && !learn(l, number, PQgetvalue(rows, i, 1)))
            st = fault_set(fault, ST_RETRY, "out of memory for layouts");
    }
    PQclear(rows);
    return st;
}

const char *fact_layouts_known(struct fact_layouts *l)
{
    text_clear(&l->known);
    text_print(&l->known, "{%lld", (long long)l->number);
    for (size_t i = 0; i < l->n; i++)
        if (l->others[i].bytes)
            text_print(&l->known, ",%lld", (long long)l->others[i].number);
    text_print(&l->known, "}");
    return l->known.failed ? "{}" : l->known.bytes;
}

bool fact_layouts_read(struct fact_layouts *l, int64_t layout, const char *packed, size_t len,
                       struct car *out)
{
    if (layout == l->number)
        return pack_read(out, sizeof *out, packed, len);
    for (size_t i = 0; i < l->n; i++) {
        const struct other *o = &l->others[i];

        if (o->number == layout)
            return o->bytes && pack_read(o->bytes, o->theirs.size, packed, len) &&
                   layout_convert(out, &o->ours, o->bytes, &o->theirs);
    }
    return false;
}
