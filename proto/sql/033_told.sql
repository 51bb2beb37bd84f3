-- What a frame tells of a row is named, column by column: one that comes later is told once somebody has thought of it.
CREATE OR REPLACE FUNCTION change_object(c change) RETURNS jsonb LANGUAGE sql STABLE AS
$$
    SELECT CASE
        WHEN c.kind = 'alert' THEN (SELECT to_jsonb(t) FROM (SELECT o.id, o.vin, o.type, o.subject, o.ending, o.state, o.severity, o.reason,
            o.occurred_at, o.detected_at, o.last_at, o.ended_at, o.cleared_at, o.count, o.held_down, o.acknowledged_at, o.acknowledged_by,
            o.assigned_to, o.cleared_by, o.version, o.data - ARRAY ['lat', 'lon'] AS data FROM alert o WHERE o.id = c.ref) t)
        WHEN c.kind = 'event' THEN (SELECT to_jsonb(t) FROM (SELECT o.id, o.vin, o.type, o.subject, o.source, o.severity, o.occurred_at,
            o.detected_at, o.withdrawn, o.data - ARRAY ['lat', 'lon'] AS data FROM event o WHERE o.vin = c.vin AND o.id = c.ref) t)
        WHEN c.kind = 'command' THEN (SELECT to_jsonb(t) FROM (SELECT o.id, o.vin, o.type, o.args, o.state, o.reason, o.data, o.created_by,
            o.created_at, o.expires_at, o.sent_at, o.delivered_at, o.ended_at, o.version FROM command o WHERE o.id = c.ref) t)
        WHEN c.kind IN ('trip', 'stop', 'gap', 'idle', 'lapse') THEN (SELECT to_jsonb(t) FROM (SELECT o.id, o.vin, o.kind, o.state, o.settled,
            o.provisional, o.version, o.start_at, o.end_at, o.distance_m, o.estimated_m, o.odometer_m, o.distance_check, o.max_speed_kmh,
            o.moving_ms, o.engine_ms, o.idle_ms, o.covered_ms, o.expected_ms, o.pause_ms, o.high_rpm_ms, o.cold_load_ms, o.rpm_ms,
            o.load_ms, o.slope_ms, o.fuel_l, o.fuel_method, o.fuel_share, o.fuel_coverage, o.fuel_l_100km, o.fuel_litres, o.fuel_ms,
            o.fuel_expected_ms, o.co2_kg, o.odometer_start_m, o.odometer_end_m, o.level_start_percent, o.level_end_percent, o.end_reason,
            o.driver_id, o.score, o.score_terms, o.updated_at FROM segment o WHERE o.id = c.ref) t)
    END
$$;
