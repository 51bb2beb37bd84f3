/* services/api/reduce.h - a long series made short enough to draw, with its peaks kept.  Pure. */
#ifndef API_REDUCE_H
#define API_REDUCE_H

#include <stddef.h>
#include <stdint.h>

struct point {
    int64_t t_ms;
    double v;
};

/* Several points as one: the last of them, and the extremes of all. */
struct span {
    int64_t t_ms;
    double v, min, max;
};

/* Reduce `n` points, ascending in time, to at most `most` (>= 1) spans of equal length; `out` holds
 * `most`. No more than `most` points: each stays what it is.  Returns how many spans. */
size_t reduce_points(const struct point *in, size_t n, size_t most, struct span *out);

/* The bucket length for a database that counts buckets from 1970: from .. to never touches more
 * than `most` (>= 2). */
int64_t reduce_width_ms(int64_t from_ms, int64_t to_ms, size_t most);

struct place {
    int64_t t_ms;
    double lat, lon;
    double speed_kmh; /* NAN: not known at that moment */
};

#define PLACE_SPEED_WITHIN_MS 1500

/* Give each of `n` places the speed that was measured nearest to it, the earlier of two as near, no
 * further off than PLACE_SPEED_WITHIN_MS; where there is none it keeps what it has.  Both ascend in
 * time. */
void reduce_speeds(struct place *places, size_t n, const struct point *speeds, size_t m);

#endif
