/* services/api/token.h - access tokens: JWT, ES256, and the fence around libjwt.
 * The only place that calls jwt_decode.  Unfenced, libjwt 1.10 and 1.17 accept HS256 keyed with the
 * public PEM, expired tokens, duplicate keys, and no key at all.  RFC 7519, RFC 7515, RFC 8725. */
#ifndef API_TOKEN_H
#define API_TOKEN_H

#include <stdint.h>

#include "keys.h"
#include "proto/envelope.h"
#include "proto/status.h"

#define TOKEN_MAX 4096    /* bytes of a token we look at */
#define TOKEN_LIFE_S 600  /* of an access token */
#define TOKEN_LEEWAY_S 60 /* between the clocks of two sites */
#define TOKEN_ISSUER "vigie"
#define TOKEN_AUDIENCE "vigie"

struct claims {
    char jti[UUID_TEXT + 1];
    char user[UUID_TEXT + 1];   /* sub */
    char tenant[UUID_TEXT + 1]; /* customer */
    char role[16];
    char use[8];   /* "access" or "media" */
    int64_t epoch; /* ep: at least the user's, or it is void */
    int64_t issued_s, expires_s;
};

/* Make a token that lives from `now_ms` for TOKEN_LIFE_S.  jti, issued_s and expires_s of `c` are
 * filled in; the rest is the caller's.  `out` holds TOKEN_MAX + 1 bytes. */
enum status token_sign(const struct keys *keys, struct claims *c, int64_t now_ms, char *out,
                       struct fault *fault) MUST_CHECK;

/* Believe a token or not.  ST_REJECT: not; the fault says why, in one word first ("expired ...").
 * The caller still compares claims.epoch with the user's. */
enum status token_verify(const struct keys *keys, const char *token, size_t len, const char *use,
                         int64_t now_ms, struct claims *out, struct fault *fault) MUST_CHECK;

/* Tokens seen before, so that a busy page costs one verification per token and not one per call.
 * Keyed by SHA-256 of the whole text: a jti is only a claim until the signature has been checked.
 * One struct token_cache, one thread. */
struct token_cache;

enum status token_cache_open(struct token_cache **out, struct fault *fault) MUST_CHECK;
/* As token_verify with use "access". */
enum status token_cached(struct token_cache *cache, const struct keys *keys, const char *token,
                         size_t len, int64_t now_ms, struct claims *out,
                         struct fault *fault) MUST_CHECK;
void token_cache_close(struct token_cache *cache); /* NULL is fine */

#endif
