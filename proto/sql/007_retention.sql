-- How long what is kept, and what a purge did.

-- Raw samples: at most 60 days; a customer may ask for less.  NULL: 60.
ALTER TABLE customer ADD COLUMN retention_days integer CHECK (retention_days BETWEEN 1 AND 60);
GRANT SELECT (retention_days) ON customer TO vigie_ingest, vigie_api;

-- Ten minutes of a vehicle (span = ms since 1970 / 600000) whose 1-minute values at `site` are to be computed, again:
-- samples of them were stored.  Written in the transaction of the record's watermark, so that nothing forgets them.
CREATE TABLE touched (
    site       text NOT NULL,
    vin        text NOT NULL,
    span       bigint NOT NULL,
    touched_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, vin, span)
) WITH (fillfactor = 70);
CREATE INDEX touched_age ON touched (site, touched_at);
ALTER TABLE touched ENABLE ROW LEVEL SECURITY;
ALTER TABLE touched FORCE ROW LEVEL SECURITY;
CREATE POLICY ingest ON touched TO vigie_ingest USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON touched TO vigie_ingest;

-- The proof of a purge: one row per kind of data, each time.
CREATE TABLE purge_proof (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT now(),
    site        text NOT NULL,
    kind        text NOT NULL,
    kept        text NOT NULL,   -- the limit, in words
    removed     bigint NOT NULL, -- rows; values where kind begins with "samples" or "minutes"
    oldest_left timestamptz      -- NULL: nothing is left
);
CREATE INDEX purge_proof_at ON purge_proof (at);
ALTER TABLE purge_proof ENABLE ROW LEVEL SECURITY;
ALTER TABLE purge_proof FORCE ROW LEVEL SECURITY;
