/* lib/store/influx.h - InfluxDB over HTTP (libcurl): v1 /write and InfluxQL /query.  One struct
 * influx, one thread. */
#ifndef LIB_STORE_INFLUX_H
#define LIB_STORE_INFLUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "lib/http.h"
#include "proto/status.h"

struct influx;

/* `url` may carry credentials (http://user:password@host:8086); copied. */
enum status influx_open(struct influx **out, const char *url, const char *database,
                        struct fault *fault) MUST_CHECK;

/* Create the database with its retention policy (raw 61 d) unless it exists.  One that exists
 * without any limit gets the policy as its default, what is in it stays.
 *   ST_RETRY   away
 *   ST_FATAL   refused */
enum status influx_prepare(struct influx *db, struct fault *fault) MUST_CHECK;

/* Store lines (precision ms); blocks for at most 5 s.
 *   ST_RETRY   no answer, 429 or 5xx, a 400 not in InfluxDB's words: send the very same batch again
 *   ST_REJECT  400 or 413: something in this batch can never be stored (the rest may have been)
 *   ST_FATAL   401, 403, 404: credentials or database are wrong; an answer not InfluxDB's */
enum status influx_write(struct influx *db, const char *lines, size_t len,
                         struct fault *fault) MUST_CHECK;

/* The same with lines that are made while they are sent.  Where their length is told beforehand
 * InfluxDB takes memory for them once; it passes over a last line of spaces.  A batch of over 413's
 * limit may get no answer but a closed connection, ST_RETRY: influx_write tells. */
enum status influx_pour(struct influx *db, const struct http_body *lines,
                        struct fault *fault) MUST_CHECK;

/* Is a write taken at all?  Stores nothing; statuses as above. */
enum status influx_try(struct influx *db, struct fault *fault) MUST_CHECK;
/* Did a write answer ST_REJECT because samples are older than what the database is told to keep? */
bool influx_forgets(const struct fault *fault);

/* Make the retention policy of 1-minute values (two years) unless there is one; write lines to it.
 * Statuses as above. */
enum status influx_prepare_minutes(struct influx *db, struct fault *fault) MUST_CHECK;
enum status influx_write_minutes(struct influx *db, const char *lines, size_t len,
                                 struct fault *fault) MUST_CHECK;

/* Run one InfluxQL statement with bind parameters (a JSON object, borrowed, may be NULL); *result
 * is the parsed answer, yours to json_decref.  `epoch` ms.  15 s and 32 MiB at most.  Statuses as
 * above; ST_REJECT also for an error inside the answer and for one that is too long.  A float
 * without decimals arrives as a JSON integer (50): read values by json_number_value. */
enum status influx_query(struct influx *db, const char *statement, const json_t *params,
                         json_t **result, struct fault *fault) MUST_CHECK;
enum status influx_ping(struct influx *db, struct fault *fault) MUST_CHECK;
void influx_close(struct influx *db);

#endif
