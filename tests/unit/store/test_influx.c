/* The InfluxDB edge, against a real server (tests/integration/test_edges.py). */
#include "tests/unit/served.h"

#include "lib/clock.h"
#include "lib/store/influx.h"
#include "lib/store/line.h"

#define VIN "WVWZZZ1KZAW000001"
#define T0 1795248000000

static struct influx *open_database(const char *address, const char *database)
{
    struct fault fault = {""};
    struct influx *db = NULL;

    if (influx_open(&db, served(address), database, &fault) != ST_OK)
        fail_msg("influx_open: %s", fault.text);
    return db;
}

static struct influx *open_prepared(const char *database)
{
    struct influx *db = open_database("VIGIE_TEST_INFLUX", database);
    struct fault fault = {""};

    if (influx_prepare(db, &fault) != ST_OK)
        fail_msg("influx_prepare: %s", fault.text);
    return db;
}

static void expect_write(struct influx *db, const char *lines, enum status st)
{
    struct fault fault = {""};
    enum status got = influx_write(db, lines, strlen(lines), &fault);

    if (got != st)
        fail_msg("%s: %s (%s), not %s", lines, status_name(got), fault.text, status_name(st));
}

static json_t *ask_for(struct influx *db, const char *statement, const json_t *params)
{
    struct fault fault = {""};
    json_t *result = NULL;

    if (influx_query(db, statement, params, &result, &fault) != ST_OK)
        fail_msg("%s: %s", statement, fault.text);
    return result;
}

/* Row `row`, column `column` of the first series. */
static const json_t *value(const json_t *result, size_t row, size_t column)
{
    const json_t *first = json_array_get(json_object_get(result, "results"), 0);
    const json_t *series = json_array_get(json_object_get(first, "series"), 0);

    return json_array_get(json_array_get(json_object_get(series, "values"), row), column);
}

static long long count_rows(struct influx *db)
{
    json_t *result = ask_for(db, "SELECT COUNT(\"Vehicle.Speed\") FROM telemetry", NULL);
    long long n = json_integer_value(value(result, 0, 1));

    json_decref(result);
    return n;
}

static void
prepare_makes_the_database_with_its_retention_and_is_content_the_second_time(void **state)
{
    struct influx *db = open_prepared("prepared");
    json_t *result;

    (void)state;
    assert_int_equal(influx_prepare(db, NULL), ST_OK);
    result = ask_for(db, "SHOW RETENTION POLICIES ON prepared", NULL);
    assert_string_equal(json_string_value(value(result, 0, 0)), "raw");
    assert_string_equal(json_string_value(value(result, 0, 1)), "1464h0m0s"); /* 61 d */
    assert_string_equal(json_string_value(value(result, 0, 2)), "24h0m0s");
    assert_true(json_is_true(value(result, 0, 4)));
    assert_null(value(result, 1, 0));
    json_decref(result);
    influx_close(db);
}

static void a_database_made_by_hand_without_a_limit_gets_ours_and_keeps_what_it_has(void **state)
{
    struct influx *db = open_database("VIGIE_TEST_INFLUX", "by-hand");
    json_t *result;

    (void)state;
    json_decref(ask_for(db, "CREATE DATABASE \"by-hand\"", NULL));
    expect_write(db, "telemetry,vin=" VIN " Vehicle.Speed=1 1\n", ST_OK);
    assert_int_equal(influx_prepare(db, NULL), ST_OK);
    assert_int_equal(influx_prepare(db, NULL), ST_OK);
    result = ask_for(db, "SELECT \"Vehicle.Speed\" FROM \"by-hand\".autogen.telemetry", NULL);
    assert_int_equal(json_integer_value(value(result, 0, 0)), 1);
    json_decref(result);
    result = ask_for(db, "SHOW RETENTION POLICIES ON \"by-hand\"", NULL);
    assert_string_equal(json_string_value(value(result, 1, 0)), "raw");
    assert_true(json_is_true(value(result, 1, 4)));
    json_decref(result);
    influx_close(db);
}

