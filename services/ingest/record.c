/* services/ingest/record.c - bytes become a record, or a dead letter with its reason. */
#include "record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"

#define OLDEST_MS (60LL * 24 * 3600 * 1000)
#define AHEAD_MS (10LL * 60 * 1000)

static void condemn(struct record *r, const char *reason, const char *detail)
{
    r->dead = true;
    snprintf(r->reason, sizeof r->reason, "%s", reason);
    snprintf(r->detail, sizeof r->detail, "%.199s", detail);
}

/* Samples outside the window leave; the record then also becomes a dead letter, its good samples are kept. */
static void drop_untimely(struct record *r, int64_t now_ms)
{
    struct telemetry *t = &r->telemetry;
    size_t kept = 0;

    for (size_t i = 0; i < t->sample_count; i++) {
        int64_t at = t->samples[i].t_ms;

        if (at >= now_ms - OLDEST_MS && at <= now_ms + AHEAD_MS)
            t->samples[kept++] = t->samples[i];
    }
    if (kept == t->sample_count)
        return;
    snprintf(r->reason, sizeof r->reason, "time");
    snprintf(r->detail, sizeof r->detail, "%zu of %zu samples are not within 60 days back and 10 minutes ahead",
             t->sample_count - kept, t->sample_count);
    r->dead = kept == 0;
    t->sample_count = kept;
}

/* An outbox_lost event tells which numbers of which stream will never come. */
static void read_loss(struct record *r)
{
    json_t *message = NULL;
    const json_t *data;
    struct fault fault;

    if (r->from.topic.leaf != LEAF_EVENT || strcmp(r->fact.type, "outbox_lost") != 0 ||
        json_read(&message, r->payload, r->len, JSON_MAX_BYTES, &fault) != ST_OK)
        return;
    data = json_object_get(message, "data");
    if (json_get_text(data, "stream", r->lost_stream, sizeof r->lost_stream, &fault) != ST_OK ||
        !uuid_is_valid(r->lost_stream, strlen(r->lost_stream)) ||
        json_get_int64(data, "first", 1, INT64_MAX / 2, &r->lost_first, &fault) != ST_OK ||
        json_get_int64(data, "last", r->lost_first, INT64_MAX / 2, &r->lost_last, &fault) != ST_OK)
        r->lost_stream[0] = '\0';
    json_decref(message);
}

static void decode(struct record *r, int64_t now_ms)
{
    struct fault fault = {""};
    enum status st;

    if (r->from.columnar || (r->len && (unsigned char)r->payload[0] == 0xc1)) {
        condemn(r, "columnar", "columnar records are not understood by this version");
        return;
    }
    switch (r->from.topic.leaf) {
    case LEAF_STATE:
        st = state_read(&r->state, r->payload, r->len, &fault);
        break;
    case LEAF_TELEMETRY:
        st = telemetry_read(&r->telemetry, r->payload, r->len, &fault);
        r->head = r->telemetry.head;
        break;
    default:
        st = fact_read(&r->fact, r->from.topic.vin, r->from.topic.leaf, r->payload, r->len, &fault);
        r->head = r->fact.head;
        break;
    }
    if (st != ST_OK) {
        condemn(r, r->len > JSON_MAX_BYTES ? "size" : "schema", fault.text);
        return;
    }
    if (r->from.topic.leaf == LEAF_TELEMETRY)
        drop_untimely(r, now_ms);
    read_loss(r);
}

struct record *record_decode(const struct arrival *from, const char *payload, size_t len, int64_t now_ms)
{
    struct record *r = calloc(1, sizeof *r + len + 1);

    if (!r)
        return NULL;
    r->from = *from;
    r->len = len;
    memcpy(r->payload, payload, len);
    telemetry_init(&r->telemetry);
    decode(r, now_ms);
    return r;
}

bool record_is_journalled(const struct record *r)
{
    return r->from.topic.leaf != LEAF_STATE;
}

bool record_has_seq(const struct record *r)
{
    return r->head.stream[0] && r->head.seq > 0;
}

bool record_is_urgent(const struct record *r)
{
    return r->from.topic.leaf == LEAF_ALERT || r->from.topic.leaf == LEAF_RESULT;
}

void record_free(struct record *r)
{
    if (!r)
        return;
    telemetry_done(&r->telemetry);
    free(r);
}
