/* proto/state.h - `state/1`: what a vehicle says of itself, retained, also its last will.  Pure. */
#ifndef PROTO_STATE_H
#define PROTO_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/envelope.h"
#include "proto/status.h"

enum presence { PRESENCE_ONLINE, PRESENCE_OFFLINE, PRESENCE_SLEEPING };
enum source {
    SOURCE_ABSENT,
    SOURCE_OK,
    SOURCE_SEARCHING,
    SOURCE_SILENT,
    SOURCE_GONE
}; /* of GPS, OBD, camera */

struct vehicle_state {
    enum presence presence;
    char boot[UUID_TEXT + 1];
    char agent[32]; /* version */
    int64_t t_ms;
    int64_t config; /* revision in force, 0 none */
    enum source gps, obd, camera;
    int64_t private_since_ms; /* private mode; 0: not private */
    int64_t heartbeat_ms;     /* it will be heard of again at least this often; 0: not said */
    int64_t wake_ms; /* sleeping: wakes up this often to say so; 0: it announces no wake-up */
    char outbox[16]; /* what is wrong with its disk: "full" "failing" "read_only" ...; "" nothing */
};

const char *presence_name(enum presence p); /* "online" "offline" "sleeping" */
const char *source_name(enum source s);     /* "absent" "ok" "searching" "silent" "gone" */

/* Write as JSON; ST_REJECT when `size` is too small. */
enum status state_write(const struct vehicle_state *s, char *out, size_t size, size_t *len,
                        struct fault *fault) MUST_CHECK;
/* Unknown keys ignored, unknown source words read as absent. */
enum status state_read(struct vehicle_state *out, const char *bytes, size_t len,
                       struct fault *fault) MUST_CHECK;

#endif
