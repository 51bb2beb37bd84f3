/* Rows found again, and late data: whatever order records come in, the rows end up the same. */
#include "tests/unit/ingest/watch.h"

#define VIN "WVWZZZ1KZAW000001"

static void rows_touch(struct segment *s, int64_t start_s, int64_t end_s)
{
    segment_init(s, SEGMENT_TRIP, MONDAY + start_s * SECOND);
    s->end_ms = MONDAY + end_s * SECOND;
    s->state = SEGMENT_CLOSED;
}

static void the_same_row_keeps_its_id_and_its_version(void **state)
{
    struct segment fresh[2], old[2];
    bool changed[2];

    (void)state;
    rows_touch(&fresh[0], 0, 100);
    rows_touch(&fresh[1], 300, 400);
    assert_true(segment_reconcile(fresh, changed, 2, NULL, 0, VIN));
    assert_true(changed[0] && changed[1]);
    assert_int_equal(fresh[0].version, 1);
    assert_true(uuid_is_valid(fresh[0].id, UUID_TEXT));
    assert_string_not_equal(fresh[0].id, fresh[1].id);
    memcpy(old, fresh, sizeof old);
    assert_true(segment_reconcile(fresh, changed, 2, old, 2, VIN));
    assert_false(changed[0] || changed[1]);
    assert_string_equal(fresh[0].id, old[0].id);
    assert_int_equal(fresh[1].version, 1);
}

static void a_row_whose_samples_are_gone_is_still_the_same(void **state)
{
    struct segment fresh[1], old[1];
    bool changed[1];

    (void)state;
    rows_touch(&fresh[0], 0, 100);
    fresh[0].state = SEGMENT_CLOSED;
    assert_true(segment_reconcile(fresh, changed, 1, NULL, 0, VIN));
    memcpy(old, fresh, sizeof old);
    old[0].state = SEGMENT_FINAL;
    assert_true(segment_reconcile(fresh, changed, 1, old, 1, VIN));
    assert_false(changed[0]);
    assert_int_equal(fresh[0].version, 1);
    old[0].state = SEGMENT_OPEN;
    assert_true(segment_reconcile(fresh, changed, 1, old, 1, VIN));
    assert_true(changed[0]);
}

static void a_split_trip_gives_its_id_to_the_longer_part(void **state)
{
    struct segment fresh[2], old[1];
    bool changed[2];

    (void)state;
    rows_touch(&old[0], 0, 1000);
    assert_true(segment_reconcile(old, changed, 1, NULL, 0, VIN));
    rows_touch(&fresh[0], 0, 300);
    rows_touch(&fresh[1], 500, 1000);
    assert_true(segment_reconcile(fresh, changed, 2, old, 1, VIN));
    assert_string_equal(fresh[1].id, old[0].id);
    assert_int_equal(fresh[1].version, 2);
    assert_string_not_equal(fresh[0].id, old[0].id); /* though it begins where the old one did */
    assert_int_equal(fresh[0].version, 1);
}

static void merged_trips_keep_the_longer_id_and_supersede_the_other(void **state)
{
    struct segment fresh[1], old[2];
    bool changed[2];

    (void)state;
    rows_touch(&old[0], 0, 300);
    rows_touch(&old[1], 500, 1000);
    assert_true(segment_reconcile(old, changed, 2, NULL, 0, VIN));
    rows_touch(&fresh[0], 0, 1000);
    assert_true(segment_reconcile(fresh, changed, 1, old, 2, VIN));
    assert_string_equal(fresh[0].id, old[1].id);
    assert_int_equal(fresh[0].version, 2);
    assert_int_equal(old[0].state, SEGMENT_SUPERSEDED);
    assert_int_equal(old[0].version, 2);
}

static void a_stop_never_takes_the_id_of_a_trip(void **state)
{
    struct segment fresh[1], old[1];
    bool changed[1];

    (void)state;
    rows_touch(&old[0], 0, 300);
    assert_true(segment_reconcile(old, changed, 1, NULL, 0, VIN));
    rows_touch(&fresh[0], 0, 300);
    fresh[0].kind = SEGMENT_STOP;
    assert_true(segment_reconcile(fresh, changed, 1, old, 1, VIN));
    assert_string_not_equal(fresh[0].id, old[0].id);
    assert_int_equal(old[0].state, SEGMENT_SUPERSEDED);
}

/* ---- by the book: the best pair of all, again and again */
static bool is_among(const char *id, const struct segment *rows, size_t n)
{
    size_t i = 0;

    while (i < n && strcmp(rows[i].id, id) != 0)
        i++;
    return i < n;
}

