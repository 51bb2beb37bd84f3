/* One client: what it is owed, when, and that it shares what others are owed too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "services/notify/session.h"

#define VIN "WVWZZZ1KZAW000001"
#define OURS "0197f3c2-5f0e-7abc-8def-0123456789ab"
#define ALL (1U << KIND_ALERT | 1U << KIND_TRIP)
#define RESUME_9 "{\"type\":\"subscribe\",\"vehicles\":[\"*\"],\"resume\":\"9.1\"}"
#define SUBSCRIBE "{\"type\":\"subscribe\",\"vehicles\":[\"*\"]}"

static struct fault fault;
static struct fleet *fleet;
static struct frames *frames;
static struct feed *feed;
static struct session session;
static struct pulse pulse;
static int64_t t_ms;

static int open_all(void **state)
{
    struct vehicle_row row = {.vin = VIN, .customer = OURS, .name = "One"};

    (void)state;
    t_ms = 1000;
    if (fleet_open(&fleet, &fault) != ST_OK || frames_open(&frames, fleet, 3, &fault) != ST_OK ||
        feed_open(&feed, 4, 1000, &fault) != ST_OK)
        return 1;
    feed_begin(feed, (struct cursor){5, 0});
    pulse = (struct pulse){.tick = 100, .fleet_known = true, .feed = feed, .fleet = fleet};
    fleet_know(fleet, &row, 0);
    session_init(&session, 7, 0);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    session_done(&session);
    frames_close(frames);
    feed_close(feed);
    fleet_close(fleet);
    return 0;
}

static bool hear(const char *text)
{
    return session_hear(&session, text, strlen(text), 0, &fault);
}

static enum frame next(const struct session *s)
{
    pulse.version = fleet_version(fleet);
    pulse.identity = fleet_identity(fleet, s->customer);
    return session_next(s, &pulse);
}

static void move(double speed_kmh)
{
    struct live live = {.vin = VIN, .t_ms = ++t_ms, .has_speed = true, .connectivity = "online"};

    live.speed_kmh = speed_kmh;
    assert_true(fleet_take(fleet, &live, 1));
}

static void rename_to(const char *name)
{
    struct vehicle_row row = {.vin = VIN, .customer = OURS};

    text_copy(row.name, sizeof row.name, name);
    fleet_know(fleet, &row, 0);
}

static struct frame_text *write(struct session *s)
{
    enum frame frame = next(s);
    enum kind kind;

    return session_write(s, frame, frames, &pulse, 0, 5000, &kind);
}

static void new_tick(void)
{
    pulse.tick++;
    frames_clear(frames);
}

static const char *words(const struct frame_text *frame)
{
    assert_non_null(frame);
    return frame->text.bytes + 3; /* the room asked for */
}

static void go_live(struct session *s)
{
    session_admit(s, OURS, ALL, 0);
    assert_true(session_hear(s, SUBSCRIBE, sizeof SUBSCRIBE - 1, 0, &fault));
    assert_int_equal(next(s), FRAME_SNAPSHOT);
    write(s);
    new_tick();
}

static void nothing_is_sent_before_the_ticket_was_good(void **state)
{
    (void)state;
    assert_true(hear("{\"type\":\"ping\"}"));
    assert_true(hear(SUBSCRIBE));
    assert_int_equal(next(&session), FRAME_NONE);
    session_admit(&session, OURS, ALL, 5);
    assert_int_equal(session.stage, STAGE_SNAPSHOT);
    assert_int_equal(session.stage_ms, 5);
    assert_string_equal(words(write(&session)), "{\"type\":\"pong\"}");
    assert_int_equal(next(&session), FRAME_SNAPSHOT);
}

static void who_has_not_subscribed_gets_pongs_and_no_vehicles(void **state)
{
    (void)state;
    session_admit(&session, OURS, ALL, 0);
    assert_int_equal(session.stage, STAGE_IDLE);
    assert_int_equal(next(&session), FRAME_NONE);
    assert_true(hear("{\"type\":\"ping\"}"));
    assert_int_equal(next(&session), FRAME_PONG);
    write(&session);
    assert_int_equal(next(&session), FRAME_NONE);
}

static void a_snapshot_waits_until_the_fleet_was_read(void **state)
{
    (void)state;
    session_admit(&session, OURS, ALL, 0);
    assert_true(hear(SUBSCRIBE));
    pulse.fleet_known = false;
    assert_int_equal(next(&session), FRAME_NONE);
    pulse.fleet_known = true;
    assert_string_equal(words(write(&session)),
                        "{\"type\":\"snapshot\",\"cursor\":\"5.0\",\"vehicles\":[{\"vin\":\"" VIN
                        "\",\"name\":\"One\",\"plate\":\"\",\"connectivity\":\"never\"}]}");
    assert_int_equal(session.stage, STAGE_LIVE);
    assert_int_equal(next(&session), FRAME_NONE);
}

