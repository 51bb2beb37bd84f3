/* Who is to blame for an end of ingest: children die for it, in earnest. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "services/ingest/inflight.h"

static char folder[64];

static struct inflight *open_one(void)
{
    struct inflight *f = NULL;
    struct fault fault = {""};

    if (inflight_open(&f, folder, "site", "0", &fault) != ST_OK)
        fprintf(stderr, "%s\n", fault.text);
    return f;
}

enum thread { DECODES, STORES, STORES_THE_SECOND, STORES_URGENT, TWICE, NEITHER };

#define URGENT                                                                                     \
    400 /* a record in the hand of whoever stores the urgent ones, where it is they that end */

/* A child that has `decoding` and a group of 1 .. `storing` in hand, and ends by `signal` in the
 * thread `of`. */
static void die(int signal, enum thread of, uint64_t decoding, uint64_t storing)
{
    const struct sigaction usual = {.sa_handler = SIG_DFL}; /* cmocka's would not let it die */
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct rlimit no_core = {0, 0};
        struct inflight *f;

        for (int each = 1; each < SIGRTMIN; each++)
            (void)(each == SIGKILL || each == SIGSTOP || sigaction(each, &usual, NULL));
        f = open_one();
        setrlimit(RLIMIT_CORE, &no_core);
        if (!f)
            _exit(1);
        if (of == DECODES)
            inflight_i_decode(f);
        if (of == STORES_THE_SECOND)
            atomic_store(inflight_place(f, LANE_BULK), 2);
        if (of == STORES || of == STORES_THE_SECOND || of == TWICE)
            inflight_i_store(f, LANE_BULK);
        if (of == STORES_URGENT) {
            inflight_i_store(f, LANE_URGENT);
            inflight_storing(f, LANE_URGENT, URGENT);
        }
        inflight_decoding(f, decoding);
        for (uint64_t id = 1; id <= storing; id++)
            inflight_storing(f, LANE_BULK, id);
        if (of == TWICE)
            inflight_storing(f, LANE_BULK, 1);
        raise(signal);
        _exit(2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status)); /* it dies of the signal all the same */
    assert_int_equal(WTERMSIG(status), signal);
}

static enum verdict verdict_on(uint64_t id)
{
    struct inflight *f = open_one();
    enum verdict v;

    assert_non_null(f);
    v = inflight_judge(f, id);
    inflight_close(f);
    return v;
}

static void a_quiet_end_blames_nobody(void **state)
{
    struct inflight *f = open_one();

    (void)state;
    assert_non_null(f);
    inflight_decoding(f, 7);
    inflight_storing(f, LANE_BULK, 8);
    inflight_close(f);
    assert_int_equal(verdict_on(7), VERDICT_NONE);
    assert_int_equal(verdict_on(8), VERDICT_NONE);
}

static void what_crashes_who_decodes_it_is_condemned_at_once(void **state)
{
    (void)state;
    die(SIGSEGV, DECODES, 100, 0);
    assert_int_equal(verdict_on(100), VERDICT_CONDEMNED);
    assert_int_equal(verdict_on(101), VERDICT_NONE);
    die(SIGBUS, DECODES, 100, 0); /* its head, this time */
    assert_int_equal(verdict_on(100), VERDICT_UNREADABLE);
}

static void of_a_group_the_one_that_was_worked_on_is_condemned_at_once(void **state)
{
    (void)state;
    die(SIGSEGV, STORES_THE_SECOND, 0, 3);
    assert_int_equal(verdict_on(1), VERDICT_NONE);
    assert_int_equal(verdict_on(2), VERDICT_CONDEMNED);
    assert_int_equal(verdict_on(3), VERDICT_NONE);
    die(SIGKILL, STORES_THE_SECOND, 0, 3); /* from outside */
    assert_int_equal(verdict_on(2), VERDICT_CONDEMNED);
    die(SIGSEGV, STORES, 0, 1); /* what it was at before is forgotten */
    assert_int_equal(verdict_on(1), VERDICT_CONDEMNED);
}

