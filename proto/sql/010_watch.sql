-- 010: somebody looks at a car.  It is part of what the car is told, not of what its owner configured: apart from the body, so that
-- a change of the one is none of the other.
ALTER TABLE vehicle_config ADD COLUMN watch_until timestamptz; -- NULL: nobody looked since the last change

-- What is told of a configuration, without schema and revision.
CREATE FUNCTION config_told(c vehicle_config) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$
    SELECT CASE WHEN c.watch_until IS NULL THEN c.body ELSE
        c.body || jsonb_build_object('rates', coalesce(c.body -> 'rates', '{}') || jsonb_build_object('watch',
            jsonb_build_object('until', (extract(epoch FROM c.watch_until) * 1000)::bigint))) END
$$;
