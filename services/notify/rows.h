/* services/notify/rows.h - vehicles as the database knows them.  The store's thread. */
#ifndef NOTIFY_ROWS_H
#define NOTIFY_ROWS_H

#include "fleet.h"
#include "lib/store/postgres.h"

/* Vehicles a program is told to look at; more at once, and it looks at all of them. */
#define VINS_MAX 256
struct vins {
    char list[VINS_MAX][VIN_LEN + 1];
    size_t n;
};

/* Once each; false: no room, or not a VIN. */
bool vins_add(struct vins *v, const char *vin);

/* All vehicles that are not retired, or (`only` not NULL) those of them; free(*out) is yours.
 * Statuses as pg_run. */
enum status rows_read(struct pg *db, const struct vins *only, struct vehicle_row **out, size_t *n,
                      struct fault *fault) MUST_CHECK;

#endif
