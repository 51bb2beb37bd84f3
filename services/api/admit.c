/* services/api/admit.c - fences of our own, in one place and one order. */
#include "admit.h"

#include <stdio.h>
#include <string.h>

#include "proto/json.h"

static const struct rate user_rate = {20, 60};
static const struct rate anonymous_rate = {50, 200}; /* an office behind one address */
static const struct rate enroll_rate = {1, 10};
static const struct rate car_rate = {0.2, 10};

void admit_cors(const struct shared *shared, const char *origin, struct answer *a)
{
    if (!origin_listed(shared->set->origins, origin))
        return;
    answer_header(a, "access-control-allow-origin:", "%s", origin);
    answer_header(a, "access-control-allow-credentials:", "true");
    answer_header(a, "access-control-expose-headers:",
                  "etag, retry-after, x-request-id, x-site, x-data-as-of, x-api-version");
}

static void preflight(struct answer *a, const char *allow)
{
    answer_empty(a);
    answer_header(a, "allow:", "%s, OPTIONS", allow);
    answer_header(a, "access-control-allow-methods:", "%s", allow);
    answer_header(a, "access-control-allow-headers:",
                  "authorization, content-type, idempotency-key, if-match, if-none-match");
    answer_header(a, "access-control-max-age:", "600");
}

static bool limited(struct admission *ad, const struct request *r, const char *key,
                    struct rate rate, int64_t now_ms, struct answer *a)
{
    int retry_s = 1;

    if (limits_take(ad->limits, key, rate, now_ms, &retry_s))
        return false;
    answer_problem(a, r, 429, "rate", "Too many requests: slow down.");
    answer_retry_after(a, retry_s);
    return true;
}

/* Who asks?  True: allowed to go on. */
static bool check_token(struct admission *ad, struct request *r, const struct route *route,
                        struct moment now, struct answer *a)
{
    struct fault why = {""};

    if (!r->bearer[0]) {
        answer_problem(a, r, 401, "token", "Sign in: this needs an access token.");
        answer_header(a, "www-authenticate:", "Bearer");
        return false;
    }
    if (token_cached(ad->tokens, &ad->shared->keys, r->bearer, strlen(r->bearer), now.wall_ms,
                     &r->claims, &why) != ST_OK) {
        answer_problem(a, r, 401, "token", "The access token is not good: refresh it or sign in.");
        snprintf(a->reason, sizeof a->reason, "token-%.*s", (int)strcspn(why.text, ": ,"),
                 why.text);
        answer_header(a, "www-authenticate:", "Bearer error=\"invalid_token\"");
        return false;
    }
    r->signed_in = true;
    if (limited(ad, r, r->claims.user, user_rate, now.boot_ms, a))
        return false;
    if (!access_allows(r->claims.role, route->action)) {
        answer_problem(a, r, 403, "forbidden", "This role may not do that.");
        return false;
    }
    return true;
}

/* A car speaks for itself only; whether its certificate still counts the worker looks up. */
static bool check_car(struct admission *ad, const struct request *r, struct moment now,
                      struct answer *a)
{
    char key[24];

    if (strcmp(r->peer_cn, r->vin) != 0) {
        answer_problem(a, r, 403, "certificate",
                       "A client certificate of this vehicle is needed here.");
        return false;
    }
    snprintf(key, sizeof key, "c %s", r->vin);
    return !limited(ad, r, key, car_rate, now.boot_ms, a);
}

static bool check_caller(struct admission *ad, struct request *r, const struct route *route,
                         struct moment now, struct answer *a)
{
    switch (route->action) {
    case ACTION_OPEN:
        return true;
    case ACTION_CAR:
        return check_car(ad, r, now, a);
    default:
        return check_token(ad, r, route, now, a);
    }
}

/* Cookie calls must come from a page of ours; a sign-in by a program carries no Origin at all. */
static bool check_origin(const struct admission *ad, const struct request *r,
                         const struct route *route, struct answer *a)
{
    bool needed = route->by_cookie;

    if (r->origin[0] ? origin_listed(ad->shared->set->origins, r->origin) : !needed)
        return true;
    answer_problem(a, r, 403, "origin", "This page may not call this site.");
    return false;
}

