/* services/ingest/record/session.h - a connection to PostgreSQL that can be told there from those
 * of other instances: its application_name is "vigie-ingest-PART TOKEN", eight hex digits that no
 * other process has.  So whoever finds one session of an instance dead finds all of them. */
#ifndef INGEST_SESSION_H
#define INGEST_SESSION_H

#include "lib/store/postgres.h"

/* As pg_open.  Any thread. */
enum status session_open(struct pg **out, const char *conninfo, const char *part,
                         struct fault *fault) MUST_CHECK;

#endif
