/* The watermark against a naive model, and ack/1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/ack.h"

#define STREAM "0197f3c2-5f0e-7abc-8def-0123456789ab"
#define SPACE 600 /* sequence numbers the model knows */

static struct fault fault;

/* ---- the model: one flag per number ---- */

struct model {
    bool taken[SPACE + 1];
};

static int model_upto(const struct model *m)
{
    int upto = SPACE;

    while (upto > 0 && !m->taken[upto])
        upto--;
    return upto;
}

static size_t model_gaps(const struct model *m)
{
    size_t gaps = 0;

    for (int seq = 1; seq <= model_upto(m); seq++)
        gaps += !m->taken[seq] && (seq == 1 || m->taken[seq - 1]);
    return gaps;
}

static enum status model_take(struct model *m, int first, int last)
{
    struct model next = *m;
    bool is_new = false;

    for (int seq = first; seq <= last; seq++) {
        is_new |= !m->taken[seq];
        next.taken[seq] = true;
    }
    if (!is_new)
        return ST_NONE;
    if (model_gaps(&next) > ACK_GAPS_MAX)
        return ST_RETRY;
    *m = next;
    return ST_OK;
}

static void assert_same(const struct model *m, const struct watermark *w)
{
    assert_int_equal(w->upto, model_upto(m));
    assert_int_equal(w->gap_count, model_gaps(m));
    for (int seq = 0; seq <= SPACE; seq++)
        assert_int_equal(watermark_has(w, seq), seq > 0 && m->taken[seq]);
    for (size_t i = 0; i < w->gap_count; i++) {
        assert_true(w->gaps[i].first <= w->gaps[i].last && w->gaps[i].last < w->upto);
        if (i > 0) /* sorted, disjoint, not adjacent */
            assert_true(w->gaps[i].first > w->gaps[i - 1].last + 1);
    }
}

static void random_sequences_agree_with_the_model(void **state)
{
    int retries = 0;

    (void)state;
    srand(1);
    for (int round = 0; round < 60; round++) {
        static struct model m;
        struct watermark w = {0};
        int spread = round % 3 == 0 ? SPACE : round % 3 == 1 ? 40 : 5;

        memset(&m, 0, sizeof m);
        for (int step = 0; step < 400; step++) {
            int near = (int)w.upto - spread / 2 + rand() % spread;
            int first = near < 1 ? 1 : near > SPACE ? SPACE : near;
            int last = rand() % 4 ? first : first + rand() % 10;
            enum status st;

            if (last > SPACE)
                last = SPACE;
            st = first == last ? watermark_take(&w, first) : watermark_take_range(&w, first, last);
            assert_int_equal(st, model_take(&m, first, last));
            assert_same(&m, &w);
            retries += st == ST_RETRY;
        }
    }
    assert_true(retries > 0); /* the limit of 64 gaps was met */
}

static void in_order_there_is_never_a_gap(void **state)
{
    struct watermark w = {0};

    (void)state;
    for (int seq = 1; seq < 1000; seq++) {
        assert_int_equal(watermark_take(&w, seq), ST_OK);
        assert_int_equal(watermark_take(&w, seq), ST_NONE);
        assert_int_equal(w.upto, seq);
        assert_int_equal(w.gap_count, 0);
    }
}

static void the_sixty_fifth_gap_is_not_accepted_yet(void **state)
{
    struct watermark w = {0}, before;

    (void)state;
    for (int i = 1; i <= ACK_GAPS_MAX; i++)
        assert_int_equal(watermark_take(&w, 2 * i), ST_OK);
    before = w;
    assert_int_equal(watermark_take(&w, 2 * ACK_GAPS_MAX + 2), ST_RETRY);
    assert_memory_equal(&before, &w, sizeof w);
    assert_int_equal(watermark_take(&w, 2 * ACK_GAPS_MAX + 1),
                     ST_OK);                        /* the next in order always fits */
    assert_int_equal(watermark_take(&w, 1), ST_OK); /* a gap closed makes room */
    assert_int_equal(watermark_take(&w, 2 * ACK_GAPS_MAX + 3), ST_OK);
}

