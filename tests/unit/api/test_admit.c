/* tests/unit/api/test_admit.c - the order in which a request is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "forge.h"
#include "services/api/admit.h"

#define VIN "WVWZZZ1KZAW000001"
#define ORIGIN "http://localhost:8080"

static struct api_settings set;
static struct shared shared;
static struct admission ad;
static struct request r;
static struct answer a;
static const struct route *route;
static struct fault fault;
static struct moment now = {1795248000000, 5000};

static int setup(void **state)
{
    EVP_PKEY *key;

    (void)state;
    memset(&shared, 0, sizeof shared);
    snprintf(set.origins, sizeof set.origins, ORIGIN ",http://127.0.0.1:8080");
    shared.set = &set;
    key = forge_key(&shared.keys, 1);
    EVP_PKEY_free(key);
    ad.shared = &shared;
    answer_init(&a);
    return limits_open(&ad.limits, &fault) != ST_OK || delays_open(&ad.delays, &fault) != ST_OK ||
           token_cache_open(&ad.tokens, &fault) != ST_OK;
}

static int teardown(void **state)
{
    (void)state;
    answer_done(&a);
    limits_close(ad.limits);
    delays_close(ad.delays);
    token_cache_close(ad.tokens);
    return 0;
}

static void ask(enum method method, const char *path)
{
    memset(&r, 0, sizeof r);
    r.door = DOOR_PUBLIC;
    r.method = method;
    snprintf(r.path, sizeof r.path, "%s", path);
    snprintf(r.address, sizeof r.address, "192.0.2.1");
    snprintf(r.content_type, sizeof r.content_type, "application/json");
    answer_reset(&a);
}

static void sign_in_as(const char *role)
{
    struct claims c = {.user = "0197f3c2-5f0e-7abc-8def-0123456789ac",
                       .tenant = "0197f3c2-5f0e-7abc-8def-0123456789ad",
                       .use = "access",
                       .epoch = 1};

    snprintf(c.role, sizeof c.role, "%s", role);
    assert_int_equal(token_sign(&shared.keys, &c, now.wall_ms, r.bearer, &fault), ST_OK);
}

static enum verdict decide(int64_t length)
{
    return admit(&ad, &r, length, now, &route, &a);
}

static const char *header(const char *name)
{
    for (size_t i = 0; i < a.header_count; i++)
        if (!strcmp(a.headers[i].name, name))
            return a.headers[i].value;
    return "";
}

static void open_routes_need_nothing(void **state)
{
    (void)state;
    ask(METHOD_GET, "/api/frontend/health");
    assert_int_equal(decide(-1), VERDICT_RUN);
    ask(METHOD_POST, "/api/frontend/session");
    assert_int_equal(decide(10), VERDICT_RUN);
}

/* Something where the pattern has a hole. */
static void fill(char *path, size_t size, const char *hole, const char *with)
{
    char *at = strstr(path, hole), rest[256];

    if (!at)
        return;
    snprintf(rest, sizeof rest, "%s", at + strlen(hole));
    snprintf(at, size - (size_t)(at - path), "%s%s", with, rest);
}

static void every_other_route_needs_a_token(void **state)
{
    char path[256];

    (void)state;
    for (size_t i = 0; i < route_count; i++) {
        if (route_table[i].door != DOOR_PUBLIC || route_table[i].action == ACTION_OPEN)
            continue;
        snprintf(path, sizeof path, "%s", route_table[i].path);
        fill(path, sizeof path, "{vin}", VIN);
        fill(path, sizeof path, "{id}", "01900000-0000-7000-8000-000000000000");
        ask(route_table[i].method, path);
        assert_int_equal(decide(-1), VERDICT_ANSWERED);
        assert_int_equal(a.code, 401);
        assert_string_equal(header("www-authenticate:"), "Bearer");
        ask(route_table[i].method, path);
        snprintf(r.bearer, sizeof r.bearer, "a.b.c");
        assert_int_equal(decide(-1), VERDICT_ANSWERED);
        assert_int_equal(a.code, 401);
        assert_string_equal(a.reason, "token-shape");
        ask(route_table[i].method, path);
        now.boot_ms += 100;   /* there are more routes than one may ask for at once */
        sign_in_as("driver"); /* may see himself and nothing else */
        assert_int_equal(decide(-1),
                         route_table[i].action == ACTION_OWN ? VERDICT_RUN : VERDICT_ANSWERED);
        assert_int_equal(a.code, route_table[i].action == ACTION_OWN ? 0 : 403);
    }
}

