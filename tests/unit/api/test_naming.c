/* tests/unit/api/test_naming.c - names as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/api/naming.h"

static void characters_are_counted_and_control_characters_found(void **state)
{
    (void)state;
    assert_int_equal(naming_characters(""), 0);
    assert_int_equal(naming_characters("Élodie 车 🚗"), 10);
    assert_int_equal(naming_characters("a\tb"), -1);
    assert_int_equal(naming_characters("a\x7f"), -1);
    assert_int_equal(naming_characters("a\xc2\x85"), -1); /* next line, C1 */
    assert_int_equal(naming_characters("a\xc2\xa0"
                                       "b"),
                     3); /* a space that does not break */
}

static void what_cannot_be_seen_is_blank(void **state)
{
    static const char *const blank[] = {
        "",
        " ",
        " \t\r\n",
        "\x7f",
        "\xc2\xa0",                  /* a space that does not break */
        "\xc2\xad",                  /* a soft hyphen */
        "\xe2\x80\x83",              /* an em space */
        "\xe2\x80\x8b \xe2\x80\x8d", /* of no width */
        "\xe3\x80\x80",              /* ideographic */
        "\xef\xbb\xbf",              /* the byte order mark */
        "\xf3\xa0\x80\xa0",          /* a tag */
    };

    (void)state;
    for (size_t i = 0; i < sizeof blank / sizeof *blank; i++)
        assert_true(naming_is_blank(blank[i]));
}

static void one_character_to_be_seen_is_a_name(void **state)
{
    static const char *const seen[] = {" a ", ".", "é", "车", "\xe2\x80\x8b-", "🚗"};

    (void)state;
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++)
        assert_false(naming_is_blank(seen[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_are_counted_and_control_characters_found),
        cmocka_unit_test(what_cannot_be_seen_is_blank),
        cmocka_unit_test(one_character_to_be_seen_is_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
