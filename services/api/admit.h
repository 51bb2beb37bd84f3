/* services/api/admit.h - everything decided about a request before a worker sees it: route, door,
 * token, rights, rate, origin, sizes and types.  The loop's thread; touches no network; the time is
 * an argument. */
#ifndef API_ADMIT_H
#define API_ADMIT_H

#include "limit.h"
#include "route.h"
#include "shared.h"

struct admission {
    const struct shared *shared;
    struct limits *limits;
    struct delays *delays;
    struct token_cache *tokens;
};

/* Two clocks: tokens are judged by the time of day, buckets and delays by one that never jumps. */
struct moment {
    int64_t wall_ms, boot_ms;
};

enum verdict {
    VERDICT_RUN,    /* give it to the route's worker */
    VERDICT_ASSETS, /* a file of the dashboard */
    VERDICT_ANSWERED
};

/* Headers are read, the body is not: `length` is its announced size, -1 when none was announced. */
enum verdict admit(struct admission *ad, struct request *r, int64_t length, struct moment now,
                   const struct route **route, struct answer *a);

/* A sign-in whose body has come: go on after *hold_ms, or (false) the answer 429 is set.
 * `account` is what to give admit_outcome later.  Times here are of the clock that never jumps. */
bool admit_sign_in(struct admission *ad, const struct request *r, int64_t now_ms, char account[64],
                   int64_t *hold_ms, struct answer *a);
void admit_outcome(struct admission *ad, const char *account, const char *address, bool failed,
                   int64_t now_ms);

/* Access-Control headers for an /api answer, when the origin is one of ours. */
void admit_cors(const struct shared *shared, const char *origin, struct answer *a);

#endif
