/* vehicle/supply.h - the machine's own supply: was it cut last time, is it lost now, switch it off.
 * Main thread only. */
#ifndef VEHICLE_SUPPLY_H
#define VEHICLE_SUPPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/status.h"

#define SUPPLY_NOTE "run" /* in the outbox: what supply_mark wrote last */
#define SUPPLY_MARK_MAX 64

/* The mark of an agent that runs, in this boot of the machine; or of one that stopped in order. */
void supply_mark(char out[SUPPLY_MARK_MAX], const char *boot, bool running);

/* Pure: `mark` is what was found, "" nothing.  True when an agent ran and never said that it
 * stopped, and the machine has been started anew since: an agent that was killed is no power cut.
 */
bool supply_was_cut(const char *mark, const char *boot);

/* The id of this boot of the machine; "" when the kernel does not tell. */
void supply_boot(char out[SUPPLY_MARK_MAX]);

/* ---- a line that says that the supply is gone while a capacitor still holds us up */
struct supply_line {
    const char *path; /* "": there is none */
    char lost;        /* what its first character is then */
    int agreed;       /* times in a row it said so */
};

/* Look at it.  True when it said so twice in a row.  A file that cannot be read says nothing. */
bool supply_lost(struct supply_line *line);

/* ---- switching off */

/* Run `command` by the shell; does not wait.  Returns its process, below 0 on failure. */
pid_t supply_off(const char *command);

#endif
