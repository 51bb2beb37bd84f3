/* services/ingest/commit/results.h - results of commands: the command's row goes where the vehicle
 * says it has come.  Inside the caller's transaction; one thread. */
#ifndef INGEST_RESULTS_H
#define INGEST_RESULTS_H

#include <stdbool.h>
#include <stddef.h>

#include "columns.h"
#include "services/ingest/record/record.h"

/* `fresh[i]`: record i is new.  A command only goes forward (command_rank in proto/sql), and only
 * its own vehicle moves it: a result of another's command, of none, or of one that is past that
 * changes nothing and is a fact like any other. */
enum status results_write(struct columns *c, struct pg *db, struct record *const *records,
                          const bool *fresh, size_t n, struct fault *fault) MUST_CHECK;

#endif
