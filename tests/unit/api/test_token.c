/* tests/unit/api/test_token.c - what token_verify believes, and seventy things it must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "forge.h"
#include "services/api/token.h"

#define NOW_S INT64_C(1795248000)
#define NOW_MS (NOW_S * 1000)

static struct keys ours;
static EVP_PKEY *key, *other_site, *stranger;
static struct fault fault;
static int hostile; /* how many were tried */

static const char good_body[] =
    "\"iss\":\"vigie\",\"aud\":\"vigie\",\"jti\":\"0197f3c2-5f0e-7abc-8def-0123456789ab\","
    "\"sub\":\"0197f3c2-5f0e-7abc-8def-0123456789ac\",\"tenant\":\"0197f3c2-5f0e-7abc-8def-"
    "0123456789ad\","
    "\"role\":\"owner\",\"use\":\"access\",\"ep\":1";

static int setup(void **state)
{
    struct keys none = {0};

    (void)state;
    memset(&ours, 0, sizeof ours);
    key = forge_key(&ours, 1);
    other_site = forge_key(&ours, 0);
    stranger = forge_key(&none, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    EVP_PKEY_free(other_site);
    EVP_PKEY_free(stranger);
    return 0;
}

static const char *header_with(const char *more)
{
    static char text[1024];

    snprintf(text, sizeof text, "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"%s\"%s}",
             ours.entries[0].kid, more);
    return text;
}

static const char *payload_with(const char *more)
{
    static char text[3000];

    snprintf(text, sizeof text, "{%s,\"iat\":%lld,\"nbf\":%lld,\"exp\":%lld%s}", good_body,
             (long long)NOW_S, (long long)NOW_S, (long long)(NOW_S + 600), more);
    return text;
}

static enum status verify(const char *token)
{
    struct claims c;

    return token_verify(&ours, token, strlen(token), "access", NOW_MS, &c, &fault);
}

static void refused(const char *token)
{
    hostile++;
    assert_int_equal(verify(token), ST_REJECT);
}

static void refused_pair(const char *header, const char *payload)
{
    char token[8192];

    forge_token(token, header, payload, key);
    refused(token);
}

static void our_own_token_is_believed(void **state)
{
    struct claims c = {.user = "0197f3c2-5f0e-7abc-8def-0123456789ac",
                       .tenant = "0197f3c2-5f0e-7abc-8def-0123456789ad",
                       .role = "mechanic",
                       .use = "access",
                       .epoch = 7},
                  back;
    char token[TOKEN_MAX + 1];

    (void)state;
    assert_int_equal(token_sign(&ours, &c, NOW_MS, token, &fault), ST_OK);
    assert_int_equal(token_verify(&ours, token, strlen(token), "access", NOW_MS, &back, &fault),
                     ST_OK);
    assert_string_equal(back.user, c.user);
    assert_string_equal(back.tenant, c.tenant);
    assert_string_equal(back.role, "mechanic");
    assert_string_equal(back.jti, c.jti);
    assert_int_equal(back.epoch, 7);
    assert_int_equal(back.expires_s, NOW_S + TOKEN_LIFE_S);
}

static void the_forging_tools_make_tokens_that_are_believed(void **state)
{
    char token[8192];

    (void)state; /* else the refusals below would prove nothing */
    forge_token(token, header_with(""), payload_with(""), key);
    assert_int_equal(verify(token), ST_OK);
    forge_token(token, header_with(""), payload_with(",\"extra\":{\"a\":[1]}"), key);
    assert_int_equal(verify(token), ST_OK);
}

static void the_other_sites_key_is_believed(void **state)
{
    char header[256], token[8192];

    (void)state;
    snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", ours.entries[1].kid);
    forge_token(token, header, payload_with(""), other_site);
    assert_int_equal(verify(token), ST_OK);
}

static void another_algorithm_is_refused(void **state)
{
    static const char *const algs[] = {"\"none\"",  "\"None\"",   "\"NONE\"",    "\"HS256\"",
                                       "\"hs256\"", "\"HS384\"",  "\"HS512\"",   "\"RS256\"",
                                       "\"ES384\"", "\"ES512\"",  "\"PS256\"",   "\"es256\"",
                                       "\"Es256\"", "\"ES256 \"", "\" ES256\"",  "\"\"",
                                       "null",      "256",        "[\"ES256\"]", "true"};
    char header[256];

    (void)state;
    for (size_t i = 0; i < sizeof algs / sizeof *algs; i++) {
        snprintf(header, sizeof header, "{\"alg\":%s,\"typ\":\"JWT\",\"kid\":\"%s\"}", algs[i],
                 ours.entries[0].kid);
        refused_pair(header, payload_with(""));
    }
    snprintf(header, sizeof header, "{\"typ\":\"JWT\",\"kid\":\"%s\"}", ours.entries[0].kid);
    refused_pair(header, payload_with(""));
}

static void hmac_with_the_public_key_is_refused(void **state)
{
    static const char *const algs[] = {"HS256", "ES256", "hs256"};
    char header[256], token[8192];

    (void)state;
    for (size_t i = 0; i < sizeof algs / sizeof *algs; i++) {
        snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\",\"kid\":\"%s\"}", algs[i],
                 ours.entries[0].kid);
        forge_hmac(token, header, payload_with(""), ours.entries[0].public_pem);
        refused(token);
        forge_hmac(token, header, payload_with(""), "");
        refused(token);
    }
}

