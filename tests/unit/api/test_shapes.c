/* tests/unit/api/test_shapes.c - circles, polygons and corridors that are some. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "services/api/shapes.h"

static const char *fault_of(const char *kind, const char *text)
{
    json_t *points = json_loads(text, 0, NULL);
    const char *why;

    assert_true(shape_has_points(points));
    why = shape_fault(kind, points);
    json_decref(points);
    return why ? why : "";
}

static void a_circle_has_one_point_and_the_others_more(void **state)
{
    (void)state;
    assert_string_equal(fault_of("circle", "[[7.7,48.5]]"), "");
    assert_string_equal(fault_of("circle", "[[7.7,48.5],[7.8,48.5]]"), "count");
    assert_string_equal(fault_of("corridor", "[[7.7,48.5]]"), "count");
    assert_string_equal(fault_of("polygon", "[[7.7,48.5],[7.8,48.5]]"), "count");
}

static void corners_that_enclose_nothing_are_no_polygon(void **state)
{
    (void)state;
    assert_string_equal(fault_of("polygon", "[[7.7,48.5],[7.7,48.5],[7.7,48.5]]"), "area");
    assert_string_equal(fault_of("polygon", "[[7.7,48.5],[7.8,48.5],[7.7,48.5]]"), "area");
    assert_string_equal(fault_of("polygon", "[[7.7,48.5],[7.8,48.6],[7.9,48.7],[8,48.8]]"), "area");
    assert_string_equal(fault_of("polygon", "[[7.7,48.5],[7.7000001,48.5],[7.7,48.5000001]]"),
                        "area"); /* a hand's breadth */
    assert_string_equal(fault_of("polygon", "[[7.7,48.5],[7.70003,48.5],[7.7,48.50003]]"), "");
}

static void edges_that_cross_are_no_polygon_and_edges_that_touch_are(void **state)
{
    (void)state;
    assert_string_equal(fault_of("polygon", "[[7.7,48.5],[7.8,48.6],[7.8,48.5],[7.7,48.6]]"),
                        "crossed");
    assert_string_equal(
        fault_of("polygon", "[[7.7,48.5],[7.8,48.5],[7.8,48.6],[7.75,48.4],[7.7,48.6]]"),
        "crossed");
    /* a ring that says its first corner again, and a corner said twice */
    assert_string_equal(
        fault_of("polygon", "[[7.7,48.5],[7.8,48.5],[7.8,48.5],[7.8,48.6],[7.7,48.5]]"), "");
    /* a hole reached by a cut */
    assert_string_equal(fault_of("polygon",
                                 "[[7,48],[8,48],[8,49],[7,49],[7,48],[7.2,48.2],[7.2,48.8],"
                                 "[7.8,48.8],[7.8,48.2],[7.2,48.2]]"),
                        "");
    /* an edge that meets a corner of another */
    assert_string_equal(fault_of("polygon", "[[7,48],[8,48],[8,49],[7.5,48],[7,49]]"), "");
}

static void a_polygon_may_lie_across_the_date_line(void **state)
{
    (void)state;
    assert_string_equal(fault_of("polygon", "[[179.9,-17],[-179.9,-17],[-179.9,-16],[179.9,-16]]"),
                        "");
    assert_string_equal(fault_of("polygon", "[[179.9,-17],[-179.9,-16],[-179.9,-17],[179.9,-16]]"),
                        "crossed");
}

static void a_corridor_goes_somewhere(void **state)
{
    (void)state;
    assert_string_equal(fault_of("corridor", "[[7.7,48.5],[7.7,48.5]]"), "line");
    assert_string_equal(fault_of("corridor", "[[7.7,48.5],[7.700001,48.5]]"), "line");
    assert_string_equal(fault_of("corridor", "[[7.7,48.5],[7.8,48.5],[7.7,48.5]]"), "");
}

static void a_thousand_corners_are_looked_at(void **state)
{
    static char text[40000];
    size_t len = 1;

    (void)state;
    text[0] = '[';
    for (int i = 0; i < 1000; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s[%.4f,%.4f]", i ? "," : "",
                                7 + 0.001 * i, i % 2 ? 48.5 : 48.6);
    (void)snprintf(text + len, sizeof text - len, "]");
    assert_string_equal(fault_of("polygon", text), "crossed"); /* the way back */
}

static void points_are_on_the_globe(void **state)
{
    static const char *const wrong[] = {"[]",           "{}",       "[[7.7]]",
                                        "[[181,0]]",    "[[0,91]]", "[[1,2,3]]",
                                        "[[\"7\",48]]", "[[0,0]]",  "[7,48]"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        json_t *points = json_loads(wrong[i], 0, NULL);

        assert_false(shape_has_points(points));
        json_decref(points);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_circle_has_one_point_and_the_others_more),
        cmocka_unit_test(corners_that_enclose_nothing_are_no_polygon),
        cmocka_unit_test(edges_that_cross_are_no_polygon_and_edges_that_touch_are),
        cmocka_unit_test(a_polygon_may_lie_across_the_date_line),
        cmocka_unit_test(a_corridor_goes_somewhere),
        cmocka_unit_test(a_thousand_corners_are_looked_at),
        cmocka_unit_test(points_are_on_the_globe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
