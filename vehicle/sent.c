/* vehicle/sent.c - see sent.h. */
#include "sent.h"

#include <string.h>

void sent_init(struct sent *s, int64_t base)
{
    memset(s, 0, sizeof *s);
    s->base = base;
}

static void sent_remove(struct sent *s, size_t at)
{
    s->count--;
    memmove(s->ranges + at, s->ranges + at + 1, (s->count - at) * sizeof s->ranges[0]);
}

/* No room for another range: the narrowest hole counts as sent. */
static void sent_make_room(struct sent *s)
{
    size_t at = 0;
    int64_t narrowest = INT64_MAX;

    for (size_t i = 0; i + 1 < s->count; i++)
        if (s->ranges[i + 1].first - s->ranges[i].last < narrowest) {
            narrowest = s->ranges[i + 1].first - s->ranges[i].last;
            at = i;
        }
    s->ranges[at].last = s->ranges[at + 1].last;
    sent_remove(s, at + 1);
}

/* The first range that ends at or above `seq`. */
static size_t sent_place(const struct sent *s, int64_t seq)
{
    size_t at = 0;

    while (at < s->count && s->ranges[at].last < seq)
        at++;
    return at;
}

static void sent_join(struct sent *s, size_t at)
{
    if (at > 0 && s->ranges[at - 1].last + 1 >= s->ranges[at].first) {
        s->ranges[at - 1].last = s->ranges[at].last;
        sent_remove(s, at);
    }
}

void sent_add(struct sent *s, int64_t seq)
{
    size_t at = sent_place(s, seq);

    if (seq <= s->base || (at < s->count && s->ranges[at].first <= seq))
        return;
    if (at < s->count && s->ranges[at].first == seq + 1) {
        s->ranges[at].first = seq;
        sent_join(s, at);
    } else if (at > 0 && s->ranges[at - 1].last == seq - 1) {
        s->ranges[at - 1].last = seq;
    } else {
        if (s->count == SENT_RANGES_MAX) {
            sent_make_room(s);
            at = sent_place(s, seq);
            if (at < s->count && s->ranges[at].first <= seq)
                return;
        }
        memmove(s->ranges + at + 1, s->ranges + at, (s->count - at) * sizeof s->ranges[0]);
        s->ranges[at] = (struct seq_range){seq, seq};
        s->count++;
        sent_join(s, at);
    }
    if (s->ranges[0].first == s->base + 1) {
        s->base = s->ranges[0].last;
        sent_remove(s, 0);
    }
}

int64_t sent_next_claimed(const struct sent *s, const struct watermark *mark, int64_t from)
{
    int64_t seq = from > s->base ? from : s->base + 1, before;
    size_t at;

    do {
        before = seq;
        for (size_t i = 0; i < mark->gap_count; i++)
            if (seq >= mark->gaps[i].first && seq <= mark->gaps[i].last)
                seq = mark->gaps[i].last + 1;
        at = sent_place(s, seq);
        if (at < s->count && s->ranges[at].first <= seq)
            seq = s->ranges[at].last + 1;
    } while (seq != before);
    return seq <= mark->upto ? seq : 0;
}
