/* vehicle/obd/makes.h - what cars of one make tell beyond the standard: one file a make,
 * FOLDER/NAME.csv, read at start.  Reading only (ISO 14229 service 22); data, not code.
 *     wmi,ecu,did,bytes,formula,signal,capture
 *     WVW WV1,7E8,1234,2,(A*256+B)/10,Vehicle.Exterior.AirTemperature,captures/x.txt
 * wmi: beginnings of VINs (3 .. 11 characters), separated by blanks.  ecu: the id it answers with,
 * 7E8 .. 7EF or 18DAF1xx.  bytes: data bytes behind the identifier, at least.  formula: formula.h,
 * A is the first of them.  signal: a path of the signal table.  capture: the transcript that proves
 * the row; without one there is no row.  Lines that begin with # and empty ones are remarks. */
#ifndef VEHICLE_OBD_MAKES_H
#define VEHICLE_OBD_MAKES_H

#include "formula.h"
#include "proto/telemetry.h"

#define MAKES_ROWS_MAX 512
#define MAKES_NAME_MAX 32
#define MAKES_WMI_MAX 96
#define MAKES_FILE_MAX ((size_t)256 * 1024)

struct make_row {
    char make[MAKES_NAME_MAX]; /* the file's name without .csv */
    char wmi[MAKES_WMI_MAX];   /* with a blank before and after each */
    uint32_t ecu;
    uint16_t did;
    size_t bytes;
    struct formula formula;
    uint16_t signal;
};

struct makes {
    size_t count;
    struct make_row rows[MAKES_ROWS_MAX];
};

/* Read every *.csv of a folder; *out is yours to close.  ST_REJECT: a row is wrong, and which.
 * "" is no folder: no rows. */
enum status makes_open(struct makes **out, const char *folder, struct fault *fault) MUST_CHECK;
void makes_close(struct makes *m); /* NULL is fine */

/* The rows of one file's text, added to `m`.  Pure. */
enum status makes_read(struct makes *m, const char *make, const char *text, size_t len,
                       struct fault *fault) MUST_CHECK;

/* Is the row for this VIN?  "" is no VIN: for none. */
bool makes_row_is_for(const struct make_row *row, const char *vin);

/* Decode the data behind `62 did did` from `ecu` (0: not known) with the rows for this VIN, at most
 * `max`.  "" is no VIN: then only if one make alone has rows for it. */
size_t makes_decode(const struct makes *m, const char *vin, uint32_t ecu, uint16_t did,
                    const uint8_t *data, size_t len, struct reading *out, size_t max);

#endif
