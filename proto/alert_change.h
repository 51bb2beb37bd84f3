/* proto/alert_change.h - `alert-change/1`: a case opened or changed, from ingest to notify.  Pure.
 */
#ifndef PROTO_ALERT_CHANGE_H
#define PROTO_ALERT_CHANGE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/envelope.h"
#include "proto/status.h"
#include "proto/vin.h"

struct alert_change_message {
    char id[UUID_TEXT + 1];
    char vin[VIN_LEN + 1];
    char type[32];
    char severity[12]; /* critical major minor warning info */
    char state[16];    /* open acknowledged cleared */
    int64_t occurred_ms, detected_ms;
    int64_t count;   /* from 1 */
    char cursor[48]; /* of the row of `change` that tells the same */
};

/* ST_REJECT: `size` too small, or a member that is none. */
enum status alert_change_write(const struct alert_change_message *m, char *out, size_t size,
                               size_t *len, struct fault *fault) MUST_CHECK;

#endif
