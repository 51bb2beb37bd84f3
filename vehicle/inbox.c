/* vehicle/inbox.c - see inbox.h. */
#include "inbox.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/metrics.h"
#include "lib/queue.h"
#include "lib/stop.h"

#define INBOX_BYTES (1024 * 1024)
#define INBOX_PAUSE_MS 20

struct inbox {
    struct ring *ring;
    struct metric *dropped;
    unsigned char record[sizeof(uint32_t) + NOTE_BODY_MAX]; /* main's, for taking out */
};

enum status inbox_open(struct inbox **out, struct fault *fault)
{
    struct inbox *in = calloc(1, sizeof *in);
    enum status st;

    if (in == NULL)
        return fault_set(fault, ST_FATAL, "out of memory");
    if ((st = ring_open(&in->ring, INBOX_BYTES, sizeof in->record, fault)) != ST_OK) {
        free(in);
        return st;
    }
    in->dropped = metric_counter("vigie_vehicle_inbox_dropped_total",
                                 "Server messages dropped because main was busy.", NULL);
    *out = in;
    return ST_OK;
}

bool inbox_offer(struct inbox *in, enum note_kind kind, const void *body, size_t len)
{
    uint32_t head = kind;

    if (len <= NOTE_BODY_MAX && ring_push(in->ring, &head, sizeof head, body, len) == ST_OK)
        return true;
    metric_add(in->dropped, NULL, 1);
    return false;
}

void inbox_push(struct inbox *in, enum note_kind kind, const void *body, size_t len)
{
    const struct timespec pause = {0, INBOX_PAUSE_MS * 1000000L};
    uint32_t head = kind;

    while (ring_push(in->ring, &head, sizeof head, body, len) == ST_RETRY && !stop_asked())
        nanosleep(&pause, NULL);
}

bool inbox_take(struct inbox *in, struct note *out, int wait_ms)
{
    uint32_t head;
    size_t len;

    if (ring_pop(in->ring, in->record, sizeof in->record, &len, wait_ms) != ST_OK ||
        len < sizeof head)
        return false;
    memcpy(&head, in->record, sizeof head);
    out->kind = (enum note_kind)head;
    out->len = len - sizeof head;
    memcpy(&out->body, in->record + sizeof head, out->len);
    return true;
}

void inbox_close(struct inbox *in)
{
    if (in == NULL)
        return;
    ring_close(in->ring);
    free(in);
}
