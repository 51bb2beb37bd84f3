/* services/ingest/record/session.c */
#include "session.h"

#include <pthread.h>
#include <stdio.h>

#include "lib/text.h"

static char token[9];

static void make_token(void)
{
    unsigned char random[4];

    text_random(random, sizeof random);
    text_hex(token, random, sizeof random);
}

enum status session_open(struct pg **out, const char *conninfo, const char *part,
                         struct fault *fault)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char name[64]; /* PostgreSQL keeps 63 */

    pthread_once(&once, make_token);
    snprintf(name, sizeof name, "vigie-ingest-%.32s %s", part, token);
    return pg_open(out, conninfo, name, fault);
}
