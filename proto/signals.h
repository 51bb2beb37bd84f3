/* proto/signals.h - the signal table: every measured value the project knows, by VSS path.
 * VSS 6.0 paths and its OBD overlay, in VSS units, always doubles (booleans 0/1, enums their
 * number). The table is data: proto/signals.csv, append-only; a signal's id is its row number, from
 * 1, and is never reused (the columnar record sends ids).  proto/tables.py turns it into
 * proto/signals_table.inc. Pure, any thread. */
#ifndef PROTO_SIGNALS_H
#define PROTO_SIGNALS_H

#include <stddef.h>
#include <stdint.h>

#define SIGNAL_NONE 0
#define SIGNAL_PATH_MAX 128 /* bytes, without the terminator */

struct signal_row {
    const char *path;       /* VSS path */
    const char *unit;       /* VSS unit, "" when it has none */
    int decimals;           /* digits after the point that the sender keeps, 0 .. 9 */
    double lowest, highest; /* what the encoding can say, not what is plausible */
};

size_t signal_count(void); /* ids are 1 .. signal_count() */

/* The row of an id; NULL outside 1 .. signal_count(). */
const struct signal_row *signal_row(uint16_t id);

/* The length of its path; 0 where there is no row. */
size_t signal_path_len(uint16_t id);

/* A row as line protocol wants it: "Vehicle.Speed=", zeros up to the end, so that fixed blocks of
 * it can be copied.  signal_fields[id - 1]. */
#define SIGNAL_FIELD_MAX 96
struct signal_field {
    char text[SIGNAL_FIELD_MAX];
    unsigned char len, decimals;
};
extern const struct signal_field signal_fields[];

/* The id of a path of `len` bytes, not necessarily terminated; SIGNAL_NONE when it is not ours. */
uint16_t signal_find(const char *path, size_t len);

/* `value` rounded to the signal's decimals, -0.0 made 0: what is journalled, sent and stored. */
double signal_round(uint16_t id, double value);

/* Ids the code names itself; a unit test holds them equal to the table. */
enum {
    SIGNAL_SPEED = 1,                 /* Vehicle.Speed, km/h */
    SIGNAL_LATITUDE,                  /* Vehicle.CurrentLocation.Latitude, degrees */
    SIGNAL_LONGITUDE,                 /* Vehicle.CurrentLocation.Longitude, degrees */
    SIGNAL_ALTITUDE,                  /* Vehicle.CurrentLocation.Altitude, m above the ellipsoid */
    SIGNAL_HEADING,                   /* Vehicle.CurrentLocation.Heading, degrees 0 .. 360 */
    SIGNAL_HORIZONTAL_ACCURACY,       /* Vehicle.CurrentLocation.HorizontalAccuracy, m */
    SIGNAL_VERTICAL_ACCURACY,         /* Vehicle.CurrentLocation.VerticalAccuracy, m */
    SIGNAL_LOW_VOLTAGE_STATE,         /* Vehicle.LowVoltageSystemState, 0 .. 5 */
    SIGNAL_IS_MOVING,                 /* Vehicle.IsMoving */
    SIGNAL_ENGINE_RUNNING,            /* Vehicle.Powertrain.CombustionEngine.IsRunning */
    SIGNAL_ACCELERATION_LONGITUDINAL, /* Vehicle.Acceleration.Longitudinal, m/s^2 */
    SIGNAL_ACCELERATION_LATERAL,
    SIGNAL_ACCELERATION_VERTICAL,
    SIGNAL_ENGINE_SPEED,    /* Vehicle.Powertrain.CombustionEngine.Speed, rpm */
    SIGNAL_BATTERY_VOLTAGE, /* Vehicle.LowVoltageBattery.CurrentVoltage, V */
    /* from here on rows follow the PID table, in its order; first appearance of a path counts */
};

#endif
