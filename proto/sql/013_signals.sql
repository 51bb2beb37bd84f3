-- 013: who has a vehicle's newest signals in memory needs to know whether somebody else has written them since.  The row's own
-- version (xmin) does not say: an alert changes it too.
ALTER TABLE vehicle_state ADD COLUMN signals_by xid8; -- the transaction that wrote `signals`; NULL: none since this is kept

-- Whoever writes them without saying so.
CREATE FUNCTION signals_written() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    NEW.signals_by := pg_current_xact_id();
    RETURN NEW;
END
$$;
CREATE TRIGGER signals_written BEFORE UPDATE OF signals ON vehicle_state FOR EACH ROW
    WHEN (NEW.signals_by IS NOT DISTINCT FROM OLD.signals_by) EXECUTE FUNCTION signals_written();

-- The questions ingest asks again and again are short: starting a worker for one takes longer (5 ms, twice a second, for who is
-- to be computed again) than answering it.  Who may not set it for the role goes on without.
DO $$
BEGIN
    ALTER ROLE vigie_ingest SET max_parallel_workers_per_gather = 0;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'vigie_ingest asks workers to help: ALTER ROLE vigie_ingest SET max_parallel_workers_per_gather = 0 needs its administrator';
END
$$;