static void a_good_token_opens_the_route_and_names_the_user(void **state)
{
    (void)state;
    ask(METHOD_GET, "/api/frontend/vehicles");
    sign_in_as("owner");
    assert_int_equal(decide(-1), VERDICT_RUN);
    assert_true(r.signed_in);
    assert_string_equal(r.claims.tenant, "0197f3c2-5f0e-7abc-8def-0123456789ad");
    assert_string_equal(route->name, "vehicles");
}

static void a_user_in_a_hurry_is_told_to_wait(void **state)
{
    int passed = 0;

    (void)state;
    for (int i = 0; i < 100; i++) {
        ask(METHOD_GET, "/api/frontend/me");
        sign_in_as("owner");
        passed += decide(-1) == VERDICT_RUN;
    }
    assert_int_equal(passed, 60);
    assert_int_equal(a.code, 429);
    assert_string_equal(header("retry-after:"), "1");
}

static void a_page_of_another_site_may_not_use_the_cookie(void **state)
{
    static const char *const origins[] = {"", "http://evil.example", "null", ORIGIN "0"};

    (void)state;
    for (size_t i = 0; i < sizeof origins / sizeof *origins; i++) {
        ask(METHOD_PUT, "/api/frontend/session");
        snprintf(r.origin, sizeof r.origin, "%s", origins[i]);
        assert_int_equal(decide(2), VERDICT_ANSWERED);
        assert_int_equal(a.code, 403);
        ask(METHOD_DELETE, "/api/frontend/session");
        snprintf(r.origin, sizeof r.origin, "%s", origins[i]);
        assert_int_equal(decide(-1), VERDICT_ANSWERED);
        assert_int_equal(a.code, 403);
    }
    ask(METHOD_PUT, "/api/frontend/session");
    snprintf(r.origin, sizeof r.origin, ORIGIN);
    assert_int_equal(decide(2), VERDICT_RUN);
    ask(METHOD_POST, "/api/frontend/session");
    snprintf(r.origin, sizeof r.origin, "http://evil.example");
    assert_int_equal(decide(2), VERDICT_ANSWERED);
}

static void a_body_is_json_and_not_too_long(void **state)
{
    (void)state;
    ask(METHOD_POST, "/api/frontend/session");
    assert_int_equal(decide(65537), VERDICT_ANSWERED);
    assert_int_equal(a.code, 413);
    ask(METHOD_POST, "/api/frontend/session");
    assert_int_equal(decide(65536), VERDICT_RUN);
    ask(METHOD_POST, "/api/frontend/session");
    snprintf(r.content_type, sizeof r.content_type, "application/x-www-form-urlencoded");
    assert_int_equal(decide(10), VERDICT_ANSWERED);
    assert_int_equal(a.code, 415);
    ask(METHOD_POST, "/api/frontend/session");
    r.content_type[0] = '\0';
    assert_int_equal(decide(10), VERDICT_ANSWERED);
    assert_int_equal(a.code, 415);
}

static void a_wrong_method_is_told_the_right_ones(void **state)
{
    (void)state;
    ask(METHOD_PATCH, "/api/frontend/session");
    assert_int_equal(decide(-1), VERDICT_ANSWERED);
    assert_int_equal(a.code, 405);
    assert_string_equal(header("allow:"), "POST, PUT, DELETE, OPTIONS");
    ask(METHOD_OPTIONS, "/api/frontend/session");
    assert_int_equal(decide(-1), VERDICT_ANSWERED);
    assert_int_equal(a.code, 204);
    assert_string_equal(header("access-control-allow-methods:"), "POST, PUT, DELETE");
}

static void an_unknown_address_is_a_file_or_nothing(void **state)
{
    (void)state;
    ask(METHOD_GET, "/vehicles");
    assert_int_equal(decide(-1), VERDICT_ASSETS);
    ask(METHOD_GET, "/api/frontend/nothing");
    assert_int_equal(decide(-1), VERDICT_ANSWERED);
    assert_int_equal(a.code, 404);
    ask(METHOD_POST, "/api/embedded/enroll");
    assert_int_equal(decide(2), VERDICT_ANSWERED);
    assert_int_equal(a.code, 404);
}

