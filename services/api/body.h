/* services/api/body.h - JSON bodies of requests: read with fences, and unknown members refused. */
#ifndef API_BODY_H
#define API_BODY_H

#include "proto/json.h"
#include "respond.h"

/* Parse r->body as one JSON object whose members are all among `allowed` (NULL-terminated).
 * ST_NONE: it is not; the answer (400 or 422) is set. */
enum status body_read(const struct request *r, const char *const *allowed, json_t **out,
                      struct answer *a) MUST_CHECK;

/* A text member of at most `size` - 1 bytes.  `needed` false: absent leaves *out alone.
 * ST_NONE: missing or wrong; the answer (422, pointing at it) is set. */
enum status body_text(const struct request *r, const json_t *body, const char *key, bool needed,
                      char *out, size_t size, struct answer *a) MUST_CHECK;

/* An integer member within lowest .. highest.  Absent, and `needed` false: *out is left alone.
 * ST_NONE as above. */
enum status body_integer(const struct request *r, const json_t *body, const char *key, bool needed,
                         int64_t lowest, int64_t highest, int64_t *out,
                         struct answer *a) MUST_CHECK;
/* 422 with a pointer to member `key`. */
void body_fault(const struct request *r, const char *key, const char *code, struct answer *a);

#endif
