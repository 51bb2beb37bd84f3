-- What was lost, doubled or late of each vehicle: one row per vehicle, site and hour (of arrival, UTC), added to by
-- ingest at most once a minute per vehicle; what a killed ingest had counted in that minute is not in it.
-- For the API: sum() the counts of the hours asked for, lag_sum(lag) their histograms, and lag_quantile(that, 0.95) is
-- a lag in seconds; `missing` is that of the newest hour.
CREATE TABLE loss_hour (
    vin        text NOT NULL, -- no reference: counting must never refuse a record
    site       text NOT NULL,
    hour       timestamptz NOT NULL,
    records    bigint NOT NULL DEFAULT 0, -- stored, each once
    samples    bigint NOT NULL DEFAULT 0, -- in them
    duplicates bigint NOT NULL DEFAULT 0, -- records that came again
    skipped    bigint NOT NULL DEFAULT 0, -- sequence numbers passed over
    recovered  bigint NOT NULL DEFAULT 0, -- of those passed over, that came later or were announced as lost
    lost       bigint NOT NULL DEFAULT 0, -- sequence numbers the vehicle announced as lost
    missing    bigint NOT NULL DEFAULT 0, -- passed over and not recovered, of all its streams, when last added to
    -- Samples by lag, from their own time to arrival; bucket 1 ends at 20 ms, then 30, 40, 60, 80, 120 ... : twice as
    -- much every second bucket, 48 of them, the last without an end (over 46 h).
    lag        bigint[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (vin, site, hour)
);
CREATE INDEX loss_hour_hour ON loss_hour (hour);

CREATE FUNCTION lag_add(a bigint[], b bigint[]) RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT array_agg(coalesce(x, 0) + coalesce(y, 0) ORDER BY i) FROM unnest(a, b) WITH ORDINALITY AS t (x, y, i) $$;
CREATE AGGREGATE lag_sum (bigint[]) (SFUNC = lag_add, STYPE = bigint[], INITCOND = '{}', PARALLEL = SAFE, COMBINEFUNC = lag_add);

-- The end of bucket `i` (from 1; 0 is where the first begins), seconds.
CREATE FUNCTION lag_bound(i integer) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE WHEN i < 1 THEN 0 WHEN i % 2 = 1 THEN 0.020 * 2 ^ ((i - 1) / 2) ELSE 0.030 * 2 ^ ((i - 2) / 2) END $$;

-- The lag that the part `q` (0 .. 1) of the samples does not exceed, seconds, linear within its bucket; NULL: no samples.
CREATE FUNCTION lag_quantile(lag bigint[], q double precision) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$
    WITH b AS (SELECT i::integer, n, sum(n) OVER (ORDER BY i) AS upto, sum(n) OVER () AS total
               FROM unnest(lag) WITH ORDINALITY AS t (n, i))
    SELECT lag_bound(i - 1) + (lag_bound(i) - lag_bound(i - 1)) * ((q * total - (upto - n)) / n)
    FROM b WHERE n > 0 AND upto >= q * total ORDER BY i LIMIT 1
$$;

-- How many numbers below the highest seen are stored at `at_site` neither as records nor as announced losses.
CREATE FUNCTION missing(of_vin text, at_site text) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS
$$
    SELECT coalesce(sum(upper(g) - lower(g)), 0)::bigint
    FROM watermark w CROSS JOIN LATERAL unnest(w.gaps) AS g WHERE w.vin = of_vin AND w.site = at_site
$$;

ALTER TABLE loss_hour ENABLE ROW LEVEL SECURITY;
ALTER TABLE loss_hour FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON loss_hour FOR SELECT TO vigie_api USING (EXISTS (SELECT FROM vehicle v WHERE v.vin = loss_hour.vin));
CREATE POLICY ingest ON loss_hour TO vigie_ingest USING (true) WITH CHECK (true);
GRANT SELECT ON loss_hour TO vigie_api;
GRANT SELECT, INSERT, UPDATE ON loss_hour TO vigie_ingest;
