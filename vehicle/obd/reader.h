/* vehicle/obd/reader.h - the OBD-II thread: polling rounds, what the car's survey found and the
 * state of the adapter into the inbox.  The adapter may be missing, unplugged and back; the car may
 * sleep: states, never an exit. */
#ifndef VEHICLE_OBD_READER_H
#define VEHICLE_OBD_READER_H

#include "address.h"
#include "makes.h"
#include "vehicle/inbox.h"

struct reader;

/* The tables of makes, borrowed, and the VIN that says which rows apply.  Main, before
 * reader_start; without it none. */
void reader_use(const struct makes *makes, const char *vin);

/* `period_ms`: length of a polling round, 0 = as fast as the adapter answers.  With address->none:
 * *out = NULL. */
enum status reader_start(struct reader **out, const struct obd_address *address, int64_t period_ms,
                         struct inbox *to, struct fault *fault) MUST_CHECK;

/* The car moves though its bus sleeps: have a look.  Any thread; NULL is fine; never waits. */
void reader_hint_moving(struct reader *r);

void reader_join(struct reader *r); /* after stop was asked for; NULL is fine */

#endif