static void no_signature_is_refused(void **state)
{
    char token[8192], header[256];
    size_t n;

    (void)state;
    forge_unsigned(token, header_with(""), payload_with(""));
    refused(token);
    n = strlen(token);
    strcpy(token + n, ".");
    refused(token);
    strcpy(token + n, ".AAAA");
    refused(token);
    snprintf(header, sizeof header, "{\"alg\":\"none\"}");
    forge_unsigned(token, header, payload_with(""));
    strcat(token, ".");
    refused(token);
    /* r = s = 0 verifies everything in a careless implementation (CVE-2022-21449) */
    forge_unsigned(token, header_with(""), payload_with(""));
    strcat(
        token,
        ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    refused(token);
}

static void a_strangers_signature_is_refused(void **state)
{
    char token[8192];

    (void)state;
    forge_token(token, header_with(""), payload_with(""), stranger);
    refused(token);
    forge_token(token, header_with(""), payload_with(""), other_site); /* our kid, the other key */
    refused(token);
}

static void an_unknown_kid_is_refused(void **state)
{
    static const char *const kids[] = {"\"0000000000000000\"", "\"\"",         "null", "1",
                                       "\"../../etc/passwd\"", "\"' OR 1=1\"", "[]"};
    char header[256];

    (void)state;
    for (size_t i = 0; i < sizeof kids / sizeof *kids; i++) {
        snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":%s}", kids[i]);
        refused_pair(header, payload_with(""));
    }
    refused_pair("{\"alg\":\"ES256\",\"typ\":\"JWT\"}", payload_with(""));
}

static void a_header_we_do_not_understand_is_refused(void **state)
{
    (void)state;
    refused_pair(header_with(",\"crit\":[\"exp\"]"), payload_with(""));
    refused_pair(header_with(",\"crit\":[]"), payload_with(""));
    refused_pair(header_with(",\"alg\":\"ES256\""), payload_with("")); /* twice */
    refused_pair(header_with(",\"kid\":\"x\""), payload_with(""));
    refused_pair("[]", payload_with(""));
    refused_pair("\"ES256\"", payload_with(""));
    refused_pair("{", payload_with(""));
    refused_pair("", payload_with(""));
}

static void another_type_is_refused(void **state)
{
    char header[256];
    static const char *const types[] = {"\"at+jwt\"", "\"jwt\"", "\"JWS\"", "\"\"", "null", "7"};

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"typ\":%s,\"kid\":\"%s\"}", types[i],
                 ours.entries[0].kid);
        refused_pair(header, payload_with(""));
    }
}

static const char *times(long long issued, long long from, long long until)
{
    static char text[2048];

    snprintf(text, sizeof text, "{%s,\"iat\":%lld,\"nbf\":%lld,\"exp\":%lld}", good_body, issued,
             from, until);
    return text;
}