static int64_t in_common(const struct segment *a, const struct segment *b)
{
    int64_t from_ms = a->start_ms > b->start_ms ? a->start_ms : b->start_ms;
    int64_t to_ms = a->end_ms < b->end_ms ? a->end_ms : b->end_ms;

    if (a->kind != b->kind)
        return 0;
    return (to_ms > from_ms ? to_ms - from_ms : 0) + (a->start_ms == b->start_ms);
}

static bool best_left(const struct segment *fresh, size_t fresh_n, const struct segment *old,
                      size_t old_n, size_t *best_fresh, size_t *best_old)
{
    int64_t best = 0;

    for (size_t i = 0; i < fresh_n; i++) {
        for (size_t j = 0; j < old_n && fresh[i].id[0] == '\0'; j++) {
            int64_t common = in_common(&fresh[i], &old[j]);

            if (common <= best || is_among(old[j].id, fresh, fresh_n))
                continue;
            best = common;
            *best_fresh = i;
            *best_old = j;
        }
    }
    return best > 0;
}

static void name_by_the_book(struct segment *fresh, size_t fresh_n, const struct segment *old,
                             size_t old_n)
{
    size_t i, j;

    for (i = 0; i < fresh_n; i++)
        fresh[i].id[0] = '\0';
    while (best_left(fresh, fresh_n, old, old_n, &i, &j))
        memcpy(fresh[i].id, old[j].id, sizeof fresh[i].id);
    for (i = 0; i < fresh_n; i++) {
        char text[96], id[UUID_TEXT + 1];

        if (fresh[i].id[0])
            continue;
        for (int again = 0;; again++) {
            (void)snprintf(text, sizeof text, "%s %s %lld %d", VIN, segment_word(fresh[i].kind),
                           (long long)fresh[i].start_ms, again);
            uuid_of_text(id, text);
            if (!is_among(id, fresh, fresh_n) && !is_among(id, old, old_n))
                break;
        }
        memcpy(fresh[i].id, id, sizeof id);
    }
}

static int roll(struct car *dice, int sides)
{
    return (int)((car_random(dice) + 1) / 2 * sides) % sides;
}

/* Few moments, so that many pairs have the same in common, and rows lie over each other. */
static size_t any_rows(struct car *dice, struct segment rows[9])
{
    size_t n = (size_t)roll(dice, 10);

    for (size_t i = 0; i < n; i++) {
        int start_s = roll(dice, 8);

        rows_touch(&rows[i], start_s, start_s + roll(dice, 4));
        rows[i].kind = roll(dice, 3) ? SEGMENT_TRIP : SEGMENT_IDLE;
    }
    return n;
}

static void rows_are_found_again_as_by_the_book(void **state)
{
    struct car dice = {.seed = 7};
    int found = 0;

    (void)state;
    for (int round = 0; round < 5000; round++) {
        struct segment fresh[9], book[9], old[9], none[1];
        bool changed[9];
        size_t fresh_n = any_rows(&dice, fresh), old_n = any_rows(&dice, old);

        assert_true(segment_reconcile(old, changed, old_n, none, 0, VIN));
        memcpy(book, fresh, sizeof book);
        name_by_the_book(book, fresh_n, old, old_n);
        assert_true(segment_reconcile(fresh, changed, fresh_n, old, old_n, VIN));
        for (size_t i = 0; i < fresh_n; i++) {
            assert_string_equal(fresh[i].id, book[i].id);
            found += is_among(fresh[i].id, old, old_n);
        }
        for (size_t j = 0; j < old_n; j++)
            assert_int_equal(old[j].state == SEGMENT_SUPERSEDED,
                             !is_among(old[j].id, book, fresh_n));
    }
    assert_true(found > 1000);
}

#define MANY 5000
/* Pair by pair, each looked for among all, that took hours. */
static void thousands_of_rows_are_found_again(void **state)
{
    struct segment *fresh = calloc(MANY, sizeof *fresh), *old = calloc(MANY, sizeof *old);
    bool *changed = calloc(MANY, sizeof *changed);

    (void)state;
    assert_true(fresh && old && changed);
    for (int i = 0; i < MANY; i++) {
        rows_touch(&old[i], 100 * i, 100 * i + 100);
        old[i].kind = i % 2 ? SEGMENT_TRIP : SEGMENT_STOP;
    }
    assert_true(segment_reconcile(old, changed, MANY, NULL, 0, VIN));
    memcpy(fresh, old, MANY * sizeof *fresh);
    fresh[MANY / 2].end_ms += 10 * SECOND; /* as a late sample would have it */
    fresh[MANY / 2 + 1].start_ms += 10 * SECOND;
    assert_true(segment_reconcile(fresh, changed, MANY, old, MANY, VIN));
    for (int i = 0; i < MANY; i++) {
        bool touched = i == MANY / 2 || i == MANY / 2 + 1;

        assert_string_equal(fresh[i].id, old[i].id);
        assert_int_equal(changed[i], touched);
        assert_int_equal(fresh[i].version, touched ? 2 : 1);
        assert_int_equal(old[i].state, SEGMENT_CLOSED);
    }
    free(fresh);
    free(old);
    free(changed);
}

