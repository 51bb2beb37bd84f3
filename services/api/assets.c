/* services/api/assets.c - what a browser gets for a path. */
#include "assets.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILES_MOST 4096

struct assets {
    struct asset *items;
    size_t count;
};

static const char *type_of(const char *path)
{
    static const struct {
        const char *end, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".json", "application/json"},
        {".map", "application/json"},
        {".geojson", "application/geo+json"},
        {".topojson", "application/json"},
        {".webmanifest", "application/manifest+json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".ico", "image/x-icon"},
        {".webp", "image/webp"},
        {".woff2", "font/woff2"},
        {".wasm", "application/wasm"},
        {".pbf", "application/x-protobuf"},
        {".txt", "text/plain; charset=utf-8"},
    };
    size_t len = strlen(path);

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t n = strlen(types[i].end);

        if (len > n && !strcmp(path + len - n, types[i].end))
            return types[i].type;
    }
    return "application/octet-stream";
}

enum status assets_new(struct assets **out, struct fault *fault)
{
    struct assets *a = calloc(1, sizeof *a);

    if (a)
        a->items = calloc(FILES_MOST, sizeof *a->items);
    if (!a || !a->items) {
        free(a);
        return fault_set(fault, ST_FATAL, "out of memory");
    }
    *out = a;
    return ST_OK;
}

size_t assets_count(const struct assets *a)
{
    return a->count;
}

static struct asset *find(const struct assets *a, const char *path)
{
    for (size_t i = 0; i < a->count; i++)
        if (!strcmp(a->items[i].path, path))
            return &a->items[i];
    return NULL;
}

enum status assets_add(struct assets *a, const char *path, enum coding coding, const char *bytes,
                       size_t len, struct fault *fault)
{
    struct asset *item = find(a, path);
    char *copy = malloc(len + 1);

    if (!copy)
        return fault_set(fault, ST_FATAL, "out of memory");
    memcpy(copy, bytes, len);
    copy[len] = '\0';
    if (!item) {
        if (a->count == FILES_MOST || strlen(path) >= sizeof item->path) {
            free(copy);
            return fault_set(fault, ST_REJECT, "more than %d files, or a path too long: %s",
                             FILES_MOST, path);
        }
        item = &a->items[a->count++];
        snprintf(item->path, sizeof item->path, "%s", path);
        item->type = type_of(path);
        item->immutable = !strncmp(path, "/assets/", 8);
    }
    if (coding == CODING_NONE) {
        unsigned char hash[SHA256_DIGEST_LENGTH];

        SHA256((const unsigned char *)bytes, len, hash);
        text_hex(item->etag, hash, 16);
    }
    free(item->as[coding].bytes);
    item->as[coding].bytes = copy;
    item->as[coding].len = len;
    return ST_OK;
}

void assets_close(struct assets *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->count; i++)
        for (int c = 0; c < CODING_COUNT; c++)
            free(a->items[i].as[c].bytes);
    free(a->items);
    free(a);
}

/* ---- decisions */

/* Is `name` in the list with a weight above nothing? */
static bool coding_accepted(const char *list, const char *name)
{
    size_t want = strlen(name);

    for (const char *at = list; *at;) {
        size_t n, entry;
        const char *q;

        at += strspn(at, " \t,");
        entry = strcspn(at, ",");
        n = strcspn(at, "; \t,");
        if (n == want && !strncasecmp(at, name, n)) {
            q = memmem(at, entry, "q=", 2);
            return !q || strtod(q + 2, NULL) > 0;
        }
        at += entry;
    }
    return false;
}

enum coding coding_choose(const char *accept_encoding, bool has_brotli, bool has_gzip)
{
    if (has_brotli && coding_accepted(accept_encoding, "br"))
        return CODING_BROTLI;
    if (has_gzip && coding_accepted(accept_encoding, "gzip"))
        return CODING_GZIP;
    return CODING_NONE;
}

/* Up to 15 digits; how many there were is told, so that "none" is not zero. */
static size_t read_size(const char *text, size_t *out)
{
    size_t n = 0;

    *out = 0;
    for (; n < 15 && text[n] >= '0' && text[n] <= '9'; n++)
        *out = *out * 10 + (size_t)(text[n] - '0');
    return n;
}

enum status range_parse(const char *header, size_t len, size_t *first, size_t *last)
{
    const char *at = header + 6;
    size_t from = 0, to = 0, from_digits, to_digits;