static void a_kill_from_outside_counts_against_what_was_being_decoded(void **state)
{
    (void)state;
    die(SIGKILL, NEITHER, 200, 3);
    assert_int_equal(verdict_on(200), VERDICT_ALONE);
    die(SIGKILL, NEITHER, 200, 3);
    assert_int_equal(verdict_on(200), VERDICT_CONDEMNED);
}

static void a_kill_from_outside_says_nothing_about_what_was_being_stored(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        die(SIGKILL, NEITHER, 0, 1);
    assert_int_equal(verdict_on(1), VERDICT_NONE);
}

static void a_group_that_ends_the_writer_is_tried_one_by_one_and_the_culprit_condemned(void **state)
{
    struct inflight *f;

    (void)state;
    die(SIGSEGV, STORES, 300, 3);
    assert_int_equal(verdict_on(300), VERDICT_NONE); /* the other thread's record */
    assert_int_equal(verdict_on(1), VERDICT_ALONE);
    assert_int_equal(verdict_on(3), VERDICT_ALONE);
    f = open_one();
    assert_non_null(f);
    inflight_storing(f, LANE_BULK, 3); /* alone, and it went well */
    inflight_stored(f, LANE_BULK, true);
    assert_int_equal(inflight_judge(f, 3), VERDICT_NONE);
    inflight_close(f);
    die(SIGSEGV, STORES, 0, 1);
    assert_int_equal(verdict_on(1), VERDICT_CONDEMNED);
    assert_int_equal(verdict_on(2), VERDICT_ALONE);
    assert_int_equal(verdict_on(3), VERDICT_NONE);
}

static void a_lane_is_not_blamed_for_the_end_of_the_other(void **state)
{
    (void)state;
    die(SIGSEGV, STORES_URGENT, 0, 1);
    assert_int_equal(verdict_on(1), VERDICT_NONE);
    assert_int_equal(verdict_on(URGENT), VERDICT_CONDEMNED);
}

static void a_record_that_came_twice_in_a_group_is_blamed_once(void **state)
{
    (void)state;
    die(SIGSEGV, TWICE, 0, 1);
    die(SIGSEGV, STORES, 0, 1);
    assert_int_equal(verdict_on(1), VERDICT_CONDEMNED); /* its head is still read */
}

static void what_is_stored_after_all_is_suspected_no_more(void **state)
{
    struct inflight *f;

    (void)state;
    die(SIGSEGV, STORES, 0, 1);
    f = open_one();
    assert_non_null(f);
    assert_int_equal(inflight_judge(f, 1), VERDICT_CONDEMNED);
    inflight_storing(f, LANE_BULK, 1); /* as a dead letter */
    inflight_stored(f, LANE_BULK, true);
    inflight_close(f);
    assert_int_equal(verdict_on(1), VERDICT_NONE);
    f = open_one();
    assert_non_null(f);
    assert_int_equal(inflight_suspects(f), 0);
    inflight_close(f);
}

static void a_crash_elsewhere_blames_nobody(void **state)
{
    (void)state;
    die(SIGSEGV, NEITHER, 400, 2);
    assert_int_equal(verdict_on(400), VERDICT_NONE);
    assert_int_equal(verdict_on(1), VERDICT_NONE);
}

static void many_suspects_are_forgotten_rather_than_mixed_up(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        die(SIGSEGV, STORES, 0, INFLIGHT_GROUP_MAX);
    assert_int_equal(verdict_on(INFLIGHT_GROUP_MAX + 1), VERDICT_NONE);
}

static void a_file_has_one_holder_and_a_folder_must_be_there(void **state)
{
    struct inflight *f = open_one(), *second = NULL;
    struct fault fault = {""};

    (void)state;
    assert_non_null(f);
    assert_int_equal(inflight_open(&second, folder, "site", "0", &fault), ST_REJECT);
    assert_non_null(strstr(fault.text, "another"));
    assert_int_equal(inflight_open(&second, "/nowhere", "site", "0", &fault), ST_REJECT);
    inflight_close(f);
}

