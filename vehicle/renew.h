/* vehicle/renew.h - the next certificate: a fresh key, signed by the API over mutual TLS with the
 * old pair, tried, and only then put in the old one's place.  Blocking.
 * Beside CERT and KEY lie meanwhile CERT.next and KEY.next.  A crash at any point leaves a pair
 * that works: renew_settle, before the files are used, ends what was begun. */
#ifndef VEHICLE_RENEW_H
#define VEHICLE_RENEW_H

#include "office.h"

/* Get the next certificate and put it in place.  *config: the answer's config/1 as text, "" none.
 *   ST_RETRY   no site answers, or the new pair could not be tried yet
 *   ST_REJECT  refused, or the files cannot be written; the next try makes another key */
enum status renew(const struct office *office, const char *vin, struct text *config,
                  struct fault *fault) MUST_CHECK;

/* CERT.next and KEY.next, both there, in the place of CERT and KEY.
 *   ST_RETRY   not now: CERT.next stays, it may be the key's already
 *   ST_REJECT  CERT cannot be replaced: the old pair is in force again */
enum status renew_place(const char *cert, const char *key, struct fault *fault) MUST_CHECK;

/* Put a pair right that a crash left half in place.  Files that are not there are fine; ST_REJECT:
 * the key is not the certificate's, and nothing here can mend it. */
enum status renew_settle(const char *cert, const char *key, struct fault *fault) MUST_CHECK;

/* GET the car's config/1. */
enum status renew_fetch_config(const struct office *office, const char *vin, struct text *config,
                               struct fault *fault) MUST_CHECK;

#endif
