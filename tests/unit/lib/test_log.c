/* tests/unit/lib/test_log.c - the form of a line on stderr. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"

static int real_stderr, pipe_ends[2];
static char got[65536];

static void catch_stderr(void)
{
    real_stderr = dup(STDERR_FILENO);
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
    dup2(pipe_ends[1], STDERR_FILENO);
}

/* What was written since; in got. */
static size_t release_stderr(void)
{
    ssize_t n = 0;
    size_t len = 0;

    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(pipe_ends[1]);
    while ((n = read(pipe_ends[0], got + len, sizeof got - 1 - len)) > 0)
        len += (size_t)n;
    close(pipe_ends[0]);
    got[len] = '\0';
    return len;
}

/* Behind the time, which must be one. */
static const char *after_time(const char *line)
{
    char time[25] = "";
    int64_t t;

    memcpy(time, line, 24);
    assert_int_equal(clock_read(time, &t, NULL), ST_OK);
    assert_true(llabs(clock_now_ms() - t) < 60000);
    return line + 24;
}

static void a_line_has_time_level_service_event_and_pairs(void **state)
{
    (void)state;
    catch_stderr();
    log_open("ingest", LEVEL_INFO);
    log_warn("points.rejected", "vehicle=%s reason=\"%s %d\"", "V123", "speed", 900);
    release_stderr();
    assert_string_equal(after_time(got), " level=warn service=ingest event=points.rejected "
                                         "vehicle=V123 reason=\"speed 900\"\n");
}

static void a_line_without_pairs_has_no_space_at_the_end(void **state)
{
    (void)state;
    catch_stderr();
    log_error("stopped", "");
    release_stderr();
    assert_string_equal(after_time(got), " level=error service=ingest event=stopped\n");
}

static void what_is_below_the_level_is_not_written(void **state)
{
    (void)state;
    catch_stderr();
    log_set_level(LEVEL_WARN);
    log_info("quiet", "");
    log_debug("quiet", "");
    log_set_level(LEVEL_DEBUG);
    log_debug("loud", "");
    log_set_level(LEVEL_INFO);
    release_stderr();
    assert_null(strstr(got, "quiet"));
    assert_non_null(strstr(got, "level=debug service=ingest event=loud\n"));
}

static void control_characters_cannot_forge_a_line_or_steer_a_terminal(void **state)
{
    (void)state;
    catch_stderr();
    log_info("x", "name=%s",
             "a\nlevel=error\r\x1b[31m\x7f\t\xc2\x9b"
             "31m\xc3\xa9");
    release_stderr();
    assert_string_equal(
        after_time(got),
        " level=info service=ingest event=x name=a?level=error??[31m????31m\xc3\xa9\n");
}

static void quotes_inside_a_quoted_value_become_single(void **state)
{
    (void)state;
    catch_stderr();
    log_info("x", "reason=\"%s\" part=%s why=\"%s\"", "column \"a\" of \"b\"", "c", "\"d\"");
    release_stderr();
    assert_string_equal(after_time(got),
                        " level=info service=ingest event=x reason=\"column 'a' of "
                        "'b'\" part=c why=\"'d'\"\n");
}

static void a_long_line_is_cut_between_characters(void **state)
{
    char longest[5000] = "";
    size_t len;

    (void)state;
    for (int i = 0; i < 2400; i++)
        strcat(longest, "\xc3\xa9");
    for (int shift = 0; shift < 2; shift++) {
        catch_stderr();
        log_info("x", "%s=%s", shift ? "ab" : "a", longest);
        len = release_stderr();
        assert_true(len > 2000 && len <= 2048);
        assert_string_equal(got + len - 6, "\xc3\xa9...\n");
        assert_int_equal(strcspn(got, "\n"), len - 1);
    }
}

static void errno_survives(void **state)
{
    (void)state;
    catch_stderr();
    errno = EDOM;
    log_info("x", "");
    assert_int_equal(errno, EDOM);
    close(STDERR_FILENO);
    log_info("nowhere", "");
    assert_int_equal(errno, EDOM);
    release_stderr();
}

static void *write_lines(void *letter)
{
    char word[101] = "";

    memset(word, *(char *)letter, 100);
    for (int i = 0; i < 100; i++)
        log_info("x", "word=%s", word);
    return NULL;
}

static void lines_of_several_threads_do_not_mix(void **state)
{
    pthread_t threads[3];
    char letters[] = "abc";
    int lines = 0;

    (void)state;
    catch_stderr();
    assert_true(fcntl(pipe_ends[0], F_SETPIPE_SZ, 1 << 20) > 0);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, write_lines, &letters[i]);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    release_stderr();
    for (char *line = got, *end; (end = strchr(line, '\n')); line = end + 1, lines++) {
        const char *word = strstr(line, "word=") + 5;

        assert_int_equal(end - word, 100);
        for (const char *c = word; c < end; c++)
            assert_int_equal(*c, *word);
    }
    assert_int_equal(lines, 300);
}

static void levels_are_read_by_name(void **state)
{
    enum log_level level = LEVEL_INFO;
    struct fault fault = {""};

    (void)state;
    assert_int_equal(log_parse_level("debug", &level, &fault), ST_OK);
    assert_int_equal(level, LEVEL_DEBUG);
    assert_int_equal(log_parse_level("ERROR", &level, &fault), ST_OK);
    assert_int_equal(level, LEVEL_ERROR);
    assert_int_equal(log_parse_level("verbose", &level, &fault), ST_REJECT);
    assert_non_null(strstr(fault.text, "verbose"));
    assert_non_null(strstr(fault.text, "write error, warn, info or debug"));
    assert_int_equal(log_parse_level("", &level, NULL), ST_REJECT);
    assert_int_equal(level, LEVEL_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_service_event_and_pairs),
        cmocka_unit_test(a_line_without_pairs_has_no_space_at_the_end),
        cmocka_unit_test(what_is_below_the_level_is_not_written),
        cmocka_unit_test(control_characters_cannot_forge_a_line_or_steer_a_terminal),
        cmocka_unit_test(quotes_inside_a_quoted_value_become_single),
        cmocka_unit_test(a_long_line_is_cut_between_characters),
        cmocka_unit_test(errno_survives),
        cmocka_unit_test(lines_of_several_threads_do_not_mix),
        cmocka_unit_test(levels_are_read_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
