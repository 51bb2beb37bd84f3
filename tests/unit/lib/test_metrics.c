/* tests/unit/lib/test_metrics.c - counting from many threads, and the text Prometheus reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/metrics.h"
#include "lib/version.h"

static struct text page;

static void scrape(void)
{
    text_clear(&page);
    metrics_print(&page);
    assert_false(page.failed);
}

/* The whole line is on the page, once. */
static void assert_line(const char *line)
{
    char whole[512];
    const char *at;

    snprintf(whole, sizeof whole, "\n%s\n", line);
    at = strstr(page.bytes, whole);
    if (!at)
        print_error("missing: %s\n%s", line, page.bytes);
    assert_non_null(at);
    assert_null(strstr(at + 1, whole));
}

static double value_of(const char *name)
{
    char start[128];
    const char *at;

    snprintf(start, sizeof start, "\n%s ", name);
    at = strstr(page.bytes, start);
    assert_non_null(at);
    return strtod(at + strlen(start), NULL);
}

static void a_plain_counter_is_there_from_the_start(void **state)
{
    struct metric *m = metric_counter("vigie_test_plain_total", "Things seen.", NULL);

    (void)state;
    scrape();
    assert_line("# TYPE vigie_test_plain_total counter");
    assert_line("vigie_test_plain_total 0");
    metric_add(m, NULL, 2);
    metric_add(m, "", 0.5);
    metric_add(m, NULL, -1); /* a counter never goes back */
    metric_add(m, NULL, (double)NAN);
    assert_true(metric_read(m, NULL) == 2.5);
    scrape();
    assert_line("vigie_test_plain_total 2.5");
}

static void a_label_makes_a_series_of_each_value(void **state)
{
    struct metric *m = metric_counter("vigie_test_rejected_total", "Refused.", "reason");

    (void)state;
    metric_add(m, "rate", 1);
    metric_add(m, "schema", 3);
    metric_add(m, "rate", 1);
    metric_add(m, NULL, 5);
    assert_true(metric_read(m, "rate") == 2);
    assert_true(metric_read(m, "never") == 0);
    scrape();
    assert_line("vigie_test_rejected_total{reason=\"rate\"} 2");
    assert_line("vigie_test_rejected_total{reason=\"schema\"} 3");
    assert_line("vigie_test_rejected_total{reason=\"\"} 5");
    assert_null(strstr(page.bytes, "never"));
}

static void a_series_that_was_asked_for_counts_as_its_label(void **state)
{
    struct metric *m = metric_counter("t_series_total", "Made once.", "kind");
    struct series *s = metric_series(m, "known");

    (void)state;
    assert_ptr_equal(metric_series(m, "known"), s);
    series_add(s, 2);
    series_add(s, -1); /* a counter does not go back */
    metric_add(m, "known", 1);
    scrape();
    assert_line("t_series_total{kind=\"known\"} 3");
    series_add(metric_series(NULL, "none"), 1);
}

static void two_labels_share_a_value_at_the_comma(void **state)
{
    struct metric *m = metric_counter("vigie_test_requests_total", "Requests.", "route,code");

    (void)state;
    metric_add(m, "/vehicles,200", 1);
    metric_add(m, "alone", 1);
    scrape();
    assert_line("vigie_test_requests_total{route=\"/vehicles\",code=\"200\"} 1");
    assert_line("vigie_test_requests_total{route=\"alone\",code=\"\"} 1");
}

static void what_would_break_the_page_is_escaped(void **state)
{
    struct metric *m = metric_gauge("vigie_test_escaped", "A \\ and\na line.", "name");

    (void)state;
    metric_set(m, "a\"b\\c\nd\x01\xff", 1);
    scrape();
    assert_line("# HELP vigie_test_escaped A \\\\ and\\na line.");
    assert_line("vigie_test_escaped{name=\"a\\\"b\\\\c\\nd??\"} 1");
}

static void gauges_go_both_ways_and_print_short_and_exact(void **state)
{
    struct metric *m = metric_gauge("vigie_test_depth", "Depth.", NULL);

    (void)state;
    metric_set(m, NULL, 10);
    metric_add(m, NULL, -10.1);
    assert_true(metric_read(m, NULL) == 10 - 10.1);
    metric_set(m, NULL, 0.1);
    scrape();
    assert_line("vigie_test_depth 0.1");
    metric_set(m, NULL, 1.0 / 3);
    scrape();
    assert_true(value_of("vigie_test_depth") == 1.0 / 3);
    metric_set(m, NULL, 123456789012);
    scrape();
    assert_line("vigie_test_depth 123456789012");
    metric_set(m, NULL, (double)-INFINITY);
    scrape();
    assert_line("vigie_test_depth -Inf");
    metric_set(m, NULL, (double)NAN);
    scrape();
    assert_line("vigie_test_depth NaN");
}

static void a_histogram_cumulates_its_buckets(void **state)
{
    static const double bounds[] = {0.005, 0.1, 2.5};
    struct metric *m = metric_histogram("vigie_test_seconds", "Took.", "store", bounds, 3);

    (void)state;
    metric_observe(m, "pg", 0.005); /* le means less or equal */
    metric_observe(m, "pg", 0.05);
    metric_observe(m, "pg", 0.06);
    metric_observe(m, "pg", 3);
    metric_observe(m, "pg", (double)NAN);
    assert_true(metric_read(m, "pg") == 4);
    scrape();
    assert_line("# TYPE vigie_test_seconds histogram");
    assert_line("vigie_test_seconds_bucket{store=\"pg\",le=\"0.005\"} 1");
    assert_line("vigie_test_seconds_bucket{store=\"pg\",le=\"0.1\"} 3");
    assert_line("vigie_test_seconds_bucket{store=\"pg\",le=\"2.5\"} 3");
    assert_line("vigie_test_seconds_bucket{store=\"pg\",le=\"+Inf\"} 4");
    assert_line("vigie_test_seconds_sum{store=\"pg\"} 3.115");
    assert_line("vigie_test_seconds_count{store=\"pg\"} 4");
}

