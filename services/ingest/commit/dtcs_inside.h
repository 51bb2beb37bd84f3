/* services/ingest/commit/dtcs_inside.h - what dtcs.c and dtcs_again.c share. */
#ifndef INGEST_DTCS_INSIDE_H
#define INGEST_DTCS_INSIDE_H

#include <jansson.h>

#include "columns.h"
#include "dtcs.h"
#include "services/ingest/facts/dtc_life.h"
#include "slots.h"

struct dtcs {
    struct pg *db;
    struct columns c;
    const struct cleared *cleared; /* of the vehicle in hand */
    struct dtc_life life, end;
    struct dtc *codes; /* of the report in hand */
    size_t codes_room;
    int64_t late_ms;    /* of the vehicle in hand: the earliest report that came late; 0: none */
    struct found *gone; /* what late ones disproved */
    bool *kept;         /* of the events there are: found again */
    size_t gone_room, kept_room;
    struct slots by_key;  /* of the events there are, too */
    struct slots waiting; /* of codes whose case waits for an end */
};

/* A report's lists, lamp and monitors; its codes, all of them, stay in d->codes until the next.
 * ST_RETRY: no memory. */
enum status dtcs_read_report(struct dtcs *d, const json_t *message, struct dtc_report *report,
                             struct fault *fault) MUST_CHECK;
/* The VIN the car gives, once d->life is as it was before; its own ends the case. */
enum status dtcs_see_vin(struct dtcs *d, const struct record *r, const json_t *message,
                         bool detects, struct car_out *found, struct fault *fault) MUST_CHECK;
/* Of a row of `dtc`: columns code, ecu, list. */
struct dtc dtcs_read_dtc(const PGresult *rows, int row);
/* One row more into a life. */
void dtcs_read_code(struct dtc_life *life, struct dtc_known known, const PGresult *rows, int row);
/* One fact, as what is found. */
void dtcs_tell(const struct dtc_fact *fact, int64_t t_ms, struct car_out *out);
/* d->life as rows: of codes what its newest report touched, or all. */
enum status dtcs_write_codes(struct dtcs *d, const char *vin, bool all,
                             struct fault *fault) MUST_CHECK;
/* `mil`: 1 on, 0 off, -1 as it was. */
enum status dtcs_write_status(struct dtcs *d, const char *vin, int mil,
                              struct fault *fault) MUST_CHECK;

#endif
