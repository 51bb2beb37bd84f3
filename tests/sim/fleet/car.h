/* tests/sim/fleet/car.h - one car: connects, publishes its records within a window, listens to
 * down/ack and sends again what is not acknowledged.  One thread. */
#ifndef FLEET_CAR_H
#define FLEET_CAR_H

#include <stdio.h>

#include "drive.h"
#include "proto/ack.h"
#include "proto/topic.h"
#include "wire.h"

#define FLEET_SITES_MAX 4

struct fleet { /* what all cars share */
    struct drive_plan plan;
    struct broker {
        char host[64];
        int port;
    } brokers[FLEET_SITES_MAX]; /* the next one when a connection breaks */
    size_t broker_count;
    char sites[FLEET_SITES_MAX][32]; /* all of them must have a record; none: any ack is enough */
    size_t site_count;
    int qos;
    SSL_CTX *tls;               /* NULL: plain TCP */
    const char *certs;          /* certs/VIN/{cert,key}.pem */
    int64_t records;            /* per car */
    int64_t every_ms;           /* between two records of a car; 0: as fast as the window lets */
    size_t window_bytes;        /* unacknowledged, per car */
    int64_t silence_ms;         /* nothing acknowledged for so long: it sends again */
    bool heeds_acks;            /* false: PUBACK is all it waits for */
    double duplicate, disorder; /* shares of records, 0 .. 1 */
    bool alerts;                /* records are alerts, of a stream of their own */
    FILE *ledger;               /* what was acknowledged, see README.md; may be NULL */
    struct telemetry scratch;
    struct tally {
        int64_t connected, lost, sent, bytes, acked, resent, acks;
        int64_t lag_ms[10001]; /* acks by how long they took; the last: longer */
    } tally;
};

#define CAR_SENT 256 /* sending times remembered: more records than fit into a window */

struct car {
    struct fleet *fleet;
    unsigned number;
    char vin[VIN_LEN + 1], stream[UUID_TEXT + 1], topic[TOPIC_MAX];
    struct wire wire;
    bool live;                               /* subscribed: may publish */
    struct watermark sites[FLEET_SITES_MAX]; /* what each has acknowledged */
    struct watermark mark;                   /* what all of them have */
    size_t broker;                           /* which one it is at */
    int64_t last;                            /* record it makes */
    int64_t next, highest;                   /* seq to send next; highest sent so far */
    int64_t due_ms, progress_ms, spoke_ms, retry_ms;
    int64_t silence_ms;             /* how long it bears none now */
    unsigned packet_id, unanswered; /* QoS 1 */
    size_t record_bytes;            /* of the last one */
    uint32_t sent_ms[CAR_SENT];     /* by seq, low bits of the clock */
    bool watched_out;               /* what epoll was told */
};

enum status car_open(struct car *c, struct fleet *fleet, unsigned number, const char *vin,
                     const char *run, struct fault *fault) MUST_CHECK;
/* Connect, or connect again.  ST_RETRY: later. */
enum status car_connect(struct car *c, int64_t now_ms, struct fault *fault) MUST_CHECK;
/* Read what came, if the socket is `ready`, and send what may be sent.  When to call again though
 * nothing comes, in ms as `now_ms`. */
int64_t car_step(struct car *c, bool ready, int64_t now_ms);
/* Make no more records; those made are still seen through. */
void car_end(struct car *c);
bool car_is_done(const struct car *c);
void car_close(struct car *c);

#endif
