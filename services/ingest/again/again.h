/* services/ingest/again/again.h - the thread that looks at facts once more, at low priority: what
 * waited for a gap, what came late, who has fallen silent, what is due. */
#ifndef INGEST_AGAIN_H
#define INGEST_AGAIN_H

#include <stdatomic.h>
#include <stdint.h>

#include "proto/status.h"
#include "services/ingest/record/duty.h"
#include "services/ingest/wire/speaker.h"

struct again;

struct again_options {
    const char *pg, *influx; /* copied */
    const char *site;        /* ours; borrowed */
    struct speaker *alerts;  /* where changes of alerts are published */
    struct duty *duty;       /* which shards are ours */
    int64_t late_wait_ms;    /* after the last late record; twice that after the first */
    int64_t start_quiet_ms;  /* after the start nobody is called silent */
    atomic_bool *broker;     /* is it there? */
};

enum status again_start(struct again **out, const struct again_options *options,
                        struct fault *fault) MUST_CHECK;
/* Ends once stop was asked for.  NULL is fine. */
void again_join(struct again *a);

#endif
