/* services/api/limit.h - how often someone may ask, and how long a wrong password makes the next
 * one wait. The loop's thread only; the time is an argument. */
#ifndef API_LIMIT_H
#define API_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/status.h"

#define LIMIT_KEYS_MAX 20000 /* remembered at once; the quietest are forgotten */

struct rate {
    double per_s, burst;
};

struct limits; /* token buckets, one per key */

enum status limits_open(struct limits **out, struct fault *fault) MUST_CHECK;
/* Take one token of `key`'s bucket.  False: none left; *retry_s says after how many seconds there
 * is one. */
bool limits_take(struct limits *l, const char *key, struct rate rate, int64_t now_ms, int *retry_s);
void limits_close(struct limits *l); /* NULL is fine */

/* Where a request comes from: the /24 of an IPv4 address, the /64 of an IPv6 one.  `out` holds 64
 * bytes. */
void source_of(char out[64], const char *address);

/* Wrong passwords.  An account is never locked, because anyone could do that to anyone: its
 * attempts are held back, 250 ms after the third wrong one, doubling up to 8 s.  A source that
 * keeps failing is refused for longer and longer, 1 s after the tenth, doubling up to 5 min.  Both
 * are forgotten after 15 quiet minutes. */
struct delays;

enum status delays_open(struct delays **out, struct fault *fault) MUST_CHECK;
/* May this attempt go on?  True: after *hold_ms; false: the source is refused for *retry_s. */
bool delays_admit(struct delays *d, const char *account, const char *source, int64_t now_ms,
                  int64_t *hold_ms, int *retry_s);
void delays_failed(struct delays *d, const char *account, const char *source, int64_t now_ms);
void delays_succeeded(struct delays *d, const char *account); /* the source stays under watch */
void delays_close(struct delays *d);                          /* NULL is fine */

#endif
