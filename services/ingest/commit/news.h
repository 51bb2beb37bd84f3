/* services/ingest/commit/news.h - what one site has understood, told to the others: NOTIFY `facts`,
 * payload "SITE\nVIN STREAM BYTES 0|1\n...": streams whose facts a group has moved, by how many
 * bytes of records, and whether the vehicle waits for it (urgent).  One thread. */
#ifndef INGEST_NEWS_H
#define INGEST_NEWS_H

#include "marks.h"

#define NEWS_CHANNEL "facts"
#define NEWS_MAX 7900 /* bytes of one payload; PostgreSQL takes 7999 */

/* Tell which facts this group has moved; sent when its transaction commits. */
enum status news_tell(struct marks *m, struct pg *db, const char *site,
                      struct fault *fault) MUST_CHECK;

/* Add the streams of a payload to `m`, unless it is of `site` itself, or they are of shards that
 * are not ours.  ST_REJECT: no such payload; what was added before the wrong line stays. */
enum status news_read(struct marks *m, const char *payload, const char *site, struct duty *duty,
                      struct fault *fault) MUST_CHECK;

#endif
