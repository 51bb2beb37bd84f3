/* lib/mqtt_inside.h - what the six files of the MQTT client share; nobody else includes it.
 * Paho runs every callback under its own process-wide lock, so mqtt.lock is taken inside that lock
 * and is never held while Paho or the owner is called. */
#ifndef LIB_MQTT_INSIDE_H
#define LIB_MQTT_INSIDE_H

#include <MQTTAsync.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/brokers.h"
#include "lib/mqtt.h"

#define MQTT_UNSENT_BYTES_MAX (4 * 1024 * 1024)
#define MQTT_UNSENT_MESSAGES_MAX 2000
#define MQTT_WINDOW                                                                                \
    32 /* messages of QoS 1 that Paho has: it looks through all of them for each new one */

enum phase { PHASE_DOWN, PHASE_TRYING, PHASE_UP };

struct filter {
    char *text; /* NULL: a free slot */
    int qos;
};

/* What a message or a subscription under way needs when its answer comes. */
struct errand {
    struct mqtt *m;
    size_t bytes;   /* 0: a subscription */
    bool in_window; /* of QoS 1, and Paho has it */
    char what[];
};

/* A message that Paho has not got yet. */
struct waiting {
    STAILQ_ENTRY(waiting) next;
    struct errand *errand;
    struct mqtt_publish message; /* its topic is the errand's, its payload is here */
    char payload[];
};

struct mqtt {
    MQTTAsync client;
    struct mqtt_options options; /* its texts are ours */

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under lock: */
    enum phase phase;
    bool closing, reload, disconnected;
    struct brokers brokers; /* of which the list never changes */
    int64_t pause_ms, up_since_ms;
    int64_t try_since_ms;                /* CLOCK_MONOTONIC */
    char tls_reason[BROKERS_REASON_MAX]; /* what OpenSSL said last */
    struct filter *filters;
    size_t filter_room;
    STAILQ_HEAD(, waiting) waiting; /* in the order they came */
    size_t window;                  /* messages of QoS 1 that Paho has, unanswered */
    size_t connections;             /* that came about so far */
    bool handing;                   /* somebody hands Paho a message: one at a time, or they pass */

    atomic_bool connected;
    atomic_size_t unsent_bytes, unsent_messages;
};

/* lib/mqtt_link.c: the connection and the thread that keeps it. */
int mqtt_link_start(struct mqtt *m); /* sets Paho's callbacks, starts the thread; 0 or not */
void mqtt_link_stop(
    struct mqtt *m); /* joins it, waits for what is unsent, says goodbye; 2 s at most */

/* lib/mqtt_socket.c: what is small goes out although something before it is not answered yet */
void mqtt_send_at_once(const char *broker); /* of the connection that has just come about */

/* lib/mqtt_traffic.c */
void mqtt_ask_for_all(struct mqtt *m); /* every remembered filter, after CONNACK */
struct errand *mqtt_make_errand(struct mqtt *m, const char *what, size_t bytes);
void mqtt_on_done(void *self, MQTTAsync_successData5 *answer); /* self: an errand */
void mqtt_on_failed(void *self, MQTTAsync_failureData5 *answer);
int mqtt_on_arrived(void *self, char *topic, int topic_len, MQTTAsync_message *message);

/* lib/mqtt_publish.c */
void mqtt_settle(struct errand *e); /* it is answered, or will never be: frees it */
void mqtt_hand_on(struct mqtt *m);  /* give Paho what waits and may go; any thread, never blocks */
void mqtt_forget_waiting(struct mqtt *m);

#endif
