/* proto/fact.h - the other journalled messages (event, alert, diagnostics, media, result): a head,
 * an id, a time and a body that is stored as it came.  Pure. */
#ifndef PROTO_FACT_H
#define PROTO_FACT_H

#include <stddef.h>
#include <stdint.h>

#include "proto/envelope.h"
#include "proto/status.h"
#include "proto/topic.h"

struct fact {
    struct envelope head;
    char id[UUID_TEXT + 1]; /* the message's own, or derived from (vin, stream, seq) where the
                               schema has none */
    int64_t t_ms;           /* occurred at; media: t_start; result: 0 (it has none) */
    char type[40]; /* event and alert: their type; media: its kind; diagnostics, result: "" */
};

/* Read what all facts have in common and check what the schema of `leaf` demands.
 * An event's type is any lower_snake word (newer agents know more), an alert's one of the list.
 * ST_REJECT as envelope_read: stream and seq are in *out where readable, all else is empty.
 * ST_FATAL: out of memory. */
enum status fact_read(struct fact *out, const char *vin, enum leaf leaf, const char *bytes,
                      size_t len, struct fault *fault) MUST_CHECK;

/* Write event/1 with `data`, a JSON object as text ("{}" at least).
 * ST_REJECT: too long, or data is not one. */
enum status event_write(const struct fact *event, const char *data, char *out, size_t size,
                        size_t *len, struct fault *fault) MUST_CHECK;

/* The same for alert/1; `severity` is one of the contract's words. */
enum status alert_write(const struct fact *alert, const char *severity, const char *data, char *out,
                        size_t size, size_t *len, struct fault *fault) MUST_CHECK;

#endif