static void a_live_frame_comes_once_a_tick_and_only_with_news(void **state)
{
    (void)state;
    go_live(&session);
    assert_int_equal(next(&session), FRAME_NONE);
    move(10);
    assert_int_equal(next(&session), FRAME_LIVE);
    assert_non_null(strstr(words(write(&session)), "\"speed\":10,"));
    move(20);
    assert_int_equal(next(&session), FRAME_NONE); /* within the tick */
    new_tick();
    assert_int_equal(next(&session), FRAME_LIVE);
    assert_non_null(strstr(words(write(&session)), "\"speed\":20,"));
    new_tick();
    assert_int_equal(next(&session), FRAME_NONE);
}

static void a_slow_client_gets_one_frame_the_newest(void **state)
{
    const char *text;

    (void)state;
    go_live(&session);
    for (int i = 0; i < 50; i++, new_tick())
        move(i);
    text = words(write(&session));
    assert_non_null(strstr(text, "\"speed\":49,"));
    assert_null(strstr(strstr(text, VIN) + 1, VIN));
    new_tick();
    assert_int_equal(next(&session), FRAME_NONE);
}

static void news_of_others_is_no_frame(void **state)
{
    struct vehicle_row row = {.vin = "VF1RFB00866123456", .customer = "another"};

    (void)state;
    go_live(&session);
    fleet_know(fleet, &row, 0);
    assert_int_equal(next(&session), FRAME_LIVE);
    assert_null(write(&session));
    move(10); /* and its tick is not spent */
    assert_int_equal(next(&session), FRAME_LIVE);
}

static void a_rename_is_told_by_a_snapshot_once_a_second_at_most(void **state)
{
    (void)state;
    go_live(&session);
    rename_to("Two");
    for (int i = 1; i < 4; i++, new_tick()) {
        assert_int_equal(next(&session), i == 1 ? FRAME_LIVE : FRAME_NONE);
        write(&session);
    }
    assert_int_equal(next(&session), FRAME_SNAPSHOT);
    assert_non_null(strstr(words(write(&session)), "\"Two\""));
    new_tick();
    assert_int_equal(next(&session), FRAME_NONE);
}

static void an_unknown_cursor_gets_resync_then_a_snapshot(void **state)
{
    (void)state;
    session_admit(&session, OURS, ALL, 0);
    assert_true(hear("{\"type\":\"subscribe\",\"vehicles\":[\"*\"],\"resume\":\"old\"}"));
    assert_string_equal(words(write(&session)), "{\"type\":\"resync\"}");
    assert_int_equal(next(&session), FRAME_SNAPSHOT);
    write(&session);
    assert_true(hear("{\"type\":\"subscribe\",\"vehicles\":[\"*\"],\"resume\":\"5.0\"}"));
    assert_int_equal(next(&session), FRAME_SNAPSHOT);
    assert_true(hear("{\"type\":\"subscribe\",\"vehicles\":[\"*\"],\"resume\":\"4.9\"}"));
    assert_int_equal(next(&session), FRAME_RESYNC);
}

static void change(uint64_t xid, enum kind kind, const char *frame)
{
    struct feed_item item = {.at = {xid, 1}, .kind = kind, .vin = VIN, .customer = OURS};

    item.frame = strdup(frame);
    assert_non_null(item.frame);
    feed_add(feed, &item);
}

static void each_change_is_sent_once_in_order_beside_the_newest_of_live(void **state)
{
    (void)state;
    go_live(&session);
    assert_int_equal(next(&session), FRAME_NONE);
    change(6, KIND_ALERT, "one");
    change(7, KIND_EVENT, "not for it");
    change(7, KIND_TRIP, "two");
    move(10);
    assert_int_equal(next(&session), FRAME_LIVE);
    write(&session);
    move(20);
    assert_string_equal(words(write(&session)), "one");
    assert_string_equal(words(write(&session)), "two");
    assert_int_equal(next(&session), FRAME_NONE);
    change(8, KIND_EVENT, "not for it");
    assert_int_equal(next(&session), FRAME_CHANGE);
    assert_null(write(&session));
    assert_int_equal(next(&session), FRAME_NONE);
}

static void what_came_after_a_cursor_follows_its_snapshot(void **state)
{
    (void)state;
    change(6, KIND_ALERT, "one");
    change(7, KIND_ALERT, "two");
    session_admit(&session, OURS, ALL, 0);
    assert_true(hear("{\"type\":\"subscribe\",\"vehicles\":[\"*\"],\"resume\":\"6.1\"}"));
    assert_non_null(strstr(words(write(&session)), "\"cursor\":\"6.1\"")); /* two is to come */
    assert_string_equal(words(write(&session)), "two");
    assert_true(hear(SUBSCRIBE)); /* other wishes, the same place in the order */
    assert_non_null(strstr(words(write(&session)), "\"cursor\":\"7.1\""));
    assert_int_equal(next(&session), FRAME_NONE);
}

