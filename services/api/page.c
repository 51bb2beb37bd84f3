/* services/api/page.c - pages of lists. */
#include "page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "render.h"

#define SPAN_MOST_MS (INT64_C(400) * 24 * 3600 * 1000)
#define US_MOST "253402300799000000" /* the end of year 9999 */
#define ID_MOST "ffffffff-ffff-ffff-ffff-ffffffffffff"

enum status page_read(const struct request *r, struct page *p, struct answer *a)
{
    const char *cursor = request_arg(r, "cursor");
    struct fault why = {""};

    p->cursor = cursor ? cursor : "";
    if (request_number(r, "limit", 1, PAGE_MOST, PAGE_STANDARD, &p->limit, &why) != ST_OK) {
        answer_field(a, r, 422, "limit", "range");
        return ST_NONE;
    }
    snprintf(p->ask, sizeof p->ask, "%lld", (long long)p->limit + 1);
    return ST_OK;
}

static bool is_number(const char *text, size_t len)
{
    return len >= 1 && len <= 18 && strspn(text, "0123456789") >= len;
}

static enum status bad_cursor(const struct request *r, struct answer *a)
{
    answer_field(a, r, 422, "cursor", "cursor");
    return ST_NONE;
}

enum status page_number(const struct request *r, struct page *p, const char *from_start,
                        struct answer *a)
{
    if (!*p->cursor)
        p->cursor = from_start;
    else if (!is_number(p->cursor, strlen(p->cursor)))
        return bad_cursor(r, a);
    return ST_OK;
}

enum status page_by_time(const struct request *r, const struct page *p, struct page_time *t,
                         struct answer *a)
{
    size_t digits = strcspn(p->cursor, ".");

    snprintf(t->us, sizeof t->us, US_MOST);
    snprintf(t->id, sizeof t->id, ID_MOST);
    if (!*p->cursor)
        return ST_OK;
    if (!is_number(p->cursor, digits) || p->cursor[digits] != '.' ||
        !uuid_is_valid(p->cursor + digits + 1, strlen(p->cursor + digits + 1)))
        return bad_cursor(r, a);
    snprintf(t->us, sizeof t->us, "%.*s", (int)digits, p->cursor);
    snprintf(t->id, sizeof t->id, "%s", p->cursor + digits + 1);
    return ST_OK;
}

enum status page_span(const struct request *r, int64_t standard_ms, struct page_span *s,
                      struct answer *a)
{
    struct fault why = {""};

    if (request_time(r, "to", clock_now_ms(), &s->to_ms, &why) != ST_OK)
        answer_field(a, r, 422, "to", "time");
    else if (request_time(r, "from", s->to_ms - standard_ms, &s->from_ms, &why) != ST_OK)
        answer_field(a, r, 422, "from", "time");
    else if (s->from_ms >= s->to_ms || s->from_ms < 0 || s->to_ms - s->from_ms > SPAN_MOST_MS)
        answer_field(a, r, 422, "from", "range");
    else {
        snprintf(s->from, sizeof s->from, "%lld", (long long)s->from_ms);
        snprintf(s->to, sizeof s->to, "%lld", (long long)s->to_ms);
        return ST_OK;
    }
    return ST_NONE;
}

static bool is_one_of(const char *word, size_t len, const char *const *words)
{
    for (; *words; words++)
        if (strlen(*words) == len && !strncmp(word, *words, len))
            return true;
    return false;
}

enum status page_words(const struct request *r, const char *name, const char *const *words,
                       const char **out, struct answer *a)
{
    const char *list = request_arg(r, name);

    *out = list ? list : "";
    for (const char *at = list; at && *list;) {
        size_t n = strcspn(at, ",");

        if (!is_one_of(at, n, words)) {
            answer_field(a, r, 422, name, "unknown");
            return ST_NONE;
        }
        at = at[n] ? at + n + 1 : NULL;
    }
    return ST_OK;
}

int page_items(struct answer *a, const PGresult *rows, int most)
{
    size_t before = a->body.len;
    int shown = 0;

    text_print(&a->body, "{\"items\":[");
    for (; shown < most &&
           (shown == 0 || a->body.len - before + (size_t)PQgetlength(rows, shown, 0) < PAGE_BYTES);
         shown++) {
        if (shown)
            text_add(&a->body, ",", 1);
        text_add(&a->body, PQgetvalue(rows, shown, 0), (size_t)PQgetlength(rows, shown, 0));
    }
    text_add(&a->body, "]", 1);
    return shown;
}

void page_answer(struct answer *a, const PGresult *rows, const struct page *p)
{
    int count = PQntuples(rows);
    int shown = page_items(a, rows, count > (int)p->limit ? (int)p->limit : count);

    text_print(&a->body, ",\"next\":");
    if (count > shown && shown)
        render_text(&a->body, PQgetvalue(rows, shown - 1, 1));
    else
        text_print(&a->body, "null");
    text_print(&a->body, "}");
    answer_json(a, 200);
}

enum status page_answer_one(struct answer *a, const struct request *r, const PGresult *rows,
                            int code, const char *absent)
{
    if (PQntuples(rows) != 1) {
        answer_problem(a, r, 404, "not-found", absent);
        return ST_NONE;
    }
    answer_header(a, "etag:", "\"v%s\"", PQgetvalue(rows, 0, 1));
    text_add(&a->body, PQgetvalue(rows, 0, 0), (size_t)PQgetlength(rows, 0, 0));
    answer_json(a, code);
    return ST_OK;
}
