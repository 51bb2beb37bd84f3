/* Changes in their order: what is kept, and for whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "services/notify/feed.h"

#define VIN "WVWZZZ1KZAW000001"
#define OTHER "VF1RFB00866123456"
#define OURS "0197f3c2-5f0e-7abc-8def-0123456789ab"
#define THEIRS "0197f3c2-5f0e-7abc-8def-0123456789ac"
#define EVERY_KIND ((1U << KIND_COUNT) - 1)

static struct fault fault;
static struct feed *feed;
static struct fleet *fleet;
static const struct filter everything = {.all = true};

static int open_all(void **state)
{
    (void)state;
    return feed_open(&feed, 4, 100, &fault) != ST_OK || fleet_open(&fleet, &fault) != ST_OK;
}

static int close_all(void **state)
{
    (void)state;
    feed_close(feed);
    fleet_close(fleet);
    return 0;
}

static void add(uint64_t xid, uint64_t id, const char *vin, const char *customer, const char *frame)
{
    struct feed_item item = {.at = {xid, id}, .kind = KIND_ALERT, .frame = strdup(frame)};

    text_copy(item.vin, sizeof item.vin, vin);
    text_copy(item.customer, sizeof item.customer, customer);
    feed_add(feed, &item);
}

static const char *next(const struct feed_reader *reader, struct cursor *at)
{
    const struct feed_item *item = feed_next(feed, fleet, reader, at);

    return item ? item->frame : "";
}

static void a_cursor_is_two_numbers_and_ordered_by_both(void **state)
{
    static const char *const none[] = {"",
                                       "0",
                                       "1.",
                                       ".1",
                                       "1.2.3",
                                       "-1.2",
                                       "1.a",
                                       " 1.2",
                                       "1234567890123456789.1",
                                       "1.1234567890123456789"};
    struct cursor c;
    char text[CURSOR_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(cursor_read(&c, none[i]));
    assert_true(cursor_read(&c, "123456789012345678.42"));
    cursor_print(text, c);
    assert_string_equal(text, "123456789012345678.42");
    assert_true(cursor_compare((struct cursor){1, 9}, (struct cursor){2, 0}) < 0);
    assert_true(cursor_compare((struct cursor){2, 1}, (struct cursor){2, 0}) > 0);
    assert_true(cursor_compare((struct cursor){2, 1}, (struct cursor){2, 1}) == 0);
}

static void kinds_are_words_and_unknown_ones_are_none(void **state)
{
    (void)state;
    assert_int_equal(kinds_read("alert,event,trip,command,media"), EVERY_KIND);
    assert_int_equal(kinds_read("alert,alerts,,x,command"), 1U << KIND_ALERT | 1U << KIND_COMMAND);
    assert_int_equal(kinds_read(""), 0);
}

static void each_reader_gets_its_own_in_order(void **state)
{
    const struct feed_reader ours = {OURS, EVERY_KIND, &everything};
    const struct feed_reader trips = {OURS, 1U << KIND_TRIP, &everything};
    struct filter named = {.vin_count = 1, .vins = calloc(1, VIN_LEN + 1)};
    const struct feed_reader one = {OURS, EVERY_KIND, &named};
    struct cursor at = {1, 0}, from = at;

    (void)state;
    feed_begin(feed, at);
    memcpy(named.vins[0], OTHER, sizeof OTHER);
    add(1, 1, VIN, OURS, "a");
    add(1, 2, VIN, THEIRS, "b");
    add(2, 1, OTHER, OURS, "c");
    assert_string_equal(next(&ours, &at), "a");
    assert_string_equal(next(&ours, &at), "c");
    assert_string_equal(next(&ours, &at), "");
    assert_int_equal(cursor_compare(at, feed_newest(feed)), 0);
    at = from;
    assert_string_equal(next(&one, &at), "c");
    at = from;
    assert_string_equal(next(&trips, &at), "");
    assert_int_equal(cursor_compare(at, feed_newest(feed)), 0);
    at = (struct cursor){9, 9}; /* read elsewhere, ahead of us */
    assert_string_equal(next(&ours, &at), "");
    assert_int_equal(at.xid, 9);
    filter_done(&named);
}

static void what_is_anothers_by_now_is_not_shown(void **state)
{
    const struct feed_reader ours = {OURS, EVERY_KIND, &everything};
    struct vehicle_row row = {.vin = VIN, .customer = THEIRS};
    struct cursor at = {1, 0};

    (void)state;
    feed_begin(feed, at);
    add(1, 1, VIN, OURS, "a");
    fleet_know(fleet, &row, 0);
    assert_string_equal(next(&ours, &at), "");
}

static void whether_a_cursor_can_be_resumed_shows_with_the_next_look(void **state)
{
    const struct cursor newest = {6, 1}, ahead = {8, 2};

    (void)state;
    assert_int_equal(feed_resumes(feed, newest, 0), ST_RETRY); /* nothing is known yet */
    feed_begin(feed, (struct cursor){5, 0});
    add(6, 1, VIN, OURS, "a");
    assert_int_equal(feed_resumes(feed, (struct cursor){4, 9}, 0), ST_NONE);
    assert_int_equal(feed_resumes(feed, newest, 0), ST_OK);
    assert_int_equal(feed_resumes(feed, ahead, 100), ST_RETRY);
    feed_look(feed, (struct cursor){7, 0}, 100); /* begun before it came, maybe */
    assert_int_equal(feed_resumes(feed, (struct cursor){7, 0}, 100), ST_OK);
    assert_int_equal(feed_resumes(feed, ahead, 100), ST_RETRY);
    feed_look(feed, (struct cursor){7, 0}, 101);
    assert_int_equal(feed_resumes(feed, ahead, 100), ST_NONE);
    feed_look(feed, (struct cursor){9, 0}, 102);
    assert_int_equal(feed_resumes(feed, ahead, 100), ST_OK);
    feed_begin(feed, (struct cursor){3, 0}); /* put back while we looked on */
    assert_int_equal(feed_resumes(feed, ahead, 100), ST_RETRY);
}

static void the_oldest_make_room_by_number_and_by_size(void **state)
{
    const struct feed_reader ours = {OURS, EVERY_KIND, &everything};
    char large[60];
    struct cursor at = {1, 0};

    (void)state;
    assert_false(feed_is_begun(feed) || feed_holds(feed, at));
    feed_begin(feed, at);
    for (uint64_t i = 1; i <= 4; i++)
        add(1, i, VIN, OURS, "a");
    assert_true(feed_holds(feed, at));
    add(1, 5, VIN, OURS, "b");
    assert_false(feed_holds(feed, at));
    assert_true(feed_holds(feed, (struct cursor){1, 1}));
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    add(2, 1, VIN, OURS, large);
    add(2, 2, VIN, OURS, large);
    assert_false(feed_holds(feed, (struct cursor){1, 5}));
    at = (struct cursor){2, 1};
    assert_string_equal(next(&ours, &at), large);
    feed_begin(feed, (struct cursor){1, 0});
    assert_int_equal(feed_beginnings(feed), 2);
    assert_string_equal(next(&ours, &at), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_cursor_is_two_numbers_and_ordered_by_both),
        TEST(kinds_are_words_and_unknown_ones_are_none),
        TEST(each_reader_gets_its_own_in_order),
        TEST(what_is_anothers_by_now_is_not_shown),
        TEST(whether_a_cursor_can_be_resumed_shows_with_the_next_look),
        TEST(the_oldest_make_room_by_number_and_by_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
