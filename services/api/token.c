/* services/api/token.c - the only caller of jwt_decode, in an order that leaves it nothing to
 * decide. */
#include "token.h"

#include <jwt.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "lib/text.h"
#include "proto/json.h"

#define SIGNATURE_TEXT 86 /* base64url of the 64 bytes of r and s */

struct parts {
    const char *header, *payload, *signature;
    size_t header_len, payload_len, signature_len;
};

static int base64url_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Strict base64url: no padding, and the unused low bits are zero, so that one value has one
 * spelling. */
static bool base64url_read(const char *text, size_t len, unsigned char *out, size_t *out_len)
{
    unsigned bits = 0;
    size_t n = 0;
    int have = 0;

    if (len % 4 == 1)
        return false;
    for (size_t i = 0; i < len; i++) {
        int v = base64url_value(text[i]);

        if (v < 0)
            return false;
        bits = (bits << 6 | (unsigned)v) & 0xffffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (unsigned char)(bits >> have);
        }
    }
    *out_len = n;
    return (bits & ((1U << have) - 1)) == 0;
}

/* Step 1: at most 4 KiB, two dots, nothing outside base64url. */
static enum status split(const char *token, size_t len, struct parts *p, struct fault *fault)
{
    const char *first, *second;

    if (len > TOKEN_MAX)
        return fault_set(fault, ST_REJECT, "shape: longer than %d bytes", TOKEN_MAX);
    first = memchr(token, '.', len);
    second = first ? memchr(first + 1, '.', len - (size_t)(first + 1 - token)) : NULL;
    if (!second || memchr(second + 1, '.', len - (size_t)(second + 1 - token)))
        return fault_set(fault, ST_REJECT, "shape: not three parts");
    *p = (struct parts){.header = token,
                        .header_len = (size_t)(first - token),
                        .payload = first + 1,
                        .payload_len = (size_t)(second - first - 1),
                        .signature = second + 1,
                        .signature_len = len - (size_t)(second + 1 - token)};
    if (!p->header_len || !p->payload_len || p->signature_len != SIGNATURE_TEXT)
        return fault_set(fault, ST_REJECT, "shape: a part is empty, or no ES256 signature");
    for (const char *c = token; c < token + len; c++)
        if (*c != '.' && base64url_value(*c) < 0)
            return fault_set(fault, ST_REJECT, "shape: not base64url");
    return ST_OK;
}

/* One part as JSON, duplicate keys refused: libjwt takes the last of two. */
static enum status part_json(const char *text, size_t len, json_t **out, struct fault *fault)
{
    unsigned char bytes[TOKEN_MAX];
    size_t n = 0;

    if (!base64url_read(text, len, bytes, &n))
        return fault_set(fault, ST_REJECT, "shape: not canonical base64url");
    if (json_read(out, (const char *)bytes, n, sizeof bytes, fault) != ST_OK)
        return fault_set(fault, ST_REJECT, "shape: not one JSON object without duplicate keys");
    return ST_OK;
}

/* Step 3, on the header as the sender wrote it. */
static enum status check_header(const json_t *header, const struct keys *keys,
                                const struct keys_entry **key, struct fault *fault)
{
    const json_t *typ = json_object_get(header, "typ");
    const char *alg = json_string_value(json_object_get(header, "alg"));
    const char *kid = json_string_value(json_object_get(header, "kid"));

    if (!alg || strcmp(alg, "ES256") != 0)
        return fault_set(fault, ST_REJECT, "alg: not ES256");
    if (json_object_get(header, "crit"))
        return fault_set(fault, ST_REJECT, "crit: an extension we do not know");
    if (typ && (!json_is_string(typ) || strcmp(json_string_value(typ), "JWT") != 0))
        return fault_set(fault, ST_REJECT, "typ: not JWT");
    *key = kid ? keys_find(keys, kid) : NULL;
    if (!*key)
        return fault_set(fault, ST_REJECT, "kid: not ours");
    return ST_OK;
}

/* Steps 2, 4 and 5.  libjwt wants a terminated string. */
static enum status check_signature(const char *token, const struct keys_entry *key,
                                   struct fault *fault)
{
    const char *alg;
    jwt_t *jwt = NULL;
    bool good;

