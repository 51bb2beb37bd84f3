/* services/ingest/history.c - idempotent: the same series and time overwrite, so a group may be
 * sent twice. */
#include "history.h"

#include "lib/clock.h"
#include "lib/store/line.h"
#include "meters.h"

static size_t add_lines(struct text *lines, struct record *const *records, size_t n)
{
    size_t count = 0;

    text_clear(lines);
    for (size_t i = 0; i < n; i++) {
        const struct record *r = records[i];

        if (!r->dead && !r->again && r->from.topic.leaf == LEAF_TELEMETRY)
            count +=
                line_add(lines, r->from.topic.vin, &r->telemetry, 0, r->telemetry.sample_count);
    }
    return count;
}

enum status history_open(struct history *h, const char *url, struct fault *fault)
{
    *h = (struct history){0};
    text_init(&h->lines);
    return influx_open(&h->db, url, "fleet", fault);
}

static enum status store(struct history *h, struct record *const *records, size_t n,
                         struct fault *fault)
{
    size_t samples = add_lines(&h->lines, records, n);
    enum status st;

    if (h->lines.failed)
        return fault_set(fault, ST_RETRY, "out of memory for %zu records", n);
    if (samples == 0)
        return ST_OK;
    st = influx_write(h->db, h->lines.bytes, h->lines.len, fault);
    if (st == ST_OK)
        metric_add(meters.stored, "influx", (double)samples);
    if (st != ST_REJECT)
        return st;
    if (n == 1) {
        record_condemn(records[0], "store", fault->text);
        return ST_OK;
    }
    if ((st = store(h, records, n / 2, fault)) != ST_OK)
        return st;
    return store(h, records + n / 2, n - n / 2, fault);
}

static enum status prepare(struct history *h, struct fault *fault)
{
    enum status st = h->prepared ? ST_OK : influx_prepare(h->db, fault);

    h->prepared = st == ST_OK;
    return st;
}

enum status history_store(struct history *h, struct record *const *records, size_t n,
                          struct fault *fault)
{
    int64_t began_us = clock_boot_us();
    enum status st = prepare(h, fault);

    if (st == ST_OK)
        st = store(h, records, n, fault);
    if (st == ST_OK)
        metric_observe(meters.commit_seconds, "influx", (double)(clock_boot_us() - began_us) / 1e6);
    else if (st == ST_FATAL)
        h->prepared = false; /* perhaps the database was dropped */
    return st;
}

enum status history_check(struct history *h, struct fault *fault)
{
    enum status st = prepare(h, fault);

    return st == ST_OK ? influx_ping(h->db, fault) : st;
}

void history_done(struct history *h)
{
    text_done(&h->lines);
    influx_close(h->db);
    *h = (struct history){0};
}
