/* Who is taken for frozen, and who is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/ingest/frozen.h"

#define NOW INT64_C(1795248000000) /* of the server; our own clock stands at 5,000 then */
#define BOOT INT64_C(5000)
#define WAIT 12000

static struct frozen_session silent[FROZEN_SESSIONS_MAX];

/* A look at one session, `ms` after the first; how many are silent. */
static size_t look(struct frozen *f, int64_t ms, int64_t changed_us)
{
    const struct frozen_session one = {42, 7, changed_us};

    return frozen_look(f, &one, 1, NOW + ms, BOOT + ms, WAIT, silent);
}

static void who_says_nothing_while_we_look_on_is_told_once_the_wait_is_over(void **state)
{
    struct frozen f = {0};

    (void)state;
    for (int64_t ms = 0; ms < WAIT; ms += 1000)
        assert_int_equal(look(&f, ms, 3), 0);
    assert_int_equal(look(&f, WAIT, 3), 1);
    assert_int_equal(silent[0].pid, 42);
    assert_int_equal(silent[0].begun_us, 7);
    assert_int_equal(silent[0].changed_us, 3);
    assert_int_equal(look(&f, WAIT + 1000, 3), 1); /* as long as it is there */
}

static void who_stirs_begins_anew(void **state)
{
    struct frozen f = {0};

    (void)state;
    for (int64_t ms = 0; ms < 4 * WAIT; ms += 1000)
        assert_int_equal(look(&f, ms, ms / (WAIT - 1000)), 0);
}

static void who_is_at_work_at_one_look_begins_anew(void **state)
{
    struct frozen f = {0};

    (void)state;
    for (int64_t ms = 0; ms < WAIT; ms += 1000)
        assert_int_equal(look(&f, ms, 3), 0);
    assert_int_equal(frozen_look(&f, NULL, 0, NOW + WAIT, BOOT + WAIT, WAIT, silent), 0);
    assert_int_equal(look(&f, WAIT + 1000, 3), 0);
}

/* Its `changed_us` may be of long ago: we slept as well, or the server did. */
static void after_a_pause_between_two_looks_nobody_is_taken_for_dead(void **state)
{
    static const struct {
        int64_t server_ms, boot_ms;
    } pauses[] = {
        {60000, 60000}, /* the whole machine, or we */
        {60000, 1000},  /* the server's clock was set, or ours does not count while we sleep */
        {1000, 60000},  /* the server's machine stood still */
        {-1000, 1000},  /* it was set back */
    };

    (void)state;
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        const struct frozen_session one = {42, 7, 3};
        struct frozen f = {0};
        int64_t server_ms = NOW + WAIT - 1000, boot_ms = BOOT + WAIT - 1000;

        for (int64_t ms = 0; ms < WAIT; ms += 1000)
            assert_int_equal(look(&f, ms, 3), 0);
        server_ms += pauses[i].server_ms;
        boot_ms += pauses[i].boot_ms;
        for (int64_t ms = 0; ms < WAIT; ms += 1000)
            assert_int_equal(frozen_look(&f, &one, 1, server_ms + ms, boot_ms + ms, WAIT, silent),
                             0);
        assert_int_equal(frozen_look(&f, &one, 1, server_ms + WAIT, boot_ms + WAIT, WAIT, silent),
                         1);
    }
}

static void a_backend_with_the_number_of_one_that_is_gone_is_another(void **state)
{
    struct frozen f = {0};
    const struct frozen_session next = {42, 8, 3};

    (void)state;
    for (int64_t ms = 0; ms < WAIT; ms += 1000)
        assert_int_equal(look(&f, ms, 3), 0);
    assert_int_equal(frozen_look(&f, &next, 1, NOW + WAIT, BOOT + WAIT, WAIT, silent), 0);
}

static void of_many_those_are_told_that_are_silent(void **state)
{
    struct frozen_session all[FROZEN_SESSIONS_MAX + 1];
    struct frozen f = {0};
    size_t n = 0;

    (void)state;
    for (int64_t ms = 0; ms <= WAIT; ms += 1000) {
        for (size_t i = 0; i <= FROZEN_SESSIONS_MAX; i++)
            all[i] = (struct frozen_session){(int64_t)i + 1, 7, i % 2 ? ms : 3};
        n = frozen_look(&f, all, FROZEN_SESSIONS_MAX + 1, NOW + ms, BOOT + ms, WAIT, silent);
    }
    assert_int_equal(n, FROZEN_SESSIONS_MAX / 2);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(silent[i].pid, 2 * i + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_says_nothing_while_we_look_on_is_told_once_the_wait_is_over),
        cmocka_unit_test(who_stirs_begins_anew),
        cmocka_unit_test(who_is_at_work_at_one_look_begins_anew),
        cmocka_unit_test(after_a_pause_between_two_looks_nobody_is_taken_for_dead),
        cmocka_unit_test(a_backend_with_the_number_of_one_that_is_gone_is_another),
        cmocka_unit_test(of_many_those_are_told_that_are_silent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
