/* services/ingest/car/layout.c - a line per value: its name, its kind, where it lies. */
#include "layout.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MOST ((size_t)1 << 20)
#define LEAVES_MOST 4096

static bool is_little(void)
{
    const uint16_t order = 1;

    return *(const unsigned char *)&order == 1;
}

/* ---- making */
static struct layout_leaf *add_leaf(struct layout *l)
{
    if (l->n == l->room) {
        size_t room = l->room ? 2 * l->room : 256;
        struct layout_leaf *more = realloc(l->leaf, room * sizeof *more);

        if (!more || room > LEAVES_MOST) {
            l->leaf = more ? more : l->leaf;
            return NULL;
        }
        l->leaf = more;
        l->room = room;
    }
    memset(&l->leaf[l->n], 0, sizeof l->leaf[l->n]);
    return &l->leaf[l->n++];
}

static bool add_members(struct layout *l, const struct layout_member *members,
                        const struct layout_leaf *in)
{
    for (const struct layout_member *m = members; m->name; m++) {
        struct layout_leaf leaf = *in, *added;
        int len = snprintf(leaf.name, sizeof leaf.name, "%s%s%s", in->name, *in->name ? "." : "",
                           m->name);

        if (len < 0 || (size_t)len >= sizeof leaf.name)
            return false;
        leaf.at += m->at;
        if (m->n > 0 && leaf.dims == LAYOUT_DIMS)
            return false;
        if (m->n > 0) {
            leaf.dim[leaf.dims].n = m->n;
            leaf.dim[leaf.dims++].stride = m->size;
        }
        if (m->of) {
            if (!add_members(l, m->of, &leaf))
                return false;
            continue;
        }
        leaf.kind = m->kind;
        leaf.size = m->size;
        leaf.most = m->most;
        if ((added = add_leaf(l)) == NULL)
            return false;
        *added = leaf;
    }
    return true;
}

bool layout_make(struct layout *l, const struct layout_member *members, size_t size)
{
    const struct layout_leaf whole = {.pair = SIZE_MAX};

    l->n = 0;
    l->size = size;
    return add_members(l, members, &whole);
}

void layout_done(struct layout *l)
{
    free(l->leaf);
    *l = (struct layout){0};
}

/* ---- as text */
void layout_print(const struct layout *l, int age, struct text *out)
{
    text_print(out, "%d %s %zu\n", age, is_little() ? "little" : "big", l->size);
    for (size_t i = 0; i < l->n; i++) {
        const struct layout_leaf *leaf = &l->leaf[i];

        text_print(out, "%s %c %zu %zu %zu", leaf->name, leaf->kind, leaf->at, leaf->size,
                   leaf->most);
        for (size_t d = 0; d < leaf->dims; d++)
            text_print(out, " %zu*%zu", leaf->dim[d].n, leaf->dim[d].stride);
        text_print(out, "\n");
    }
}

/* A number up to SIZE_MOST behind `before`. */
static bool scan_number(const char **at, char before, size_t *out)
{
    char *end;
    unsigned long value;

    if (**at != before || (*at)[1] < '0' || (*at)[1] > '9')
        return false;
    value = strtoul(*at + 1, &end, 10);
    *at = end;
    *out = value;
    return value <= SIZE_MOST;
}

static bool lies_within(const struct layout_leaf *leaf, size_t size)
{
    size_t end = leaf->at + leaf->size;

    for (size_t d = 0; d < leaf->dims; d++) {
        if (leaf->dim[d].n == 0 || leaf->dim[d].n > SIZE_MOST)
            return false;
        end += (leaf->dim[d].n - 1) * leaf->dim[d].stride;
    }
    return end <= size;
}

static bool is_sound(const struct layout_leaf *leaf)
{
    switch (leaf->kind) {
    case 'b':
        return leaf->size == 1;
    case 'i':
    case 'u':
    case 'e':
        return leaf->size == 1 || leaf->size == 2 || leaf->size == 4 || leaf->size == 8;
    case 'f':
    case 'n':
        return leaf->size == 4 || leaf->size == 8;
    case 't':
        return leaf->size > 0;
    default:
        return false;
    }
}

static bool scan_leaf(struct layout_leaf *leaf, const char **at, size_t size)
{
    size_t len = strcspn(*at, " \n");

    if (len == 0 || len > LAYOUT_NAME_MAX || (*at)[len] != ' ' || (*at)[len + 1] == '\0')
        return false;
    memcpy(leaf->name, *at, len);
    leaf->kind = (*at)[len + 1];
    *at += len + 2;
    if (!scan_number(at, ' ', &leaf->at) || !scan_number(at, ' ', &leaf->size) ||
        !scan_number(at, ' ', &leaf->most))
        return false;
    while (**at == ' ') {
        if (leaf->dims == LAYOUT_DIMS || !scan_number(at, ' ', &leaf->dim[leaf->dims].n) ||
            !scan_number(at, '*', &leaf->dim[leaf->dims].stride))
            return false;
        leaf->dims++;
    }
    return *(*at)++ == '\n' && is_sound(leaf) && lies_within(leaf, size);
}

bool layout_scan(struct layout *l, int age, const char *text)
{
    char head[32];
    int len = snprintf(head, sizeof head, "%d %s", age, is_little() ? "little" : "big");
    const char *at = text + len;

    l->n = 0;
    if (strncmp(text, head, (size_t)len) != 0 || !scan_number(&at, ' ', &l->size) || l->size == 0 ||
        *at++ != '\n')
        return false;
    while (*at) {
        struct layout_leaf *leaf = add_leaf(l);

        if (!leaf || !scan_leaf(leaf, &at, l->size))
            return false;
    }
    return true;
}

