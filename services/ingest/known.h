/* services/ingest/known.h - what the stores have of one vehicle, as far as we were told: enough to
 * drop what comes again before taking it apart.  A hint that may lag behind or be wrong; what is
 * stored is decided by the row in the database.  Pure but for its memory; one thread. */
#ifndef INGEST_KNOWN_H
#define INGEST_KNOWN_H

#include "compact.h"
#include "proto/vin.h"

#define KNOWN_STREAMS_MAX 8 /* an agent has two; each new outbox brings new ones */

struct known_stream {
    unsigned char id[16];
    struct compact mark;
};

struct known { /* all zero to begin with; the stream told last is last */
    struct known_stream *streams;
    size_t count;
};

bool known_has(const struct known *k, const char *stream, int64_t seq);
/* `mark` is what the database has of `stream` now, be it more or less than before.  Without memory
 * nothing changes but that the stream may be forgotten. */
void known_learn(struct known *k, const char *stream, const struct watermark *mark);
void known_done(struct known *k);

/* The same told from one thread to another: by pointer, which passes on with the note. */
struct known_note {
    char vin[VIN_LEN + 1];
    char stream[UUID_TEXT + 1];
    struct compact mark;
};

struct known_note *known_note_make(const char *vin, const char *stream,
                                   const struct watermark *mark); /* NULL: no memory */
void known_note_free(struct known_note *note);                    /* NULL is fine */

#endif
