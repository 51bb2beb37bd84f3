/* proto/wild.h - JSON's numbers have no bounds, int64, double and PostgreSQL's numeric have: what
 * is beyond them counts as the nearest that is not.  Pure. */
#ifndef PROTO_WILD_H
#define PROTO_WILD_H

#include <stddef.h>

/* In place, never longer; returns the new length.  A real that no double holds becomes 1e308 or 0,
 * and one of hundreds of digits its double.  What is no number stays as it is. */
size_t wild_tame(char *bytes, size_t len);

/* About how long that is once each number is written without its exponent, as PostgreSQL writes its
 * jsonb: `1e308` are 309 digits there. */
size_t wild_spread(const char *bytes, size_t len);

/* A copy of that, and in it every integer beyond 64 bits as a real: yours to free, NULL without
 * memory. */
char *wild_widen(const char *bytes, size_t len, size_t *out_len);

#endif