static void a_policy_an_operator_has_chosen_is_left_alone(void **state)
{
    struct influx *db = open_database("VIGIE_TEST_INFLUX", "chosen");
    json_t *result;

    (void)state;
    json_decref(
        ask_for(db, "CREATE DATABASE chosen WITH DURATION 7d REPLICATION 1 NAME week", NULL));
    assert_int_equal(influx_prepare(db, NULL), ST_OK);
    result = ask_for(db, "SHOW RETENTION POLICIES ON chosen", NULL);
    assert_string_equal(json_string_value(value(result, 0, 0)), "week");
    assert_null(value(result, 1, 0));
    json_decref(result);
    influx_close(db);
}

static void samples_come_back_as_the_same_doubles(void **state)
{
    static const double values[] = {
        50, 0.1, -273.15, 1e-7, 5e-324, 1.7976931348623157e308, 83.13725490196079};
    enum { N = sizeof values / sizeof *values };
    struct influx *db = open_prepared("doubles");
    json_t *params = json_pack("{s:s}", "v", VIN), *result;
    struct telemetry t;
    struct text lines;

    (void)state;
    telemetry_init(&t);
    text_init(&lines);
    for (int i = 0; i < N; i++) {
        assert_int_equal(telemetry_sample(&t, time(NULL) * 1000 + i, NULL), ST_OK);
        assert_int_equal(telemetry_reading(&t, SIGNAL_SPEED, values[i], NULL), ST_OK);
    }
    assert_int_equal(line_add(&lines, VIN, &t, 0, N), N);
    expect_write(db, lines.bytes, ST_OK);
    expect_write(db, lines.bytes, ST_OK); /* sent again: nothing doubles */
    result =
        ask_for(db, "SELECT \"Vehicle.Speed\" FROM telemetry WHERE vin = $v ORDER BY time", params);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(json_integer_value(value(result, i, 0)), t.samples[i].t_ms);
        assert_true(json_number_value(value(result, i, 1)) == values[i]);
    }
    assert_null(value(result, N, 0));
    json_decref(result);
    json_decref(params);
    text_done(&lines);
    telemetry_done(&t);
    influx_close(db);
}

static void a_parameter_is_a_value_whatever_is_in_it(void **state)
{
    struct influx *db = open_prepared("bound");
    json_t *params = json_pack("{s:s}", "v", "x' OR vin != 'x&q=DROP DATABASE bound%20\"\\"),
           *result;

    (void)state;
    expect_write(db, "telemetry,vin=" VIN " Vehicle.Speed=1", ST_OK);
    result = ask_for(db, "SELECT * FROM telemetry WHERE vin = $v", params);
    assert_null(value(result, 0, 0));
    json_decref(result);
    json_decref(params);
    assert_int_equal(count_rows(db), 1);
    influx_close(db);
}

static void one_bad_line_is_refused_and_the_good_ones_stay(void **state)
{
    struct influx *db = open_prepared("partial");
    struct fault fault = {""};
    static const char mixed[] = "telemetry,vin=" VIN " Vehicle.Speed=1\n"
                                "telemetry,vin=" VIN " Vehicle.Speed=\n"
                                "telemetry,vin=" VIN "A Vehicle.Speed=2\n";

    (void)state;
    assert_int_equal(influx_write(db, mixed, sizeof mixed - 1, &fault), ST_REJECT);
    assert_non_null(strstr(fault.text, "400"));
    assert_non_null(strstr(fault.text, "unable to parse"));
    assert_int_equal(count_rows(db), 2);
    expect_write(db, "telemetry,vin=" VIN " Vehicle.Speed=NaN\n", ST_REJECT);
    expect_write(db, "telemetry,vin=" VIN " Vehicle.Speed=\"text\"\n",
                 ST_REJECT); /* a float it was */
    expect_write(db, "telemetry,vin=" VIN " Vehicle.Speed=1 1\n",
                 ST_REJECT); /* 1970: beyond retention */
    expect_write(db, "", ST_OK);
    assert_int_equal(influx_try(db, NULL), ST_OK);
    assert_int_equal(count_rows(db), 2);
    influx_close(db);
}

