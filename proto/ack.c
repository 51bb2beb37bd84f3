/* proto/ack.c - the watermark of a stream, and ack/1. */
#include "proto/ack.h"

#include <string.h>

#include "proto/emit.h"

#define SCHEMA "ack/1"

bool watermark_has(const struct watermark *w, int64_t seq)
{
    if (seq < 1 || seq > w->upto)
        return false;
    for (size_t i = 0; i < w->gap_count; i++)
        if (seq >= w->gaps[i].first && seq <= w->gaps[i].last)
            return false;
    return true;
}

enum status watermark_take(struct watermark *w, int64_t seq)
{
    if (seq != w->upto + 1)
        return watermark_take_range(w, seq, seq);
    w->upto = seq; /* the next one, as nearly always: no gap is touched */
    return ST_OK;
}

/* Keep a piece of a gap that stays open; false when it would be one too many. */
static bool keep(struct watermark *w, int64_t first, int64_t last)
{
    if (w->gap_count == ACK_GAPS_MAX)
        return false;
    w->gaps[w->gap_count++] = (struct seq_range){first, last};
    return true;
}

enum status watermark_take_range(struct watermark *w, int64_t first, int64_t last)
{
    struct watermark next = {.upto = last > w->upto ? last : w->upto};
    bool is_new = last > w->upto, fits = true;

    if (first < 1 || last < first)
        return ST_REJECT;
    for (size_t i = 0; i < w->gap_count && fits; i++) {
        struct seq_range gap = w->gaps[i];

        if (last < gap.first || first > gap.last) {
            fits = keep(&next, gap.first, gap.last);
            continue;
        }
        is_new = true;
        fits = (first <= gap.first || keep(&next, gap.first, first - 1)) &&
               (last >= gap.last || keep(&next, last + 1, gap.last));
    }
    if (fits && first > w->upto && first - w->upto > 1)
        fits = keep(&next, w->upto + 1, first - 1);
    if (!is_new)
        return ST_NONE;
    if (!fits)
        return ST_RETRY;
    *w = next;
    return ST_OK;
}

/* The gap of a or b that begins first; *i and *j step through them. */
static const struct seq_range *next_gap(const struct watermark *a, size_t *i,
                                        const struct watermark *b, size_t *j)
{
    if (*i < a->gap_count && (*j == b->gap_count || a->gaps[*i].first <= b->gaps[*j].first))
        return &a->gaps[(*i)++];
    return *j < b->gap_count ? &b->gaps[(*j)++] : NULL;
}

/* A gap that begins where nothing before it is missing; false when it is one too many. */
static bool add_gap(struct watermark *w, const struct seq_range *gap)
{
    struct seq_range *last = w->gap_count ? &w->gaps[w->gap_count - 1] : NULL;

    if (last && gap->first <= last->last + 1) {
        if (gap->last > last->last)
            last->last = gap->last;
        return true;
    }
    return keep(w, gap->first, gap->last);
}

void watermark_both(struct watermark *out, const struct watermark *a, const struct watermark *b)
{
    struct watermark both = {.upto = a->upto < b->upto ? a->upto : b->upto};
    const struct seq_range *gap;
    size_t i = 0, j = 0;

    if (a->gap_count == 0 && b->gap_count == 0) { /* as nearly always: nothing to look through */
        out->upto = both.upto;
        out->gap_count = 0;
        return;
    }
    while ((gap = next_gap(a, &i, b, &j)) != NULL && gap->first <= both.upto)
        if (!add_gap(&both, gap)) {
            both.upto = gap->first - 1;
            break;
        }
    while (both.gap_count > 0 && both.gaps[both.gap_count - 1].last >= both.upto)
        both.upto =
            both.gaps[--both.gap_count].first - 1; /* the end is none: there is nothing yet */
    *out = both;
}

enum status ack_write(const struct ack *a, char *out, size_t size, size_t *len, struct fault *fault)
{
    struct emit e = {.out = out, .size = size};

    emit_raw(&e, "{\"schema\":\"" SCHEMA "\",\"site\":");
    emit_text(&e, a->site);
    emit_raw(&e, ",\"stream\":");
    emit_text(&e, a->stream);
    emit_raw(&e, ",\"upto\":");
    emit_int64(&e, a->mark.upto);
    emit_raw(&e, ",\"gaps\":[");
    for (size_t i = 0; i < a->mark.gap_count; i++) {
        emit_raw(&e, i ? ",[" : "[");
        emit_int64(&e, a->mark.gaps[i].first);
        emit_raw(&e, ",");
        emit_int64(&e, a->mark.gaps[i].last);
        emit_raw(&e, "]");
    }
    emit_raw(&e, "]}");
    return emit_end(&e, SCHEMA, len, fault);
}

/* One [first, last]; it must lie behind `after` and before `upto`. */
static enum status read_gap(struct seq_range *out, const json_t *pair, int64_t after, int64_t upto,
                            struct fault *fault)
{
    const json_t *first = json_array_get(pair, 0), *last = json_array_get(pair, 1);

    if (json_array_size(pair) != 2 || !json_is_integer(first) || !json_is_integer(last))
        return fault_set(fault, ST_REJECT, "a gap is not a pair of integers");
    out->first = json_integer_value(first);
    out->last = json_integer_value(last);
    if (out->first <= after || out->last < out->first || out->last >= upto)
        return fault_set(fault, ST_REJECT, "gaps are not sorted, disjoint and below upto");
    return ST_OK;
}

static enum status read_gaps(struct watermark *w, const json_t *gaps, struct fault *fault)
{
    int64_t after = 0;
    enum status st;

    if (!json_is_array(gaps) || json_array_size(gaps) > ACK_GAPS_MAX)
        return fault_set(fault, ST_REJECT, "gaps is not an array of at most %d", ACK_GAPS_MAX);
    for (size_t i = 0; i < json_array_size(gaps); i++) {
        struct seq_range gap;

        st = read_gap(&gap, json_array_get(gaps, i), after, w->upto, fault);
        if (st != ST_OK)
            return st;
        if (w->gap_count > 0 && gap.first == after + 1)
            w->gaps[w->gap_count - 1].last = gap.last; /* two that touch are one */
        else
            w->gaps[w->gap_count++] = gap;
        after = gap.last;
    }
    return ST_OK;
}

enum status ack_read(struct ack *out, const char *bytes, size_t len, struct fault *fault)
{
    struct ack a = {0};
    char schema[sizeof SCHEMA];
    json_t *message;
    enum status st = json_read(&message, bytes, len, JSON_MAX_BYTES, fault);

    if (st != ST_OK)
        return st;
    if ((st = json_get_text(message, "schema", schema, sizeof schema, fault)) != ST_OK ||
        (st = json_get_text(message, "site", a.site, sizeof a.site, fault)) != ST_OK ||
        (st = json_get_text(message, "stream", a.stream, sizeof a.stream, fault)) != ST_OK ||
        (st = json_get_int64(message, "upto", 0, JSON_INTEGER_MAX, &a.mark.upto, fault)) != ST_OK)
        st = ST_REJECT; /* all of them must be there */
    else if (strcmp(schema, SCHEMA) != 0)
        st = fault_set(fault, ST_REJECT, "schema is not " SCHEMA);
    else if (!uuid_is_valid(a.stream, strlen(a.stream)))
        st = fault_set(fault, ST_REJECT, "stream is not a UUID in lower case");
    else
        st = read_gaps(&a.mark, json_object_get(message, "gaps"), fault);
    json_decref(message);
    if (st == ST_OK)
        *out = a;
    return st;
}
