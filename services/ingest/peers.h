/* services/ingest/peers.h - the other instances, of whatever site.  The locks of one that is frozen
 * (stopped, swapped out, hung) live as long as its sessions with PostgreSQL do, and nobody would
 * serve its cars: so those sessions are ended, as the server does by itself for one that has died.
 * Whoever is ended wrongly connects again and takes its part back; what it had in hand is stored
 * or comes again, since the locked row of the watermark decides and no lock of shards. */
#ifndef INGEST_PEERS_H
#define INGEST_PEERS_H

#include <stdint.h>

#include "lib/store/postgres.h"

struct peers;

/* `wait_ms`: how long one may say nothing (frozen.h); 0: for ever. */
enum status peers_open(struct peers **out, int64_t wait_ms, struct fault *fault) MUST_CHECK;
/* Look, at most once a second, and end what has to be ended.  `db`: connected, in no transaction,
 * of the role that the others have.  ST_RETRY: it is away. */
enum status peers_step(struct peers *p, struct pg *db, struct fault *fault) MUST_CHECK;
void peers_close(struct peers *p); /* NULL is fine */

#endif
