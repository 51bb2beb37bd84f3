/* services/ingest/commit/states.h - the newest state of each vehicle, in memory and in
 * `vehicle_state`. Inside the caller's transaction; one thread. */
#ifndef INGEST_STATES_H
#define INGEST_STATES_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/store/postgres.h"
#include "services/ingest/record/record.h"

struct states;

enum status states_open(struct states **out, struct pg *db, struct fault *fault) MUST_CHECK;

/* Queue what locks and reads the vehicles a group touches. */
enum status states_ask(struct states *s, struct record *const *records, const bool *fresh, size_t n,
                       struct fault *fault) MUST_CHECK;
/* Once that has been waited for, merge what is new of the group and queue the vehicles it touched:
 * newest values, presence, last_seen; NOTIFY vehicle for those whose presence was told. */
enum status states_write(struct states *s, struct record *const *records, const bool *fresh,
                         size_t n, struct fault *fault) MUST_CHECK;

void states_close(struct states *s);

#endif