struct comments { /* so many bytes of nothing, and a point */
    size_t len, at;
};

static size_t comments_read(void *self, char *out, size_t room)
{
    static const char point[] = "\ntelemetry,vin=" VIN " Vehicle.Speed=7\n";
    struct comments *c = self;
    size_t n = c->at < c->len ? c->len - c->at : 0;

    n = n < room ? n : room;
    memset(out, '#', n);
    if (n == 0 && c->at == c->len) {
        n = sizeof point - 1;
        memcpy(out, point, n);
    }
    c->at += n;
    return n;
}

static void comments_rewind(void *self)
{
    ((struct comments *)self)->at = 0;
}

static void lines_can_be_made_while_they_are_sent(void **state)
{
    struct influx *db = open_prepared("poured");
    struct comments c = {.len = 700000};
    const struct http_body lines = {.read = comments_read, .rewind = comments_rewind, .self = &c};
    struct fault fault = {""};
    enum status st;

    (void)state;
    assert_int_equal(influx_pour(db, &lines, &fault), ST_OK);
    assert_int_equal(count_rows(db), 1);
    c.len = 5000000; /* over the limit: refused, or hung up on */
    st = influx_pour(db, &lines, &fault);
    if (st != ST_REJECT && st != ST_RETRY)
        fail_msg("%s: %s", status_name(st), fault.text);
    c.len = 10;
    assert_int_equal(influx_pour(db, &lines, &fault), ST_OK);
    influx_close(db);
}

/* A point, and then spaces to the end of what was promised. */
struct promised {
    size_t len, at;
    char point[80]; /* with a time of its own: what is written over is no new row */
};

static struct promised promise(size_t number, size_t spaces)
{
    struct promised p = {0};

    snprintf(p.point, sizeof p.point, "telemetry,vin=" VIN " Vehicle.Speed=7 %lld\n",
             (long long)clock_now_ms() - 1000 * (long long)number);
    p.len = strlen(p.point) + spaces;
    return p;
}

static size_t promised_read(void *self, char *out, size_t room)
{
    struct promised *p = self;
    size_t n = p->at == 0 ? strlen(p->point) : p->len - p->at;

    n = n < room ? n : room;
    memset(out, ' ', n);
    if (p->at == 0)
        memcpy(out, p->point, n);
    else if (n > 0 && p->at + n == p->len)
        out[n - 1] = '\n';
    p->at += n;
    return n;
}

static void promised_rewind(void *self)
{
    ((struct promised *)self)->at = 0;
}

static void a_last_line_of_spaces_is_passed_over(void **state)
{
    static const size_t lengths[] = {0, 1, 2, 700, 300000};
    struct influx *db = open_prepared("spaces");
    struct fault fault = {""};

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct promised p = promise(i, lengths[i]);
        const struct http_body lines = {
            .len = p.len, .read = promised_read, .rewind = promised_rewind, .self = &p};

        if (influx_pour(db, &lines, &fault) != ST_OK)
            fail_msg("%zu spaces: %s", lengths[i], fault.text);
        assert_int_equal(count_rows(db), i + 1);
    }
    influx_close(db);
}

static void a_batch_over_the_servers_limit_is_refused(void **state)
{
    static char big[1200000];
    struct influx *db = open_prepared("big");
    struct fault fault = {""};

    (void)state;
    memset(big, '#', sizeof big); /* a comment, as far as it gets */
    assert_int_equal(influx_write(db, big, sizeof big, &fault), ST_REJECT);
    assert_non_null(strstr(fault.text, "413"));
    expect_write(db, "telemetry,vin=" VIN " Vehicle.Speed=1\n", ST_OK);
    influx_close(db);
}

