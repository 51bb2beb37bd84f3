-- 009: how soon a car will be heard of again, as it announces it in up/state; NULL: it did not say.
ALTER TABLE vehicle_state
    ADD COLUMN heartbeat_ms bigint CHECK (heartbeat_ms > 0), -- of a car that stands
    ADD COLUMN wake_ms      bigint CHECK (wake_ms > 0);      -- of a car that sleeps

-- As services/ingest/facts/presence.c.  A sleeping car is lost when two wake-ups it announced did not come; one that announced none
-- sleeps for as long as it likes.  Heartbeats below a minute are taken for one: a record may be a minute late.
CREATE OR REPLACE FUNCTION connectivity(s vehicle_state, at timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
$$
    SELECT CASE
        WHEN s.last_seen IS NULL THEN 'never'
        WHEN s.presence = 'sleeping' THEN
            CASE WHEN s.wake_ms IS NULL OR at - s.last_seen < (2 * s.wake_ms + 60000) * interval '1 millisecond'
                THEN 'sleeping' ELSE 'lost' END
        WHEN at - s.last_seen < interval '60 s' THEN 'online'
        WHEN coalesce(s.ignition_on, s.speed_kmh >= 3, false) THEN
            CASE WHEN at - s.last_seen < interval '180 s' THEN 'late' ELSE 'lost' END
        WHEN at - s.last_seen >= 2 * greatest(coalesce(s.heartbeat_ms, 600000), 60000) * interval '1 millisecond' THEN 'lost'
        WHEN at - s.last_seen < (greatest(coalesce(s.heartbeat_ms, 600000), 60000) + 60000) * interval '1 millisecond' THEN 'online'
        ELSE 'late'
    END
$$;
