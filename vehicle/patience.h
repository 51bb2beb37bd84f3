/* vehicle/patience.h - when what was sent goes again without a word about it.  Pure but for the
 * jitter of the pause.  What counts is the oldest record that is still owed: as long as it stays,
 * what other records get settled meanwhile is no reason to wait longer (a site that was away lacks
 * exactly the old ones), only a sign that asking again is worth it soon. */
#ifndef VEHICLE_PATIENCE_H
#define VEHICLE_PATIENCE_H

#include "ledger.h"
#include "lib/backoff.h"

struct patience {
    struct backoff pause;
    int64_t again_ms; /* boot time: until then the oldest record has to move */
    int64_t settled;  /* records, by the ledger, last time */
    int64_t owed;     /* the oldest that is not settled, last time */
};

/* A connection begins: the pauses too. */
void patience_begin(struct patience *p, const struct ledger *l, int64_t first_ms, int64_t last_ms,
                    int64_t boot_ms);
/* An ack came. */
void patience_heard(struct patience *p, const struct ledger *l, int64_t boot_ms);
/* Of `given` numbers: is something owed, and has been for too long?  Then the next pause begins. */
bool patience_is_over(struct patience *p, const struct ledger *l, int64_t given, int64_t boot_ms);

#endif
