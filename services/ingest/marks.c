/* services/ingest/marks.c - rows of `watermark` in and out. */
#include "marks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mark_key { /* of what will be a struct stream_mark: far smaller, so they are sorted */
    const char *vin, *stream;
};

static int compare_key(const struct mark_key *key, const char *vin, const char *stream)
{
    int order = strcmp(key->vin, vin);

    return order ? order : strcmp(key->stream, stream);
}

static int by_key(const void *a, const void *b)
{
    const struct mark_key *right = b;

    return compare_key(a, right->vin, right->stream);
}

struct stream_mark *marks_find(const struct marks *m, const char *vin, const char *stream)
{
    const struct mark_key key = {vin, stream};
    size_t low = 0, high = m->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_key(&key, m->all[middle].vin, m->all[middle].stream);

        if (order == 0)
            return &m->all[middle];
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static enum status append(struct marks *m, const char *vin, const char *stream, struct fault *fault)
{
    if (m->count == m->room) {
        size_t room = m->room ? 2 * m->room : 64;
        struct stream_mark *more = realloc(m->all, room * sizeof *more);

        if (!more)
            return fault_set(fault, ST_RETRY, "out of memory for %zu streams", room);
        m->all = more;
        m->room = room;
    }
    struct stream_mark *s = &m->all[m->count++];

    memset(s, 0, sizeof *s);
    text_copy(s->vin, sizeof s->vin, vin);
    text_copy(s->stream, sizeof s->stream, stream);
    return ST_OK;
}

/* Each record's stream, and the one whose loss it announces. */
static size_t collect_keys(struct mark_key *keys, struct record *const *records, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        const struct record *r = records[i];

        if (!record_is_journalled(r) || !record_has_seq(r))
            continue;
        if (!r->letter[0])
            keys[count++] = (struct mark_key){r->from.topic.vin, r->head.stream};
        if (r->lost_stream[0])
            keys[count++] = (struct mark_key){r->from.topic.vin, r->lost_stream};
    }
    return count;
}

enum status marks_collect(struct marks *m, struct record *const *records, size_t n,
                          struct fault *fault)
{
    struct mark_key *keys = malloc((2 * n + 1) * sizeof *keys);
    enum status st = ST_OK;
    size_t count;

    m->count = 0;
    if (!keys)
        return fault_set(fault, ST_RETRY, "out of memory for %zu records", n);
    count = collect_keys(keys, records, n);
    qsort(keys, count, sizeof *keys, by_key);
    for (size_t i = 0; i < count && st == ST_OK; i++)
        if (i == 0 || by_key(&keys[i - 1], &keys[i]) != 0)
            st = append(m, keys[i].vin, keys[i].stream, fault);
    free(keys);
    return st;
}

/* ---- gaps as text */
void marks_print_gaps(struct text *out, const struct watermark *w)
{
    text_add(out, "{", 1);
    for (size_t i = 0; i < w->gap_count; i++)
        text_print(out, "%s[%lld,%lld)", i ? "," : "", (long long)w->gaps[i].first,
                   (long long)w->gaps[i].last + 1);
    text_add(out, "}", 1);
}

enum status marks_read_gaps(struct watermark *w, const char *text, struct fault *fault)
{
    struct watermark read = {.upto = w->upto};
    long long first, end;
    int used;

    if (*text != '{')
        return fault_set(fault, ST_REJECT, "gaps are no multirange: %.40s", text);
    for (text++; *text && *text != '}'; text += *text == ',') {
        if (read.gap_count == ACK_GAPS_MAX ||
            sscanf(text, "[%lld,%lld)%n", &first, &end, &used) != 2)
            return fault_set(fault, ST_REJECT, "gaps are no multirange of 64: %.40s", text);
        read.gaps[read.gap_count++] = (struct seq_range){first, end - 1};
        text += used;
    }
    *w = read;
    return ST_OK;
}

/* ---- rows */
static void list(struct marks *m, bool changed_only)
{
    pg_array_begin(&m->vins, PG_TEXT);
    pg_array_begin(&m->streams, PG_UUID);
    for (size_t i = 0; i < m->count; i++) {
        if (changed_only && !m->all[i].changed)
            continue;
        pg_array_text(&m->vins, m->all[i].vin, VIN_LEN);
        pg_array_uuid(&m->streams, m->all[i].stream);
    }
    pg_array_end(&m->vins);
    pg_array_end(&m->streams);
}

static enum status run(struct pg *db, const char *sql, const char *site,
                       struct pg_array *const *arrays, size_t n, PGresult **rows,
                       struct fault *fault)
{
    Oid types[5] = {PG_TEXT};
    const char *params[5] = {site};
    int lengths[5] = {(int)strlen(site)}, formats[5] = {0};

    for (size_t i = 0; i < n; i++) {
        if (arrays[i]->failed)
            return fault_set(fault, ST_RETRY, "out of memory for a group");
        types[i + 1] = pg_array_type(arrays[i]);
        params[i + 1] = arrays[i]->bytes;
        lengths[i + 1] = (int)arrays[i]->len;
        formats[i + 1] = 1;
    }
    return pg_run_typed(db, sql, n + 1, types, params, lengths, formats, rows, fault);
}

