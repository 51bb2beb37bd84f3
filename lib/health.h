/* lib/health.h - the admin listener: /healthz /readyz /metrics /version over plain HTTP/1.1, in a
 * thread of its own. Small on purpose: GET only, one request per connection, 4 KiB of request, 2 s
 * per client. */
#ifndef LIB_HEALTH_H
#define LIB_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/status.h"

struct health;

/* Listen on `address` ("127.0.0.1:9101"; "" or "none": no listener, *out = NULL).  ST_REJECT bad
 * address, ST_FATAL the port is taken (the fault names it). */
enum status health_open(struct health **out, const char *address, struct fault *fault) MUST_CHECK;

/* Parts the process depends on; readyz is 200 when there is one, all are true, and health_drain was
 * not called; so name each with false before the first turns true.  At most 16. `part` is a
 * literal.  Any thread; NULL h is fine. */
void health_set(struct health *h, const char *part, bool ready);
/* Something `part` waits for begins, and ends: while it lasts longer than `most_ms` readyz says so,
 * whatever health_set has told.  One thread a part; the rest as health_set. */
void health_begin(struct health *h, const char *part, int64_t most_ms);
void health_end(struct health *h, const char *part);
void health_drain(struct health *h);
int health_port(const struct health
                    *h); /* the port it listens on (asked for 0: the kernel's choice); 0 for NULL */
void health_close(struct health *h);

#endif