static void a_cursor_from_a_future_that_was_undone_is_told_to_look_anew(void **state)
{
    (void)state;
    session_admit(&session, OURS, ALL, 0);
    feed_look(feed, (struct cursor){8, 0}, 0);
    assert_true(session_hear(&session, RESUME_9, sizeof RESUME_9 - 1, 1000, &fault));
    assert_int_equal(next(&session), FRAME_NONE); /* it may be of somebody who is ahead of us */
    feed_look(feed, (struct cursor){8, 0}, 1001);
    assert_string_equal(words(write(&session)), "{\"type\":\"resync\"}");
    assert_non_null(strstr(words(write(&session)), "\"cursor\":\"5.0\""));
}

static void a_cursor_of_somebody_who_is_ahead_of_us_is_resumed(void **state)
{
    (void)state;
    session_admit(&session, OURS, ALL, 0);
    assert_true(session_hear(&session, RESUME_9, sizeof RESUME_9 - 1, 1000, &fault));
    assert_int_equal(next(&session), FRAME_NONE);
    feed_look(feed, (struct cursor){10, 0}, 1001);
    change(9, KIND_ALERT, "known already");
    change(10, KIND_ALERT, "news");
    assert_non_null(strstr(words(write(&session)), "\"cursor\":\"9.1\""));
    assert_string_equal(words(write(&session)), "news");
}

static void who_falls_behind_what_is_kept_is_told_to_look_anew(void **state)
{
    (void)state;
    go_live(&session);
    for (uint64_t i = 0; i < 5; i++) /* there is room for four */
        change(10 + i, KIND_ALERT, "x");
    assert_string_equal(words(write(&session)), "{\"type\":\"resync\"}");
    assert_int_equal(next(&session), FRAME_NONE);
    change(20, KIND_ALERT, "next");
    assert_string_equal(words(write(&session)), "next");
    feed_begin(feed, (struct cursor){3, 0}); /* the database was put back */
    assert_string_equal(words(write(&session)), "{\"type\":\"resync\"}");
    change(4, KIND_ALERT, "again");
    assert_string_equal(words(write(&session)), "again");
}

static void twenty_messages_a_second_are_heard_and_no_more(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        assert_true(session_hear(&session, SUBSCRIBE, sizeof SUBSCRIBE - 1, 999, &fault));
    assert_false(session_hear(&session, SUBSCRIBE, sizeof SUBSCRIBE - 1, 999, &fault));
    assert_true(session_hear(&session, SUBSCRIBE, sizeof SUBSCRIBE - 1, 1000, &fault));
    assert_false(hear("{"));
}

static void clients_who_saw_and_want_the_same_share_a_frame(void **state)
{
    struct session other, boxed;
    struct frame_text *first;

    (void)state;
    session_init(&other, 8, 0);
    session_init(&boxed, 9, 0);
    session_admit(&boxed, OURS, ALL, 0);
    go_live(&session);
    go_live(&other);
    boxed.filter = (struct filter){.all = true, .has_box = true, .east = 1, .north = 1};
    boxed.stage = STAGE_SNAPSHOT;
    move(10);
    first = write(&session);
    assert_ptr_equal(write(&other), first);
    assert_int_equal(other.seen, session.seen);
    assert_ptr_not_equal(write(&boxed), first);
    move(20); /* what came after that frame is in the next one, for both */
    new_tick();
    first = write(&session);
    assert_ptr_equal(write(&other), first);
    assert_non_null(strstr(words(first), "\"speed\":20,"));
    session_done(&other);
    session_done(&boxed);
}

static void more_kinds_of_frames_than_are_kept_are_right_all_the_same(void **state)
{
    const struct filter all = {.all = true};

    (void)state;
    move(1);
    for (int i = 0; i < 200; i++) {
        char customer[UUID_TEXT + 1];
        struct frame_of of = {i == 150 ? OURS : customer, &all, 0, true, {0, 0}};

        snprintf(customer, sizeof customer, "%d", i);
        assert_int_equal(frames_vehicles(frames, &of, 0)->vehicles, i == 150);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_sent_before_the_ticket_was_good),
        TEST(who_has_not_subscribed_gets_pongs_and_no_vehicles),
        TEST(a_snapshot_waits_until_the_fleet_was_read),
        TEST(a_live_frame_comes_once_a_tick_and_only_with_news),
        TEST(a_slow_client_gets_one_frame_the_newest),
        TEST(news_of_others_is_no_frame),
        TEST(a_rename_is_told_by_a_snapshot_once_a_second_at_most),
        TEST(an_unknown_cursor_gets_resync_then_a_snapshot),
        TEST(each_change_is_sent_once_in_order_beside_the_newest_of_live),
        TEST(what_came_after_a_cursor_follows_its_snapshot),
        TEST(a_cursor_from_a_future_that_was_undone_is_told_to_look_anew),
        TEST(a_cursor_of_somebody_who_is_ahead_of_us_is_resumed),
        TEST(who_falls_behind_what_is_kept_is_told_to_look_anew),
        TEST(twenty_messages_a_second_are_heard_and_no_more),
        TEST(clients_who_saw_and_want_the_same_share_a_frame),
        TEST(more_kinds_of_frames_than_are_kept_are_right_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
