/* Facts that late data adds, moves and withdraws. */
#include "services/ingest/facts/finding.h"
#include "services/ingest/facts/geofence.h"
#include "services/ingest/facts/overspeed.h"
#include "tests/unit/ingest/watch.h"

#define VIN "WVWZZZ1KZAW000001"
#define FOUND_MAX 64

struct book {
    struct finding rows[FOUND_MAX]; /* withdrawn ones too */
    size_t n;
    int written, withdrawn; /* at the newest recompute */
};

static size_t search(const struct drive *d, struct finding found[FOUND_MAX], int64_t now_ms)
{
    static const struct zone_point centre = {48.5 + 1000 * METRE_DEGREES, 7.7};
    struct zone zone = {.kind = ZONE_CIRCLE, .radius_m = 200, .points = &centre, .n = 1};
    struct watch w = {0};
    struct geofence g = {0};
    struct overspeed o = {0};
    size_t n = 0;

    assert_int_equal(zone_init(&zone, &zone_defaults, NULL), ST_OK);
    for (size_t i = 0; i < d->n; i++) {
        struct geofence_fact facts[GEOFENCE_FACTS_MAX];
        struct segment out[TRIP_OUT_MAX];
        enum level_fact level;
        struct seen seen;
        struct fix fix;
        size_t crossed = 0;

        if (!sight_step(&w.sight, &sight_defaults, &d->at[i], &seen))
            continue;
        (void)trip_step(&w.trip, &trip_defaults, &seen, &d->at[i], out, &level);
        if (trip_place(&w.trip, &seen, &fix))
            crossed = geofence_step(&g, &geofence_defaults, &zone, seen.t_ms, fix.lat, fix.lon,
                                    fix.accuracy_m, facts);
        for (size_t j = 0; j < crossed; j++)
            finding_init(&found[n++], VIN, geofence_word(facts[j].kind), "depot", facts[j].t_ms,
                         now_ms);
        if (overspeed_step(&o, &overspeed_defaults, seen.t_ms, seen.speed.kmh, 50) ==
            OVERSPEED_ENDED)
            finding_init(&found[n++], VIN, "overspeed", "50", o.ended.start_ms, now_ms);
        assert_true(n < FOUND_MAX - GEOFENCE_FACTS_MAX);
    }
    return n;
}

static void recompute(struct book *b, const struct drive *d, int64_t now_ms)
{
    struct finding found[FOUND_MAX];
    bool is_new[FOUND_MAX], is_gone[FOUND_MAX];
    size_t n = search(d, found, now_ms);

    assert_true(finding_reconcile(found, is_new, n, b->rows, is_gone, b->n));
    b->written = b->withdrawn = 0;
    for (size_t j = 0; j < b->n; j++)
        b->withdrawn += is_gone[j];
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;

        b->written += is_new[i];
        while (at < b->n && strcmp(b->rows[at].id, found[i].id) != 0)
            at++;
        assert_true(at < FOUND_MAX);
        b->rows[at] = found[i];
        b->n = at == b->n ? b->n + 1 : b->n;
    }
}

static void take(struct drive *store, const struct drive *d, size_t from, size_t to)
{
    for (size_t i = from; i < to && i < d->n; i++) {
        size_t at = store->n;

        (void)drive_add(store, 0);
        for (; at > 0 && store->at[at - 1].t_ms > d->at[i].t_ms; at--)
            store->at[at] = store->at[at - 1];
        store->at[at] = d->at[i];
    }
}

/* Through the zone and back, with a break in it, twice too fast. */
static struct car through(void)
{
    struct car c = car_new();

    car_stand(&c, 60);
    car_go(&c, 40, 60);
    car_go(&c, 40, 40);
    car_stand(&c, 300);
    car_go(&c, 60, 70);
    car_stand(&c, 250);
    return c;
}

