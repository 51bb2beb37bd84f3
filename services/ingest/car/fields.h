/* services/ingest/car/fields.h - what a stored struct car is made of, by name: another build reads
 * it with that (layout.h).  Pure.
 * Whoever adds a member to a struct in here tells it there, too, in its place; `make lint` looks.
 * Begun as 0 it has to be right in the middle of a drive.  A member whose meaning changes gets
 * another name; where that does not do, raise FIELDS_AGE: states are then computed again from the
 * history, which takes a while and a long look at each car's last hours. */
#ifndef INGEST_FIELDS_H
#define INGEST_FIELDS_H

#include "layout.h"

#define FIELDS_AGE 1

extern const struct layout_member fields_of_car[];

#endif