static void a_histogram_without_label_is_there_from_the_start(void **state)
{
    static const double bounds[] = {1};

    (void)state;
    (void)metric_histogram("vigie_test_plain_seconds", "Took.", NULL, bounds, 1);
    scrape();
    assert_line("vigie_test_plain_seconds_bucket{le=\"1\"} 0");
    assert_line("vigie_test_plain_seconds_bucket{le=\"+Inf\"} 0");
    assert_line("vigie_test_plain_seconds_sum 0");
    assert_line("vigie_test_plain_seconds_count 0");
}

static void label_values_beyond_256_count_as_other(void **state)
{
    struct metric *m = metric_counter("vigie_test_many_total", "Many.", "a,b");
    char value[32];
    int series = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(value, sizeof value, "v%d,w", i);
        metric_add(m, value, 1);
    }
    metric_add(m, "v3,w", 1);
    assert_true(metric_read(m, "v3,w") == 2);
    scrape();
    for (const char *at = page.bytes; (at = strstr(at, "\nvigie_test_many_total{")); at++)
        series++;
    assert_int_equal(series, 257);
    assert_line("vigie_test_many_total{a=\"other\",b=\"other\"} 744");
}

static void the_same_name_is_the_same_metric(void **state)
{
    struct metric *m = metric_counter("vigie_test_same_total", "Same.", NULL);

    (void)state;
    assert_ptr_equal(metric_counter("vigie_test_same_total", "Same.", NULL), m);
    scrape();
    assert_line("# TYPE vigie_test_same_total counter");
}

static void no_metric_is_fine(void **state)
{
    (void)state;
    metric_add(NULL, NULL, 1);
    metric_set(NULL, NULL, 1);
    metric_observe(NULL, NULL, 1);
    assert_true(metric_read(NULL, NULL) == 0);
}

static void the_process_and_the_build_are_told(void **state)
{
    double now = (double)clock_now_ms() / 1000, start;
    char line[128];

    (void)state;
    scrape();
    snprintf(line, sizeof line, "vigie_build_info{version=\"%s\",revision=\"%s\"} 1",
             version_number, version_revision);
    assert_line(line);
    assert_line("# TYPE process_cpu_seconds_total counter");
    assert_true(value_of("process_cpu_seconds_total") > 0);
    assert_true(value_of("process_resident_memory_bytes") > 65536);
    assert_true(value_of("process_virtual_memory_bytes") >=
                value_of("process_resident_memory_bytes"));
    assert_in_range((int)value_of("process_open_fds"), 3, 64);
    assert_true(value_of("process_max_fds") >= value_of("process_open_fds"));
    start = value_of("process_start_time_seconds");
    assert_true(start > now - 600 && start < now + 1);
    scrape();
    assert_true(value_of("process_start_time_seconds") == start); /* it does not tremble */
}

static struct metric *shared_counter, *shared_labelled, *shared_histogram;

enum { THREADS = 4, TIMES = 5000 };

static void *count_much(void *arg)
{
    char label[16];

    for (int i = 0; i < TIMES; i++) {
        snprintf(label, sizeof label, "l%d", i % 100);
        metric_add(shared_counter, NULL, 1);
        metric_add(shared_labelled, label, 1);
        metric_observe(shared_histogram, NULL, i % 2 ? 0.5 : 2);
    }
    return arg;
}

static void many_threads_lose_no_count(void **state)
{
    static const double bounds[] = {1};
    pthread_t threads[THREADS];
    double sum = 0;

    (void)state;
    shared_counter = metric_counter("vigie_test_shared_total", "Shared.", NULL);
    shared_labelled = metric_counter("vigie_test_labelled_total", "Shared.", "l");
    shared_histogram = metric_histogram("vigie_test_shared_seconds", "Shared.", NULL, bounds, 1);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, count_much, NULL);
    scrape(); /* in the middle of it */
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 100; i++) {
        char label[16];

        snprintf(label, sizeof label, "l%d", i);
        sum += metric_read(shared_labelled, label);
    }
    assert_true(metric_read(shared_counter, NULL) == THREADS * TIMES);
    assert_true(sum == THREADS * TIMES);
    scrape();
    assert_line("vigie_test_shared_seconds_bucket{le=\"1\"} 10000");
    assert_line("vigie_test_shared_seconds_sum 25000");
}

static int open_page(void **state)
{
    (void)state;
    text_init(&page);
    return 0;
}

static int close_page(void **state)
{
    (void)state;
    text_done(&page);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_counter_is_there_from_the_start),
        cmocka_unit_test(a_label_makes_a_series_of_each_value),
        cmocka_unit_test(a_series_that_was_asked_for_counts_as_its_label),
        cmocka_unit_test(two_labels_share_a_value_at_the_comma),
        cmocka_unit_test(what_would_break_the_page_is_escaped),
        cmocka_unit_test(gauges_go_both_ways_and_print_short_and_exact),
        cmocka_unit_test(a_histogram_cumulates_its_buckets),
        cmocka_unit_test(a_histogram_without_label_is_there_from_the_start),
        cmocka_unit_test(label_values_beyond_256_count_as_other),
        cmocka_unit_test(the_same_name_is_the_same_metric),
        cmocka_unit_test(no_metric_is_fine),
        cmocka_unit_test(the_process_and_the_build_are_told),
        cmocka_unit_test(many_threads_lose_no_count),
    };

    return cmocka_run_group_tests(tests, open_page, close_page);
}
