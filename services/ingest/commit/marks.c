/* services/ingest/commit/marks.c - rows of `watermark` in and out. */
#include "marks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stream_mark *marks_find(const struct marks *m, const char *vin, const char *stream)
{
    const struct place_key key = {vin, stream};
    size_t low = 0, high = m->count, place;

    if (places_find(&m->places, vin, stream, &place))
        return &m->all[place];
    if (m->places.count == m->count)
        return NULL;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct place_key there = {m->all[middle].vin, m->all[middle].stream};
        int order = places_compare(&key, &there);

        if (order == 0)
            return &m->all[middle];
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

enum status marks_add(struct marks *m, const char *vin, const char *stream, struct fault *fault)
{
    if (m->count == m->room) {
        size_t room = m->room ? 2 * m->room : 64;
        struct stream_mark *more = realloc(m->all, room * sizeof *more);

        if (!more)
            return fault_set(fault, ST_RETRY, "out of memory for %zu streams", room);
        m->all = more;
        m->room = room;
        m->places.count = 0; /* their names have moved */
    }
    struct stream_mark *s = &m->all[m->count++];

    s->history.upto = s->facts.upto = s->mark.upto = 0; /* 3 KB of gaps need not be cleared */
    s->history.gap_count = s->facts.gap_count = s->mark.gap_count = 0;
    s->bytes = 0;
    s->told = s->at_once = s->history_changed = s->facts_changed = false;
    s->facts_ours = s->facts_locked = false;
    s->facts_age_ms = s->missing_before = s->lost = 0;
    text_copy(s->vin, sizeof s->vin, vin);
    text_copy(s->stream, sizeof s->stream, stream);
    return ST_OK;
}

static int by_stream(const void *a, const void *b)
{
    const struct stream_mark *left = a, *right = b;
    int order = strcmp(left->vin, right->vin);

    return order ? order : strcmp(left->stream, right->stream);
}

void marks_sort(struct marks *m)
{
    size_t kept = 0;

    m->places.count = 0;
    if (m->count == 0)
        return;
    qsort(m->all, m->count, sizeof *m->all, by_stream);
    for (size_t i = 1; i < m->count; i++) {
        struct stream_mark *last = &m->all[kept], *next = &m->all[i];

        if (by_stream(last, next) == 0) {
            last->bytes += next->bytes;
            last->at_once |= next->at_once;
        } else if (++kept != i) {
            m->all[kept] = *next;
        }
    }
    m->count = kept + 1;
}

/* Each record's stream, and the one whose loss it announces, each once. */
static void collect_keys(struct places *p, struct record *const *records, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct record *r = records[i];

        if (!record_is_journalled(r) || !record_has_seq(r))
            continue;
        if (!r->letter[0])
            (void)places_take(p, r->from.topic.vin, r->head.stream);
        if (r->lost_stream[0])
            (void)places_take(p, r->from.topic.vin, r->lost_stream);
    }
}

/* Sorted as they are: their own names stay where they are, the records' do not. */
static void note_places(struct marks *m)
{
    (void)places_clear(&m->places, m->count); /* there was room for more */
    for (size_t i = 0; i < m->count; i++)
        (void)places_take(&m->places, m->all[i].vin, m->all[i].stream);
}

enum status marks_collect(struct marks *m, struct record *const *records, size_t n,
                          struct fault *fault)
{
    struct places keys = {0};
    enum status st = ST_OK;

    m->count = m->places.count = 0;
    if (!places_clear(&keys, 2 * n + 1) || !places_clear(&m->places, 2 * n + 1)) {
        places_done(&keys);
        return fault_set(fault, ST_RETRY, "out of memory for %zu records", n);
    }
    collect_keys(&keys, records, n);
    qsort(keys.keys, keys.count, sizeof *keys.keys, places_compare);
    for (size_t i = 0; i < keys.count && st == ST_OK; i++)
        st = marks_add(m, keys.keys[i].vin, keys.keys[i].stream, fault);
    places_done(&keys);
    note_places(m);
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
static const Oid key_types[] = {PG_TEXT, PG_TEXT, PG_UUID, PG_INT8, PG_TEXT};

static void add_key(struct marks *m, const char *site, const struct stream_mark *s)
{
    pg_array_text(&m->c.column[0], site, strlen(site));
    pg_array_text(&m->c.column[1], s->vin, VIN_LEN);
    pg_array_uuid(&m->c.column[2], s->stream);
}

/* Where a row goes: the facts' site has no name. */
static struct watermark *mark_of(struct marks *m, const PGresult *rows, int row,
                                 struct stream_mark **of)
{
    *of = marks_find(m, PQgetvalue(rows, row, 1), PQgetvalue(rows, row, 2));
    if (!*of)
        return NULL;
    return PQgetvalue(rows, row, 0)[0] ? &(*of)->history : &(*of)->facts;
}

static enum status read_mark(struct watermark *w, const PGresult *rows, int row, int column,
                             struct fault *fault)
{
    w->upto = pg_text_int8(rows, row, column);
    w->gap_count = 0;
    return marks_read_gaps(w, PQgetvalue(rows, row, column + 1), fault);
}

/* The rows the columns name, locked in their order. */
static enum status lock_rows(struct marks *m, struct pg *db, int *found, struct fault *fault)
{
    struct stream_mark *of;
    PGresult *rows = NULL;
    enum status st = columns_run(
        &m->c, db, 3,
        "SELECT w.site, w.vin, w.stream, w.upto, w.gaps FROM watermark w JOIN unnest($1, $2, $3) "
        "AS k (t, v, s) ON w.site = k.t AND w.vin = k.v AND w.stream = k.s "
        "ORDER BY w.vin, w.stream, w.site FOR UPDATE OF w",
        &rows, fault);