static void a_missing_database_is_fatal(void **state)
{
    struct influx *db = open_database("VIGIE_TEST_INFLUX", "nowhere");

    (void)state;
    expect_write(db, "telemetry,vin=" VIN " Vehicle.Speed=1\n", ST_FATAL);
    influx_close(db);
}

static void a_wrong_statement_is_refused_with_the_servers_words(void **state)
{
    struct influx *db = open_prepared("words");
    struct fault fault = {""};
    json_t *result = NULL;

    (void)state;
    assert_int_equal(influx_query(db, "SELEKT", NULL, &result, &fault), ST_REJECT);
    assert_non_null(strstr(fault.text, "SELEKT"));
    assert_int_equal(influx_query(db, "SELECT * FROM nowhere.x.y", NULL, &result, &fault),
                     ST_REJECT);
    assert_non_null(strstr(fault.text, "database not found"));
    assert_null(result);
    influx_close(db);
}

static void credentials_in_the_address_count_and_are_never_quoted(void **state)
{
    struct influx *db = open_database("VIGIE_TEST_INFLUX_LOCKED", "locked");
    struct fault fault = {""};
    json_t *result = NULL;

    (void)state;
    assert_int_equal(influx_ping(db, &fault), ST_OK);
    assert_int_equal(influx_prepare(db, &fault), ST_OK);
    expect_write(db, "telemetry,vin=" VIN " Vehicle.Speed=1\n", ST_OK);
    influx_close(db);
    db = open_database("VIGIE_TEST_INFLUX_WRONG", "locked");
    assert_int_equal(influx_write(db, "x", 1, &fault), ST_FATAL);
    assert_null(strstr(fault.text, "wrong-one"));
    assert_int_equal(influx_query(db, "SHOW DATABASES", NULL, &result, &fault), ST_FATAL);
    assert_int_equal(influx_prepare(db, &fault), ST_FATAL);
    influx_close(db);
}

static void a_server_killed_and_restarted_has_what_it_acknowledged(void **state)
{
    struct influx *db = open_prepared("killed");
    struct fault fault = {""};
    long long stored = 0;
    char line[128];

    (void)state;
    for (int i = 0; i < 50; i++) {
        snprintf(line, sizeof line, "telemetry,vin=" VIN " Vehicle.Speed=%d %lld", i,
                 (long long)time(NULL) * 1000 + i * 10000);
        expect_write(db, line, ST_OK);
        stored++;
    }
    ask("kill influx");
    assert_int_equal(influx_write(db, line, strlen(line), &fault), ST_RETRY);
    assert_int_equal(influx_ping(db, &fault), ST_RETRY);
    assert_int_equal(influx_prepare(db, &fault), ST_RETRY);
    ask("start influx");
    WAIT_FOR(influx_write(db, line, strlen(line), &fault) == ST_OK);
    assert_int_equal(count_rows(db), stored);
    influx_close(db);
}

static void a_frozen_server_costs_a_deadline_and_no_more(void **state)
{
    struct influx *db = open_prepared("frozen");
    struct fault fault = {""};

    (void)state;
    ask("freeze influx");
    assert_int_equal(influx_write(db, "telemetry,vin=" VIN " Vehicle.Speed=1", 47, &fault),
                     ST_RETRY);
    ask("thaw influx");
    WAIT_FOR(influx_write(db, "telemetry,vin=" VIN " Vehicle.Speed=1", 47, &fault) == ST_OK);
    influx_close(db);
}

