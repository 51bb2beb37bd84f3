/* What one site tells the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proto/topic.h"
#include "services/ingest/commit/news.h"

#define VIN "WVWZZZ1KZAW000001"
#define OTHER "VF1RFB00866123456"
#define ONE "0197f3c2-5f0e-7abc-8def-0123456789ab"
#define TWO "0197f3c2-5f0e-7abc-8def-0123456789ac"

static struct duty everything = {.history = UINT64_MAX};

static void streams_of_another_site_are_taken_each_once(void **state)
{
    struct marks m = {0};

    (void)state;
    assert_int_equal(news_read(&m,
                               "esplanade\n" VIN " " TWO " 100 0\n" OTHER " " ONE " 7 0\n" VIN
                               " " TWO " 20 1\n",
                               "illkirch", &everything, NULL),
                     ST_OK);
    assert_int_equal(m.count, 3);
    marks_sort(&m);
    assert_int_equal(m.count, 2);
    assert_string_equal(m.all[0].vin, OTHER);
    assert_false(m.all[0].at_once);
    assert_int_equal(marks_find(&m, VIN, TWO)->bytes, 120);
    assert_true(marks_find(&m, VIN, TWO)->at_once);
    marks_done(&m);
}

static void our_own_and_those_of_other_shards_are_left_out(void **state)
{
    struct duty but_one = {.history = ~(UINT64_C(1) << topic_shard(VIN))};
    struct marks m = {0};

    (void)state;
    assert_int_equal(
        news_read(&m, "illkirch\n" VIN " " TWO " 1 0\n", "illkirch", &everything, NULL), ST_OK);
    assert_int_equal(news_read(&m, "esplanade\n" VIN " " TWO " 1 0\n", "illkirch", &but_one, NULL),
                     ST_OK);
    assert_int_equal(m.count, 0);
    assert_int_equal(news_read(&m, "esplanade\n", "illkirch", &everything, NULL), ST_OK);
    marks_done(&m);
}

static void what_is_no_news_is_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "esplanade",
                                        "\n" VIN " " TWO " 1 0\n",
                                        "esplanade\nx",
                                        "esplanade\n" VIN " " TWO " 1\n",
                                        "esplanade\n" VIN " " TWO "ff 1 0\n",
                                        "esplanade\nWVWZZZ1KZAW00000I " TWO " 1 0\n"};
    struct marks m = {0};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(news_read(&m, wrong[i], "illkirch", &everything, NULL), ST_REJECT);
    assert_int_equal(m.count, 0);
    marks_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_of_another_site_are_taken_each_once),
        cmocka_unit_test(our_own_and_those_of_other_shards_are_left_out),
        cmocka_unit_test(what_is_no_news_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
