/* vehicle/courier.h - the thread that talks to the API over HTTPS, so that nobody else waits for
 * it: fetches the configuration, renews the certificate.  What came goes into the inbox:
 * NOTE_CONFIG, then NOTE_ERRAND. */
#ifndef VEHICLE_COURIER_H
#define VEHICLE_COURIER_H

#include "inbox.h"
#include "office.h"
#include "proto/vin.h"

struct courier;

/* Borrows what `office` points at until courier_join.  Without an API: *out = NULL. */
enum status courier_start(struct courier **out, const struct office *office, const char *vin,
                          struct inbox *to, struct fault *fault) MUST_CHECK;

/* Any thread; never waits.  ST_NONE: there is no API; ST_RETRY: too many errands wait already; in
 * neither case a note will come. */
enum status courier_send(struct courier *c, enum errand errand) MUST_CHECK;

/* After stop was asked for: at most one call of 6 s is waited for.  NULL is fine. */
void courier_join(struct courier *c);

#endif
