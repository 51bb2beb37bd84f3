/* services/ingest/blame.h - a store refuses a record that stands alone: is it the record's fault,
 * or would anybody's be refused?  Pure. */
#ifndef INGEST_BLAME_H
#define INGEST_BLAME_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/vin.h"

#define BLAME_VEHICLES 3

struct blame { /* all zero: nobody was refused */
    char vins[BLAME_VEHICLES][VIN_LEN + 1];
    size_t count;
};

/* A record of this vehicle is refused.  True: so were others', BLAME_VEHICLES in all, and nothing
 * was taken meanwhile: it is the store, until it takes something. */
bool blame_refused(struct blame *b, const char *vin);
void blame_accepted(struct blame *b);

#endif
