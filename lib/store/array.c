/* lib/store/array.c - PostgreSQL's binary array format, for `unnest`: int32 dimensions, flags,
 * element type, length, lower bound, then int32 length and bytes of each element, all in network
 * order (array_recv in the server). */
#include "lib/store/postgres.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text.h"

#define HEAD_BYTES 20
#define HEAD_BYTES_EMPTY 12
#define JSONB_VERSION 1

static void put32(char *to, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        to[i] = (char)(v >> (24 - 8 * i));
}

static void put64(char *to, uint64_t v)
{
    put32(to, (uint32_t)(v >> 32));
    put32(to + 4, (uint32_t)v);
}

/* Room for `more` bytes at the end; NULL when there is none. */
static char *grow(struct pg_array *a, size_t more)
{
    size_t room = a->room ? a->room : 1024;
    char *bytes;

    if (a->failed)
        return NULL;
    while (room - a->len < more)
        room *= 2;
    if (room > INT32_MAX) { /* the protocol's own limit of one parameter */
        a->failed = true;
        return NULL;
    }
    if (room != a->room) {
        bytes = realloc(a->bytes, room);
        if (!bytes) {
            a->failed = true;
            return NULL;
        }
        a->bytes = bytes;
        a->room = room;
    }
    a->len += more;
    return a->bytes + a->len - more;
}

/* The place of a new element of `len` bytes. */
static char *add(struct pg_array *a, size_t len)
{
    char *at;

    if (len > INT32_MAX / 2) {
        a->failed = true;
        return NULL;
    }
    at = grow(a, 4 + len);
    if (!at)
        return NULL;
    put32(at, (uint32_t)len);
    a->count++;
    return at + 4;
}

void pg_array_begin(struct pg_array *a, Oid element)
{
    a->len = 0;
    a->count = 0;
    a->failed = a->has_null = false;
    a->element = element;
    grow(a, HEAD_BYTES);
}

void pg_array_int8(struct pg_array *a, int64_t v)
{
    char *at = add(a, 8);

    if (at)
        put64(at, (uint64_t)v);
}

void pg_array_int2(struct pg_array *a, int16_t v)
{
    char *at = add(a, 2);

    if (!at)
        return;
    at[0] = (char)((uint16_t)v >> 8);
    at[1] = (char)v;
}

void pg_array_float8(struct pg_array *a, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    pg_array_int8(a, (int64_t)bits);
}

void pg_array_text(struct pg_array *a, const char *bytes, size_t len)
{
    char *at = add(a, len);

    if (at && len > 0)
        memcpy(at, bytes, len);
}

void pg_array_jsonb(struct pg_array *a, const char *bytes, size_t len)
{
    char *at = add(a, 1 + len);

    if (!at)
        return;
    at[0] = JSONB_VERSION;
    if (len > 0)
        memcpy(at + 1, bytes, len);
}

void pg_array_uuid(struct pg_array *a, const char *text36)
{
    static const size_t starts[] = {0, 9, 14, 19, 24}, digits[] = {8, 4, 4, 4, 12};
    char *at = add(a, 16);
    bool read = strlen(text36) == 36;

    for (size_t i = 0; at && read && i < 5; i++) {
        const char *group = text36 + starts[i];

        read = text_unhex((unsigned char *)at, group, digits[i]) &&
               (i == 4 || group[digits[i]] == '-');
        at += digits[i] / 2;
    }
    if (!read)
        a->failed = true;
}

void pg_array_null(struct pg_array *a)
{
    char *at = grow(a, 4);

    if (!at)
        return;
    put32(at, UINT32_MAX); /* -1 */
    a->has_null = true;
    a->count++;
}

Oid pg_array_type(const struct pg_array *a)
{
    static const Oid of[][2] = {{PG_INT2, 1005},   {PG_INT8, 1016},  {PG_TEXT, 1009},
                                {PG_FLOAT8, 1022}, {PG_BYTEA, 1001}, {PG_UUID, 2951},
                                {PG_JSONB, 3807}}; /* pg_type.typarray */

    for (size_t i = 0; i < sizeof of / sizeof *of; i++)
        if (of[i][0] == a->element)
            return of[i][1];
    return 0; /* the server works it out, or refuses */
}

void pg_array_end(struct pg_array *a)
{
    if (a->failed)
        return;
    put32(a->bytes, a->count > 0); /* dimensions: an empty array has none */
    put32(a->bytes + 4, a->has_null);
    put32(a->bytes + 8, a->element);
    if (a->count == 0) {
        a->len = HEAD_BYTES_EMPTY;
        return;
    }
    put32(a->bytes + 12, (uint32_t)a->count);
    put32(a->bytes + 16, 1); /* lower bound */
}

int64_t pg_get_int8(const PGresult *rows, int row, int column)
{
    const unsigned char *at = (const unsigned char *)PQgetvalue(rows, row, column);
    uint64_t v = 0;

    for (int i = 0; i < 8 && PQgetlength(rows, row, column) == 8; i++)
        v = v << 8 | at[i];
    return (int64_t)v;
}

int64_t pg_text_int8(const PGresult *rows, int row, int column)
{
    return strtoll(PQgetvalue(rows, row, column), NULL, 10);
}

double pg_text_float8(const PGresult *rows, int row, int column)
{
    return PQgetisnull(rows, row, column) ? (double)NAN
                                          : strtod(PQgetvalue(rows, row, column), NULL);
}

#define UNIX_SECONDS_2000 946684800LL /* PostgreSQL counts microseconds from there */

int64_t pg_get_time_ms(const PGresult *rows, int row, int column)
{
    int64_t us = pg_get_int8(rows, row, column), ms = us / 1000, rest = us % 1000;

    if (PQgetisnull(rows, row, column))
        return 0;
    return ms + (rest >= 500) - (rest < -500) + UNIX_SECONDS_2000 * 1000;
}

void pg_array_done(struct pg_array *a)
{
    free(a->bytes);
    memset(a, 0, sizeof *a);
}
