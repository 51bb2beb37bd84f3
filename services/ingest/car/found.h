/* services/ingest/car/found.h - what stepping over samples gives: rows of time, and things found.
 * Pure but for its memory. */
#ifndef INGEST_FOUND_H
#define INGEST_FOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"
#include "services/ingest/facts/alert.h"
#include "services/ingest/facts/segment.h"

/* What is told of one thing found, or-ed. */
enum found_part {
    FOUND_EVENT = 1, /* an event row, at occurred_ms */
    FOUND_ALERT = 2, /* its alert is so, since occurred_ms */
    FOUND_END = 4,   /* its alert's condition is over, since occurred_ms */
    FOUND_GONE = 8,  /* what no sample had told of occurred_ms was not so */
};

struct found {
    unsigned parts;
    char type[32];
    char subject[ALERT_SUBJECT_MAX + 1];
    enum alert_severity severity;
    int64_t occurred_ms;
    int64_t told_ms; /* the sample that told it; 0: none did, a recompute has no say in it */
    double lat, lon; /* NaN: nowhere */
    char data[400];  /* a JSON object */
};

/* Where something happened that is a row of `event` already. */
struct found_place {
    unsigned char id[16];
    double lat, lon; /* NaN: nowhere that is told */
};

/* What a run of steps gave; grows as needed. */
struct car_out {
    struct segment *rows; /* settled: samples in order change them no more */
    size_t rows_n, rows_room;
    struct found *found;
    size_t found_n, found_room;
    struct found_place *places;
    size_t places_n, places_room;
    bool failed; /* no memory: what is in here is not all */
};
void car_out_clear(struct car_out *out); /* keeps its memory */
void car_out_done(struct car_out *out);

void car_out_row(struct car_out *out, const struct segment *s);
void car_out_place(struct car_out *out, const struct found_place *place);
/* One more thing found, at no place and with no data; NULL: no memory. */
struct found *car_out_add(struct car_out *out, unsigned parts, const char *type,
                          int64_t occurred_ms, int64_t told_ms);

#endif
