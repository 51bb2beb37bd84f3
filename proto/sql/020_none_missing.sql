-- Of a stream without gaps nothing is missing; since 016 it was as much as can be.
CREATE OR REPLACE FUNCTION missing(of_vin text, at_site text) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS
$$
    SELECT coalesce(sum(least(coalesce(s.n, 0), 8388608)), 0)::bigint
    FROM watermark w CROSS JOIN LATERAL (SELECT sum(upper(g) - lower(g)) AS n FROM unnest(w.gaps) AS g) s
    WHERE w.vin = of_vin AND w.site = at_site
$$;
UPDATE loss_hour SET missing = missing(vin, site) WHERE missing >= 8388608;
