/* vehicle/office.h - one call to the vehicles' side of the API, tried at each site in turn.
 * Blocking; once stop is asked for no other site is tried. */
#ifndef VEHICLE_OFFICE_H
#define VEHICLE_OFFICE_H

#include "lib/text.h"
#include "proto/status.h"

struct office {
    const char *api;        /* "https://host:port,https://..." */
    const char *ca;         /* what it is verified with */
    const char *cert, *key; /* files; NULL: none, as only enrolment may */
    int timeout_ms;         /* of a call to one site; 0: 15 s */
};

/* POST `body` (JSON), or GET where it is NULL, at `path` ("/api/embedded/...").  ST_OK: 200 or 201,
 * and *answer is what came.
 *   ST_RETRY   no site answers, or all are busy (429, 5xx): later
 *   ST_REJECT  refused, the fault says how in the API's own words */
enum status office_call(const struct office *o, const char *path, const struct text *body,
                        struct text *answer, struct fault *fault) MUST_CHECK;

#endif
