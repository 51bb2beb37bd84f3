-- A dead letter that shall be decoded again: `vigie-api dead-letter replay` asks, the ingest of its site takes, and
-- either the letter is replayed (replayed_at) or it has a new reason and is asked no more.
ALTER TABLE dead_letter
    ADD COLUMN asked_at timestamptz, -- NULL: nobody asks
    ADD COLUMN taken_at timestamptz, -- by an ingest, which may have died since
    ADD COLUMN tries    integer NOT NULL DEFAULT 0; -- how often it was taken since it was asked for
CREATE INDEX dead_letter_asked ON dead_letter (site, asked_at) WHERE asked_at IS NOT NULL;
GRANT UPDATE (reason, detail, asked_at, taken_at, tries, replayed_at) ON dead_letter TO vigie_ingest;