static void nonsense_is_refused(void **state)
{
    struct watermark w = {0};

    (void)state;
    assert_int_equal(watermark_take(&w, 0), ST_REJECT);
    assert_int_equal(watermark_take(&w, -5), ST_REJECT);
    assert_int_equal(watermark_take_range(&w, 5, 4), ST_REJECT);
    assert_int_equal(watermark_take_range(&w, 0, 4), ST_REJECT);
    assert_int_equal(watermark_take(&w, INT64_MAX), ST_OK);
    assert_int_equal(watermark_take(&w, INT64_MAX), ST_NONE);
    assert_int_equal(watermark_take_range(&w, 1, INT64_MAX), ST_OK);
    assert_int_equal(w.gap_count, 0);
}

static void an_announced_loss_closes_its_gap(void **state)
{
    struct watermark w = {.upto = 100, .gap_count = 1, .gaps = {{12, 40}}};

    (void)state;
    assert_int_equal(watermark_take_range(&w, 12, 40), ST_OK);
    assert_int_equal(w.gap_count, 0);
    assert_int_equal(watermark_take_range(&w, 12, 40), ST_NONE);
    assert_int_equal(watermark_take_range(&w, 90, 120), ST_OK);
    assert_int_equal(w.upto, 120);
}

static enum status read_text(struct ack *a, const char *text)
{
    return ack_read(a, text, strlen(text), &fault);
}

static void an_ack_survives_the_round_trip(void **state)
{
    struct ack a = {.site = "illkirch", .stream = STREAM, .mark = {.upto = 1000}}, b;
    char out[4096];
    size_t len;

    (void)state;
    for (int i = 0; i <= ACK_GAPS_MAX; i++) {
        assert_int_equal(ack_write(&a, out, sizeof out, &len, &fault), ST_OK);
        memset(&b, 0, sizeof b);
        assert_int_equal(ack_read(&b, out, len, &fault), ST_OK);
        assert_string_equal(b.site, a.site);
        assert_string_equal(b.stream, a.stream);
        assert_int_equal(b.mark.upto, a.mark.upto);
        assert_int_equal(b.mark.gap_count, a.mark.gap_count);
        assert_memory_equal(b.mark.gaps, a.mark.gaps, a.mark.gap_count * sizeof *a.mark.gaps);
        assert_int_equal(ack_write(&a, out, len - 1, &len, &fault), ST_REJECT);
        if (i < ACK_GAPS_MAX)
            a.mark.gaps[a.mark.gap_count++] = (struct seq_range){10 * i + 1, 10 * i + 3};
    }
}

static void the_ack_of_the_contract_is_written_word_for_word(void **state)
{
    struct ack a = {.site = "illkirch", .stream = STREAM, .mark = {.upto = 42}};
    const char *wanted = "{\"schema\":\"ack/1\",\"site\":\"illkirch\",\"stream\":\"" STREAM
                         "\",\"upto\":42,\"gaps\":[]}";
    char out[256];
    size_t len;

    (void)state;
    assert_int_equal(ack_write(&a, out, sizeof out, &len, &fault), ST_OK);
    assert_int_equal(len, strlen(wanted));
    assert_memory_equal(out, wanted, len);
}

#define ACK(upto, gaps)                                                                            \
    "{\"schema\":\"ack/1\",\"site\":\"s\",\"stream\":\"" STREAM "\",\"upto\":" upto                \
    ",\"gaps\":" gaps "}"