    if (jwt_decode(&jwt, token, NULL, 0) != 0) /* headers only */
        return fault_set(fault, ST_REJECT, "shape: not a JWT");
    alg = jwt_get_header(jwt, "alg");
    good = alg && !strcmp(alg, "ES256");
    jwt_free(jwt);
    jwt = NULL;
    if (!good)
        return fault_set(fault, ST_REJECT, "alg: not ES256");
    if (jwt_decode(&jwt, token, (const unsigned char *)key->public_pem,
                   (int)strlen(key->public_pem)) != 0)
        return fault_set(fault, ST_REJECT, "signature: does not verify");
    good = jwt_get_alg(jwt) == JWT_ALG_ES256;
    jwt_free(jwt);
    return good ? ST_OK : fault_set(fault, ST_REJECT, "alg: not ES256");
}

static enum status read_claims(const json_t *payload, struct claims *c, int64_t *not_before_s,
                               struct fault *fault)
{
    char issuer[32], audience[32];
    int64_t far = INT64_C(1) << 40;

    if (json_get_text(payload, "iss", issuer, sizeof issuer, fault) != ST_OK ||
        json_get_text(payload, "aud", audience, sizeof audience, fault) != ST_OK ||
        json_get_text(payload, "jti", c->jti, sizeof c->jti, fault) != ST_OK ||
        json_get_text(payload, "sub", c->user, sizeof c->user, fault) != ST_OK ||
        json_get_text(payload, "tenant", c->tenant, sizeof c->tenant, fault) != ST_OK ||
        json_get_text(payload, "role", c->role, sizeof c->role, fault) != ST_OK ||
        json_get_text(payload, "use", c->use, sizeof c->use, fault) != ST_OK ||
        json_get_int64(payload, "ep", 0, INT32_MAX, &c->epoch, fault) != ST_OK ||
        json_get_int64(payload, "iat", 0, far, &c->issued_s, fault) != ST_OK ||
        json_get_int64(payload, "nbf", 0, far, not_before_s, fault) != ST_OK ||
        json_get_int64(payload, "exp", 0, far, &c->expires_s, fault) != ST_OK)
        return fault_set(fault, ST_REJECT, "claims: one is missing or of the wrong type");
    if (strcmp(issuer, TOKEN_ISSUER) != 0 || strcmp(audience, TOKEN_AUDIENCE) != 0)
        return fault_set(fault, ST_REJECT, "issuer: not ours");
    if (!uuid_is_valid(c->jti, strlen(c->jti)) || !uuid_is_valid(c->user, strlen(c->user)) ||
        !uuid_is_valid(c->tenant, strlen(c->tenant)))
        return fault_set(fault, ST_REJECT, "claims: not a UUID");
    if (!access_role_is_known(c->role))
        return fault_set(fault, ST_REJECT, "role: not ours");
    return ST_OK;
}

/* Step 6: times within the leeway, and a life no longer than what we give. */
static enum status check_times(const struct claims *c, int64_t not_before_s, int64_t now_s,
                               struct fault *fault)
{
    if (c->expires_s + TOKEN_LEEWAY_S <= now_s)
        return fault_set(fault, ST_REJECT, "expired: renew it");
    if (not_before_s - TOKEN_LEEWAY_S > now_s || c->issued_s - TOKEN_LEEWAY_S > now_s)
        return fault_set(fault, ST_REJECT, "early: not valid yet");
    if (c->expires_s <= c->issued_s || c->expires_s - c->issued_s > TOKEN_LIFE_S)
        return fault_set(fault, ST_REJECT, "life: not one of ours");
    return ST_OK;
}

enum status token_verify(const struct keys *keys, const char *token, size_t len, const char *use,
                         int64_t now_ms, struct claims *out, struct fault *fault)
{
    json_t *header = NULL, *payload = NULL;
    const struct keys_entry *key = NULL;
    int64_t not_before_s = 0;
    struct claims c = {0};
    char text[TOKEN_MAX + 1];
    unsigned char signature[64];
    struct parts p = {0};
    size_t n = 0;
    enum status st;

    if ((st = split(token, len, &p, fault)) != ST_OK)
        return st;
    memcpy(text, token, len);
    text[len] = '\0';
    if (!base64url_read(p.signature, p.signature_len, signature, &n))
        return fault_set(fault, ST_REJECT, "shape: not canonical base64url");
    if ((st = part_json(p.header, p.header_len, &header, fault)) != ST_OK ||
        (st = part_json(p.payload, p.payload_len, &payload, fault)) != ST_OK ||
        (st = check_header(header, keys, &key, fault)) != ST_OK ||
        (st = check_signature(text, key, fault)) != ST_OK ||
        (st = read_claims(payload, &c, &not_before_s, fault)) != ST_OK ||
        (st = check_times(&c, not_before_s, now_ms / 1000, fault)) != ST_OK)
        goto out;
    if (strcmp(c.use, use) != 0)
        st = fault_set(fault, ST_REJECT, "use: not for this");
    if (st == ST_OK)
        *out = c;
out:
    json_decref(header);
    json_decref(payload);
    return st == ST_OK ? ST_OK : ST_REJECT;
}

