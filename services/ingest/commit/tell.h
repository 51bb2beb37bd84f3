/* services/ingest/commit/tell.h - what was found, or told by the car, becomes events and alerts.
 * Inside the caller's transaction; one thread. */
#ifndef INGEST_TELL_H
#define INGEST_TELL_H

#include "cases.h"
#include "events.h"
#include "services/ingest/car/found.h"
#include "services/ingest/record/record.h"

struct tell;

enum status tell_open(struct tell **out, struct pg *db, struct fault *fault) MUST_CHECK;

void tell_found(struct tell *t, const char *vin, const struct found *found, size_t n,
                int64_t now_ms);
/* An alert or event of the car, and where (NaN: nowhere).  `subject` (of ALERT_SUBJECT_MAX + 1
 * bytes) becomes its alert's. */
void tell_told(struct tell *t, const struct record *r, double lat, double lon, int64_t now_ms,
               char *subject);
/* What was found before and is found again may have happened elsewhere, or nowhere that is told. */
void tell_found_places(struct tell *t, const char *vin, const struct found *found, size_t n);
/* Where events happened that were told or found before. */
void tell_places(struct tell *t, const char *vin, const struct found_place *places, size_t n);
/* What events_withdraw found to be gone. */
void tell_gone(struct tell *t, const char *vin, const struct found *gone, size_t n);
void tell_again(struct tell *t, const char *vin, const char *const *types, size_t n,
                int64_t after_ms); /* cases_again */
struct events *tell_events(struct tell *t);

void tell_forget(struct tell *t); /* what was not written yet, and what was changed */
enum status tell_write(struct tell *t, int64_t now_ms, struct fault *fault) MUST_CHECK;

/* Alerts that the newest tell_write changed: to be published once that is committed. */
const struct alert_change_message *tell_changes(const struct tell *t, size_t *n);

void tell_close(struct tell *t); /* NULL is fine */

#endif
