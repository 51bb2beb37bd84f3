/* services/ingest/again/dues.h - what is due and when: maintenance and mileage, from the meters as
 * they are shown and the trips of the last weeks; meters that somebody read; and the end of cases
 * about rules, zones, plans and contracts that are no more.  One connection, one thread. */
#ifndef INGEST_DUES_H
#define INGEST_DUES_H

#include "lib/store/postgres.h"
#include "proto/alert_change.h"
#include "services/ingest/commit/fact_states.h"

struct dues;

enum status dues_open(struct dues **out, struct pg *db, struct fault *fault) MUST_CHECK;

/* Plans and contracts that were edited, or not looked at for ten minutes; entries not taken yet;
 * every ten seconds, uncleared cases whose rule, zone, plan or contract was deleted, disabled, is
 * over or no longer about the vehicle: they end as any other.  A hundred of each at most. */
enum status dues_step(struct dues *d, bool (*is_ours)(void *self, const char *vin), void *self,
                      int64_t now_ms, struct fault *fault) MUST_CHECK;

/* Alerts that the newest dues_step changed. */
const struct alert_change_message *dues_changes(const struct dues *d, size_t *n);

void dues_close(struct dues *d); /* NULL is fine */

#endif