static void the_odometer_is_shown_from_5_km_and_checked(void **state)
{
    struct segment s;
    bool check;

    (void)state;
    rows_touch(&s, 0, 1000);
    s.sum.distance_m = 10000;
    assert_true(isnan(segment_odometer_m(&s, &check)));
    s.odometer_start_m = 1000;
    s.odometer_end_m = 5900;
    assert_true(isnan(segment_odometer_m(&s, &check)));
    s.odometer_end_m = 11400;
    NEAR(segment_odometer_m(&s, &check), 10400, 0);
    assert_false(check);
    s.odometer_end_m = 11700;
    NEAR(segment_odometer_m(&s, &check), 10700, 0);
    assert_true(check);
}

/* ---- late data.  What follows is ingest in small: a store of samples, the states at the moments
 * when a row was settled, and the rows as a database would hold them. */
#define SAVED_MAX 32
struct keeper {
    struct drive store; /* sorted */
    struct watch saved[SAVED_MAX];
    size_t saved_n;
    struct watch live;
    struct segment rows[ROWS_MAX]; /* not superseded */
    size_t n;
    int rewritten; /* rows written at the newest write */
};

static void keep_samples(struct drive *store, const struct moment *m)
{
    size_t at = store->n;

    (void)drive_add(store, m->t_ms);
    for (; at > 0 && store->at[at - 1].t_ms > m->t_ms; at--)
        store->at[at] = store->at[at - 1];
    store->at[at] = *m;
}

static void forward(struct keeper *k)
{
    for (size_t i = 0; i < k->store.n; i++) {
        size_t settled = k->live.n;

        if (k->store.at[i].t_ms <= k->live.trip.t_ms)
            continue;
        watch_step(&k->live, &trip_defaults, &k->store.at[i]);
        if (k->live.n > settled && k->saved_n < SAVED_MAX)
            k->saved[k->saved_n++] = k->live;
    }
}

static void keep_rows(struct keeper *k)
{
    struct segment fresh[ROWS_MAX];
    bool changed[ROWS_MAX];
    size_t n = watch_rows(&k->live, &trip_defaults, 0, fresh);

    assert_true(segment_reconcile(fresh, changed, n, k->rows, k->n, VIN));
    k->rewritten = 0;
    for (size_t i = 0; i < n; i++)
        k->rewritten += changed[i];
    memcpy(k->rows, fresh, n * sizeof *fresh);
    k->n = n;
}

/* From the newest state before the earliest late sample on. */
static void recompute(struct keeper *k, int64_t earliest_ms)
{
    while (k->saved_n > 0 && k->saved[k->saved_n - 1].trip.t_ms >= earliest_ms)
        k->saved_n--;
    k->live = k->saved_n > 0 ? k->saved[k->saved_n - 1] : (struct watch){0};
    forward(k);
    keep_rows(k);
}

static void deliver(struct keeper *k, const struct moment *batch, size_t n)
{
    int64_t earliest_ms = batch[0].t_ms;

    for (size_t i = 0; i < n; i++) {
        keep_samples(&k->store, &batch[i]);
        earliest_ms = batch[i].t_ms < earliest_ms ? batch[i].t_ms : earliest_ms;
    }
    if (earliest_ms > k->live.trip.t_ms) {
        forward(k);
        keep_rows(k);
    } else {
        recompute(k, earliest_ms);
    }
}

static void a_day(struct car *c)
{
    for (int i = 0; i < 4; i++) {
        car_stand(c, 100);
        car_go(c, 90 + 20 * i, 40 + 10 * i);
        car_stand(c, 260);
        car_silent(c, (i % 2 ? 4 : 12) * MINUTE, 0);
    }
    car_go(c, 200, 70);
}

#define BATCH 40
static void shuffle(size_t *order, size_t n, uint32_t seed)
{
    struct car dice = {.seed = seed};

    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)((car_random(&dice) + 1) / 2 * (double)i) % i, swap = order[i - 1];

        order[i - 1] = order[j];
        order[j] = swap;
    }
}

