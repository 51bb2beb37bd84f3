/* services/ingest/commit/cases.h - alerts as rows, with what people are told of them.  Inside the
 * caller's transaction; one thread.  alert.h decides; here the case is read with its lock, stepped,
 * and written with its outgoing notifications. */
#ifndef INGEST_CASES_H
#define INGEST_CASES_H

#include "lib/store/postgres.h"
#include "proto/alert_change.h"
#include "services/ingest/facts/alert.h"

struct cases;

enum status cases_open(struct cases **out, struct pg *db, struct fault *fault) MUST_CHECK;

/* Where and with what; NaN and "{}" where there is none. */
struct case_about {
    double lat, lon;
    const char *data; /* a JSON object */
    bool found;       /* by us, who say it again when more of it is known; else told by the car */
};

/* Steps of this group, in the order they are given. */
void cases_raise(struct cases *c, const struct alert_raise *raise, const struct case_about *about);
void cases_end(struct cases *c, const struct alert_key *key, int64_t t_ms);
/* It never was so: the case that began then is cleared as corrected. */
void cases_correct(struct cases *c, const struct alert_key *key, int64_t occurred_ms);

/* Their events are written, and those of a vehicle and of these types, n of them, that samples
 * after `after_ms` told were all found again, with their ends: its cases are what they would be had
 * all come in order.  Once a group; `types` live as long as it. */
void cases_again(struct cases *c, const char *vin, const char *const *types, size_t n,
                 int64_t after_ms);

void cases_forget(struct cases *c); /* steps not taken yet, and what was changed */
/* Take them, and forget them. */
enum status cases_write(struct cases *c, int64_t now_ms, struct fault *fault) MUST_CHECK;

/* What the newest cases_write changed, to be told once it is committed; yours until the next. */
const struct alert_change_message *cases_changes(struct cases *c, size_t *n);

void cases_close(struct cases *c); /* NULL is fine */

#endif
