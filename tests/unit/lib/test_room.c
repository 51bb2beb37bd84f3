/* Memory that grows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "lib/room.h"

static void items_added_one_by_one_stay_and_are_seldom_copied(void **state)
{
    int *items = NULL;
    size_t room = 0, grown = 0;

    (void)state;
    for (size_t n = 0; n < 10000; n++) {
        grown += n + 1 > room;
        assert_true(room_grow((void **)&items, sizeof *items, n + 1, &room));
        assert_true(room > n);
        items[n] = (int)n;
    }
    assert_true(grown < 30);
    for (size_t n = 0; n < 10000; n++)
        assert_int_equal(items[n], (int)n);
    free(items);
}

static void what_no_memory_holds_leaves_all_as_it_was(void **state)
{
    char *bytes = NULL;
    size_t room = 0;

    (void)state;
    assert_true(room_grow((void **)&bytes, 1, 1, &room));
    bytes[0] = 'x';
    for (size_t size = 1; size < 100; size += 90) {
        char *had = bytes;
        size_t had_room = room;

        assert_false(room_grow((void **)&bytes, size, SIZE_MAX, &room));
        assert_false(room_grow((void **)&bytes, size, SIZE_MAX / size, &room));
        assert_ptr_equal(bytes, had);
        assert_int_equal(room, had_room);
        assert_int_equal(bytes[0], 'x');
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_added_one_by_one_stay_and_are_seldom_copied),
        cmocka_unit_test(what_no_memory_holds_leaves_all_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
