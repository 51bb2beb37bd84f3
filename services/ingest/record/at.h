/* services/ingest/record/at.h - which record of its group a thread is working on: should that end
 * us, it is known who is to blame (inflight.h).  A store for each record. */
#ifndef INGEST_RECORD_AT_H
#define INGEST_RECORD_AT_H

#include <stdatomic.h>
#include <stdint.h>

#include "record.h"

/* Of this thread; NULL: nobody wants to know.  What is written there is a record's `flight`. */
extern _Thread_local _Atomic uint64_t *at_place;

/* NULL: at none, or at all of them. */
static inline void at_record(const struct record *r)
{
    if (at_place)
        atomic_store_explicit(at_place, r ? r->flight : 0, memory_order_release);
}

#endif
