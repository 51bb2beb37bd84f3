/* services/ingest/car/layout.h - which value of plain memory lies where, by name, so that a build
 * can read what another build of this program stored.  Pure but for its memory.
 * What is found under its name is carried over, wider or narrower; what is new begins as 0 (NaN
 * where that is "not known"), what is no more is dropped.  What does not fit is refused as a whole:
 * a state that lies is worse than one that is computed again. */
#ifndef INGEST_LAYOUT_H
#define INGEST_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/text.h"

/* How a struct is told, member by member, in its order; {0} ends it. */
struct layout_member {
    const char *name;
    size_t at, size;                /* of one element */
    size_t n;                       /* elements; 0: it is no array */
    const struct layout_member *of; /* of a struct */
    unsigned most;                  /* of an enum */
    char kind; /* b, i, u, f; n: a double whose NaN is "not known"; e: enum; t: bytes */
};

#define LAYOUT_NAME_MAX 79
#define LAYOUT_DIMS 3
struct layout_leaf {
    char name[LAYOUT_NAME_MAX + 1]; /* "trip.held.sum.fuel.litres" */
    char kind;
    size_t at, size, most;
    size_t dims; /* arrays it lies in, the outermost first */
    struct {
        size_t n, stride;
    } dim[LAYOUT_DIMS];
    size_t pair; /* layout_pair: its leaf in the other, SIZE_MAX: none */
};

struct layout {
    size_t size; /* of the whole, bytes */
    struct layout_leaf *leaf;
    size_t n, room;
}; /* {0} to begin with */

/* Of a struct of `size` bytes.  False: out of memory, or the members are told wrongly. */
bool layout_make(struct layout *l, const struct layout_member *members, size_t size) MUST_CHECK;
/* As lines of text, and back; false: not such text, of another byte order or age (below), or no
 * memory.  `age` is raised when values shall not be carried over whatever their names. */
void layout_print(const struct layout *l, int age, struct text *out);
bool layout_scan(struct layout *l, int age, const char *text) MUST_CHECK;
/* One number for one text, above 0. */
int64_t layout_number(const char *text, size_t len);

/* Find each leaf of `to` in `from`.  False: a name means something else in the other. */
bool layout_pair(struct layout *to, const struct layout *from) MUST_CHECK;
/* Read `from_bytes`; `to` was paired with `from`.  False: some value does not fit, *to_bytes is
 * undefined. */
bool layout_convert(void *to_bytes, const struct layout *to, const void *from_bytes,
                    const struct layout *from) MUST_CHECK;

void layout_done(struct layout *l);

#endif
