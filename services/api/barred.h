/* services/api/barred.h - vehicles that are revoked or retired, kept on the broker's deny list.
 * Whoever bars one writes a row; every api that serves, at each site, sees to its own file then. */
#ifndef API_BARRED_H
#define API_BARRED_H

#include "lib/store/postgres.h"

/* Transaction-wide: nobody puts a vehicle on a deny list while another takes it off. */
enum status barred_lock(struct pg *pg, struct fault *fault) MUST_CHECK;

/* Within a transaction: every VIN that is barred into revoked.vins of `pki_dir`, and its presence
 * is offline.  Writes nothing that is there already.  ST_FATAL: the file cannot be written. */
enum status barred_write(struct pg *pg, const char *pki_dir, struct fault *fault) MUST_CHECK;

#endif
