/* services/ingest/commit/events.h - what happened, told by the car or found by us, as rows of
 * `event`. Inside the caller's transaction; one thread. */
#ifndef INGEST_EVENTS_H
#define INGEST_EVENTS_H

#include "lib/store/postgres.h"
#include "services/ingest/car/car.h"
#include "services/ingest/record/record.h"

struct events;

enum status events_open(struct events **out, struct pg *db, struct fault *fault) MUST_CHECK;

/* An event or alert the car told, and where; NaN: nowhere. */
void events_add_told(struct events *e, const struct record *r, double lat, double lon);
/* Where an event happened, that is stored or among those to be written: it becomes the place of its
 * alert, too. */
void events_add_place(struct events *e, const char *vin, const struct found_place *place);
/* One found by us; found again it is the same row. */
void events_add_found(struct events *e, const char *vin, const struct found *found,
                      int64_t detected_ms);
/* What was found, though no sample told it, and is not so after all. */
void events_add_gone(struct events *e, const char *vin, const struct found *found);
void events_forget(struct events *e); /* what was not written yet */
enum status events_write(struct events *e, struct fault *fault) MUST_CHECK;
enum status events_write_places(struct events *e,
                                struct fault *fault) MUST_CHECK; /* after alerts */

/* A recompute stepped again over all samples after `after_ms`, up to `until_ms`: what was found in
 * them before and is not among those `past` has is withdrawn, but for what that spares.  *gone
 * (yours until the next call) has type, subject and occurred_ms of those. */
enum status events_withdraw(struct events *e, const char *vin, const struct judged_past *past,
                            int64_t after_ms, int64_t until_ms, struct found **gone, size_t *gone_n,
                            struct fault *fault) MUST_CHECK;

void events_close(struct events *e); /* NULL is fine */

#endif
