/* services/api/refresh.h - refresh tokens: opaque, rotating, in families.  Pure but for the first
 * one's random bytes. A token is 256 bits as base64url.  Its successor is HMAC-SHA256 of it under a
 * secret all sites share, so that a token spent a moment ago can be answered with the very same
 * successor: two tabs, a lost answer, a failover. */
#ifndef API_REFRESH_H
#define API_REFRESH_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/status.h"

#define REFRESH_TEXT 43 /* characters */
#define REFRESH_SECRET_LEN 32
#define REFRESH_IDLE_MS (INT64_C(7) * 24 * 3600 * 1000)
#define REFRESH_LIFE_MS (INT64_C(30) * 24 * 3600 * 1000)
#define REFRESH_GRACE_MS (90 * 1000)

void refresh_new(char out[REFRESH_TEXT + 1]);
bool refresh_is_valid(const char *token); /* the shape of one */
void refresh_successor(char out[REFRESH_TEXT + 1], const char *token,
                       const unsigned char secret[REFRESH_SECRET_LEN]);
/* SHA-256 as a bytea literal: `\x` and 64 hex digits. */
void refresh_hash(char out[67], const char *token);

struct refresh_row {
    int64_t issued_ms, family_started_ms;
    int64_t spent_ms; /* 0: not yet */
    bool revoked, user_disabled;
};

enum refresh_verdict {
    REFRESH_ROTATE, /* spend it, make the successor */
    REFRESH_REPEAT, /* spent within the grace: give the same successor again */
    REFRESH_REUSED, /* spent before that: somebody copied it; the family ends */
    REFRESH_ENDED   /* too old, revoked, or the user is disabled */
};
enum refresh_verdict refresh_judge(const struct refresh_row *row, int64_t now_ms);

#endif
