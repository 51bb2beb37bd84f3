/* services/ingest/facts/finding.h - facts found by looking at samples, and what late samples do to
 * them. Pure but for its memory.  A fact never changes: when a recompute finds another time for it,
 * the old one is withdrawn (its alert is cleared as corrected, nothing is deleted) and the new one
 * is found late.
 */
#ifndef INGEST_FINDING_H
#define INGEST_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope.h"

#define FINDING_SUBJECT_MAX 79

struct finding {
    char id[UUID_TEXT + 1];                /* derived from vin, type, subject and occurred_ms */
    char type[32];                         /* "geofence_enter", "overspeed", "refuel" ... */
    char subject[FINDING_SUBJECT_MAX + 1]; /* zone, rule, code + ecu; "" of most */
    int64_t occurred_ms;
    int64_t detected_ms; /* when it was first found, by our clock */
    bool withdrawn;
};

void finding_init(struct finding *f, const char *vin, const char *type, const char *subject,
                  int64_t occurred_ms, int64_t detected_ms);

/* What a recompute of a window found, against the rows of that window as stored.
 *   fresh[i] that is stored already keeps its detected_ms; is_new[i] says which must be written
 *            (one that was withdrawn and is found again too)
 *   old[j].withdrawn  set where it is not found any more; is_gone[j] where that is new
 * In n log n.  False: no memory, nothing was changed. */
bool finding_reconcile(struct finding *fresh, bool *is_new, size_t fresh_n, struct finding *old,
                       bool *is_gone, size_t old_n);

#endif
