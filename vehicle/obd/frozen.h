/* vehicle/obd/frozen.h - freeze frames: what an ECU kept of the moment in which it stored a code.
 * SAE J1979, service 02, frame 0: as in service 01, with the frame's number behind each identifier.
 */
#ifndef VEHICLE_OBD_FROZEN_H
#define VEHICLE_OBD_FROZEN_H

#include "dtc.h"
#include "proto/telemetry.h"

#define FROZEN_MAX 4           /* ECUs whose frames are kept */
#define FROZEN_READINGS_MAX 40 /* signals of one frame */

struct frozen {
    uint32_t ecu;
    char code[DTC_TEXT]; /* the one that froze it */
    size_t count;
    struct reading readings[FROZEN_READINGS_MAX]; /* one a signal, not rounded */
};

struct frozen_set {
    size_t count;
    struct frozen frames[FROZEN_MAX]; /* the engine's first: by id */
};

/* Walk an answer `42 <identifier> <frame> data ...`, of which one may hold several; ends at an
 * identifier whose length is not known, and at one that is short.  Returns how many it passed.
 * Pure. */
size_t frozen_each(const uint8_t *bytes, size_t len,
                   void (*take)(void *self, uint8_t pid, const uint8_t *data, size_t n),
                   void *self);

/* Read the frames of all ECUs.  What *set knows already (ECU and code) is kept and not asked again;
 * what is gone leaves it.  `physical`: one ECU can be addressed.  ST_RETRY: the cable is gone;
 * ST_NONE: stop; then *set is as it was. */
enum status frozen_read(struct link *link, bool physical, struct frozen_set *set,
                        struct fault *fault) MUST_CHECK;

#endif
