/* tests/unit/vehicle/journal_bench.h - a journal on an outbox of its own, with rounds to put in and
 * acks to take. */
#ifndef JOURNAL_BENCH_H
#define JOURNAL_BENCH_H

#include "tests/unit/vehicle/outbox_bench.h"

#include "vehicle/journal.h"

static struct sampler sampler;
static struct ledger ledgers[STREAMS];
static struct journal *journal;

static inline int begin(void **state)
{
    (void)state;
    return bench_begin();
}

static inline int end(void **state)
{
    (void)state;
    journal_close(journal);
    journal = NULL;
    return bench_end();
}

static inline void open_journal(int64_t limit_bytes, int64_t keep_ms)
{
    struct journal_options options = {limit_bytes, keep_ms, false};

    open_box();
    for (int i = 0; i < STREAMS; i++)
        ledger_init(&ledgers[i]);
    assert_int_equal(journal_open(&journal, &options, box, &sampler, ledgers, &fault), ST_OK);
}

static inline void add_rounds(int64_t from_ms, int n)
{
    struct round round = {.answering = true, .count = 20};

    for (int i = 0; i < n; i++) {
        round.t_ms = from_ms + i * 1000;
        for (uint16_t k = 0; k < round.count; k++)
            round.readings[k] = (struct reading){
                (uint16_t)(20 + k), (double)(round.t_ms / 1000 % 50) * 2 + k * 0.1}; /* news */
        sampler_round(&sampler, &round);
    }
}

static inline enum status commit(int64_t now_ms)
{
    return journal_commit(journal, now_ms, CLOCK_NTP, true, &fault);
}

static inline void require_illkirch(void)
{
    char sites[1][LEDGER_SITE_TEXT] = {"illkirch"};

    ledger_require(&ledgers[STREAM_BULK], sites, 1);
}

static inline void acknowledge(int64_t upto)
{
    struct ack ack;

    memset(&ack, 0, sizeof ack);
    strcpy(ack.site, "illkirch");
    strcpy(ack.stream, outbox_stream_id(box, STREAM_BULK));
    ack.mark.upto = upto;
    assert_int_equal(ledger_take(&ledgers[STREAM_BULK], &ack, outbox_given(box, STREAM_BULK)),
                     ST_OK);
}

#endif
