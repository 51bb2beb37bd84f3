/* services/api/render.h - JSON values written into a text.  Pure. */
#ifndef API_RENDER_H
#define API_RENDER_H

#include <stdint.h>

#include "lib/text.h"

void render_text(struct text *out, const char *value); /* quoted and escaped */
void render_double(struct text *out,
                   double value); /* fewest digits that read back the same; not finite: null */
void render_time(struct text *out, int64_t t_ms); /* quoted RFC 3339 UTC */
/* `"key":` with a comma before it unless it is the first member of its object. */
void render_key(struct text *out, const char *key);

#endif