static void facts_are_the_same_whatever_the_order_of_delivery(void **state)
{
    struct car c = through();
    struct finding wanted[FOUND_MAX];
    size_t n = search(&c.d, wanted, 0), batches = (c.d.n + 24) / 25;

    (void)state;
    assert_int_equal(n, 4);
    assert_string_equal(wanted[0].type, "overspeed");
    for (uint32_t seed = 1; seed <= 8; seed++) {
        struct drive store = {0};
        struct book b = {0};
        struct car dice = {.seed = seed};
        size_t standing = 0, order[64];

        for (size_t i = 0; i < batches; i++)
            order[i] = i;
        for (size_t i = batches; i > 0; i--) {
            size_t j = (size_t)((car_random(&dice) + 1) / 2 * (double)i) % i, batch = order[j];

            order[j] = order[i - 1];
            take(&store, &c.d, batch * 25, batch * 25 + 25);
            recompute(&b, &store, MONDAY + (int64_t)i);
        }
        for (size_t i = 0; i < b.n; i++) {
            bool there = false;

            for (size_t j = 0; j < n; j++)
                there = there || !strcmp(b.rows[i].id, wanted[j].id);
            assert_int_equal(there, !b.rows[i].withdrawn);
            standing += there;
        }
        assert_int_equal(standing, n);
        recompute(&b, &store, MONDAY + HOUR); /* and a second time nothing changes */
        assert_int_equal(b.written + b.withdrawn, 0);
        drive_done(&store);
    }
    drive_done(&c.d);
}

static void a_fact_found_again_keeps_when_it_was_first_found(void **state)
{
    struct finding old, fresh;
    bool is_new, is_gone;

    (void)state;
    finding_init(&old, VIN, "refuel", "", 1000, 2000);
    finding_init(&fresh, VIN, "refuel", "", 1000, 9000);
    assert_true(finding_reconcile(&fresh, &is_new, 1, &old, &is_gone, 1));
    assert_false(is_new || is_gone);
    assert_int_equal(fresh.detected_ms, 2000);
    assert_true(finding_reconcile(NULL, NULL, 0, &old, &is_gone, 1));
    assert_true(is_gone && old.withdrawn);
    assert_true(finding_reconcile(NULL, NULL, 0, &old, &is_gone, 1));
    assert_false(is_gone); /* withdrawn once */
    assert_true(finding_reconcile(&fresh, &is_new, 1, &old, &is_gone, 1));
    assert_true(is_new && !old.withdrawn && !is_gone);
}

/* As many as a vehicle that was away for weeks brings back. */
static void thousands_are_matched_each_with_its_own(void **state)
{
    enum { MANY = 20000 };
    struct finding *old = calloc(MANY, sizeof *old), *fresh = calloc(MANY, sizeof *fresh);
    bool *is_new = calloc(MANY, sizeof *is_new), *is_gone = calloc(MANY, sizeof *is_gone);

    (void)state;
    assert_true(old && fresh && is_new && is_gone);
    for (int i = 0; i < MANY; i++) { /* every second one is found again, in another order */
        finding_init(&old[i], VIN, "overspeed", "50", 1000 * i, 5);
        finding_init(&fresh[MANY - 1 - i], VIN, "overspeed", "50", 2000 * i, 9);
    }
    assert_true(finding_reconcile(fresh, is_new, MANY, old, is_gone, MANY));
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(is_gone[i], i % 2);
        assert_int_equal(old[i].withdrawn, i % 2);
        assert_int_equal(is_new[MANY - 1 - i], i >= MANY / 2);
        assert_int_equal(fresh[MANY - 1 - i].detected_ms, i < MANY / 2 ? 5 : 9);
    }
    free(old);
    free(fresh);
    free(is_new);
    free(is_gone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_are_the_same_whatever_the_order_of_delivery),
        cmocka_unit_test(thousands_are_matched_each_with_its_own),
        cmocka_unit_test(a_fact_found_again_keeps_when_it_was_first_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