static enum status read_row(struct watermark *w, const PGresult *rows, int row, struct fault *fault)
{
    w->upto = strtoll(PQgetvalue(rows, row, 2), NULL, 10);
    w->gap_count = 0;
    return marks_read_gaps(w, PQgetvalue(rows, row, 3), fault);
}

static enum status lock_rows(struct marks *m, struct pg *db, const char *site, size_t *found,
                             struct fault *fault)
{
    struct pg_array *arrays[] = {&m->vins, &m->streams};
    PGresult *rows = NULL;
    enum status st = run(
        db,
        "SELECT w.vin, w.stream, w.upto, w.gaps FROM watermark w JOIN unnest($2, $3) AS k (v, s) "
        "ON w.vin = k.v AND w.stream = k.s WHERE w.site = $1 ORDER BY w.vin, w.stream "
        "FOR UPDATE OF w",
        site, arrays, 2, &rows, fault);

    if (st != ST_OK)
        return st;
    for (int i = 0; i < PQntuples(rows) && st == ST_OK; i++) {
        struct stream_mark *s = marks_find(m, PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1));

        if (s)
            st = read_row(&s->mark, rows, i, fault);
    }
    *found = (size_t)PQntuples(rows);
    PQclear(rows);
    return st;
}

/* Streams begin rarely: rows are made only when one was not found. */
enum status marks_lock(struct marks *m, struct pg *db, const char *site, struct fault *fault)
{
    struct pg_array *arrays[] = {&m->vins, &m->streams};
    size_t found;
    enum status st;

    if (m->count == 0)
        return ST_OK;
    list(m, false);
    if ((st = lock_rows(m, db, site, &found, fault)) != ST_OK || found == m->count)
        return st;
    if ((st = run(db,
                  "INSERT INTO watermark (site, vin, stream, upto) SELECT $1, v, s, 0 FROM "
                  "unnest($2, $3) AS k (v, s) ON CONFLICT DO NOTHING",
                  site, arrays, 2, NULL, fault)) != ST_OK)
        return st;
    return lock_rows(m, db, site, &found, fault);
}

enum status marks_write(struct marks *m, struct pg *db, const char *site, struct fault *fault)
{
    struct pg_array *arrays[] = {&m->vins, &m->streams, &m->uptos, &m->gaps};
    struct text gaps;

    list(m, true);
    if (m->vins.count == 0)
        return ST_OK;
    text_init(&gaps);
    pg_array_begin(&m->uptos, PG_INT8);
    pg_array_begin(&m->gaps, PG_TEXT);
    for (size_t i = 0; i < m->count; i++) {
        if (!m->all[i].changed)
            continue;
        text_clear(&gaps);
        marks_print_gaps(&gaps, &m->all[i].mark);
        pg_array_int8(&m->uptos, m->all[i].mark.upto);
        pg_array_text(&m->gaps, gaps.bytes, gaps.len);
    }
    text_done(&gaps);
    pg_array_end(&m->uptos);
    pg_array_end(&m->gaps);
    return run(db,
               "UPDATE watermark w SET upto = k.u, gaps = k.g::int8multirange, updated_at = now() "
               "FROM unnest($2, $3, $4, $5) AS k (v, s, u, g) WHERE w.site = $1 AND w.vin = k.v "
               "AND w.stream = k.s",
               site, arrays, 4, NULL, fault);
}

static void connected_vins(struct marks *m, struct record *const *records, size_t n)
{
    pg_array_begin(&m->vins, PG_TEXT);
    for (size_t i = 0; i < n; i++) {
        const struct record *r = records[i];

        if (r->from.topic.leaf == LEAF_STATE && !r->dead && !r->from.retained &&
            r->state.presence == PRESENCE_ONLINE)
            pg_array_text(&m->vins, r->from.topic.vin, VIN_LEN);
    }
    pg_array_end(&m->vins);
}

enum status marks_add_connected(struct marks *m, struct pg *db, const char *site,
                                struct record *const *records, size_t n, struct fault *fault)
{
    struct pg_array *arrays[] = {&m->vins};
    PGresult *rows = NULL;
    size_t known = m->count;
    enum status st;

    connected_vins(m, records, n);
    if (m->vins.count == 0)
        return ST_OK;
    if ((st = run(
             db, "SELECT vin, stream, upto, gaps FROM watermark WHERE site = $1 AND vin = ANY ($2)",
             site, arrays, 1, &rows, fault)) != ST_OK)
        return st;
    for (int i = 0; i < PQntuples(rows) && st == ST_OK; i++) {
        struct marks group = {.all = m->all, .count = known};
        struct stream_mark *s = marks_find(&group, PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1));

        if (!s &&
            (st = append(m, PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1), fault)) == ST_OK) {
            s = &m->all[m->count - 1];
            st = read_row(&s->mark, rows, i, fault);
        }
        if (s)
            s->at_once = true;
    }
    PQclear(rows);
    return st;
}

void marks_done(struct marks *m)
{
    pg_array_done(&m->vins);
    pg_array_done(&m->streams);
    pg_array_done(&m->uptos);
    pg_array_done(&m->gaps);
    free(m->all);
    *m = (struct marks){0};
}
