-- 012: rows that are written again and again find their next version a place on their own page, so that no index is touched
-- and what is old goes at the next look.  A state of forty signals stays in its row, uncompressed.
ALTER TABLE vehicle_state SET (fillfactor = 40, toast_tuple_target = 8160);
ALTER TABLE fact_state SET (toast_tuple_target = 8160);
ALTER TABLE watermark SET (fillfactor = 50);
ALTER TABLE loss_hour SET (fillfactor = 70);

-- Ingest asks the same short questions over and over: compiling one takes longer than answering it (0.3 s each time for who
-- has fallen silent, before the tables' sizes are known). Who may not set it for the role goes on without.
DO $$
BEGIN
    ALTER ROLE vigie_ingest SET jit = off;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'vigie_ingest compiles its statements: ALTER ROLE vigie_ingest SET jit = off needs its administrator';
END
$$;
