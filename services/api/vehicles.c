/* services/api/vehicles.c - reading vehicles: the list and one of them. */
#include <stdio.h>
#include <string.h>

#include "handlers.h"
#include "render.h"
#include "tenant.h"
#include "vehicle_row.h"

#define LIST_STANDARD 100
#define LIST_MOST 500

struct filter {
    int64_t limit;
    const char *after, *text, *connectivity; /* "" when not asked for */
};

/* Words of connectivity, comma-separated. */
static bool is_connectivity(const char *list)
{
    static const char *const words[] = {"online", "late", "lost", "sleeping", "never"};

    for (const char *at = list;;) {
        size_t n = strcspn(at, ",");
        bool known = false;

        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            known |= n == strlen(words[i]) && !strncmp(at, words[i], n);
        if (!known)
            return false;
        if (!at[n])
            return true;
        at += n + 1;
    }
}

static const char *text_arg(const struct request *r, const char *name)
{
    const char *value = request_arg(r, name);

    return value ? value : "";
}

/* ST_NONE: an argument is wrong, the answer is set. */
static enum status read_filter(const struct request *r, struct filter *f, struct answer *a)
{
    struct fault why = {""};

    f->after = text_arg(r, "cursor");
    f->text = text_arg(r, "q");
    f->connectivity = text_arg(r, "connectivity");
    if (request_number(r, "limit", 1, LIST_MOST, LIST_STANDARD, &f->limit, &why) != ST_OK)
        answer_field(a, r, 422, "limit", "range");
    else if (*f->after && !vin_is_valid(f->after, strlen(f->after)))
        answer_field(a, r, 422, "cursor", "cursor");
    else if (strlen(f->text) > 100)
        answer_field(a, r, 422, "q", "length");
    else if (*f->connectivity && !is_connectivity(f->connectivity))
        answer_field(a, r, 422, "connectivity", "unknown");
    else
        return ST_OK;
    return ST_NONE;
}

static void render_list(struct answer *a, const PGresult *rows, const struct filter *f)
{
    int count = PQntuples(rows), shown = count > (int)f->limit ? (int)f->limit : count;

    text_print(&a->body, "{\"items\":[");
    for (int i = 0; i < shown; i++) {
        if (i)
            text_print(&a->body, ",");
        vehicle_row_render(&a->body, rows, i, false);
    }
    text_print(&a->body, "],\"next\":");
    if (count > shown && shown)
        render_text(&a->body, PQgetvalue(rows, shown - 1, 0));
    else
        text_print(&a->body, "null");
    text_print(&a->body, "}");
    answer_json(a, 200);
}

enum status vehicle_list(struct worker *w, const struct request *r, struct answer *a,
                         struct fault *fault)
{
    const char *params[4];
    PGresult *rows = NULL;
    struct filter f;
    char limit[24];
    enum status st;

    if (read_filter(r, &f, a) != ST_OK)
        return ST_NONE;
    snprintf(limit, sizeof limit, "%lld",
             (long long)f.limit + 1); /* one more tells whether there is a next page */
    params[0] = f.after;
    params[1] = f.text;
    params[2] = f.connectivity;
    params[3] = limit;
    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st =
             pg_run(w->pg,
                    "SELECT" VEHICLE_COLUMNS "FROM" VEHICLE_TABLES
                    "WHERE v.status <> 'retired' AND v.vin > $1 AND ($2 = '' OR"
                    " strpos(lower(concat_ws(' ', v.vin, v.name, v.plate, v.make)), lower($2)) > 0)"
                    " AND ($3 = '' OR connectivity(s, now()) = ANY (string_to_array($3, ',')))"
                    " ORDER BY v.vin LIMIT $4::integer",
                    4, params, &rows, fault)) != ST_OK)
        return st;
    render_list(a, rows, &f);
    PQclear(rows);
    return pg_commit(w->pg, fault);
}

enum status vehicle_read(struct worker *w, const struct request *r, struct answer *a,
                         struct fault *fault)
{
    const char *params[] = {r->vin};
    PGresult *rows = NULL;
    char tag[24];
    enum status st;

    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = pg_run(w->pg, "SELECT" VEHICLE_COLUMNS "FROM" VEHICLE_TABLES "WHERE v.vin = $1", 1,
                     params, &rows, fault)) != ST_OK)
        return st;
    if (PQntuples(rows) == 1) {
        snprintf(tag, sizeof tag, "\"v%ld\"", vehicle_row_version(rows, 0));
        answer_header(a, "etag:", "%s", tag);
        vehicle_row_render(&a->body, rows, 0, true);
        answer_json(a, 200);
    } else {
        answer_problem(a, r, 404, "not-found", "There is no such vehicle.");
    }
    PQclear(rows);
    return pg_commit(w->pg, fault);
}
