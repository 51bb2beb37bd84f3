/* services/ingest/vehicles.h - which VINs are ours and active, asked of PostgreSQL and remembered.
 * One thread.  A change in the fleet (NOTIFY fleet) is noticed with the next question. */
#ifndef INGEST_VEHICLES_H
#define INGEST_VEHICLES_H

#include "proto/status.h"

struct vehicles;

enum status vehicles_open(struct vehicles **out, const char *conninfo,
                          struct fault *fault) MUST_CHECK;

/* Connect, and ask about all of them (20,000 at most).  Takes as long as the database does,
 * seconds at most. */
void vehicles_prepare(struct vehicles *v);

/* May records of this VIN be stored?
 *   ST_OK      yes            ST_REJECT  no such vehicle, or it is revoked or retired
 *   ST_RETRY   not known, and the database is away: not acknowledged, so it comes again */
enum status vehicles_allow(struct vehicles *v, const char *vin) MUST_CHECK;

void vehicles_close(struct vehicles *v); /* NULL is fine */

#endif