    if (strncmp(header, "bytes=", 6) != 0 || strchr(header, ','))
        return ST_NONE;
    from_digits = read_size(at, &from);
    at += from_digits;
    if (*at++ != '-')
        return ST_NONE;
    to_digits = read_size(at, &to);
    if (at[to_digits] || (!from_digits && !to_digits) || (from_digits && to_digits && to < from))
        return ST_NONE;
    if (!from_digits) { /* the last `to` bytes */
        if (!to || !len)
            return ST_REJECT;
        from = to < len ? len - to : 0;
        to = len - 1;
    } else if (from >= len) {
        return ST_REJECT;
    } else if (!to_digits || to >= len) {
        to = len - 1;
    }
    *first = from;
    *last = to;
    return ST_OK;
}

bool tag_listed(const char *list, const char *tag)
{
    size_t want = strlen(tag);

    for (const char *at = list; *at;) {
        size_t n;

        at += strspn(at, " \t,");
        if (*at == '*')
            return true;
        if (!strncmp(at, "W/", 2))
            at += 2;
        n = strcspn(at, ",");
        if (n >= want && !strncmp(at, tag, want) && strspn(at + want, " \t") >= n - want)
            return true;
        at += n;
    }
    return false;
}

static bool is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    return !strncmp(path, folder, n) && (path[n] == '/' || !path[n]);
}

/* A file, or index.html for an address inside the app. */
static const struct asset *choose(const struct assets *assets, const struct request *r)
{
    static const char *const not_pages[] = {"/api",   "/assets", "/media",
                                            "/tiles", "/live",   "/.well-known"};
    const struct asset *found = find(assets, strcmp(r->path, "/") ? r->path : "/index.html");

    if (found && found->as[CODING_NONE].bytes)
        return found;
    for (size_t i = 0; i < sizeof not_pages / sizeof *not_pages; i++)
        if (is_below(r->path, not_pages[i]))
            return NULL;
    return accept_names(r->accept, "text/html") ? find(assets, "/index.html") : NULL;
}

static void answer_range(const struct asset *f, const struct request *r, struct answer *a)
{
    size_t len = f->as[CODING_NONE].len, first = 0, last = 0;

    switch (range_parse(r->range, len, &first, &last)) {
    case ST_OK:
        a->code = 206;
        a->borrowed += first;
        a->borrowed_len = last - first + 1;
        answer_header(a, "content-range:", "bytes %zu-%zu/%zu", first, last, len);
        break;
    case ST_REJECT:
        answer_problem(a, r, 416, "range", "The file has no such bytes.");
        answer_header(a, "content-range:", "bytes */%zu", len);
        break;
    default: /* not a range we know: the whole file, as RFC 9110 allows */
        break;
    }
}

static void answer_file(const struct asset *f, const struct request *r, struct answer *a)
{
    static const char *const names[] = {"", "br", "gzip"};
    enum coding coding = CODING_NONE;
    char tag[64];

    if (!r->range[0])
        coding = coding_choose(r->accept_encoding, f->as[CODING_BROTLI].bytes != NULL,
                               f->as[CODING_GZIP].bytes != NULL);
    snprintf(tag, sizeof tag, "\"%s%s%s\"", f->etag, coding ? "-" : "", names[coding]);
    a->is_page = true;
    a->content_type = f->type;
    answer_header(a, "etag:", "%s", tag);
    answer_header(a, "cache-control:", "%s",
                  f->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    answer_header(a, "vary:", "Accept-Encoding");
    if (r->if_none_match[0] && tag_listed(r->if_none_match, tag)) {
        a->code = 304;
        a->content_type = NULL;
        return;
    }
    a->code = 200;
    a->borrowed = f->as[coding].bytes;
    a->borrowed_len = f->as[coding].len;
    answer_header(a, "accept-ranges:", "bytes");
    if (coding)
        answer_header(a, "content-encoding:", "%s", names[coding]);
    if (r->range[0])
        answer_range(f, r, a);
}

void assets_answer(const struct assets *assets, const struct request *r, struct answer *a)
{
    const struct asset *f;

    if (r->method != METHOD_GET && r->method != METHOD_HEAD) {
        answer_problem(a, r, 405, "method", "Files are only read.");
        answer_header(a, "allow:", "GET, HEAD");
        return;
    }
    f = choose(assets, r);
    if (f) {
        answer_file(f, r, a);
        return;
    }
    if (!assets->count)
        answer_problem(a, r, 503, "not-built", "dashboard not built: make dashboard");
    else
        answer_problem(a, r, 404, "not-found", "There is no such page.");
}
