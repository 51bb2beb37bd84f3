/* services/ingest/history.c - idempotent: the same series and time overwrite, so a group may be
 * sent twice. */
#include "history.h"

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

enum status history_store(struct history *h, struct record *const *records, size_t n,
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
    if ((st = history_store(h, records, n / 2, fault)) != ST_OK)
        return st;
    return history_store(h, records + n / 2, n - n / 2, fault);
}

void history_done(struct history *h)
{
    text_done(&h->lines);
}