    if (st != ST_OK || !rows)
        return st;
    *found = PQntuples(rows);
    for (int i = 0; i < *found && st == ST_OK; i++) {
        struct watermark *w = mark_of(m, rows, i, &of);

        if (w)
            st = read_mark(w, rows, i, 3, fault);
    }
    PQclear(rows);
    return st;
}

/* Streams begin rarely: rows are made only when one was not found. */
static enum status lock(struct marks *m, struct pg *db, struct fault *fault)
{
    int found = 0, wanted = m->c.column[0].count;
    enum status st;

    if ((st = lock_rows(m, db, &found, fault)) != ST_OK || found == wanted)
        return st;
    if ((st = columns_run(&m->c, db, 3,
                          "INSERT INTO watermark (site, vin, stream, upto) SELECT t, v, s, 0 FROM "
                          "unnest($1, $2, $3) AS k (t, v, s) ORDER BY v, s, t "
                          "ON CONFLICT DO NOTHING",
                          NULL, fault)) != ST_OK)
        return st;
    return lock_rows(m, db, &found, fault);
}

enum status marks_lock(struct marks *m, struct pg *db, const char *site, struct fault *fault)
{
    columns_begin(&m->c, 3, key_types);
    for (size_t i = 0; i < m->count; i++) {
        add_key(m, site, &m->all[i]);
        m->all[i].facts_locked = m->all[i].facts_ours;
        if (m->all[i].facts_ours)
            add_key(m, FACTS_SITE, &m->all[i]);
    }
    return lock(m, db, fault);
}

enum status marks_lock_facts(struct marks *m, struct pg *db, struct fault *fault)
{
    columns_begin(&m->c, 3, key_types);
    for (size_t i = 0; i < m->count; i++) {
        if (!m->all[i].facts_ours || m->all[i].facts_locked)
            continue;
        m->all[i].facts_locked = true;
        add_key(m, FACTS_SITE, &m->all[i]);
    }
    return lock(m, db, fault);
}

enum status marks_peek(struct marks *m, struct pg *db, struct fault *fault)
{
    struct stream_mark *of;
    PGresult *rows = NULL;
    enum status st;

