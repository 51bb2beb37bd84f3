/* services/api/reduce.c - min/max keeping reduction. */
#include "reduce.h"

#include <stdlib.h>

size_t reduce_points(const struct point *in, size_t n, size_t most, struct span *out)
{
    int64_t first, width;
    size_t made = 0;
    int64_t at = -1; /* bucket of the span being filled */

    if (!n)
        return 0;
    first = in[0].t_ms;
    /* buckets 0 .. most - 1 cover first .. last, the last point included */
    width = n <= most ? 0 : (in[n - 1].t_ms - first) / (int64_t)most + 1;
    for (size_t i = 0; i < n; i++) {
        int64_t bucket = width ? (in[i].t_ms - first) / width : (int64_t)i;

        if (bucket != at) {
            at = bucket;
            out[made++] = (struct span){in[i].t_ms, in[i].v, in[i].v, in[i].v};
            continue;
        }
        struct span *s = &out[made - 1];

        s->t_ms = in[i].t_ms;
        s->v = in[i].v;
        if (in[i].v < s->min)
            s->min = in[i].v;
        if (in[i].v > s->max)
            s->max = in[i].v;
    }
    return made;
}

int64_t reduce_width_ms(int64_t from_ms, int64_t to_ms, size_t most)
{
    /* any interval shorter than (most - 1) buckets touches at most `most` of them, wherever they
     * begin */
    return (to_ms - from_ms) / (int64_t)(most - 1) + 1;
}

void reduce_speeds(struct place *places, size_t n, const struct point *speeds, size_t m)
{
    size_t at = 0; /* the nearest so far: it only ever moves on */

    for (size_t i = 0; i < n && m; i++) {
        int64_t t = places[i].t_ms;

        while (at + 1 < m && llabs(speeds[at + 1].t_ms - t) < llabs(speeds[at].t_ms - t))
            at++;
        if (llabs(speeds[at].t_ms - t) <= PLACE_SPEED_WITHIN_MS)
            places[i].speed_kmh = speeds[at].v;
    }
}
