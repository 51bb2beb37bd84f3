/* Places of streams: each once, found whatever their names have in common. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "services/ingest/commit/places.h"

#define VINS 50
#define STREAMS 20

static char vins[VINS][18], streams[STREAMS][37];

static int name_them(void **state)
{
    (void)state;
    for (int i = 0; i < VINS; i++)
        snprintf(vins[i], sizeof vins[i], "WVWZZZ1KZAW%06d", i);
    for (int i = 0; i < STREAMS; i++)
        snprintf(streams[i], sizeof streams[i], "0197f3c2-5f0e-7abc-8def-0123456789%02x", i);
    return 0;
}

static void each_stream_has_one_place_in_the_order_they_came(void **state)
{
    struct places p = {0};
    size_t place;

    (void)state;
    assert_false(places_find(&p, vins[0], streams[0], &place));
    for (int round = 0; round < 3; round++) { /* twice as many the last time */
        int most = round < 2 ? VINS / 2 : VINS;

        assert_true(places_clear(&p, (size_t)most * STREAMS));
        for (int i = 0; i < 2 * most * STREAMS; i++) {
            int of = i % (most * STREAMS);

            assert_int_equal(places_take(&p, vins[of / STREAMS], streams[of % STREAMS]), of);
        }
        assert_int_equal(p.count, most * STREAMS);
        for (int i = 0; i < most * STREAMS; i++) {
            assert_true(places_find(&p, vins[i / STREAMS], streams[i % STREAMS], &place));
            assert_int_equal(place, i);
        }
        assert_false(places_find(&p, "WVWZZZ1KZAW999999", streams[0], &place));
        assert_false(places_find(&p, vins[0], "", &place));
    }
    assert_true(places_clear(&p, 1));
    assert_false(places_find(&p, vins[0], streams[0], &place));
    places_done(&p);
}

static void keys_are_sorted_by_vehicle_then_by_stream(void **state)
{
    struct place_key keys[] = {
        {vins[2], streams[0]}, {vins[1], streams[1]}, {vins[1], streams[0]}, {vins[0], streams[5]}};

    (void)state;
    qsort(keys, 4, sizeof *keys, places_compare);
    assert_ptr_equal(keys[0].vin, vins[0]);
    assert_ptr_equal(keys[1].stream, streams[0]);
    assert_ptr_equal(keys[2].stream, streams[1]);
    assert_ptr_equal(keys[3].vin, vins[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_stream_has_one_place_in_the_order_they_came),
        cmocka_unit_test(keys_are_sorted_by_vehicle_then_by_stream),
    };

    return cmocka_run_group_tests(tests, name_them, NULL);
}
