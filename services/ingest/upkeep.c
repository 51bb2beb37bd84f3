/* services/ingest/upkeep.c - a few thousand rows at a time. */
#include "upkeep.h"

static const char *const works[] = {
    "UPDATE alert SET state = 'cleared', reason = 'expired', cleared_at = now(), "
    "version = version + 1 WHERE id IN (SELECT id FROM alert WHERE state <> 'cleared' AND "
    "ending = 'point' AND severity IN ('info', 'warning', 'minor') AND "
    "detected_at < now() - interval '24 h' LIMIT 1000 FOR UPDATE SKIP LOCKED)",
    "UPDATE segment SET state = 'final' WHERE id IN (SELECT id FROM segment WHERE "
    "state = 'closed' AND settled AND end_at < now() - interval '61 d' LIMIT 1000 "
    "FOR UPDATE SKIP LOCKED)",
    "DELETE FROM fact_checkpoint WHERE (vin, t_ms) IN (SELECT c.vin, c.t_ms FROM fact_checkpoint c "
    "WHERE c.t_ms < ms(now() - interval '7 d') AND EXISTS (SELECT FROM fact_checkpoint d WHERE "
    "d.vin = c.vin AND d.t_ms > c.t_ms AND d.t_ms / 86400000 = c.t_ms / 86400000) LIMIT 5000)",
};

enum status upkeep_step(struct pg *db, struct fault *fault)
{
    enum status st = pg_ready(db, fault);

    for (size_t i = 0; i < sizeof works / sizeof *works && st == ST_OK; i++)
        st = pg_run(db, works[i], 0, NULL, NULL, fault);
    return st;
}
