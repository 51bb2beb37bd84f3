-- 012: changes as frames of the live feed.
-- The row a change is about as it is now, without places: those are read where reading is written down.
CREATE FUNCTION change_object(c change) RETURNS jsonb LANGUAGE sql STABLE AS
$$
    SELECT CASE
        WHEN c.kind = 'alert' THEN (SELECT to_jsonb(o) - ARRAY ['lat', 'lon', 'changes', 'messaged_at', 'openings'] ||
            jsonb_build_object('data', o.data - ARRAY ['lat', 'lon']) FROM alert o WHERE o.id = c.ref)
        WHEN c.kind = 'event' THEN (SELECT to_jsonb(o) - ARRAY ['lat', 'lon', 'told_ms'] ||
            jsonb_build_object('data', o.data - ARRAY ['lat', 'lon']) FROM event o WHERE o.vin = c.vin AND o.id = c.ref)
        WHEN c.kind = 'command' THEN (SELECT to_jsonb(o) - 'n' FROM command o WHERE o.id = c.ref)
        WHEN c.kind IN ('trip', 'stop', 'gap', 'idle', 'lapse') THEN
            (SELECT to_jsonb(o) - ARRAY ['start_lat', 'start_lon', 'end_lat', 'end_lon'] FROM segment o WHERE o.id = c.ref)
    END
$$;

-- Which kinds of frames whoever holds the ticket may read, by its role; comma-separated.
ALTER TABLE ws_ticket ADD COLUMN kinds text NOT NULL DEFAULT '';
