/* vehicle/obd/dtc.h - trouble codes, readiness and the VIN out of an ECU's answers.
 * SAE J2012 / ISO 15031-6 (codes), SAE J1979 (services 01 01, 03, 07, 09 02, 0A).  Pure. */
#ifndef VEHICLE_OBD_DTC_H
#define VEHICLE_OBD_DTC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link.h"
#include "proto/vin.h"

#define DTC_TEXT 6  /* "P0301" and the terminator */
#define DTC_MAX 128 /* codes of one car that are kept */
#define DTC_ECUS_MAX 8
#define MONITORS 16 /* readiness monitors we know the names of, at most 11 of one car */

enum dtc_state { DTC_STORED, DTC_PENDING, DTC_PERMANENT, DTC_STATES };
enum dtc_list {
    DTC_LIST_ABSENT,
    DTC_LIST_PARTIAL,
    DTC_LIST_FULL
}; /* how much of a list could be read */

struct dtc {
    char code[DTC_TEXT];
    enum dtc_state state;
    uint32_t ecu;
};

struct dtc_set {
    size_t count;
    struct dtc codes[DTC_MAX];
    enum dtc_list lists[DTC_STATES];
    bool counted; /* in this session a list on CAN came with its count: this adapter leaves it in */
    size_t ecu_count[DTC_STATES]; /* ECUs that gave the list in this session */
    uint32_t ecus[DTC_STATES][DTC_ECUS_MAX];
};

const char *dtc_state_name(enum dtc_state state); /* "stored" "pending" "permanent" */
const char *dtc_list_name(enum dtc_list list);    /* "absent" "partial" "full" */
uint8_t dtc_service(enum dtc_state state);        /* 03 07 0A */

/* Two bytes to text.  0000 is padding, not a code: the caller looks. */
void dtc_print(char out[DTC_TEXT], uint16_t bytes);

/* Take the answers to service 03, 07 or 0A.  On CAN a count comes first; on older buses pairs
 * padded with 0000. An adapter that leaves the count out is recognised by an even number of bytes,
 * unless it is known to leave it in.  What is shorter than it says, or does not fit, or could be
 * either form, makes the list partial. */
void dtc_take(struct dtc_set *set, enum dtc_state state, const struct link_answer *answer,
              bool can);

/* Note which ECUs gave this list, those of `before` among them. */
void dtc_remember(struct dtc_set *set, const struct dtc_set *before, enum dtc_state state,
                  const struct link_answer *answer);

/* The same codes of the same ECUs in the same states, and as much read of each list? */
bool dtc_same(const struct dtc_set *a, const struct dtc_set *b);

/* ---- readiness: 01 01 */

struct readiness {
    bool known, mil_on;
    bool supported[MONITORS], complete[MONITORS];
};

const char *readiness_monitor(unsigned index); /* "misfire", ...; NULL from MONITORS on or unused */

/* Take one ECU's four bytes after 41 01.  MIL is the OR; a monitor is complete only if it is in
 * every ECU. */
void readiness_take(struct readiness *r, const uint8_t data[4]);

/* ---- VIN: 09 02 */

/* The VIN in the answers of one request; false when there is none.  Without count byte, with
 * leading NULs, or in five numbered messages of four bytes. */
bool vin_from_answer(char out[VIN_LEN + 1], const struct link_answer *answer);

#endif
