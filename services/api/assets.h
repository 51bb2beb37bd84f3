/* services/api/assets.h - the built dashboard, read whole at start: no path is joined while
 * serving. Deciding what to answer is pure; reading the folder is the only edge.  Read-only after
 * assets_open: any thread. */
#ifndef API_ASSETS_H
#define API_ASSETS_H

#include <stdbool.h>
#include <stddef.h>

#include "request.h"
#include "respond.h"

enum coding { CODING_NONE, CODING_BROTLI, CODING_GZIP, CODING_COUNT };

struct asset {
    char path[256]; /* "/assets/index-Bx3.js" */
    const char *type;
    char etag[40];  /* of the plain bytes, without quotes; a coding adds its name */
    bool immutable; /* below /assets/: the name changes with the content */
    struct {
        char *bytes; /* NULL: this twin does not exist */
        size_t len;
    } as[CODING_COUNT];
};

struct assets;

/* Read `folder` with its .br and .gz twins.  ST_NONE: no index.html in it, *out is an empty table
 * all the same. */
enum status assets_open(struct assets **out, const char *folder, struct fault *fault) MUST_CHECK;
/* For tests: add one file by hand; bytes are copied. */
enum status assets_add(struct assets *a, const char *path, enum coding coding, const char *bytes,
                       size_t len, struct fault *fault) MUST_CHECK;
/* An empty table. */
enum status assets_new(struct assets **out, struct fault *fault) MUST_CHECK;
size_t assets_count(const struct assets *a);
void assets_close(struct assets *a); /* NULL is fine */

/* Answer a request outside /api.  The body is borrowed from the table. */
void assets_answer(const struct assets *assets, const struct request *r, struct answer *a);

/* The strongest coding both sides have; q=0 refuses one. */
enum coding coding_choose(const char *accept_encoding, bool has_brotli, bool has_gzip);
/* One `bytes=` range over `len` bytes.  ST_NONE: no range of ours, send all; ST_REJECT: 416. */
enum status range_parse(const char *header, size_t len, size_t *first, size_t *last) MUST_CHECK;
/* Does an If-None-Match list hold this tag (with quotes)?  Weak comparison, as RFC 9110 wants here.
 */
bool tag_listed(const char *list, const char *tag);

#endif