static void a_wrong_ack_is_refused_and_leaves_the_output_alone(void **state)
{
    static const char *const bad[] = {
        ACK("-1", "[]"),
        ACK("1.5", "[]"),
        ACK("9", "{}"),
        ACK("9", "[1]"),
        ACK("9", "[[1]]"),
        ACK("9", "[[1,2,3]]"),
        ACK("9", "[[0,1]]"),
        ACK("9", "[[3,2]]"),
        ACK("9", "[[1,9]]"),
        ACK("9", "[[4,5],[1,2]]"),
        ACK("9", "[[1,3],[3,4]]"),
        ACK("9", "[[1,\"2\"]]"),
        "{}",
        "[]",
        "{\"schema\":\"ack/2\",\"site\":\"s\",\"stream\":\"" STREAM "\",\"upto\":1,\"gaps\":[]}",
        "{\"schema\":\"ack/1\",\"site\":\"s\",\"stream\":\"x\",\"upto\":1,\"gaps\":[]}",
        "{\"schema\":\"ack/1\",\"site\":\"s\",\"stream\":\"" STREAM "\",\"upto\":1}",
        "{\"schema\":\"ack/1\",\"site\":\"a name that is longer than "
        "thirty-one\",\"stream\":\"" STREAM "\",\"upto\":1,\"gaps\":[]}"};
    struct ack a = {.site = "untouched"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (read_text(&a, bad[i]) != ST_REJECT)
            fail_msg("accepted: %s", bad[i]);
    assert_string_equal(a.site, "untouched");
}

static void sixty_five_gaps_are_refused_and_touching_ones_joined(void **state)
{
    char text[2048] =
        "{\"schema\":\"ack/1\",\"site\":\"s\",\"stream\":\"" STREAM "\",\"upto\":999,\"gaps\":[";
    size_t len = strlen(text);
    struct ack a;

    (void)state;
    for (int i = 0; i <= ACK_GAPS_MAX; i++)
        len += (size_t)sprintf(text + len, "%s[%d,%d]", i ? "," : "", 3 * i + 1, 3 * i + 1);
    strcpy(text + len, "]}");
    assert_int_equal(read_text(&a, text), ST_REJECT);
    assert_int_equal(read_text(&a, ACK("9", "[[1,2],[3,4],[6,6]]")), ST_OK);
    assert_int_equal(a.mark.gap_count, 2);
    assert_int_equal(a.mark.gaps[0].last, 4);
}

static void what_two_have_is_what_each_has(void **state)
{
    bool cut = false;

    (void)state;
    srand(2);
    for (int round = 0; round < 1000; round++) {
        struct watermark w[2] = {{0}}, both;
        int spread = round % 2 ? 400 : 30;

        for (int step = 0; step < spread && round % 3; step++)
            (void)!watermark_take(&w[rand() % 2], 1 + rand() % spread);
        for (int seq = 1; seq <= spread; seq++) /* few are missing */
            for (int i = 0; i < 2; i++)
                if (rand() % 8)
                    (void)!watermark_take(&w[i], seq);
        watermark_both(&both, &w[0], &w[1]);
        cut |= both.gap_count == ACK_GAPS_MAX;
        for (int seq = 1; seq <= spread; seq++) {
            bool each = watermark_has(&w[0], seq) && watermark_has(&w[1], seq);

            assert_int_equal(watermark_has(&both, seq), each && seq <= both.upto);
            if (each && seq > both.upto) /* left out only where there was no room for a gap */
                assert_int_equal(both.gap_count, ACK_GAPS_MAX);
        }
        for (size_t i = 0; i < both.gap_count; i++)
            assert_true(both.gaps[i].last < both.upto &&
                        (i == 0 || both.gaps[i].first > both.gaps[i - 1].last + 1));
        watermark_both(&w[0], &w[0], &w[1]); /* in place, too */
        assert_int_equal(w[0].upto, both.upto);
    }
    assert_true(cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_sequences_agree_with_the_model),
        cmocka_unit_test(in_order_there_is_never_a_gap),
        cmocka_unit_test(the_sixty_fifth_gap_is_not_accepted_yet),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(an_announced_loss_closes_its_gap),
        cmocka_unit_test(what_two_have_is_what_each_has),
        cmocka_unit_test(an_ack_survives_the_round_trip),
        cmocka_unit_test(the_ack_of_the_contract_is_written_word_for_word),
        cmocka_unit_test(a_wrong_ack_is_refused_and_leaves_the_output_alone),
        cmocka_unit_test(sixty_five_gaps_are_refused_and_touching_ones_joined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
