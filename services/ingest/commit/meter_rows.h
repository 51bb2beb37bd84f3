/* services/ingest/commit/meter_rows.h - kilometres and hours as they are shown: `vehicle_meter`.
 * Inside the caller's transaction; one thread. */
#ifndef INGEST_METER_ROWS_H
#define INGEST_METER_ROWS_H

#include "columns.h"
#include "services/ingest/car/car.h"

struct meter_rows { /* all zero to begin with */
    struct columns c;
    bool begun;
};

void meter_rows_add(struct meter_rows *m, const char *vin, const struct car *car);
void meter_rows_forget(struct meter_rows *m);
enum status meter_rows_write(struct meter_rows *m, struct pg *db, struct fault *fault) MUST_CHECK;
void meter_rows_done(struct meter_rows *m);

#endif
