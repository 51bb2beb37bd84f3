/* Any sequence of acks: the ledger agrees with a model of flags, and the window loses no record and
 * sends none twice while it is under way. */
#include "tests/fuzz/require.h"

#include <stdbool.h>
#include <string.h>

#include "vehicle/window.h"

#define GIVEN 200
#define SITES 3

static bool model[SITES][GIVEN + 2];
static int required;

static bool model_heard(int64_t seq)
{
    return model[0][seq] || model[1][seq] || model[2][seq];
}

static bool model_settled(int64_t seq)
{
    bool all = true;

    if (required == 0)
        return model_heard(seq);
    for (int i = 0; i < required; i++)
        all = all && model[i][seq];
    return all;
}

/* Two bytes: site and highest number; then pairs of bytes are gaps. */
static size_t take_ack(struct ledger *l, const uint8_t *data, size_t size)
{
    struct ack a;
    int site = data[0] % SITES;
    size_t used = 2, gaps = data[0] / SITES % 4;
    int64_t at = 1;

    memset(&a, 0, sizeof a);
    a.site[0] = (char)('a' + site);
    a.mark.upto = data[1];
    for (; gaps > 0 && used + 2 <= size; gaps--, used += 2) {
        struct seq_range gap = {at + data[used] % 16, 0};

        gap.last = gap.first + data[used + 1] % 8;
        if (gap.last >= a.mark.upto)
            break;
        a.mark.gaps[a.mark.gap_count++] = gap;
        at = gap.last + 2;
    }
    if (ledger_take(l, &a, GIVEN) == ST_REJECT) {
        REQUIRE(a.mark.upto > GIVEN);
        return used;
    }
    for (int64_t seq = 1; seq <= GIVEN; seq++)
        model[site][seq] = watermark_has(&a.mark, seq);
    return used;
}

static void check_ledger(const struct ledger *l)
{
    struct seq_range range;
    int64_t from = 1;
    bool stored[GIVEN + 2] = {false};

    for (int64_t seq = 1; seq <= GIVEN; seq++) {
        REQUIRE(ledger_is_heard(l, seq) == model_heard(seq));
        REQUIRE(ledger_is_settled(l, seq) == model_settled(seq));
    }
    while (ledger_stored_range(l, from, &range)) {
        REQUIRE(required > 0 && range.first >= from && range.last >= range.first &&
                range.last <= GIVEN);
        for (int64_t seq = range.first; seq <= range.last; seq++)
            stored[seq] = true;
        from = range.last + 1;
    }
    for (int64_t seq = 1; seq <= GIVEN && required > 0; seq++)
        REQUIRE(stored[seq] == model_settled(seq));
}

static void check_window(const struct window *w)
{
    int64_t bytes = 0;

    for (size_t i = 0; i < w->count; i++) {
        bytes += w->flights[i].bytes;
        REQUIRE(w->flights[i].seq >= 1 && w->flights[i].seq <= GIVEN);
        REQUIRE(i == 0 || w->flights[i].seq > w->flights[i - 1].seq);
    }
    REQUIRE(bytes == w->bytes);
}

/* After enough silence everything that is owed goes out. */
static void check_all_goes(struct window *w, const struct ledger *l)
{
    struct window_pick pick;
    bool sent[GIVEN + 2] = {false};

    w->limit_bytes = INT64_MAX / 4;
    window_restart(w, GIVEN, true);
    while (window_next(w, l, GIVEN, true, &pick)) {
        REQUIRE(pick.seq >= 1 && pick.seq <= GIVEN && !sent[pick.seq] && window_fits(w, &pick, 10));
        sent[pick.seq] = true;
        window_sent(w, &pick, 10);
    }
    for (int64_t seq = 1; seq <= GIVEN; seq++)
        REQUIRE(sent[seq] == !model_settled(seq));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct window w;
    static struct ledger l;
    struct window_pick pick;
    char sites[SITES][LEDGER_SITE_TEXT] = {"a", "b", "c"};
    size_t at = 1;

    if (size < 1)
        return 0;
    memset(model, 0, sizeof model);
    required = data[0] % (SITES + 1);
    ledger_init(&l);
    ledger_require(&l, sites, (size_t)required);
    window_init(&w, 2000, 200);
    window_restart(&w, GIVEN, false);
    while (at + 2 <= size) {
        for (int i = 0; i < data[at] % 32 && window_next(&w, &l, GIVEN, true, &pick); i++) {
            if (!window_fits(&w, &pick, data[at + 1]))
                break;
            window_sent(&w, &pick, data[at + 1]);
            check_window(&w);
        }
        at += take_ack(&l, data + at, size - at);
        (void)window_heard(&w, &l);
        check_window(&w);
    }
    check_ledger(&l);
    check_all_goes(&w, &l);
    return 0;
}
