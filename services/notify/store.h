/* services/notify/store.h - the thread that asks PostgreSQL: tickets, who owns which vehicle, and
 * what changed.
 * Answers wait until the event loop takes them; `wake` tells it that there is one. */
#ifndef NOTIFY_STORE_H
#define NOTIFY_STORE_H

#include <stdint.h>

#include "changes.h"
#include "lib/health.h"

struct store;

enum answer_kind { ANSWER_TICKET, ANSWER_FLEET, ANSWER_VEHICLES, ANSWER_CHANGES };

struct answer {
    enum answer_kind kind;
    uint64_t session;   /* ANSWER_TICKET: who asked */
    enum status status; /* ST_OK; ST_REJECT no such ticket; ST_RETRY the database is away */
    char customer[UUID_TEXT + 1], user[UUID_TEXT + 1];
    unsigned kinds;           /* ANSWER_TICKET: of changes its holder may hear of */
    struct vehicle_row *rows; /* ANSWER_FLEET: all vehicles there are, ANSWER_VEHICLES: some that
                               * changed; free() is the taker's */
    size_t row_count;
    struct changes_news news; /* ANSWER_CHANGES: the items are the taker's */
};

struct store_options {
    const char *pg; /* copied */
    struct health *health;
    void (*wake)(void *self); /* any thread */
    void *self;
};

enum status store_start(struct store **out, const struct store_options *options,
                        struct fault *fault) MUST_CHECK;

/* Take a ticket, once and for all: the answer comes later.  ST_RETRY: too many are being asked for.
 */
enum status store_ask_ticket(struct store *s, uint64_t session, const char *ticket,
                             const char *origin) MUST_CHECK;
/* A live message of a VIN nobody knows: read the fleet again soon. */
void store_ask_fleet(struct store *s);

enum status store_take(struct store *s, struct answer *out) MUST_CHECK; /* ST_NONE: nothing there */

/* Once stop was asked for (lib/stop) this takes no longer than the 5 s a connection may take to be
 * made; what was asked and not answered by then is forgotten.  NULL is fine. */
void store_join(struct store *s);

#endif