static void use_all(struct inflight *f)
{
    inflight_decoding(f, 7);
    for (int lane = 0; lane < LANES; lane++) {
        atomic_store(inflight_place(f, lane), 1);
        for (uint64_t id = 1; id <= INFLIGHT_GROUP_MAX; id++) {
            inflight_storing(f, lane, id);
            assert_int_not_equal(inflight_judge(f, id), VERDICT_CONDEMNED);
        }
        inflight_stored(f, lane, true);
    }
}

static void a_file_cut_short_under_it_ends_nothing(void **state)
{
    char path[128];
    struct inflight *f;

    (void)state;
    snprintf(path, sizeof path, "%s/inflight-site-0", folder);
    for (off_t left = 0; left < 200000; left += 65537) {
        die(SIGSEGV, STORES, 0, 2); /* there are suspects: they are looked for in the file */
        f = open_one();
        assert_non_null(f);
        assert_false(inflight_was_cut(f));
        assert_int_equal(truncate(path, left), 0);
        use_all(f);
        assert_true(inflight_was_cut(f));
        assert_int_equal(truncate(path, 0), 0); /* and at its end */
        inflight_close(f);
    }
    assert_int_equal(verdict_on(7), VERDICT_NONE);
    die(SIGBUS, DECODES, 100, 0); /* whole again: and one that is sent ends it as ever */
    assert_int_equal(verdict_on(100), VERDICT_CONDEMNED);
}

static void without_a_folder_nothing_outlives_it(void **state)
{
    struct inflight *f = NULL;
    struct fault fault = {""};

    (void)state;
    assert_int_equal(inflight_open(&f, "", "site", "0", &fault), ST_OK);
    inflight_decoding(f, 1);
    assert_int_equal(inflight_judge(f, 1), VERDICT_NONE);
    inflight_close(f);
}

static void an_id_tells_records_apart_by_topic_length_and_both_ends(void **state)
{
    struct topic a = {.vin = "WVWZZZ1KZAW000001", .leaf = LEAF_TELEMETRY}, b = a, c = a;
    char payload[300];
    uint64_t id;

    (void)state;
    memset(payload, 'x', sizeof payload);
    id = inflight_id(&a, payload, sizeof payload);
    b.vin[16] = '2';
    c.leaf = LEAF_EVENT;
    assert_int_equal(inflight_id(&a, payload, sizeof payload), id);
    assert_int_not_equal(inflight_id(&b, payload, sizeof payload), id);
    assert_int_not_equal(inflight_id(&c, payload, sizeof payload), id);
    assert_int_not_equal(inflight_id(&a, payload, sizeof payload - 1), id);
    payload[50] = 'y';
    assert_int_not_equal(inflight_id(&a, payload, sizeof payload), id);
    payload[50] = 'x';
    payload[299] = 'y';
    assert_int_not_equal(inflight_id(&a, payload, sizeof payload), id);
    assert_int_not_equal(inflight_id(&a, payload, 0), 0);
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/vigie-inflight-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s/inflight-site-0", folder);
    unlink(path);
    return rmdir(folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_quiet_end_blames_nobody),
        TEST(what_crashes_who_decodes_it_is_condemned_at_once),
        TEST(of_a_group_the_one_that_was_worked_on_is_condemned_at_once),
        TEST(a_kill_from_outside_counts_against_what_was_being_decoded),
        TEST(a_kill_from_outside_says_nothing_about_what_was_being_stored),
        TEST(a_group_that_ends_the_writer_is_tried_one_by_one_and_the_culprit_condemned),
        TEST(a_lane_is_not_blamed_for_the_end_of_the_other),
        TEST(a_record_that_came_twice_in_a_group_is_blamed_once),
        TEST(what_is_stored_after_all_is_suspected_no_more),
        TEST(a_crash_elsewhere_blames_nobody),
        TEST(many_suspects_are_forgotten_rather_than_mixed_up),
        TEST(a_file_has_one_holder_and_a_folder_must_be_there),
        TEST(a_file_cut_short_under_it_ends_nothing),
        TEST(without_a_folder_nothing_outlives_it),
        cmocka_unit_test(an_id_tells_records_apart_by_topic_length_and_both_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
