/* Any bytes as path, arguments and headers of a request: a route or a problem comes out, never
 * anything else; and what is outside the API is a file of the table or a problem. */
#include "tests/fuzz/require.h"

#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "services/api/admit.h"
#include "services/api/assets.h"

static struct api_settings set;
static struct shared shared;
static struct admission ad;
static struct assets *files;

static void prepare(void)
{
    struct fault fault;

    strcpy(set.origins, "http://localhost:8080");
    shared.set = &set;
    ad.shared = &shared;
    REQUIRE(token_cache_open(&ad.tokens, &fault) == ST_OK && assets_new(&files, &fault) == ST_OK);
    REQUIRE(assets_add(files, "/index.html", CODING_NONE, "<html>", 6, &fault) == ST_OK);
    REQUIRE(assets_add(files, "/assets/a.js", CODING_NONE, "0123456789", 10, &fault) == ST_OK);
    REQUIRE(assets_add(files, "/assets/a.js", CODING_GZIP, "gz", 2, &fault) == ST_OK);
}

/* The next piece of the input, up to a line feed. */
static void take(const uint8_t **data, size_t *size, char *out, size_t room)
{
    const uint8_t *end = memchr(*data, '\n', *size);
    size_t whole = end ? (size_t)(end - *data) : *size, n = whole < room ? whole : room - 1;

    memcpy(out, *data, n);
    out[n] = '\0';
    *data += end ? whole + 1 : whole;
    *size -= end ? whole + 1 : whole;
}

static void check_answer(const struct answer *a)
{
    struct fault fault;
    json_t *body = NULL;

    REQUIRE(a->code >= 200 && a->code < 600);
    for (size_t i = 0; i < a->header_count; i++)
        REQUIRE(!strpbrk(a->headers[i].value, "\r\n"));
    if (a->code < 400)
        return;
    REQUIRE(!strcmp(a->content_type, "application/problem+json"));
    REQUIRE(json_read(&body, a->body.bytes, a->body.len, 65536, &fault) == ST_OK);
    REQUIRE(json_integer_value(json_object_get(body, "status")) == a->code);
    json_decref(body);
}

static void read_arguments(struct request *r)
{
    static const char *const names[] = {"limit", "from", "signals", ""};
    struct fault fault;
    int64_t n = 0;

    for (size_t i = 0; i < 4; i++) {
        (void)request_arg(r, names[i]);
        if (request_number(r, names[i], 1, 500, 100, &n, &fault) == ST_OK)
            REQUIRE(n >= 1 && n <= 500);
        n = 0;
        (void)!request_time(r, names[i], 0, &n, &fault);
    }
}

static void read_header_values(struct request *r)
{
    size_t first = 0, last = 0;
    char cookie[64];
    int64_t n = -1;
    struct fault fault;

    if (content_length_parse(r->range, strlen(r->range), &n, &fault) == ST_OK)
        REQUIRE(n >= 0 && n <= 99999999 && strspn(r->range, "0123456789") == strlen(r->range));
    if (version_tag_parse(r->if_match, &n) == ST_OK)
        REQUIRE(n >= 0);
    if (range_parse(r->range, 10, &first, &last) == ST_OK)
        REQUIRE(first <= last && last < 10);
    if (cookie_read(r->accept, "vigie_refresh", cookie, sizeof cookie) == ST_OK)
        REQUIRE(strlen(cookie) < sizeof cookie && !strchr(cookie, ';'));
    (void)tag_listed(r->if_none_match, "\"a\"");
    (void)coding_choose(r->accept_encoding, true, true);
    source_of(cookie, r->address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct route *route = NULL;
    struct request *r = calloc(1, sizeof *r);
    struct moment now = {1795248000000, 1000};
    struct fault fault;
    struct answer a;

    if (!files)
        prepare();
    REQUIRE(r && limits_open(&ad.limits, &fault) == ST_OK &&
            delays_open(&ad.delays, &fault) == ST_OK);
    answer_init(&a);
    memcpy(r->id_text, "0123456789abcdef", 17);
    r->method = size ? data[0] % (METHOD_OTHER + 1) : 0;
    r->door = size > 1 ? data[1] % 2 : 0;
    take(&data, &size, r->args, sizeof r->args - 1);
    take(&data, &size, r->path, sizeof r->path);
    take(&data, &size, r->accept, sizeof r->accept);
    take(&data, &size, r->accept_encoding, sizeof r->accept_encoding);
    take(&data, &size, r->range, sizeof r->range);
    take(&data, &size, r->if_none_match, sizeof r->if_none_match);
    take(&data, &size, r->if_match, sizeof r->if_match);
    take(&data, &size, r->origin, sizeof r->origin);
    take(&data, &size, r->address, sizeof r->address);
    take(&data, &size, r->bearer, sizeof r->bearer);
    switch (admit(&ad, r, -1, now, &route, &a)) {
    case VERDICT_RUN:
        REQUIRE(route && route->run && (route->action == ACTION_OPEN || r->signed_in));
        REQUIRE(!r->vin[0] || vin_is_valid(r->vin, strlen(r->vin)));
        break;
    case VERDICT_ASSETS:
        assets_answer(files, r, &a);
        check_answer(&a);
        break;
    case VERDICT_ANSWERED:
        check_answer(&a);
        break;
    }
    read_arguments(r);
    read_header_values(r);
    answer_done(&a);
    free(r);
    limits_close(ad.limits);
    delays_close(ad.delays);
    return 0;
}
