/* tests/unit/lib/test_stop.c - signals ask, threads ask, everyone hears.  Each test is a process of
 * its own, because stop is for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/stop.h"

#define HOUR_MS 3600000

/* Run `child` in a process of its own; its wait status.  0: it returned true. */
static int run_apart(bool (*child)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        alarm(20); /* a test that hangs fails */
        _exit(child() ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static bool opened(void)
{
    return stop_open(NULL) == ST_OK && stop_open(NULL) == ST_OK; /* twice is fine */
}

static bool wait_without_signal(void)
{
    return opened() && !stop_wait(0) && !stop_wait(5) && !stop_asked() && stop_pause(5);
}

static void without_a_signal_waiting_ends_false(void **state)
{
    (void)state;
    assert_int_equal(run_apart(wait_without_signal), 0);
}

static bool without_open(void)
{
    if (stop_wait(1) || stop_asked() || !stop_pause(1))
        return false;
    stop_ask();
    return stop_asked() && stop_wait(HOUR_MS) && !stop_pause(HOUR_MS);
}

static void a_program_that_never_opened_it_can_still_pause(void **state)
{
    (void)state;
    assert_int_equal(run_apart(without_open), 0);
}

static int signal_sent;

static bool signal_asks(void)
{
    if (!opened())
        return false;
    kill(getpid(), signal_sent);
    return stop_wait(-1) && stop_asked() && stop_wait(HOUR_MS) && !stop_pause(HOUR_MS);
}

static void sigterm_and_sigint_ask_for_ever(void **state)
{
    (void)state;
    signal_sent = SIGTERM;
    assert_int_equal(run_apart(signal_asks), 0);
    signal_sent = SIGINT;
    assert_int_equal(run_apart(signal_asks), 0);
}

static bool second_signal(void)
{
    if (!signal_asks())
        return false;
    kill(getpid(), signal_sent);
    return true;
}

static void the_same_signal_again_ends_the_process(void **state)
{
    int status;

    (void)state;
    signal_sent = SIGTERM;
    status = run_apart(second_signal);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static bool other_signal(void)
{
    signal_sent = SIGINT;
    if (!signal_asks())
        return false;
    kill(getpid(), SIGTERM); /* ctrl-C, and then whoever started us asks too */
    kill(getpid(), SIGHUP);
    return stop_wait(0);
}

static void another_signal_while_stopping_lets_it_drain(void **state)
{
    (void)state;
    assert_int_equal(run_apart(other_signal), 0);
}

static bool hangup_reloads(void)
{
    if (!opened())
        return false;
    kill(getpid(), SIGHUP);
    return !stop_wait(HOUR_MS) && stop_take_reload() && !stop_take_reload() && !stop_asked();
}

static void sighup_ends_the_wait_and_reloads_once(void **state)
{
    (void)state;
    assert_int_equal(run_apart(hangup_reloads), 0);
}

/* The signal comes from another process, most likely when main already waits. */
static bool hangup_comes_late(void)
{
    pid_t parent = getpid();

    if (!opened())
        return false;
    if (fork() == 0) {
        usleep(50000);
        kill(parent, SIGHUP);
        _exit(0);
    }
    return !stop_wait(-1) && stop_take_reload();
}

static void sighup_wakes_main_from_a_wait_without_end(void **state)
{
    (void)state;
    assert_int_equal(run_apart(hangup_comes_late), 0);
}

static bool hangup_is_left_to_main(void)
{
    if (!opened())
        return false;
    kill(getpid(), SIGHUP);
    return stop_pause(5) && !stop_wait(HOUR_MS) && stop_take_reload();
}

static void a_pause_does_not_take_the_reload_away(void **state)
{
    (void)state;
    assert_int_equal(run_apart(hangup_is_left_to_main), 0);
}

static void *nudge(void *arg)
{
    usleep(50000);
    stop_nudge();
    return arg;
}

static bool nudged(void)
{
    pthread_t other;
    bool all = opened();

    pthread_create(&other, NULL, nudge, NULL);
    all = !stop_wait(-1) && all;
    pthread_join(other, NULL);
    stop_nudge(); /* before main waits, and twice */
    stop_nudge();
    return all && stop_pause(5) && !stop_wait(HOUR_MS) && !stop_wait(5) && !stop_take_reload() &&
           !stop_asked();
}

static void a_nudge_ends_one_wait_of_main_and_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(run_apart(nudged), 0);
}

static void *pause_long(void *arg)
{
    (void)arg;
    return stop_pause(HOUR_MS) ? NULL : &signal_sent;
}

static void *ask(void *arg)
{
    stop_ask();
    return arg;
}

static bool threads_hear(void)
{
    pthread_t threads[3], asker;
    void *heard;
    bool all = opened();

    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, pause_long, NULL);
    pthread_create(&asker, NULL, ask, NULL);
    all = stop_wait(-1) && all;
    pthread_join(asker, NULL);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], &heard);
        all = heard && all;
    }
    return all;
}

static void asking_wakes_main_and_every_pause(void **state)
{
    (void)state;
    assert_int_equal(run_apart(threads_hear), 0);
}

/* Main is busy elsewhere; the signal is seen by whichever thread pauses. */
static bool pause_hears_signal(void)
{
    pthread_t threads[2];
    void *heard[2];

    if (!opened())
        return false;
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, pause_long, NULL);
    kill(getpid(), SIGTERM);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], &heard[i]);
    return heard[0] && heard[1] && stop_asked() && stop_wait(0);
}

static void a_signal_ends_the_pauses_of_all_threads(void **state)
{
    (void)state;
    assert_int_equal(run_apart(pause_hears_signal), 0);
}

static bool pipe_breaks(void)
{
    int ends[2];

    if (!opened() || pipe(ends) != 0)
        return false;
    close(ends[0]);
    return write(ends[1], "x", 1) < 0;
}

static void a_broken_pipe_is_an_error_and_no_signal(void **state)
{
    (void)state;
    assert_int_equal(run_apart(pipe_breaks), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_signal_waiting_ends_false),
        cmocka_unit_test(a_program_that_never_opened_it_can_still_pause),
        cmocka_unit_test(sigterm_and_sigint_ask_for_ever),
        cmocka_unit_test(the_same_signal_again_ends_the_process),
        cmocka_unit_test(another_signal_while_stopping_lets_it_drain),
        cmocka_unit_test(sighup_ends_the_wait_and_reloads_once),
        cmocka_unit_test(sighup_wakes_main_from_a_wait_without_end),
        cmocka_unit_test(a_pause_does_not_take_the_reload_away),
        cmocka_unit_test(a_nudge_ends_one_wait_of_main_and_nothing_else),
        cmocka_unit_test(asking_wakes_main_and_every_pause),
        cmocka_unit_test(a_signal_ends_the_pauses_of_all_threads),
        cmocka_unit_test(a_broken_pipe_is_an_error_and_no_signal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
