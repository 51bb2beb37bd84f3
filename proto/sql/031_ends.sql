-- When a case was over before is for the matching of cases; a frame does not tell it.
CREATE OR REPLACE FUNCTION change_object(c change) RETURNS jsonb LANGUAGE sql STABLE AS
$$
    SELECT CASE
        WHEN c.kind = 'alert' THEN (SELECT to_jsonb(o) - ARRAY ['lat', 'lon', 'changes', 'messaged_at', 'openings', 'ends'] ||
            jsonb_build_object('data', o.data - ARRAY ['lat', 'lon']) FROM alert o WHERE o.id = c.ref)
        WHEN c.kind = 'event' THEN (SELECT to_jsonb(o) - ARRAY ['lat', 'lon', 'told_ms'] ||
            jsonb_build_object('data', o.data - ARRAY ['lat', 'lon']) FROM event o WHERE o.vin = c.vin AND o.id = c.ref)
        WHEN c.kind = 'command' THEN (SELECT to_jsonb(o) - 'n' FROM command o WHERE o.id = c.ref)
        WHEN c.kind IN ('trip', 'stop', 'gap', 'idle', 'lapse') THEN
            (SELECT to_jsonb(o) - ARRAY ['start_lat', 'start_lon', 'end_lat', 'end_lon'] FROM segment o WHERE o.id = c.ref)
    END
$$;
