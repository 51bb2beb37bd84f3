/* services/ingest/commit/fact_layouts.h - which layouts stored states have (rows of `fact_layout`),
 * and states of another build read by that.  Inside the caller's transaction; one thread. */
#ifndef INGEST_FACT_LAYOUTS_H
#define INGEST_FACT_LAYOUTS_H

#include "lib/store/postgres.h"
#include "services/ingest/car/car.h"

struct fact_layouts;

enum status fact_layouts_open(struct fact_layouts **out, struct pg *db,
                              struct fault *fault) MUST_CHECK;

int64_t fact_layouts_own(const struct fact_layouts *l);

/* Queue what asks whether ours is told, and, with what is written, what tells it.  Once a
 * transaction has found it told neither does anything. */
enum status fact_layouts_ask(struct fact_layouts *l, struct fault *fault) MUST_CHECK;
enum status fact_layouts_tell(struct fact_layouts *l, struct fault *fault) MUST_CHECK;

/* Read those of others that were told since the last time. */
enum status fact_layouts_learn(struct fact_layouts *l, struct fault *fault) MUST_CHECK;
/* All that can be read, ours too, as an array in SQL; as long as `l` learns nothing. */
const char *fact_layouts_known(struct fact_layouts *l);

/* A packed state.  False: of a layout nobody told, or of one this build cannot carry over; *out is
 * undefined. */
bool fact_layouts_read(struct fact_layouts *l, int64_t layout, const char *packed, size_t len,
                       struct car *out) MUST_CHECK;

void fact_layouts_close(struct fact_layouts *l); /* NULL is fine */

#endif