static bool check_body(const struct request *r, const struct route *route, int64_t length,
                       struct answer *a)
{
    if (length > REQUEST_BODY_MAX) {
        answer_problem(a, r, 413, "too-large", "A body has 64 KiB at most.");
        return false;
    }
    if (route->takes_json && !media_type_is(r->content_type, "application/json")) {
        answer_problem(a, r, 415, "media-type", "The body must be application/json.");
        return false;
    }
    return true;
}

static enum verdict no_route(struct admission *ad, const struct request *r, enum match match,
                             const char *allow, struct answer *a)
{
    bool api = !strncmp(r->path, "/api/", 5) || !strncmp(r->path, "/.well-known/", 13) ||
               !strcmp(r->path, "/api");

    (void)ad;
    if (match == MATCH_NO_METHOD) {
        if (r->method == METHOD_OPTIONS) {
            preflight(a, allow);
            return VERDICT_ANSWERED;
        }
        answer_problem(a, r, 405, "method", "This address does not take that method.");
        answer_header(a, "allow:", "%s, OPTIONS", allow);
        return VERDICT_ANSWERED;
    }
    if (r->door == DOOR_PUBLIC && !api)
        return VERDICT_ASSETS;
    answer_problem(a, r, 404, "not-found", "There is nothing at this address.");
    return VERDICT_ANSWERED;
}

enum verdict admit(struct admission *ad, struct request *r, int64_t length, struct moment now,
                   const struct route **route, struct answer *a)
{
    char allow[96], key[80];
    enum match match = route_match(r, route, allow, sizeof allow);
    bool enrol = match == MATCH_FOUND && r->door == DOOR_VEHICLES;

    if (r->door == DOOR_VEHICLES && !r->peer_cn[0] && match == MATCH_NO_PATH) {
        answer_problem(a, r, 403, "certificate", "A client certificate is needed here.");
        return VERDICT_ANSWERED;
    }
    if (match != MATCH_FOUND)
        return no_route(ad, r, match, allow, a);
    snprintf(key, sizeof key, "%s%s", enrol ? "e " : "a ", r->address);
    if ((*route)->action == ACTION_OPEN &&
        limited(ad, r, key, enrol ? enroll_rate : anonymous_rate, now.boot_ms, a))
        return VERDICT_ANSWERED;
    if (!check_origin(ad, r, *route, a) || !check_caller(ad, r, *route, now, a) ||
        !check_body(r, *route, length, a))
        return VERDICT_ANSWERED;
    return VERDICT_RUN;
}

bool admit_sign_in(struct admission *ad, const struct request *r, int64_t now_ms, char account[64],
                   int64_t *hold_ms, struct answer *a)
{
    struct fault why = {""};
    char name[256] = "", source[64];
    json_t *body = NULL;
    int retry_s = 1;

    /* an unreadable body counts for the account without a name; the worker says what is wrong with
     * it */
    if (json_read(&body, r->body.bytes ? r->body.bytes : "", r->body.len, REQUEST_BODY_MAX, &why) ==
            ST_OK &&
        json_get_text(body, "username", name, sizeof name, &why) != ST_OK)
        name[0] = '\0';
    json_decref(body);
    for (char *c = name; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    snprintf(account, 64, "%.63s", name);
    source_of(source, r->address);
    if (delays_admit(ad->delays, account, source, now_ms, hold_ms, &retry_s))
        return true;
    answer_problem(a, r, 429, "sign-in", "Too many wrong passwords from here: wait a moment.");
    answer_retry_after(a, retry_s);
    return false;
}

void admit_outcome(struct admission *ad, const char *account, const char *address, bool failed,
                   int64_t now_ms)
{
    char source[64];

    source_of(source, address);
    if (failed)
        delays_failed(ad->delays, account, source, now_ms);
    else
        delays_succeeded(ad->delays, account);
}