static void the_vehicles_door_opens_for_enrolment_and_certificates_only(void **state)
{
    (void)state;
    ask(METHOD_POST, "/api/embedded/enroll");
    r.door = DOOR_VEHICLES;
    assert_int_equal(decide(2), VERDICT_RUN);
    ask(METHOD_GET, "/");
    r.door = DOOR_VEHICLES;
    assert_int_equal(decide(-1), VERDICT_ANSWERED);
    assert_int_equal(a.code, 403);
    ask(METHOD_GET, "/api/frontend/vehicles");
    r.door = DOOR_VEHICLES;
    sign_in_as("owner");
    assert_int_equal(decide(-1), VERDICT_ANSWERED);
    assert_int_equal(a.code, 403);
    ask(METHOD_GET, "/");
    r.door = DOOR_VEHICLES;
    snprintf(r.peer_cn, sizeof r.peer_cn, VIN);
    assert_int_equal(decide(-1), VERDICT_ANSWERED);
    assert_int_equal(a.code, 404);
}

static void a_car_speaks_for_itself_alone(void **state)
{
    static const char *const names[] = {"", "WVWZZZ1KZAW000009", "svc-api", "WVWZZZ1KZAW00000"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ask(METHOD_GET, "/api/embedded/" VIN "/config");
        r.door = DOOR_VEHICLES;
        sign_in_as("owner"); /* a person's token changes nothing */
        snprintf(r.peer_cn, sizeof r.peer_cn, "%s", names[i]);
        assert_int_equal(decide(-1), VERDICT_ANSWERED);
        assert_int_equal(a.code, 403);
    }
    for (int i = 0; i < 11; i++) {
        ask(METHOD_GET, "/api/embedded/" VIN "/config");
        r.door = DOOR_VEHICLES;
        snprintf(r.peer_cn, sizeof r.peer_cn, VIN);
        assert_int_equal(decide(-1), i < 10 ? VERDICT_RUN : VERDICT_ANSWERED);
    }
    assert_int_equal(a.code, 429);
}

static void enrolment_is_slow_on_purpose(void **state)
{
    int passed = 0;

    (void)state;
    for (int i = 0; i < 30; i++) {
        ask(METHOD_POST, "/api/embedded/enroll");
        r.door = DOOR_VEHICLES;
        passed += decide(2) == VERDICT_RUN;
    }
    assert_int_equal(passed, 10);
    assert_int_equal(a.code, 429);
}

static void our_own_origins_may_read_the_answers(void **state)
{
    (void)state;
    answer_reset(&a);
    admit_cors(&shared, ORIGIN, &a);
    assert_string_equal(header("access-control-allow-origin:"), ORIGIN);
    answer_reset(&a);
    admit_cors(&shared, "http://evil.example", &a);
    assert_int_equal(a.header_count, 0);
}

static void a_sign_in_is_held_back_by_its_account_and_refused_by_its_source(void **state)
{
    static const char body[] = "{\"username\":\"ADA\",\"password\":\"x\"}";
    char account[64];
    int64_t hold_ms = -1;

    (void)state;
    ask(METHOD_POST, "/api/frontend/session");
    text_init(&r.body);
    text_add(&r.body, body, strlen(body));
    assert_true(admit_sign_in(&ad, &r, 1000, account, &hold_ms, &a));
    assert_string_equal(account, "ada"); /* as the database compares it */
    assert_int_equal(hold_ms, 0);
    for (int i = 0; i < 5; i++)
        admit_outcome(&ad, account, r.address, true, 1000);
    assert_true(admit_sign_in(&ad, &r, 1000, account, &hold_ms, &a));
    assert_int_equal(hold_ms, 1000);
    for (int i = 0; i < 10; i++)
        admit_outcome(&ad, "others", r.address, true, 1000);
    assert_false(admit_sign_in(&ad, &r, 1000, account, &hold_ms, &a));
    assert_int_equal(a.code, 429);
    text_done(&r.body);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(open_routes_need_nothing),
        T(every_other_route_needs_a_token),
        T(a_good_token_opens_the_route_and_names_the_user),
        T(a_user_in_a_hurry_is_told_to_wait),
        T(a_page_of_another_site_may_not_use_the_cookie),
        T(a_body_is_json_and_not_too_long),
        T(a_wrong_method_is_told_the_right_ones),
        T(an_unknown_address_is_a_file_or_nothing),
        T(the_vehicles_door_opens_for_enrolment_and_certificates_only),
        T(a_car_speaks_for_itself_alone),
        T(enrolment_is_slow_on_purpose),
        T(our_own_origins_may_read_the_answers),
        T(a_sign_in_is_held_back_by_its_account_and_refused_by_its_source),
    };

    return cmocka_run_group_tests_name("admit", tests, NULL, NULL);
}
