/* tests/unit/served.h - for unit tests that need a real server: tests/integration/test_edges.py
 * starts the servers, gives their addresses in the environment and does on request what a program
 * should not do to its server itself. Without that environment such a program runs its other tests
 * only. */
#ifndef TESTS_UNIT_SERVED_H
#define TESTS_UNIT_SERVED_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What the driver says of `name`, e.g. "VIGIE_TEST_BROKER". */
static inline const char *served(const char *name)
{
    const char *value = getenv(name);

    if (!value)
        fail_msg("%s is not set", name);
    return value;
}

/* Ask the driver for something ("kill broker") and wait until it is done. */
static inline void ask(const char *what)
{
    char answer[16];

    printf("@%s\n", what);
    fflush(stdout);
    if (!fgets(answer, sizeof answer, stdin) || strcmp(answer, "ok\n") != 0)
        fail_msg("the driver did not %s", what);
}

static inline void nap_ms(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

/* Wait until `condition` holds; fails after a minute, far beyond what any of them takes. */
#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        int tries_ = 0;                                                                            \
        while (!(condition)) {                                                                     \
            if (++tries_ > 6000)                                                                   \
                fail_msg("never came true: %s", #condition);                                       \
            nap_ms(10);                                                                            \
        }                                                                                          \
    } while (0)

/* Run the served tests when there is a driver, the others when there is none; argv[1] picks some by
 * name. */
#define RUN_SERVED(argc, argv, variable, with_server, alone)                                       \
    ((argc) > 1 ? cmocka_set_test_filter((argv)[1]) : (void)0,                                     \
     getenv(variable) ? cmocka_run_group_tests(with_server, NULL, NULL)                            \
                      : cmocka_run_group_tests(alone, NULL, NULL))

#endif
