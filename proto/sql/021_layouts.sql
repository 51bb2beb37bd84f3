-- What lies where in fact_state.state and fact_checkpoint.state, by name: a build reads with that what another one stored.
-- A row per layout there ever was, told by the first ingest that writes such states.
CREATE TABLE fact_layout (
    layout  bigint PRIMARY KEY,
    fields  text NOT NULL, -- a line per value: name, kind, place
    told_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE fact_layout ENABLE ROW LEVEL SECURITY;
ALTER TABLE fact_layout FORCE ROW LEVEL SECURITY;
CREATE POLICY ingest ON fact_layout TO vigie_ingest USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON fact_layout TO vigie_ingest;

-- What is computed since the base counts so much (0.95 to 1.05), learnt from what was entered; NULL: nothing was learnt.
ALTER TABLE vehicle_meter ADD COLUMN factor double precision;
