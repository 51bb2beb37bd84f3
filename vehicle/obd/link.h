/* vehicle/obd/link.h - a way to ask a car something: one request, the answers of every ECU.
 * Drivers sit behind it (elm327, slcan); decoding of what came back is for others.  Plain values
 * but for struct link; one link, one thread. */
#ifndef VEHICLE_OBD_LINK_H
#define VEHICLE_OBD_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"

#define LINK_MESSAGES_MAX 24
#define LINK_BYTES_MAX 4200 /* the longest ISO-TP message and some */
#define LINK_REQUEST_MAX 24 /* more than seven bytes: to one ECU only, where the driver can */
#define LINK_REFUSALS_MAX 8
#define LINK_ECU_TEXT 9 /* "7E8", "18DAF110", "10" and the terminator */

/* How a request ended.  Also the label of vigie_vehicle_obd_requests_total, see link_outcome_name.
 */
enum link_outcome {
    LINK_ANSWERED, /* at least one believable message */
    LINK_NO_DATA,  /* the bus is up, nobody answered this */
    LINK_NO_ECU,   /* no bus: ignition off */
    LINK_REFUSED,  /* only negative answers (7F): the service or the PID is not supported */
    LINK_PENDING,  /* 7F .. 78 and nothing after it */
    LINK_UNKNOWN,  /* the adapter does not know the command */
    LINK_BUS,      /* bus busy, bus error, CAN error: wiring or load */
    LINK_DAMAGED,  /* the adapter marked what it received as damaged, or lost some of it */
    LINK_RESET,    /* the adapter restarted or is about to sleep: set it up again */
    LINK_STOPPED,  /* we wrote before its prompt */
    LINK_TIMEOUT,  /* no prompt in time */
    LINK_OUTCOMES
};

struct link_message {
    uint32_t ecu; /* 0x7E8, 0x18DAF110, 0x10; 0 unknown (headers off) */
    uint16_t at;  /* its bytes are answer.bytes[at .. at + len): service + 0x40, identifier, data */
    uint16_t len;
};

struct link_refusal {
    uint32_t ecu;
    uint8_t code; /* ISO 14229-1, annex A: 11, 12, 22, 31 ... */
};

struct link_answer {
    enum link_outcome outcome;
    int64_t boot_ms; /* midpoint of request and reply; no clock that may be set meanwhile */
    size_t count;    /* messages, in the order in which they were complete */
    struct link_message messages[LINK_MESSAGES_MAX];
    uint8_t bytes[LINK_BYTES_MAX];
    size_t used;
    unsigned refused;    /* code of a negative answer (11, 12, 22, 31 ...), 0 none */
    uint32_t refused_by; /* ... and who gave it, the newest that did */
    size_t refusal_count;
    struct link_refusal refusals[LINK_REFUSALS_MAX]; /* every ECU's newest */
    unsigned ignored;                                /* lines that were nothing we know */
    bool cut; /* something was lost: a frame, a line, a message that did not fit */
};

struct link_request {
    uint8_t bytes[LINK_REQUEST_MAX];
    size_t len;
    int wait_ms;     /* 0: the driver's usual deadline */
    uint32_t to;     /* CAN only: the ECU that answers with this id alone; 0: everybody */
    unsigned frames; /* CAN frames its answer takes, so that nobody waits for more; 0 unknown */
    bool once;       /* it changes something: never sent a second time, whatever becomes of it */
};

struct link {
    /* Ask.  ST_OK: *answer is filled, whatever its outcome.  ST_RETRY: the cable is gone, close and
     * open again; ST_NONE: stop was asked for. */
    enum status (*request)(struct link *link, const struct link_request *request,
                           struct link_answer *answer, struct fault *fault) MUST_CHECK;
    /* The supply voltage as the adapter sees it, without touching the bus.  ST_REJECT: it cannot
     * say. */
    enum status (*voltage)(struct link *link, double *volts, struct fault *fault) MUST_CHECK;
    /* Look for the bus from the start: first of all, and after ignition off.  *answer is the one to
     * 01 00. */
    enum status (*search)(struct link *link, struct link_answer *answer,
                          struct fault *fault) MUST_CHECK;
    void (*close)(struct link *link);
    char adapter[64]; /* how it calls itself */
    char protocol;    /* '1' .. '9', 'A'; '0' not known */
};

const char *link_outcome_name(enum link_outcome outcome); /* "answered", "no_data", ... */

/* "7E8", "18DAF110", "10"; "" for 0. */
void link_print_ecu(char out[LINK_ECU_TEXT], uint32_t ecu);

/* Is the bus CAN (protocols 6 .. 9)?  There ISO-TP and DTC counts apply. */
bool link_is_can(char protocol);

#endif
