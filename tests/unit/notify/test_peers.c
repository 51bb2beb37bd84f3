/* Connections per address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/notify/peers.h"

static struct fault fault;

static void an_address_has_so_many_and_places_are_given_back(void **state)
{
    struct peers *p = NULL;
    struct peer *first;

    (void)state;
    assert_int_equal(peers_open(&p, 2, 100, &fault), ST_OK);
    assert_true(peers_has_room(p, "::1"));
    first = peers_enter(p, "::1");
    assert_ptr_equal(peers_enter(p, "::1"), first);
    assert_false(peers_has_room(p, "::1"));
    assert_true(peers_has_room(p, "127.0.0.1"));
    peers_leave(p, first);
    assert_true(peers_has_room(p, "::1"));
    peers_leave(p, first); /* the last one takes the address along */
    first = peers_enter(p, "::1");
    assert_true(peers_has_room(p, "::1"));
    peers_leave(p, first);
    peers_leave(p, NULL);
    peers_close(p);
}

static void nobodys_address_has_no_limit_of_its_own(void **state)
{
    struct peers *p = NULL;
    struct peer *first;

    (void)state;
    assert_int_equal(peers_open(&p, 1, 2, &fault), ST_OK);
    first = peers_enter(p, "");
    assert_non_null(first);
    assert_true(peers_has_room(p, ""));
    assert_non_null(peers_enter(p, ""));
    assert_false(peers_has_room(p, "")); /* but it is one of all */
    peers_leave(p, first);
    assert_true(peers_has_room(p, ""));
    peers_close(p);
}

static void all_together_are_bounded_and_nought_is_no_limit(void **state)
{
    struct peers *p = NULL;

    (void)state;
    assert_int_equal(peers_open(&p, 0, 3, &fault), ST_OK);
    for (int i = 0; i < 3; i++) {
        assert_true(peers_has_room(p, "10.0.0.1"));
        assert_non_null(peers_enter(p, "10.0.0.1"));
    }
    assert_false(peers_has_room(p, "10.0.0.2"));
    peers_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobodys_address_has_no_limit_of_its_own),
        cmocka_unit_test(an_address_has_so_many_and_places_are_given_back),
        cmocka_unit_test(all_together_are_bounded_and_nought_is_no_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
