/* services/api/dispatch.h - what goes to vehicles: commands (down/command, QoS 1, with an expiry)
 * and configurations (down/config, retained); the end of commands whose time is over; and the
 * deny list of the site's broker, by which those that are sent away go (barred.h).  One thread with
 * a PostgreSQL connection and an MQTT client of its own.
 *
 * A command is `sent` once the broker has confirmed it; without a broker it stays `queued`.  Those
 * of one vehicle go out in the order they were asked for.  Vehicles keep no session at the broker,
 * so what was sent and not answered goes out again when the vehicle says it is online (ingest's
 * NOTIFY vehicle), and every 30 s: a vehicle does each id once.  Any number of instances may run
 * beside each other, at both sites: rows are taken with FOR UPDATE SKIP LOCKED. */
#ifndef API_DISPATCH_H
#define API_DISPATCH_H

#include "shared.h"

struct dispatch;

/* Without --mqtt only times are looked after.  ST_REJECT: a broker or a file that cannot be used.
 */
enum status dispatch_start(struct dispatch **out, const struct shared *shared,
                           struct fault *fault) MUST_CHECK;
void dispatch_reload(struct dispatch *d); /* the certificate was renewed */
void dispatch_join(struct dispatch *d);   /* NULL is fine */

#endif
