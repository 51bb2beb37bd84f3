/* vehicle/herald.h - what the car says of itself in up/state, and when.  Pure. */
#ifndef VEHICLE_HERALD_H
#define VEHICLE_HERALD_H

#include <stdbool.h>

#include "proto/state.h"

struct herald {
    struct vehicle_state state;
    bool due;        /* something changed, or the connection is new */
    int64_t told_ms; /* boot time of the last time it was told */
};

void herald_init(struct herald *p, const char *boot, const char *agent);
void herald_set_gps(struct herald *p, enum source source);
void herald_set_obd(struct herald *p, enum source source);
void herald_set_config(struct herald *p, int64_t revision);
void herald_set_private(struct herald *p, int64_t since_ms); /* 0: not private */
/* How awake we are, and when we will be heard of again; 0: not said. */
void herald_rest(struct herald *p, enum presence presence, int64_t heartbeat_ms, int64_t wake_ms);
void herald_set_outbox(struct herald *p, const char *trouble); /* "" none; "full", "failing", ... */
void herald_connected(struct herald *p);

bool herald_is_due(const struct herald *p, int64_t boot_ms, int64_t heartbeat_ms);
void herald_told(struct herald *p, int64_t boot_ms);

/* The message, at `now_ms`.  Also the last will, with PRESENCE_OFFLINE; that says nothing of
 * private mode: it is written long before it is sent. */
enum status herald_write(const struct herald *p, enum presence what, int64_t now_ms, char *out,
                         size_t size, size_t *len, struct fault *fault) MUST_CHECK;

#endif
