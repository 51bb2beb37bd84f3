/* vehicle/journal.h - puts what was measured and what happened into the outbox, once a second or at
 * once. One transaction holds the samples' records, the events, the acks and the configuration that
 * came meanwhile; what may be forgotten is deleted in it (eviction.h).  Main thread only. */
#ifndef VEHICLE_JOURNAL_H
#define VEHICLE_JOURNAL_H

#include "inbox.h"
#include "ledger.h"
#include "outbox.h"
#include "proto/result.h"
#include "sampler.h"

#define JOURNAL_COMMIT_NOTE "commit_ms" /* in the outbox: our clock at the last commit */

struct journal;

struct journal_options {
    int64_t limit_bytes; /* of the outbox file */
    int64_t keep_ms;     /* acknowledged records are kept so long */
    bool columnar;       /* how samples are written from now on; what is there stays as it is */
};

/* Borrows outbox, sampler and the ledgers (one per stream); takes last sample time and acks from
 * the outbox. */
enum status journal_open(struct journal **out, const struct journal_options *options,
                         struct outbox *outbox, struct sampler *sampler, struct ledger *ledgers,
                         struct fault *fault) MUST_CHECK;
void journal_renew(struct journal *j); /* the outbox was opened again; what waits, waits on */
void journal_close(struct journal *j); /* NULL is fine; what was not committed is lost */

/* Keep an event for the next commit.  `data` is a JSON object as text, copied.  At most 256 wait;
 * then the oldest is dropped, counted, and told in a samples_dropped event. */
void journal_event(struct journal *j, const char *type, int64_t t_ms, const char *data);
/* The same for an alert, in the urgent stream; of them 1024 wait, and no event takes their place.
 */
void journal_alert(struct journal *j, const char *type, const char *severity, int64_t t_ms,
                   const char *data);
/* One from before our start: journal_shift leaves its time alone. */
void journal_alert_dated(struct journal *j, const char *type, const char *severity, int64_t t_ms,
                         const char *data);
/* The same for what became of a command; `reason` "": none, `data` NULL: none.  The urgent stream;
 * goes last of all when something must be dropped. */
void journal_result(struct journal *j, const char *command, enum command_state state,
                    const char *reason, const char *data);
void journal_diagnosis(struct journal *j, const struct diagnosis *d); /* the newest one waits */

/* Remember for the next commit that a ledger's site, or a named text, changed. */
void journal_ack(struct journal *j, enum outbox_stream stream, const char *site, const char *bytes,
                 size_t len);
void journal_note(struct journal *j, const char *name, const char *bytes, size_t len);

/* Do events, alerts or results wait for a commit? */
bool journal_has_facts(const struct journal *j);

/* Connected, what is committed may be sent at once: each commit says in the outbox up to where. */
void journal_online(struct journal *j, bool online);

/* Held: samples, events, alerts and diagnoses wait for their time; only acks and notes are written.
 */
void journal_hold(struct journal *j, bool held);
bool journal_is_held(const struct journal *j);
/* What waits, samples apart, happened so much later. */
void journal_shift(struct journal *j, int64_t step_ms);

/* Write all that waits.  `all`: the samples that have not settled too.  On a full disk stored
 * records go first, then the oldest bulk ones, announced.
 *   ST_RETRY  the disk takes nothing: everything stays in memory, try again
 *   ST_FATAL  the outbox is damaged: everything stays in memory, outbox_reopen and try again */
enum status journal_commit(struct journal *j, int64_t now_ms, enum clock_source clock, bool all,
                           struct fault *fault) MUST_CHECK;

#endif
