-- Who drove is often written down after the drive: an assignment that is made, changed or deleted is one of the trips that
-- have begun in its time.  Of two that overlap the later beginning counts, as where ingest writes a trip.
CREATE FUNCTION drivers_again() RETURNS trigger LANGUAGE plpgsql AS
$$
DECLARE
    whose text := CASE TG_OP WHEN 'DELETE' THEN OLD.vin ELSE NEW.vin END;
    since timestamptz;
    until timestamptz;
BEGIN
    IF NOT EXISTS (SELECT FROM vehicle WHERE vin = whose) THEN
        RETURN NULL; -- deleted, and its trips with it
    END IF;
    IF TG_OP <> 'INSERT' THEN
        since := OLD.from_at;
        until := coalesce(OLD.to_at, 'infinity');
    END IF;
    IF TG_OP <> 'DELETE' THEN
        since := least(since, NEW.from_at);
        until := greatest(until, coalesce(NEW.to_at, 'infinity'));
    END IF;
    UPDATE segment s SET driver_id = n.driver_id, version = s.version + 1, updated_at = now()
    FROM (SELECT g.id, (SELECT d.driver_id FROM driver_assignment d WHERE d.vin = whose AND d.from_at <= g.start_at
                        AND (d.to_at IS NULL OR d.to_at > g.start_at) ORDER BY d.from_at DESC, d.id DESC LIMIT 1) AS driver_id
          FROM segment g WHERE g.vin = whose AND g.kind = 'trip' AND g.state <> 'superseded'
          AND g.start_at >= since AND g.start_at < until ORDER BY g.id FOR UPDATE) n
    WHERE s.id = n.id AND s.driver_id IS DISTINCT FROM n.driver_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER drivers_again AFTER INSERT OR UPDATE OR DELETE ON driver_assignment FOR EACH ROW EXECUTE FUNCTION drivers_again();
CREATE POLICY tenant_driver ON segment FOR UPDATE TO vigie_api USING (EXISTS (SELECT FROM vehicle v WHERE v.vin = segment.vin))
    WITH CHECK (EXISTS (SELECT FROM vehicle v WHERE v.vin = segment.vin));
GRANT UPDATE (driver_id, version, updated_at) ON segment TO vigie_api;
