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

struct reader_habits {
    int64_t period_ms; /* length of a polling round, 0 = as fast as the adapter answers */
    int64_t
        codes_ms;  /* codes and readiness are read again this often, and told when they changed */
    char protocol; /* what this car spoke when it was last asked, tried first; '0' not known */
};

/* With address->none: *out = NULL. */
enum status reader_start(struct reader **out, const struct obd_address *address,
                         const struct reader_habits *habits, struct inbox *to,
                         struct fault *fault) MUST_CHECK;

/* The car moves though its bus sleeps: have a look.  Any thread; NULL is fine; never waits. */
void reader_hint_moving(struct reader *r);

/* How often the supply is looked at while the bus sleeps (WAKE_VOLTAGE_MS until told).  Takes
 * effect within a second.  Any thread; NULL is fine. */
void reader_rest(struct reader *r, int64_t voltage_ms);

/* Orders of a person, named by the command's id; what became of each comes as NOTE_CODES, and what
 * was read as NOTE_DIAGNOSIS besides.  An order that is not begun by `expires_ms` (UTC) is not
 * carried out.  Any thread; never wait.  ST_NONE: no adapter is configured, no note will come;
 * ST_RETRY: too many orders wait, nor will one.
 * Clearing is service 04: for a command that was signed off.  The reader itself asks the car, right
 * before, whether the engine is off and the car stands, and refuses otherwise; the request goes out
 * once. */
enum status reader_read_codes(struct reader *r, const char *command, int64_t expires_ms) MUST_CHECK;
enum status reader_clear_codes(struct reader *r, const char *command,
                               int64_t expires_ms) MUST_CHECK;

void reader_join(struct reader *r); /* after stop was asked for; NULL is fine */

#endif