int64_t layout_number(const char *text, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    hash &= INT64_MAX;
    return hash ? (int64_t)hash : 1;
}

/* ---- one in the other */
static bool is_whole(char kind)
{
    return kind == 'b' || kind == 'i' || kind == 'u' || kind == 'e';
}

static bool can_become(const struct layout_leaf *to, const struct layout_leaf *from)
{
    if (to->dims != from->dims)
        return false;
    if (is_whole(to->kind))
        return is_whole(from->kind);
    if (to->kind == 't')
        return from->kind == 't';
    return from->kind != 't';
}

bool layout_pair(struct layout *to, const struct layout *from)
{
    for (size_t i = 0; i < to->n; i++) {
        struct layout_leaf *leaf = &to->leaf[i];
        size_t j = 0;

        while (j < from->n && strcmp(from->leaf[j].name, leaf->name) != 0)
            j++;
        leaf->pair = j < from->n ? j : SIZE_MAX;
        if (j < from->n && !can_become(leaf, &from->leaf[j]))
            return false;
    }
    return true;
}

/* ---- values */
struct whole {
    bool below; /* 0 */
    uint64_t value;
};

static struct whole read_whole(const struct layout_leaf *leaf, const char *from)
{
    bool is_signed = leaf->kind == 'i';
    uint64_t value = 0;
    unsigned char byte;

    for (size_t i = 0; i < leaf->size; i++) { /* from the greatest on */
        memcpy(&byte, from + (is_little() ? leaf->size - 1 - i : i), 1);
        if (i == 0 && is_signed && (byte & 0x80))
            value = UINT64_MAX;
        value = value << 8 | byte;
    }
    return (struct whole){is_signed && (value >> 63), value};
}

static bool write_whole(const struct layout_leaf *leaf, struct whole w, char *to)
{
    unsigned bits = (unsigned)(8 * leaf->size);
    uint64_t most = leaf->kind == 'b'   ? 1
                    : leaf->kind == 'e' ? leaf->most
                    : leaf->kind == 'i' ? UINT64_MAX >> (65 - bits)
                                        : UINT64_MAX >> (64 - bits);

    if (w.below ? leaf->kind != 'i' || ~w.value > most : w.value > most)
        return false;
    for (size_t i = 0; i < leaf->size; i++) {
        unsigned char byte = (unsigned char)(w.value >> (8 * i));

        memcpy(to + (is_little() ? i : leaf->size - 1 - i), &byte, 1);
    }
    return true;
}

static void write_float(const struct layout_leaf *leaf, double value, char *to)
{
    float less = (float)value;

    memcpy(to, leaf->size == sizeof less ? (void *)&less : (void *)&value, leaf->size);
}

static double read_float(const struct layout_leaf *leaf, const char *from)
{
    struct whole w;
    float less;
    double value;

    if (is_whole(leaf->kind)) {
        w = read_whole(leaf, from);
        return w.below ? -(double)(~w.value) - 1 : (double)w.value;
    }
    if (leaf->size == sizeof value) {
        memcpy(&value, from, sizeof value);
        return value;
    }
    memcpy(&less, from, sizeof less);
    return less;
}

static bool is_zero(const char *bytes, size_t n)
{
    while (n > 0 && bytes[n - 1] == 0)
        n--;
    return n == 0;
}

static bool convert_one(const struct layout_leaf *to, char *to_at, const struct layout_leaf *from,
                        const char *from_at)
{
    size_t common = to->size < from->size ? to->size : from->size;

    if (is_whole(to->kind))
        return write_whole(to, read_whole(from, from_at), to_at);
    if (to->kind != 't') {
        write_float(to, read_float(from, from_at), to_at);
        return true;
    }
    memcpy(to_at, from_at, common);
    return is_zero(from_at + common, from->size - common);
}

/* Of elements that find no room. */
static bool says_nothing(const struct layout_leaf *leaf, const char *at, size_t dim)
{
    if (dim == leaf->dims)
        return is_zero(at, leaf->size);
    for (size_t i = 0; i < leaf->dim[dim].n; i++)
        if (!says_nothing(leaf, at + i * leaf->dim[dim].stride, dim + 1))
            return false;
    return true;
}

static bool convert_leaf(const struct layout_leaf *to, char *to_at, const struct layout_leaf *from,
                         const char *from_at, size_t dim)
{
    if (dim == to->dims)
        return convert_one(to, to_at, from, from_at);
    for (size_t i = 0; i < from->dim[dim].n; i++) {
        const char *element = from_at + i * from->dim[dim].stride;

        if (i < to->dim[dim].n
                ? !convert_leaf(to, to_at + i * to->dim[dim].stride, from, element, dim + 1)
                : !says_nothing(from, element, dim + 1))
            return false;
    }
    return true;
}

static void begin_leaf(const struct layout_leaf *to, char *at, size_t dim)
{
    if (dim == to->dims) {
        write_float(to, (double)NAN, at);
        return;
    }
    for (size_t i = 0; i < to->dim[dim].n; i++)
        begin_leaf(to, at + i * to->dim[dim].stride, dim + 1);
}

bool layout_convert(void *to_bytes, const struct layout *to, const void *from_bytes,
                    const struct layout *from)
{
    char *out = to_bytes;
    const char *in = from_bytes;

    memset(out, 0, to->size);
    for (size_t i = 0; i < to->n; i++) {
        const struct layout_leaf *leaf = &to->leaf[i];

        if (leaf->pair == SIZE_MAX) {
            if (leaf->kind == 'n')
                begin_leaf(leaf, out + leaf->at, 0);
        } else if (!convert_leaf(leaf, out + leaf->at, &from->leaf[leaf->pair],
                                 in + from->leaf[leaf->pair].at, 0)) {
            return false;
        }
    }
    return true;
}
