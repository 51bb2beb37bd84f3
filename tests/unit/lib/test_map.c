/* lib/map: values by text key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/map.h"

struct thing {
    int64_t number;
    int *ends; /* counted up when the value goes */
};

static void end_thing(void *value)
{
    struct thing *t = value;

    if (t->ends)
        ++*t->ends;
}

static struct map *open_map(size_t max)
{
    struct map *m = NULL;

    assert_int_equal(map_open(&m, sizeof(struct thing), max, end_thing, NULL), ST_OK);
    return m;
}

static void a_new_value_is_zero_and_an_old_one_stays_where_it_is(void **state)
{
    struct map *m = open_map(1000);
    struct thing *first = map_put(m, "first");
    char key[16];

    (void)state;
    assert_int_equal(first->number, 0);
    assert_null(first->ends);
    first->number = 7;
    for (int i = 0; i < 999; i++) { /* the table under it grows */
        snprintf(key, sizeof key, "%d", i);
        assert_non_null(map_put(m, key));
    }
    assert_ptr_equal(map_get(m, "first"), first);
    assert_ptr_equal(map_put(m, "first"), first);
    assert_int_equal(first->number, 7);
    assert_int_equal(map_count(m), 1000);
    assert_null(map_get(m, "999"));
    map_close(m);
}

static void a_full_map_and_a_long_key_are_refused(void **state)
{
    struct map *m = open_map(2);
    char key[MAP_KEY_MAX + 2];

    (void)state;
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    assert_null(map_put(m, key));
    key[MAP_KEY_MAX] = '\0';
    assert_non_null(map_put(m, key));
    assert_non_null(map_put(m, ""));
    assert_null(map_put(m, "third"));
    map_remove(m, key);
    map_remove(m, key); /* gone is fine */
    assert_non_null(map_put(m, "third"));
    map_close(m);
}

struct walk {
    char seen[32];
};

static bool keep_all_but_b(void *self, const char *key, void *value)
{
    struct walk *w = self;

    (void)value;
    strncat(w->seen, key, sizeof w->seen - 1 - strlen(w->seen));
    return strcmp(key, "b") != 0;
}

static void all_are_visited_oldest_first_and_who_is_not_kept_ends_once(void **state)
{
    struct map *m = open_map(10);
    struct walk w = {""};
    int ends = 0;

    (void)state;
    for (const char *key = "cab"; *key; key++) {
        const char name[2] = {*key, '\0'};

        ((struct thing *)map_put(m, name))->ends = &ends;
    }
    map_each(m, keep_all_but_b, &w);
    assert_string_equal(w.seen, "cab");
    assert_int_equal(ends, 1);
    map_each(m, keep_all_but_b, &w);
    assert_string_equal(w.seen, "cabca");
    map_close(m);
    assert_int_equal(ends, 3);
    map_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_value_is_zero_and_an_old_one_stays_where_it_is),
        cmocka_unit_test(a_full_map_and_a_long_key_are_refused),
        cmocka_unit_test(all_are_visited_oldest_first_and_who_is_not_kept_ends_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
