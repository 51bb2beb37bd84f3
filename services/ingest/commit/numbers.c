/* services/ingest/commit/numbers.c */
#include "numbers.h"

#include <string.h>

#include "services/ingest/record/lost.h"

/* Numbers below the highest that are not taken. */
static int64_t open_numbers(const struct watermark *w)
{
    int64_t n = 0;

    for (size_t i = 0; i < w->gap_count; i++)
        n += w->gaps[i].last - w->gaps[i].first + 1;
    return n;
}

static struct watermark *part_of(struct stream_mark *s, bool facts)
{
    return facts ? &s->facts : &s->history;
}

static void note_change(struct stream_mark *s, bool facts)
{
    s->history_changed |= !facts;
    s->facts_changed |= facts;
}

enum status numbers_take_loss(struct marks *m, struct record *r, bool facts)
{
    struct stream_mark *lost = marks_find(m, r->from.topic.vin, r->lost_stream);
    int64_t upto = lost->history.upto > lost->facts.upto ? lost->history.upto : lost->facts.upto;
    struct watermark *mark = part_of(lost, facts);
    int64_t known = mark->upto - open_numbers(mark);

    if (!lost_is_possible(r, upto)) {
        record_put_aside(r, "loss", "it says to have lost numbers it cannot have given");
        return ST_OK;
    }
    if (watermark_take_range(mark, r->lost_first, r->lost_last) == ST_RETRY)
        return ST_RETRY;
    if (!facts)
        lost->lost += mark->upto - open_numbers(mark) - known;
    lost->told = lost->at_once = true; /* perhaps all of it had come: all the better */
    note_change(lost, facts);
    return ST_OK;
}

/* The loss first: it may make the room that its own announcement needs. */
static enum status take_loss_first(struct marks *m, struct record *r, struct stream_mark *own,
                                   bool facts)
{
    struct stream_mark before = *own;
    enum status st = numbers_take_loss(m, r, facts);

    if (st == ST_OK)
        st = watermark_take(part_of(own, facts), r->head.seq);
    if (st != ST_OK)
        *own = before;
    return st;
}

enum status numbers_take(struct marks *m, struct record *r, struct stream_mark *own, bool facts)
{
    struct watermark *mark = part_of(own, facts), before;
    enum status st;

    if (r->lost_stream[0])
        before = *mark;
    st = watermark_take(mark, r->head.seq);
    if (st == ST_RETRY && strcmp(r->lost_stream, own->stream) == 0)
        st = take_loss_first(m, r, own, facts);
    else if (st == ST_OK && r->lost_stream[0] && (st = numbers_take_loss(m, r, facts)) != ST_OK)
        *mark = before;
    if (st == ST_OK)
        note_change(own, facts);
    return st;
}