static void play(struct keeper *k, const struct drive *d, uint32_t seed)
{
    size_t batches = (d->n + BATCH - 1) / BATCH;
    size_t *order = calloc(batches, sizeof *order);

    assert_non_null(order);
    shuffle(order, batches, seed);
    for (size_t i = 0; i < batches; i++) {
        size_t at = (seed == 0 ? i : order[i]) * BATCH;

        deliver(k, d->at + at, d->n - at < BATCH ? d->n - at : BATCH);
    }
    free(order);
}

static void whatever_the_order_of_delivery_the_rows_end_up_the_same(void **state)
{
    static struct keeper in_order, shuffled;
    struct car c = car_new();

    (void)state;
    a_day(&c);
    play(&in_order, &c.d, 0);
    is_partition(in_order.rows, in_order.n);
    assert_int_equal(count(in_order.rows, in_order.n, SEGMENT_TRIP), 5);
    for (uint32_t seed = 1; seed <= 12; seed++) {
        memset(&shuffled, 0, sizeof shuffled);
        play(&shuffled, &c.d, seed);
        assert_int_equal(shuffled.n, in_order.n);
        for (size_t i = 0; i < in_order.n; i++) {
            struct segment a = in_order.rows[i], b = shuffled.rows[i];
            bool changed;

            memcpy(b.id, a.id, sizeof b.id); /* ids depend on what was seen first */
            b.version = a.version;
            assert_true(segment_reconcile(&b, &changed, 1, &a, 1, VIN));
            assert_false(changed);
            for (size_t j = 0; j < i; j++)
                assert_string_not_equal(shuffled.rows[i].id, shuffled.rows[j].id);
        }
        drive_done(&shuffled.store);
    }
    drive_done(&in_order.store);
    drive_done(&c.d);
}

static void recomputing_twice_writes_nothing_the_second_time(void **state)
{
    static struct keeper k;
    struct car c = car_new();
    struct segment before[ROWS_MAX];

    (void)state;
    a_day(&c);
    play(&k, &c.d, 5);
    for (size_t at = 0; at < c.d.n; at += 200) {
        memcpy(before, k.rows, sizeof before);
        recompute(&k, c.d.at[at].t_ms);
        assert_int_equal(k.rewritten, 0);
        for (size_t i = 0; i < k.n; i++) {
            assert_string_equal(k.rows[i].id, before[i].id);
            assert_int_equal(k.rows[i].version, before[i].version);
        }
    }
    drive_done(&k.store);
    drive_done(&c.d);
}

static void a_drive_that_comes_late_splits_the_stop_it_lies_in(void **state)
{
    static struct keeper k;
    struct car c = car_new();
    char first[UUID_TEXT + 1];
    size_t from, to;

    (void)state;
    car_stand(&c, 30);
    car_go(&c, 60, 60);
    car_stand(&c, 300);
    from = c.d.n;
    car_go(&c, 60, 60); /* there and back while nobody heard it */
    car_stand(&c, 300);
    to = c.d.n;
    c.north_m -= 1000;
    car_stand(&c, 300);
    deliver(&k, c.d.at, from);
    deliver(&k, c.d.at + to, c.d.n - to);
    assert_int_equal(count(k.rows, k.n, SEGMENT_TRIP), 1);
    memcpy(first, nth(k.rows, k.n, SEGMENT_TRIP, 0)->id, sizeof first);
    deliver(&k, c.d.at + from, to - from);
    assert_int_equal(count(k.rows, k.n, SEGMENT_TRIP), 2);
    assert_string_equal(nth(k.rows, k.n, SEGMENT_TRIP, 0)->id, first);
    is_partition(k.rows, k.n);
    drive_done(&k.store);
    drive_done(&c.d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_row_keeps_its_id_and_its_version),
        cmocka_unit_test(a_row_whose_samples_are_gone_is_still_the_same),
        cmocka_unit_test(a_split_trip_gives_its_id_to_the_longer_part),
        cmocka_unit_test(merged_trips_keep_the_longer_id_and_supersede_the_other),
        cmocka_unit_test(a_stop_never_takes_the_id_of_a_trip),
        cmocka_unit_test(rows_are_found_again_as_by_the_book),
        cmocka_unit_test(thousands_of_rows_are_found_again),
        cmocka_unit_test(the_odometer_is_shown_from_5_km_and_checked),
        cmocka_unit_test(whatever_the_order_of_delivery_the_rows_end_up_the_same),
        cmocka_unit_test(recomputing_twice_writes_nothing_the_second_time),
        cmocka_unit_test(a_drive_that_comes_late_splits_the_stop_it_lies_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
