/* lib/drive/adapter.h - an OBD adapter pulled out of its socket, and put back.  Pure; {0} starts.
 * An adapter that never answered is absent, not unplugged. */
#ifndef LIB_DRIVE_ADAPTER_H
#define LIB_DRIVE_ADAPTER_H

#include <stdbool.h>
#include <stdint.h>

#include "hold.h"

struct adapter_settings {
    int64_t gone_ms; /* 10,000 without the adapter: a cable that was only shaken is back by then */
    int64_t silent_ms; /* 10,000 without an ECU's answer ... */
    double drives_kmh; /* ... while GPS says 8 or more */
    int64_t hole_ms;   /* 15,000: moments further apart do not add up */
};
extern const struct adapter_settings adapter_defaults;

enum adapter_fact { ADAPTER_NONE = 0, ADAPTER_UNPLUGGED, ADAPTER_BACK };

struct adapter {
    bool seen, ecu_seen;    /* answered once */
    bool unplugged, silent; /* silent: unplugged because the ECU was silent on the road */
    int64_t since_ms;       /* first moment without an answer of what was told */
    int64_t t_ms;
    struct hold gone, mute;
};

/* One moment: the adapter answers (or its port is open), an ECU answered since the last moment, and
 * GPS's speed of a good fix (NaN: none).  ADAPTER_UNPLUGGED happened at since_ms. */
enum adapter_fact adapter_step(struct adapter *a, const struct adapter_settings *set, int64_t t_ms,
                               bool adapter_there, bool ecu_answered, double gps_kmh);

#endif
