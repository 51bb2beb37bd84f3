/* services/notify/changes.h - the table of changes, read in its order.  The store's thread.
 * Nobody is shown a transaction before all older ones have ended (proto/sql), so what was read once
 * leaves no gap behind it; a long transaction holds up what comes after it. */
#ifndef NOTIFY_CHANGES_H
#define NOTIFY_CHANGES_H

#include "feed.h"
#include "lib/store/postgres.h"

struct changes {
    struct pg *db; /* borrowed */
    bool begun;
    struct cursor read;   /* up to here */
    unsigned connections; /* of the database, when it was last known to be the same one */
};

#define CHANGES_AT_ONCE 500
#define CHANGES_AT_FIRST 2000 /* so many from before we started can be resumed */

struct changes_news {
    bool anew; /* the order begins here: after `floor` */
    struct cursor floor;
    struct cursor present;   /* of the database, at `looked_ms` or later */
    int64_t looked_ms;       /* boot clock */
    struct feed_item *items; /* free() them and their frames, or hand them on */
    size_t n;
    struct cursor upto; /* what was read, frames or not */
    bool more;          /* there is more to be read at once */
};

/* What came after what was read.  Statuses as pg_run.  It counts as read once changes_took says so:
 * else it comes again. */
enum status changes_read(struct changes *c, struct changes_news *out,
                         struct fault *fault) MUST_CHECK;
void changes_took(struct changes *c, const struct changes_news *news);
void changes_hand_on(struct changes_news *news, struct feed *to); /* any thread: the feed's */
void changes_drop(struct changes_news *news);                     /* frees all of it */

#endif
