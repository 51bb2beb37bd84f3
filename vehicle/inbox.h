/* vehicle/inbox.h - the one bounded queue in which everything meets: fixes, polling rounds, what
 * the sources are doing, what the server says.  Threads push notes, main alone takes them out. */
#ifndef VEHICLE_INBOX_H
#define VEHICLE_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "obd/calibration.h"
#include "obd/dtc.h"
#include "obd/frozen.h"
#include "proto/envelope.h"
#include "proto/state.h"
#include "proto/status.h"
#include "proto/telemetry.h"

#define NOTE_BODY_MAX 33000 /* a server's message of 32 KiB and its head */
#define ROUND_READINGS_MAX 48

enum note_kind {
    NOTE_FIX,        /* struct fix */
    NOTE_ROUND,      /* struct round */
    NOTE_SOURCE,     /* struct source_change */
    NOTE_DIAGNOSIS,  /* struct diagnosis */
    NOTE_CONNECTION, /* struct connection */
    NOTE_ACK,        /* bytes of ack/1 */
    NOTE_CONFIG,     /* bytes of config/1 */
    NOTE_CODES,      /* struct codes_result */
    NOTE_COMMAND,    /* bytes of command/1 */
    NOTE_ERRAND,     /* struct errand_result */
};

/* A usable position.  NAN: not measured. */
struct fix {
    int64_t t_ms;             /* the receiver's time, 0 none */
    int64_t received_boot_ms; /* when it came */
    int64_t received_ms;      /* ... by our clock: whoever takes the note dates it */
    double lat, lon;          /* degrees */
    double altitude_m;        /* above the ellipsoid */
    double heading_deg, speed_kmh;
    double accuracy_m, vertical_accuracy_m;
};

/* One polling round of the car, or one look at the supply while it sleeps. */
struct round {
    int64_t boot_ms; /* of the vehicle speed's answer, else of the last one */
    int64_t t_ms;    /* ... by our clock: whoever takes the note dates it */
    bool answering;  /* at least one ECU answered; false: the bus sleeps */
    uint16_t count;
    struct reading readings[ROUND_READINGS_MAX]; /* not rounded */
};

enum note_origin { ORIGIN_GPS, ORIGIN_OBD };

struct source_change {
    enum note_origin origin;
    enum source state;
    char reason[128];
};

/* What a survey of the car's ECUs found. */
struct diagnosis {
    int64_t boot_ms;       /* when it was found */
    int64_t t_ms;          /* ... by our clock: whoever takes the note dates it */
    char vin[VIN_LEN + 1]; /* as the car says, twice alike; "" when it does not */
    char protocol;
    struct dtc_set dtcs;
    struct readiness readiness;
    bool supported[256]; /* service 01 PIDs, any ECU */
    struct calibrations calibrations;
    struct frozen_set frozen; /* freeze frames */
};

/* What became of an order to read or to clear the trouble codes (obd/reader.h). */
enum codes_outcome {
    CODES_DONE,
    CODES_REFUSED, /* by us or by the car: nothing was changed */
    CODES_FAILED,  /* nobody answers, or not every ECU did it */
    CODES_EXPIRED, /* too late when its turn came: nothing was done */
    CODES_OUTCOMES
};

#define CODES_UNITS_MAX 8

struct codes_result {
    char command[UUID_TEXT + 1]; /* as it was ordered */
    bool clear;                  /* false: the codes were read */
    enum codes_outcome outcome;
    char reason[256];  /* where it is not done */
    size_t unit_count; /* of the ECUs that answered service 04 */
    struct codes_unit {
        uint32_t ecu;
        bool cleared;
        uint8_t refused; /* code of its negative answer (ISO 14229-1, annex A), 0 none */
    } units[CODES_UNITS_MAX];
    bool read;              /* `found` is filled */
    struct diagnosis found; /* as read for this order, after clearing where that was tried */
};

/* What the API is asked for (courier.h), and how that went. */
enum errand { ERRAND_CONFIG, ERRAND_RENEW };

struct errand_result {
    enum errand errand;
    enum status status;
    char reason[256]; /* where it is not ST_OK */
};

struct connection {
    bool up;
    char broker[128];
    char reason[128];
};

struct note {
    enum note_kind kind;
    size_t len;
    union {
        struct fix fix;
        struct round round;
        struct source_change source;
        struct diagnosis diagnosis;
        struct connection connection;
        struct codes_result codes;
        struct errand_result errand;
        char bytes[NOTE_BODY_MAX];
    } body;
};

struct inbox;

enum status inbox_open(struct inbox **out, struct fault *fault) MUST_CHECK;

/* Put a note in; copied.  Waits while there is no room, until stop is asked for: for threads that
 * may wait. */
void inbox_push(struct inbox *in, enum note_kind kind, const void *body, size_t len);
/* The same without waiting: false when it was dropped (counted).  For the MQTT client's only
 * thread. */
bool inbox_offer(struct inbox *in, enum note_kind kind, const void *body, size_t len);

/* Take the oldest note; waits at most wait_ms.  False: nothing came. */
bool inbox_take(struct inbox *in, struct note *out, int wait_ms);

void inbox_close(struct inbox *in); /* NULL is fine; nobody may be inside */

#endif
