/* lib/store/sqlstate.h - what a failure of PostgreSQL asks the caller to do.  Any thread. */
#ifndef LIB_STORE_SQLSTATE_H
#define LIB_STORE_SQLSTATE_H

#include "proto/status.h"

/* Of its five characters, "" when the connection went: as lib/store/postgres.h says of pg_run. */
enum status sqlstate_status(const char *state);

#endif
