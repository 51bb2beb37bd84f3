-- A car may make up a sequence number: what is missing of a stream is no more than an outbox holds (LOST_AHEAD).
CREATE OR REPLACE FUNCTION missing(of_vin text, at_site text) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS
$$
    SELECT coalesce(sum(least(s.n, 8388608)), 0)::bigint
    FROM watermark w CROSS JOIN LATERAL (SELECT sum(upper(g) - lower(g)) AS n FROM unnest(w.gaps) AS g) s
    WHERE w.vin = of_vin AND w.site = at_site
$$;
UPDATE loss_hour SET missing = missing(vin, site) WHERE missing > 8388608;