static void a_token_of_another_time_is_refused(void **state)
{
    (void)state;
    refused_pair(header_with(""), times(NOW_S - 700, NOW_S - 700, NOW_S - 100));
    refused_pair(header_with(""), times(NOW_S - 660, NOW_S - 660, NOW_S - 60)); /* to the second */
    refused_pair(header_with(""), times(NOW_S + 61, NOW_S + 61, NOW_S + 600));
    refused_pair(header_with(""), times(NOW_S, NOW_S + 61, NOW_S + 600));
    refused_pair(header_with(""), times(NOW_S, NOW_S, NOW_S + 601)); /* longer than we give */
    refused_pair(header_with(""), times(NOW_S, NOW_S, 4102444800));
    refused_pair(header_with(""), times(NOW_S, NOW_S, NOW_S));
    refused_pair(header_with(""), times(NOW_S, NOW_S, -1));
    refused_pair(header_with(""), times(0, 0, 0));
}

static void clocks_may_differ_by_a_minute(void **state)
{
    char token[8192];

    (void)state;
    forge_token(token, header_with(""), times(NOW_S - 600, NOW_S - 600, NOW_S - 59), key);
    assert_int_equal(verify(token), ST_OK);
    forge_token(token, header_with(""), times(NOW_S + 60, NOW_S + 60, NOW_S + 600), key);
    assert_int_equal(verify(token), ST_OK);
}

/* The good payload with one member replaced; `member` NULL value leaves it out. */
static void refused_member(const char *member, const char *value)
{
    char text[3000], copy[3000], find[64], *at, *end;

    snprintf(copy, sizeof copy, "%s", payload_with(""));
    snprintf(find, sizeof find, "\"%s\":", member);
    at = strstr(copy, find);
    assert_non_null(at);
    end = at + strcspn(at, ",}");
    if (value)
        snprintf(text, sizeof text, "%.*s%s%s%s", (int)(at - copy), copy, find, value, end);
    else
        snprintf(text, sizeof text, "%.*s%s", (int)(at - copy), copy, *end == ',' ? end + 1 : end);
    refused_pair(header_with(""), text);
}

static void a_missing_or_wrong_claim_is_refused(void **state)
{
    static const char *const needed[] = {"iss", "aud", "jti", "sub", "tenant", "role",
                                         "use", "ep",  "iat", "nbf", "exp"};

    (void)state;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        refused_member(needed[i], "null");
        refused_member(needed[i], "[\"vigie\"]");
        if (strcmp(needed[i], "exp") != 0) /* the last one has no comma after it */
            refused_member(needed[i], NULL);
    }
    refused_member("iss", "\"vigie2\"");
    refused_member("aud", "\"other\"");
    refused_member("role", "\"root\"");
    refused_member("use", "\"media\"");
    refused_member("use", "\"Access\"");
    refused_member("sub", "\"1\"");
    refused_member("tenant", "\"*\"");
    refused_member("ep", "\"1\"");
    refused_member("ep", "-1");
    refused_member("exp", "\"1795248600\"");
    refused_member("exp", "1795248600.5");
    refused_member("exp", "1e10");
}

static void a_claim_given_twice_is_refused(void **state)
{
    (void)state;
    refused_pair(header_with(""), payload_with(",\"role\":\"owner\""));
    refused_pair(header_with(""), payload_with(",\"exp\":4102444800"));
    refused_pair(header_with(""),
                 payload_with(",\"tenant\":\"0197f3c2-5f0e-7abc-8def-0123456789ff\""));
}

static void a_media_token_is_for_media_only(void **state)
{
    char token[8192], body[3000], *use;
    struct claims c;

    (void)state;
    snprintf(body, sizeof body, "%s", payload_with(""));
    use = strstr(body, "\"access\"");
    memmove(use + 7, use + 8, strlen(use + 8) + 1);
    memcpy(use, "\"media\"", 7);
    forge_token(token, header_with(""), body, key);
    refused(token);
    assert_int_equal(token_verify(&ours, token, strlen(token), "media", NOW_MS, &c, &fault), ST_OK);
}

static void a_changed_byte_is_refused(void **state)
{
    char token[8192], changed[8192];
    size_t len;

    (void)state;
    forge_token(token, header_with(""), payload_with(""), key);
    len = strlen(token);
    for (size_t i = 0; i < len; i++) {
        strcpy(changed, token);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        if (changed[i] != token[i])
            refused(changed);
    }
}

