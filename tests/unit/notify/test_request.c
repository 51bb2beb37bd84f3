/* What a client may say, which ticket it brings, and which pages may come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/text.h"
#include "services/notify/request.h"

#define VIN "WVWZZZ1KZAW000001"
#define OTHER "VF1RFB00866123456"

static struct fault fault;

static enum status read(struct request *out, const char *text)
{
    return request_read(out, text, strlen(text), &fault);
}

static void a_ping_is_a_ping(void **state)
{
    struct request r;

    (void)state;
    assert_int_equal(read(&r, "{\"type\":\"ping\",\"more\":1}"), ST_OK);
    assert_int_equal(r.kind, REQUEST_PING);
}

static void a_star_is_everything(void **state)
{
    struct request r;

    (void)state;
    assert_int_equal(read(&r, "{\"type\":\"subscribe\",\"vehicles\":[\"*\"]}"), ST_OK);
    assert_int_equal(r.kind, REQUEST_SUBSCRIBE);
    assert_true(r.filter.all);
    assert_false(r.filter.has_box || r.resume);
}

static void a_list_is_sorted_and_a_box_and_a_cursor_are_kept(void **state)
{
    struct request r;

    (void)state;
    assert_int_equal(read(&r, "{\"type\":\"subscribe\",\"vehicles\":[\"" VIN "\",\"" OTHER "\"],"
                              "\"bbox\":[7,48.5,8,49],\"resume\":\"abc\"}"),
                     ST_OK);
    assert_false(r.filter.all);
    assert_int_equal(r.filter.vin_count, 2);
    assert_string_equal(r.filter.vins[0], OTHER);
    assert_string_equal(r.filter.vins[1], VIN);
    assert_true(r.filter.has_box && r.filter.west == 7 && r.filter.south == 48.5);
    assert_true(r.filter.east == 8 && r.filter.north == 49);
    assert_true(r.resume);
    assert_string_equal(r.cursor, "abc");
    filter_done(&r.filter);
}

static void an_empty_list_is_nothing(void **state)
{
    struct request r;

    (void)state;
    assert_int_equal(read(&r, "{\"type\":\"subscribe\",\"vehicles\":[]}"), ST_OK);
    assert_false(r.filter.all);
    assert_int_equal(r.filter.vin_count, 0);
    filter_done(&r.filter);
}

static void what_is_not_of_the_contract_is_refused_with_a_reason(void **state)
{
    static const char *const wrong[] = {
        "",
        "ping",
        "[]",
        "{}",
        "{\"type\":null}",
        "{\"type\":\"subscribe\"}",
        "{\"type\":\"a word much longer than any of ours\"}",
        "{\"type\":\"subscribe\",\"vehicles\":\"*\"}",
        "{\"type\":\"subscribe\",\"vehicles\":{\"0\":\"*\"}}",
        "{\"type\":\"subscribe\",\"vehicles\":[1]}",
        "{\"type\":\"subscribe\",\"vehicles\":[\"*\",\"*\"]}",
        "{\"type\":\"subscribe\",\"vehicles\":[\"WVWZZZ1KZAW00000I\"]}",
        "{\"type\":\"subscribe\",\"vehicles\":[\"*\"],\"bbox\":null}",
        "{\"type\":\"subscribe\",\"vehicles\":[\"*\"],\"bbox\":[1,2,3]}",
        "{\"type\":\"subscribe\",\"vehicles\":[\"*\"],\"bbox\":[1,2,3,\"4\"]}",
        "{\"type\":\"subscribe\",\"vehicles\":[\"*\"],\"bbox\":[-181,2,3,4]}",
        "{\"type\":\"subscribe\",\"vehicles\":[\"*\"],\"bbox\":[1,2,3,91]}",
        "{\"type\":\"subscribe\",\"vehicles\":[\"*\"],\"bbox\":[1,4,3,2]}",
        "{\"type\":\"subscribe\",\"vehicles\":[\"*\"],\"resume\":7}",
        "{\"type\":\"subscribe\",\"vehicles\":[\"" VIN "\"],\"resume\":null}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct request r = {.kind = REQUEST_PING};

        fault.text[0] = '\0';
        assert_int_equal(read(&r, wrong[i]), ST_REJECT);
        assert_true(fault.text[0]);
        assert_null(r.filter.vins); /* left alone */
    }
}

static enum status read_many(int n)
{
    struct request r = {0};
    struct text text;
    enum status st;

    text_init(&text);
    text_print(&text, "{\"type\":\"subscribe\",\"vehicles\":[");
    for (int i = 0; i < n; i++)
        text_print(&text, "%s\"WVW%014d\"", i ? "," : "", n - i);
    text_print(&text, "]}");
    st = request_read(&r, text.bytes, text.len, &fault);
    text_done(&text);
    filter_done(&r.filter);
    return st;
}

static void a_thousand_vehicles_fit_and_one_more_does_not(void **state)
{
    (void)state;
    assert_int_equal(read_many(FILTER_VINS_MAX), ST_OK);
    assert_int_equal(read_many(FILTER_VINS_MAX + 1), ST_REJECT);
}

static void the_ticket_is_found_among_the_sub_protocols(void **state)
{
    char ticket[16];

    (void)state;
    assert_int_equal(request_ticket(ticket, sizeof ticket, "fleet.v1, ticket.aZ0-_"), ST_OK);
    assert_string_equal(ticket, "aZ0-_");
    assert_int_equal(request_ticket(ticket, sizeof ticket, "ticket.x,fleet.v1"), ST_OK);
    assert_string_equal(ticket, "x");
    assert_int_equal(request_ticket(ticket, sizeof ticket, "ticket.123456789012345"), ST_OK);
}

static void what_is_no_ticket_is_none(void **state)
{
    static const char *const wrong[] = {
        "",          ",",
        "fleet.v1",  "ticket.",
        "ticket",    "Ticket.a",
        "xticket.a", "ticket.a+b",
        "ticket.a=", "ticket.1234567890123456", /* longer than the room */
    };
    char ticket[16] = "left alone";

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(request_ticket(ticket, sizeof ticket, wrong[i]), ST_NONE);
    assert_string_equal(ticket, "left alone");
}

static void an_origin_is_one_of_the_list_byte_for_byte(void **state)
{
    const char *list = "http://a.test:8080, https://b.test";

    (void)state;
    assert_true(request_origin_allowed(list, "http://a.test:8080"));
    assert_true(request_origin_allowed(list, "https://b.test"));
    assert_false(request_origin_allowed(list, ""));
    assert_false(request_origin_allowed(list, "http://a.test"));
    assert_false(request_origin_allowed(list, "http://a.test:80801"));
    assert_false(request_origin_allowed(list, "https://B.test"));
    assert_false(request_origin_allowed(list, "http://a.test:8080, https://b.test"));
    assert_false(request_origin_allowed("", "null"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ping_is_a_ping),
        cmocka_unit_test(a_star_is_everything),
        cmocka_unit_test(a_list_is_sorted_and_a_box_and_a_cursor_are_kept),
        cmocka_unit_test(an_empty_list_is_nothing),
        cmocka_unit_test(what_is_not_of_the_contract_is_refused_with_a_reason),
        cmocka_unit_test(a_thousand_vehicles_fit_and_one_more_does_not),
        cmocka_unit_test(the_ticket_is_found_among_the_sub_protocols),
        cmocka_unit_test(what_is_no_ticket_is_none),
        cmocka_unit_test(an_origin_is_one_of_the_list_byte_for_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
