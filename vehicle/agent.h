/* vehicle/agent.h - the main thread's work: notes out of the inbox, samples and events into the
 * outbox, records to the broker, acks and configuration back.  The threads are started and joined
 * here. */
#ifndef VEHICLE_AGENT_H
#define VEHICLE_AGENT_H

#include "lib/health.h"
#include "outbox.h"
#include "settings.h"
#include "supervisor.h"

struct agent;

/* Everything is borrowed until agent_close.  `found` is how the outbox was found. */
enum status agent_open(struct agent **out, const struct vehicle_settings *set, const char *vin,
                       struct outbox *outbox, const struct outbox_found *found,
                       struct health *health, struct fault *fault) MUST_CHECK;

/* Tells the supervisor (may be NULL) that it turns.  Until stop is asked for (ST_OK), or the outbox
 * is damaged (ST_FATAL). */
enum status agent_run(struct agent *a, struct supervisor *supervisor,
                      struct fault *fault) MUST_CHECK;

/* The tap first, then the pipe, then the drain: threads, last commit, last words.  NULL is fine. */
void agent_close(struct agent *a);

#endif
