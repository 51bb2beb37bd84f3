/* services/ingest/wire/connection.h - a thread that keeps a link to one of the brokers: it
 * connects, waits and connects again (lib/brokers), with the options of lib/mqtt.h but no will.  A
 * peer that falls silent is noticed after two keep-alives, of 5 s at least; one whose packets
 * vanish within some four seconds, by TCP, unless it owes us a receipt. */
#ifndef INGEST_WIRE_CONNECTION_H
#define INGEST_WIRE_CONNECTION_H

#include <stdbool.h>

#include "lib/mqtt.h"
#include "link.h"

struct connection;

/* What it is for.  Called by its thread, while a link is up. */
struct connection_work {
    /* After whatever came; `is_new`: the first time on this link. */
    void (*step)(void *self, struct link *link, bool is_new);
    void (*on_answer)(void *self, int packet_id, int reason); /* as link.h has it */
    bool (*is_busy)(void *self); /* a farewell waits for it, for a while; NULL: never */
    void *self;
};

/* As mqtt_open: options are copied, the files are read again at each connect, connecting goes on in
 * the background.  It begins at rest: connection_rest(c, false) lets it dial.  ST_REJECT: bad list,
 * a file is missing or not readable. */
enum status connection_open(struct connection **out, const struct mqtt_options *options,
                            const struct connection_work *work, struct fault *fault) MUST_CHECK;

/* There is something to do: `step` is called soon, if a link is up.  Any thread. */
void connection_wake(struct connection *c);

/* Connect anew, so that a renewed certificate is used; who is busy gets half a second.  Files that
 * cannot be used are told in the log, and the connection stays.  Any thread; returns at once. */
void connection_reload(struct connection *c);

/* Hang up as for a reload and stay away, until told otherwise.  Any thread; returns at once. */
void connection_rest(struct connection *c, bool rest);

bool connection_is_connected(const struct connection *c);

/* Disconnect in an orderly way within half a second, after two for who is busy; free.  While a
 * broker's name is being looked up it waits for that.  No callback comes after it has returned.
 * NULL is fine. */
void connection_close(struct connection *c);

#endif
