/* services/ingest/commit/news.c */
#include "news.h"

#include <stdio.h>
#include <string.h>

static void end_payload(struct columns *c, struct text *text, const char *site)
{
    if (text->len > 0)
        pg_array_text(&c->column[0], text->bytes, text->len);
    text_clear(text);
    text_print(text, "%s\n", site);
}

enum status news_tell(struct marks *m, struct pg *db, const char *site, struct fault *fault)
{
    static const Oid types[] = {PG_TEXT};
    size_t lines = 0;

    columns_begin(&m->c, 1, types);
    text_clear(&m->text);
    for (size_t i = 0; i < m->count; i++) {
        const struct stream_mark *s = &m->all[i];

        if (!s->facts_changed)
            continue;
        if (lines++ == 0 || m->text.len + 100 > NEWS_MAX)
            end_payload(&m->c, &m->text, site);
        text_print(&m->text, "%s %s %zu %d\n", s->vin, s->stream, s->bytes, s->at_once);
    }
    if (lines > 0)
        end_payload(&m->c, &m->text, site);
    if (m->text.failed)
        return fault_set(fault, ST_RETRY, "out of memory for a group");
    return columns_queue(&m->c, db, 1,
                         "SELECT pg_notify('" NEWS_CHANNEL "', p) FROM unnest($1) AS n (p)", NULL,
                         fault);
}

/* Skip the name in the first line; NULL: there is none, "": it is our own. */
static const char *lines_of_others(const char *payload, const char *site)
{
    const char *end = strchr(payload, '\n');
    size_t len = end ? (size_t)(end - payload) : 0;

    if (len == 0)
        return NULL;
    return len == strlen(site) && memcmp(payload, site, len) == 0 ? "" : end + 1;
}

enum status news_read(struct marks *m, const char *payload, const char *site, struct duty *duty,
                      struct fault *fault)
{
    const char *at = lines_of_others(payload, site);
    char vin[VIN_LEN + 1], stream[UUID_TEXT + 1];
    unsigned long long bytes;
    int used, at_once;
    enum status st;

    if (!at)
        return fault_set(fault, ST_REJECT, "news without a site: %.40s", payload);
    for (; *at; at += used) {
        used = 0;
        if (sscanf(at, "%17s %36s %llu %d\n%n", vin, stream, &bytes, &at_once, &used) != 4 ||
            used == 0 || !vin_is_valid(vin, strlen(vin)) || !uuid_is_valid(stream, strlen(stream)))
            return fault_set(fault, ST_REJECT, "news that are none: %.80s", at);
        if (!duty_has(&duty->history, vin))
            continue;
        if ((st = marks_add(m, vin, stream, fault)) != ST_OK)
            return st;
        m->all[m->count - 1].bytes = (size_t)bytes;
        m->all[m->count - 1].at_once = at_once;
    }
    return ST_OK;
}
