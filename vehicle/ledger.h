/* vehicle/ledger.h - what the sites have told us about one stream, and so what may be forgotten and
 * what has to be sent. Pure.  "Settled" = stored at every required site; while no required site is
 * known, stored at any site (good enough not to send it again), but then nothing may be forgotten.
 * "Heard" = stored at any site. */
#ifndef VEHICLE_LEDGER_H
#define VEHICLE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/ack.h"

#define LEDGER_SITES_MAX 8
#define LEDGER_SITE_TEXT 32

struct ledger {
    size_t site_count;
    struct ack sites[LEDGER_SITES_MAX]; /* the newest word of each */
    size_t required_count;
    char required[LEDGER_SITES_MAX][LEDGER_SITE_TEXT];
};

void ledger_init(struct ledger *l);
void ledger_require(struct ledger *l, char (*sites)[LEDGER_SITE_TEXT], size_t count);

/* Take an ack for this stream, of which `given` is the highest number ever given out.
 *   ST_OK news    ST_NONE nothing new    ST_RETRY the site knows less than before: what we still
 * hold goes again ST_REJECT above what we ever sent, or a site too many: ignored */
enum status ledger_take(struct ledger *l, const struct ack *ack, int64_t given) MUST_CHECK;

bool ledger_is_settled(const struct ledger *l, int64_t seq);
bool ledger_is_heard(const struct ledger *l, int64_t seq);

/* The lowest number >= from that is not settled, or not heard. */
int64_t ledger_next_unsettled(const struct ledger *l, int64_t from);
int64_t ledger_next_unheard(const struct ledger *l, int64_t from);

/* The next range at or above `from` that every required site has; false when there is none (or none
 * are required). */
bool ledger_stored_range(const struct ledger *l, int64_t from, struct seq_range *out);

/* How many numbers are settled: grows whenever the slowest site makes progress. */
int64_t ledger_settled_count(const struct ledger *l);

#endif