static void a_busy_server_is_asked_again_and_a_wrong_one_is_not(void **state)
{
    static const struct {
        const char *path;
        enum status st;
    } cases[] = {
        {"/answers/429", ST_RETRY},  {"/answers/500", ST_RETRY},  {"/answers/503", ST_RETRY},
        {"/answers/400", ST_REJECT}, {"/answers/413", ST_REJECT}, {"/answers/401", ST_FATAL},
        {"/plain/400", ST_RETRY},    {"/plain/413", ST_REJECT},   {"/plain/415", ST_FATAL},
        {"/plain/503", ST_RETRY},    {"/answers/403", ST_FATAL},  {"/answers/404", ST_FATAL},
        {"/answers/200", ST_FATAL},  {"/answers/204", ST_OK}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct influx *db = NULL;
        enum status st;
        char url[256];

        snprintf(url, sizeof url, "%s%s", served("VIGIE_TEST_HTTP"), cases[i].path);
        assert_int_equal(influx_open(&db, url, "x", NULL), ST_OK);
        st = influx_write(db, "x y=1", 5, NULL);
        if (st != cases[i].st)
            fail_msg("%s: %s", cases[i].path, status_name(st));
        influx_close(db);
    }
}

static void an_address_or_a_name_that_is_none_is_refused(void **state)
{
    static const char *const bad[] = {"http://",
                                      "https://",
                                      "http:///x",
                                      "http://:8086",
                                      "http://h:",
                                      "http://h:0",
                                      "https://u:p@h:99999/x",
                                      "http://h:80x",
                                      "http://u:p@",
                                      "http://u@:1",
                                      "HTTP://h"};
    static const char *const good[] = {"http://h",          "http://h/",    "https://u:p@h:65535/x",
                                       "http://[::1]:8086", "http://[::1]", "http://u:p@h"};
    struct influx *db = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(influx_open(&db, bad[i], "fleet", NULL), ST_REJECT);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(influx_open(&db, good[i], "fleet", NULL), ST_OK);
        influx_close(db);
        db = NULL;
    }
    assert_int_equal(influx_open(&db, "localhost:8086", "fleet", NULL), ST_REJECT);
    assert_int_equal(influx_open(&db, "ftp://localhost:8086", "fleet", NULL), ST_REJECT);
    assert_int_equal(influx_open(&db, "http://localhost:8086", "", NULL), ST_REJECT);
    assert_int_equal(influx_open(&db, "http://localhost:8086", "a b", NULL), ST_REJECT);
    assert_int_equal(influx_open(&db, "http://localhost:8086", "a\"; DROP", NULL), ST_REJECT);
    assert_null(db);
    influx_close(NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest with_server[] = {
        cmocka_unit_test(
            prepare_makes_the_database_with_its_retention_and_is_content_the_second_time),
        cmocka_unit_test(a_database_made_by_hand_without_a_limit_gets_ours_and_keeps_what_it_has),
        cmocka_unit_test(a_policy_an_operator_has_chosen_is_left_alone),
        cmocka_unit_test(samples_come_back_as_the_same_doubles),
        cmocka_unit_test(a_parameter_is_a_value_whatever_is_in_it),
        cmocka_unit_test(one_bad_line_is_refused_and_the_good_ones_stay),
        cmocka_unit_test(a_batch_over_the_servers_limit_is_refused),
        cmocka_unit_test(lines_can_be_made_while_they_are_sent),
        cmocka_unit_test(a_last_line_of_spaces_is_passed_over),
        cmocka_unit_test(a_missing_database_is_fatal),
        cmocka_unit_test(a_wrong_statement_is_refused_with_the_servers_words),
        cmocka_unit_test(credentials_in_the_address_count_and_are_never_quoted),
        cmocka_unit_test(a_server_killed_and_restarted_has_what_it_acknowledged),
        cmocka_unit_test(a_frozen_server_costs_a_deadline_and_no_more),
        cmocka_unit_test(a_busy_server_is_asked_again_and_a_wrong_one_is_not),
    };
    const struct CMUnitTest alone[] = {
        cmocka_unit_test(an_address_or_a_name_that_is_none_is_refused),
    };

    return RUN_SERVED(argc, argv, "VIGIE_TEST_INFLUX", with_server, alone);
}