static void another_spelling_of_the_same_bytes_is_refused(void **state)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char token[8192], padded[8300];
    const char *last;
    size_t len;

    (void)state;
    forge_token(token, header_with(""), payload_with(""), key);
    len = strlen(token);
    /* 86 characters hold 64 bytes and 4 bits that nobody reads: the last digit has 15 more
     * spellings */
    last = strchr(digits, token[len - 1]);
    for (int bit = 1; bit < 16; bit++) {
        token[len - 1] = digits[(last - digits) ^ bit];
        refused(token);
    }
    token[len - 1] = *last;
    assert_int_equal(verify(token), ST_OK);
    snprintf(padded, sizeof padded, "%s==", token);
    refused(padded);
    snprintf(padded, sizeof padded, " %s", token);
    refused(padded);
    snprintf(padded, sizeof padded, "%s\n", token);
    refused(padded);
    snprintf(padded, sizeof padded, "%s.", token);
    refused(padded);
    snprintf(padded, sizeof padded, "%s.%s", token, "AAAA");
    refused(padded);
}

static void what_is_no_token_is_refused(void **state)
{
    static char long_one[TOKEN_MAX + 200];

    (void)state;
    refused("");
    refused(".");
    refused("..");
    refused("...");
    refused("a.b.c");
    refused("null");
    refused("eyJhbGciOiJFUzI1NiJ9");
    memset(long_one, 'A', sizeof long_one - 1);
    long_one[100] = long_one[200] = '.';
    refused(long_one);
    assert_int_equal(
        token_verify(&ours, "a\0.b.c", 6, "access", NOW_MS, &(struct claims){0}, &fault),
        ST_REJECT);
}

static void a_long_or_deep_payload_is_refused(void **state)
{
    char more[2200];

    (void)state;
    memset(more, '[', sizeof more);
    memcpy(more, ",\"x\":", 5);
    more[5 + 40] = '\0';
    refused_pair(header_with(""), payload_with(more)); /* not closed, and deeper than 16 */
    refused_pair(header_with(""), payload_with(",\"x\":\"\\u0000\""));
    refused_pair(header_with(""), payload_with(",\"x\":NaN"));
}

static void the_cache_gives_what_verification_gave(void **state)
{
    struct token_cache *cache = NULL;
    char token[8192], altered[8192];
    struct claims c;

    (void)state;
    assert_int_equal(token_cache_open(&cache, &fault), ST_OK);
    forge_token(token, header_with(""), payload_with(""), key);
    for (int i = 0; i < 3; i++)
        assert_int_equal(token_cached(cache, &ours, token, strlen(token), NOW_MS, &c, &fault),
                         ST_OK);
    /* the same jti under another signature must not profit */
    forge_token(altered, header_with(""), payload_with(""), stranger);
    assert_int_equal(token_cached(cache, &ours, altered, strlen(altered), NOW_MS, &c, &fault),
                     ST_REJECT);
    assert_int_equal(
        token_cached(cache, &ours, token, strlen(token), NOW_MS + 700 * 1000, &c, &fault),
        ST_REJECT);
    token_cache_close(cache);
}

static void at_least_sixty_hostile_tokens_were_tried(void **state)
{
    (void)state;
    assert_true(hostile >= 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_own_token_is_believed),
        cmocka_unit_test(the_forging_tools_make_tokens_that_are_believed),
        cmocka_unit_test(the_other_sites_key_is_believed),
        cmocka_unit_test(another_algorithm_is_refused),
        cmocka_unit_test(hmac_with_the_public_key_is_refused),
        cmocka_unit_test(no_signature_is_refused),
        cmocka_unit_test(a_strangers_signature_is_refused),
        cmocka_unit_test(an_unknown_kid_is_refused),
        cmocka_unit_test(a_header_we_do_not_understand_is_refused),
        cmocka_unit_test(another_type_is_refused),
        cmocka_unit_test(a_token_of_another_time_is_refused),
        cmocka_unit_test(clocks_may_differ_by_a_minute),
        cmocka_unit_test(a_missing_or_wrong_claim_is_refused),
        cmocka_unit_test(a_claim_given_twice_is_refused),
        cmocka_unit_test(a_media_token_is_for_media_only),
        cmocka_unit_test(a_changed_byte_is_refused),
        cmocka_unit_test(another_spelling_of_the_same_bytes_is_refused),
        cmocka_unit_test(what_is_no_token_is_refused),
        cmocka_unit_test(a_long_or_deep_payload_is_refused),
        cmocka_unit_test(the_cache_gives_what_verification_gave),
        cmocka_unit_test(at_least_sixty_hostile_tokens_were_tried),
    };

    return cmocka_run_group_tests_name("token", tests, setup, teardown);
}
