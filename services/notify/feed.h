/* services/notify/feed.h - the newest changes (alerts, events, trips, commands, media) in their
 * order, each as the frame it becomes.  Pure but for its memory; the loop's thread.
 * One list for everybody: a client has a cursor, and gets what comes after it that is its own.  Of
 * more than there is room for the oldest go, and whoever had not got them is told so. */
#ifndef NOTIFY_FEED_H
#define NOTIFY_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleet.h"

/* The order of changes: transaction, row.  As text "xid.id". */
struct cursor {
    uint64_t xid, id;
};
#define CURSOR_TEXT 48
bool cursor_read(struct cursor *out, const char *text); /* false: not one */
void cursor_print(char out[CURSOR_TEXT], struct cursor at);
int cursor_compare(struct cursor a, struct cursor b); /* < 0: a comes before b */

enum kind { KIND_ALERT, KIND_EVENT, KIND_TRIP, KIND_COMMAND, KIND_MEDIA, KIND_COUNT };
extern const char *const kind_names[KIND_COUNT];
bool kind_read(enum kind *out, const char *word);
/* "alert,trip": a bit each, 1 << kind; words nobody knows are passed over. */
unsigned kinds_read(const char *words);

struct feed_item {
    struct cursor at;
    enum kind kind;
    char vin[VIN_LEN + 1];
    char customer[UUID_TEXT + 1]; /* whose it was when it was read */
    char *frame;                  /* JSON text; the feed's to free */
};

struct feed;

/* At most `items`, and `bytes` of frames. */
enum status feed_open(struct feed **out, size_t items, size_t bytes,
                      struct fault *fault) MUST_CHECK;
/* All there is from now on comes after `floor`.  Called again: the order began anew (a database
 * that was put back), and no cursor from before means anything. */
void feed_begin(struct feed *f, struct cursor floor);
bool feed_is_begun(const struct feed *f);
unsigned feed_beginnings(const struct feed *f);
/* In order.  The frame is taken, whatever comes of it. */
void feed_add(struct feed *f, const struct feed_item *item);

struct cursor feed_newest(const struct feed *f);
/* Is everything after `at` still here? */
bool feed_holds(const struct feed *f, struct cursor at);

/* The database was looked at: no cursor that was given out by `looked_ms` (boot clock, when the
 * look began) comes after `present`. */
void feed_look(struct feed *f, struct cursor present, int64_t looked_ms);
/* Can a client that came with `at`, heard at `heard_ms`, go on from there?
 *   ST_OK     yes, even where another reader of the database is ahead of us
 *   ST_NONE   no: what came after it is gone, or it is none of this database, which was put back
 *   ST_RETRY  that shows with the next look */
enum status feed_resumes(const struct feed *f, struct cursor at, int64_t heard_ms) MUST_CHECK;

/* What a client wants of it. */
struct feed_reader {
    const char *customer;
    unsigned kinds;
    const struct filter *filter; /* its VINs; a box is about places, and changes tell none */
};

/* The first item after *at that is the reader's, and *at becomes its cursor; NULL: none, and *at
 * becomes the newest. */
const struct feed_item *feed_next(const struct feed *f, const struct fleet *fleet,
                                  const struct feed_reader *reader, struct cursor *at);

void feed_close(struct feed *f); /* NULL is fine */

#endif
