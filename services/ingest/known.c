/* services/ingest/known.c - a handful of streams per vehicle: searched from the newest. */
#include "known.h"

#include <stdlib.h>
#include <string.h>

#include "lib/text.h"

static struct known_stream *find(const struct known *k, const char *stream)
{
    unsigned char id[16];

    if (k->count == 0 || !uuid_scan(id, stream))
        return NULL;
    for (size_t i = k->count; i-- > 0;)
        if (memcmp(k->streams[i].id, id, sizeof id) == 0)
            return &k->streams[i];
    return NULL;
}

bool known_has(const struct known *k, const char *stream, int64_t seq)
{
    const struct known_stream *s = find(k, stream);

    return s && compact_has(&s->mark, seq);
}

static void forget(struct known *k, struct known_stream *s)
{
    size_t at = (size_t)(s - k->streams);

    compact_done(&s->mark);
    memmove(s, s + 1, (k->count - at - 1) * sizeof *s);
    k->count--;
}

/* A place at the end, where the one told least recently makes room if need be; NULL: no memory. */
static struct known_stream *append(struct known *k, const char *stream)
{
    struct known_stream *more, new = {0};

    if (!uuid_scan(new.id, stream))
        return NULL;
    if (k->count == KNOWN_STREAMS_MAX)
        forget(k, &k->streams[0]);
    more = realloc(k->streams, (k->count + 1) * sizeof *more);
    if (!more)
        return NULL;
    k->streams = more;
    k->streams[k->count] = new;
    return &k->streams[k->count++];
}

void known_learn(struct known *k, const char *stream, const struct watermark *mark)
{
    struct known_stream *s = find(k, stream);

    if (s && s != &k->streams[k->count - 1]) {
        struct known_stream told = *s;
        size_t at = (size_t)(s - k->streams);

        memmove(s, s + 1, (k->count - at - 1) * sizeof *s);
        s = &k->streams[k->count - 1];
        *s = told;
    }
    if (!s)
        s = append(k, stream);
    if (s && !compact_set(&s->mark, mark))
        forget(k, s);
}

void known_done(struct known *k)
{
    for (size_t i = 0; i < k->count; i++)
        compact_done(&k->streams[i].mark);
    free(k->streams);
    *k = (struct known){0};
}

struct known_note *known_note_make(const char *vin, const char *stream,
                                   const struct watermark *mark)
{
    struct known_note *note = calloc(1, sizeof *note);

    if (!note)
        return NULL;
    text_copy(note->vin, sizeof note->vin, vin);
    text_copy(note->stream, sizeof note->stream, stream);
    if (compact_set(&note->mark, mark))
        return note;
    free(note);
    return NULL;
}

void known_note_free(struct known_note *note)
{
    if (!note)
        return;
    compact_done(&note->mark);
    free(note);
}
