/* vehicle/sender.h - publishes from the outbox: urgent first, then the newest, then the backlog
 * from the oldest, within a window of unacknowledged bytes and a rate.  Only an ack frees; after
 * long silence it all goes again. Main thread only. */
#ifndef VEHICLE_SENDER_H
#define VEHICLE_SENDER_H

#include "ledger.h"
#include "lib/mqtt.h"
#include "outbox.h"

#define SENDER_BULK_BYTES (256 * 1024)
#define SENDER_BULK_RESERVE                                                                        \
    (32 * 1024) /* of it, for the newest: a backlog never delays the live view */
#define SENDER_URGENT_BYTES (8 * 1024)
#define SENDER_SILENCE_MS 30000 /* without progress: send again, then ever more rarely ... */
#define SENDER_SILENCE_MAX_MS 600000
#define SENDER_ACK_WAIT_MS                                                                         \
    2000 /* after connecting, the backlog waits so long for the server to say what it has */

struct sender;

/* Borrows everything; `ledgers` one per stream.  At most `per_s` messages a second and twice as
 * many at once; 0: as many as the window lets. */
enum status sender_open(struct sender **out, const char *vin, struct outbox *outbox,
                        struct ledger *ledgers, int64_t per_s, int64_t boot_ms,
                        struct fault *fault) MUST_CHECK;
void sender_close(struct sender *s); /* NULL is fine */

/* The connection is up again (it was down, or is a new one). */
void sender_connected(struct sender *s, int64_t boot_ms);

/* An ack of this stream was taken by its ledger; `went_back`: the site knows less than before. */
void sender_acked(struct sender *s, enum outbox_stream stream, bool went_back, int64_t boot_ms);

/* The outbox's streams began in this process. */
void sender_streams_are_new(struct sender *s);

/* Does an ack of this stream claim what was never sent although we hold it, or numbers that were
 * never given?  Then the outbox is an old copy that was put back: see outbox_begin_anew.  Never
 * true of streams that began in this process, so at most once in its life. */
bool sender_was_set_back(struct sender *s, enum outbox_stream stream, const struct watermark *mark);

/* The first number of an old copy's stream that goes again: what no required site has, and all
 * above what earlier runs may have sent, since an ack of it may speak of another record. */
int64_t sender_first_in_doubt(const struct sender *s, enum outbox_stream stream);

/* Send what may be sent now.  ST_RETRY: the client takes no more at the moment.  ST_FATAL: the
 * outbox is damaged. */
enum status sender_pump(struct sender *s, struct mqtt *mqtt, int64_t boot_ms,
                        struct fault *fault) MUST_CHECK;

#endif
