/* services/ingest/car/pack.c - pairs of counts, zero words and others, each followed by the others.
 */
#include "pack.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WORD 8
#define COUNT_MAX UINT16_MAX

static bool is_zero(const char *word)
{
    uint64_t value;

    memcpy(&value, word, WORD);
    return value == 0;
}

/* Eight words at once: most of a state is zero. */
static bool are_zero(const char *words)
{
    uint64_t value[8], any = 0;

    memcpy(value, words, sizeof value);
    for (int i = 0; i < 8; i++)
        any |= value[i];
    return any == 0;
}

static size_t zeros(const char *from, const char *end)
{
    size_t n = 0;

    while (end - from >= 8 * WORD && n + 8 <= COUNT_MAX && are_zero(from)) {
        from += (ptrdiff_t)8 * WORD;
        n += 8;
    }
    while (from < end && n < COUNT_MAX && is_zero(from)) {
        from += WORD;
        n++;
    }
    return n;
}

/* A zero or two between others cost less than two more counts. */
static size_t others(const char *from, const char *end)
{
    size_t n = 0, behind = 0; /* zeros at its end */

    while (from < end && n < COUNT_MAX && behind < 3) {
        behind = is_zero(from) ? behind + 1 : 0;
        from += WORD;
        n++;
    }
    return n - behind;
}

void pack_add(struct text *out, const void *bytes, size_t len)
{
    const char *at = bytes, *end = at + len / WORD * WORD;

    while (at < end) {
        uint16_t counts[2];

        counts[0] = (uint16_t)zeros(at, end);
        at += counts[0] * (size_t)WORD;
        counts[1] = (uint16_t)others(at, end);
        text_add(out, (const char *)counts, sizeof counts);
        text_add(out, at, counts[1] * (size_t)WORD);
        at += counts[1] * (size_t)WORD;
    }
}

bool pack_read(void *out, size_t len, const char *packed, size_t packed_len)
{
    char *at = out, *end = at + len / WORD * WORD;
    const char *from = packed, *from_end = packed + packed_len;

    while (at < end) {
        uint16_t counts[2];
        size_t zero, other;

        if ((size_t)(from_end - from) < sizeof counts)
            return false;
        memcpy(counts, from, sizeof counts);
        from += sizeof counts;
        zero = counts[0] * (size_t)WORD;
        other = counts[1] * (size_t)WORD;
        if (zero + other > (size_t)(end - at) || other > (size_t)(from_end - from) ||
            zero + other == 0)
            return false;
        memset(at, 0, zero);
        memcpy(at + zero, from, other);
        at += zero + other;
        from += other;
    }
    return from == from_end;
}
