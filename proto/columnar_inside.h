/* proto/columnar_inside.h - what columnar.c and columnar_write.c share; for nobody else. */
#ifndef PROTO_COLUMNAR_INSIDE_H
#define PROTO_COLUMNAR_INSIDE_H

#include "proto/columnar.h"

#define COLUMNAR_VERSION 1
#define COLUMNAR_LIMIT (INT64_C(1) << 53) /* every integer is smaller, whatever its sign */

/* flags of the record */
#define COLUMNAR_CLOCK 0x03
#define COLUMNAR_REGULAR 0x04

/* head byte of a column */
#define COLUMNAR_MODE 0x07
#define COLUMNAR_SPARSE 0x08
#define COLUMNAR_EXPONENT_SHIFT 4
enum { COLUMNAR_CONSTANT, COLUMNAR_LINE, COLUMNAR_DELTA, COLUMNAR_RAW };

extern const double columnar_tens[COLUMNAR_EXPONENT_MAX + 1];

/* What the values of a column lie between, and the bytes of one as a decimal number, at most. */
struct columnar_extent {
    double least, most;
    size_t text;
};
#define COLUMNAR_TEXT_MAX 32 /* of any double */

/* Of integers from `least` to `most` with so many decimals. */
struct columnar_extent columnar_extent(int64_t least, int64_t most, unsigned decimals);

#endif
