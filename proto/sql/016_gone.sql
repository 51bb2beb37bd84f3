-- Until when samples of a vehicle were deleted before their time, of a customer who keeps less than 60 days: ms since
-- 1970 UTC.  Written by `vigie-api purge` before it deletes, and never set back: also where the customer keeps more again,
-- what is computed from samples does not reach behind it.
CREATE TABLE samples_gone (
    vin      text PRIMARY KEY REFERENCES vehicle ON DELETE CASCADE,
    until_ms bigint NOT NULL
);
ALTER TABLE samples_gone ENABLE ROW LEVEL SECURITY;
ALTER TABLE samples_gone FORCE ROW LEVEL SECURITY;
CREATE POLICY ingest ON samples_gone TO vigie_ingest USING (true) WITH CHECK (false);
GRANT SELECT ON samples_gone TO vigie_ingest;
