/* services/api/respond.c - answers and problems. */
#include "respond.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "render.h"

void answer_init(struct answer *a)
{
    memset(a, 0, sizeof *a);
    text_init(&a->body);
}

void answer_done(struct answer *a)
{
    if (a->body.bytes)
        explicit_bzero(a->body.bytes, a->body.len); /* it may hold a token */
    text_done(&a->body);
}

void answer_reset(struct answer *a)
{
    answer_done(a);
    answer_init(a);
}

void answer_header(struct answer *a, const char *name, const char *format, ...)
{
    va_list args;

    if (a->header_count == ANSWER_HEADERS_MAX)
        return;
    a->headers[a->header_count].name = name;
    va_start(args, format);
    vsnprintf(a->headers[a->header_count].value, sizeof a->headers[0].value, format, args);
    va_end(args);
    a->header_count++;
}

void answer_json(struct answer *a, int code)
{
    a->code = code;
    a->content_type = "application/json";
}

void answer_empty(struct answer *a)
{
    text_clear(&a->body);
    a->code = 204;
    a->content_type = NULL;
}

const char *answer_title(int code)
{
    static const struct {
        int code;
        const char *title;
    } titles[] = {
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {409, "Conflict"},
        {410, "Gone"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {422, "Unprocessable Content"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (titles[i].code == code)
            return titles[i].title;
    return "Error";
}

static void begin_problem(struct answer *a, const struct request *r, int code, const char *type,
                          const char *detail)
{
    text_clear(&a->body);
    a->borrowed = NULL;
    a->code = code;
    a->content_type = "application/problem+json";
    snprintf(a->reason, sizeof a->reason, "%s", type);
    text_print(&a->body, "{");
    render_key(&a->body, "type");
    render_text(&a->body, type);
    render_key(&a->body, "title");
    render_text(&a->body, answer_title(code));
    text_print(&a->body, ",\"status\":%d", code);
    render_key(&a->body, "detail");
    render_text(&a->body, detail);
    render_key(&a->body, "instance");
    render_text(&a->body, r->id_text);
}

void answer_problem(struct answer *a, const struct request *r, int code, const char *type,
                    const char *detail)
{
    begin_problem(a, r, code, type, detail);
    text_print(&a->body, "}");
}

/* The codes of `errors`, in words for people. */
static const char *sentence_of(const char *what)
{
    static const struct {
        const char *code, *sentence;
    } said[] = {
        {"area", "the corners enclose nothing: they are equal or on one line"},
        {"blank", "white space, and nothing to see"},
        {"count", "not as many points as this kind has"},
        {"crossed", "edges cross each other"},
        {"date", "no date as 2026-01-31"},
        {"decimals", "more than two decimals"},
        {"empty", "a schedule without hours (null: always)"},
        {"fixed", "cannot be changed"},
        {"id", "no id"},
        {"length", "too long, empty, or with a control character"},
        {"line", "a line of no length"},
        {"missing", "is needed"},
        {"never", "a schedule that excepts the whole week"},
        {"points", "no list of [lon, lat] on the globe"},
        {"range", "out of range"},
        {"schedule", "no schedule of days and hours"},
        {"time", "no time as 2026-01-31T09:00:00Z"},
        {"type", "of another type"},
        {"unknown", "not known here"},
        {"vin", "no VIN"},
    };

    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if (!strcmp(what, said[i].code))
            return said[i].sentence;
    return "not a value this route takes";
}

void answer_field(struct answer *a, const struct request *r, int code, const char *pointer,
                  const char *what)
{
    char detail[256];

    (void)snprintf(detail, sizeof detail, "%.128s: %s.", pointer, sentence_of(what));
    answer_member(a, r, code, pointer, what, detail);
}

void answer_member(struct answer *a, const struct request *r, int code, const char *pointer,
                   const char *what, const char *detail)
{
    begin_problem(a, r, code, "invalid", detail);
    text_print(&a->body, ",\"errors\":[{");
    render_key(&a->body, "pointer");
    render_text(&a->body, pointer);
    render_key(&a->body, "code");
    render_text(&a->body, what);
    text_print(&a->body, "}]}");
}

void answer_retry_after(struct answer *a, int seconds)
{
    answer_header(a, "retry-after:", "%d", seconds < 1 ? 1 : seconds);
}
