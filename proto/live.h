/* proto/live.h - `live/1`: the newest state of one vehicle, from ingest to notify.  Pure. */
#ifndef PROTO_LIVE_H
#define PROTO_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"
#include "proto/vin.h"

struct live {
    char vin[VIN_LEN + 1];
    int64_t t_ms; /* of the newest sample */
    bool has_position, has_speed, has_heading, has_ignition;
    double lat, lon; /* degrees */
    double speed_kmh;
    double heading_deg;
    bool ignition_on;
    char connectivity[12]; /* online late lost sleeping never */
};

/* ST_REJECT: `size` too small, no VIN, a position off the globe, none of the five words. */
enum status live_write(const struct live *l, char *out, size_t size, size_t *len,
                       struct fault *fault) MUST_CHECK;
enum status live_read(struct live *out, const char *bytes, size_t len,
                      struct fault *fault) MUST_CHECK;

#endif