enum status token_sign(const struct keys *keys, struct claims *c, int64_t now_ms, char *out,
                       struct fault *fault)
{
    enum status st = ST_FATAL;
    unsigned char random[10];
    char *text = NULL;
    jwt_t *jwt = NULL;

    text_random(random, sizeof random);
    uuid_v7(c->jti, now_ms, random);
    c->issued_s = now_ms / 1000;
    c->expires_s = c->issued_s + TOKEN_LIFE_S;
    if (!keys->signing_kid[0] || jwt_new(&jwt) != 0)
        return fault_set(fault, ST_FATAL, "no key to sign tokens with");
    if (jwt_add_header(jwt, "kid", keys->signing_kid) == 0 &&
        jwt_add_grant(jwt, "iss", TOKEN_ISSUER) == 0 &&
        jwt_add_grant(jwt, "aud", TOKEN_AUDIENCE) == 0 && jwt_add_grant(jwt, "jti", c->jti) == 0 &&
        jwt_add_grant(jwt, "sub", c->user) == 0 && jwt_add_grant(jwt, "tenant", c->tenant) == 0 &&
        jwt_add_grant(jwt, "role", c->role) == 0 && jwt_add_grant(jwt, "use", c->use) == 0 &&
        jwt_add_grant_int(jwt, "ep", (long)c->epoch) == 0 &&
        jwt_add_grant_int(jwt, "iat", (long)c->issued_s) == 0 &&
        jwt_add_grant_int(jwt, "nbf", (long)c->issued_s) == 0 &&
        jwt_add_grant_int(jwt, "exp", (long)c->expires_s) == 0 &&
        jwt_set_alg(jwt, JWT_ALG_ES256, (const unsigned char *)keys->signing_pem,
                    (int)strlen(keys->signing_pem)) == 0)
        text = jwt_encode_str(jwt);
    if (text && text_copy(out, TOKEN_MAX + 1, text))
        st = ST_OK;
    else
        fault_set(fault, ST_FATAL, "a token could not be signed");
    if (text)
        free(text);
    jwt_free(jwt);
    return st;
}

/* ---- tokens seen before: a direct-mapped table; an older token in the same place is forgotten */
#define CACHE_SLOTS 1024

struct cache_slot {
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct claims claims; /* expires_s 0: empty */
};

struct token_cache {
    struct cache_slot slots[CACHE_SLOTS];
};

enum status token_cache_open(struct token_cache **out, struct fault *fault)
{
    struct token_cache *cache = calloc(1, sizeof *cache);

    if (!cache)
        return fault_set(fault, ST_FATAL, "out of memory");
    *out = cache;
    return ST_OK;
}

enum status token_cached(struct token_cache *cache, const struct keys *keys, const char *token,
                         size_t len, int64_t now_ms, struct claims *out, struct fault *fault)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct cache_slot *slot;
    enum status st;

    SHA256((const unsigned char *)token, len, hash);
    slot = &cache->slots[(hash[0] | (unsigned)hash[1] << 8) % CACHE_SLOTS];
    if (slot->claims.expires_s && !memcmp(slot->hash, hash, sizeof hash)) {
        if (slot->claims.expires_s + TOKEN_LEEWAY_S <= now_ms / 1000)
            return fault_set(fault, ST_REJECT, "expired: renew it");
        *out = slot->claims;
        return ST_OK;
    }
    st = token_verify(keys, token, len, "access", now_ms, out, fault);
    if (st == ST_OK) {
        memcpy(slot->hash, hash, sizeof hash);
        slot->claims = *out;
    }
    return st;
}

void token_cache_close(struct token_cache *cache)
{
    free(cache);
}
