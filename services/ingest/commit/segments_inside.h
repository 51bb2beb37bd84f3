/* services/ingest/commit/segments_inside.h - what segments.c and segments_rows.c share; nobody else
 * includes it. */
#ifndef INGEST_SEGMENTS_INSIDE_H
#define INGEST_SEGMENTS_INSIDE_H

#include "columns.h"
#include "lib/text.h"
#include "segments.h"

#define SEGMENT_COLUMNS 43

/* One row as a statement's columns, in the order of segment_insert. */
void segment_add_columns(struct columns *c, struct text *text, const char *vin,
                         const struct fuel_settings *fuel, const struct segment *s, bool settled);
void segment_begin_columns(struct columns *c);
extern const char segment_insert[];

/* The columns segment_scan reads, for a SELECT ... FROM segment s. */
extern const char segment_select[];
/* Column 0 is the VIN.  False: a row that is none of ours. */
bool segment_scan(const PGresult *rows, int row, struct segment *out);

#endif