    columns_begin(&m->c, 3, key_types);
    for (size_t i = 0; i < m->count; i++) {
        m->all[i].facts_age_ms = INT64_MAX; /* until a row says otherwise */
        if (!m->all[i].facts_ours)
            add_key(m, FACTS_SITE, &m->all[i]);
    }
    st = columns_run(&m->c, db, 3,
                     "SELECT w.site, w.vin, w.stream, w.upto, w.gaps, "
                     "(extract(epoch FROM clock_timestamp() - w.updated_at) * 1000)::bigint "
                     "FROM watermark w JOIN unnest($1, $2, $3) AS k (t, v, s) "
                     "ON w.site = k.t AND w.vin = k.v AND w.stream = k.s",
                     &rows, fault);
    if (st != ST_OK || !rows)
        return st;
    for (int i = 0; i < PQntuples(rows) && st == ST_OK; i++) {
        struct watermark *w = mark_of(m, rows, i, &of);

        if (!w)
            continue;
        st = read_mark(w, rows, i, 3, fault);
        of->facts_age_ms = pg_text_int8(rows, i, 5);
    }
    PQclear(rows);
    return st;
}

static void add_row(struct marks *m, const char *site, const struct stream_mark *s,
                    const struct watermark *w)
{
    add_key(m, site, s);
    text_clear(&m->text);
    marks_print_gaps(&m->text, w);
    pg_array_int8(&m->c.column[3], w->upto);
    pg_array_text(&m->c.column[4], m->text.bytes, m->text.len);
}

enum status marks_write(struct marks *m, struct pg *db, const char *site, struct fault *fault)
{
    columns_begin(&m->c, 5, key_types);
    for (size_t i = 0; i < m->count; i++) {
        const struct stream_mark *s = &m->all[i];

        if (s->history_changed)
            add_row(m, site, s, &s->history);
        if (s->facts_changed)
            add_row(m, FACTS_SITE, s, &s->facts);
    }
    if (m->text.failed)
        return fault_set(fault, ST_RETRY, "out of memory for a group");
    return columns_queue(
        &m->c, db, 5,
        "UPDATE watermark w SET upto = k.u, gaps = k.g::int8multirange, updated_at = now() "
        "FROM unnest($1, $2, $3, $4, $5) AS k (t, v, s, u, g) WHERE w.site = k.t AND w.vin = k.v "
        "AND w.stream = k.s",
        NULL, fault);
}

/* ---- what may be acknowledged */
#define AND_FACTS                                                                                  \
    " LEFT JOIN watermark f "                                                                      \
    "ON f.site = '" FACTS_SITE "' AND f.vin = h.vin AND f.stream = h.stream"
#define BOTH "SELECT h.vin, h.stream, h.upto, h.gaps, coalesce(f.upto, 0), coalesce(f.gaps, '{}') "

static enum status read_both(struct stream_mark *s, const PGresult *rows, int row,
                             struct fault *fault)
{
    enum status st;

    if ((st = read_mark(&s->history, rows, row, 2, fault)) == ST_OK &&
        (st = read_mark(&s->facts, rows, row, 4, fault)) == ST_OK)
        watermark_both(&s->mark, &s->history, &s->facts);
    return st;
}

static void connected_vins(struct marks *m, struct record *const *records, size_t n,
                           const char *site)
{
    for (size_t i = 0; i < n; i++) {
        const struct record *r = records[i];

        if (r->from.topic.leaf != LEAF_STATE || r->dead || r->from.retained ||
            r->state.presence != PRESENCE_ONLINE)
            continue;
        pg_array_text(&m->c.column[0], site, strlen(site));
        pg_array_text(&m->c.column[1], r->from.topic.vin, VIN_LEN);
    }
}

/* A car that makes up streams is told of its latest ones: a small message may not be answered by
 * thousands. */
#define ANSWERED "64"

enum status marks_add_connected(struct marks *m, struct pg *db, const char *site,
                                struct record *const *records, size_t n, struct fault *fault)
{
    PGresult *rows = NULL;
    size_t known = m->count;
    enum status st;

    columns_begin(&m->c, 2, key_types);
    connected_vins(m, records, n, site);
    st = columns_run(&m->c, db, 2,
                     BOTH "FROM (SELECT DISTINCT * FROM unnest($1, $2)) AS k (t, v), "
                          "LATERAL (SELECT * FROM watermark w WHERE w.site = k.t AND w.vin = k.v "
                          "ORDER BY w.updated_at DESC LIMIT " ANSWERED ") AS h" AND_FACTS,
                     &rows, fault);
    if (st != ST_OK || !rows)
        return st;
    for (int i = 0; i < PQntuples(rows) && st == ST_OK; i++) {
        struct marks group = {.all = m->all, .count = known};
        struct stream_mark *s = marks_find(&group, PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1));

        if (!s &&
            (st = marks_add(m, PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1), fault)) == ST_OK) {
            s = &m->all[m->count - 1];
            st = read_both(s, rows, i, fault);
        }
        if (s)
            s->told = s->at_once = true;
    }
    PQclear(rows);
    return st;
}

enum status marks_read(struct marks *m, struct pg *db, const char *site, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st;

    columns_begin(&m->c, 3, key_types);
    for (size_t i = 0; i < m->count; i++)
        add_key(m, site, &m->all[i]);
    st = columns_run(&m->c, db, 3,
                     BOTH "FROM unnest($1, $2, $3) AS k (t, v, s) JOIN watermark h "
                          "ON h.site = k.t AND h.vin = k.v AND h.stream = k.s" AND_FACTS,
                     &rows, fault);
    if (st != ST_OK || !rows)
        return st;
    for (int i = 0; i < PQntuples(rows) && st == ST_OK; i++) {
        struct stream_mark *s = marks_find(m, PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1));

        if (s && (st = read_both(s, rows, i, fault)) == ST_OK)
            s->told = true;
    }
    PQclear(rows);
    return st;
}

void marks_done(struct marks *m)
{
    columns_done(&m->c);
    text_done(&m->text);
    free(m->all);
    places_done(&m->places);
    *m = (struct marks){0};
}
