-- 011: a place from before private mode is not shown after it either, until the car tells a new one.
ALTER TABLE vehicle_state ADD COLUMN private_until bigint; -- ms: when it was last private, by the car's clock; NULL: never

CREATE FUNCTION private_ended() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN -- no clock of a car hides a place for years, and what is stored now is from before, whatever it says
    NEW.private_until := greatest(
        least(greatest(OLD.private_since, coalesce(NEW.presence_t, ms(now()))), ms(now())),
        (NEW.signals #>> '{Vehicle.CurrentLocation.Latitude,1}')::bigint);
    RETURN NEW;
END
$$;
CREATE TRIGGER private_ended BEFORE UPDATE OF private_since ON vehicle_state FOR EACH ROW
    WHEN (OLD.private_since IS NOT NULL AND NEW.private_since IS NULL) EXECUTE FUNCTION private_ended();

-- Are lat, lon and heading_deg to be shown?
CREATE FUNCTION place_shown(s vehicle_state) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$
    SELECT s.private_since IS NULL AND
        (s.private_until IS NULL OR (s.signals #>> '{Vehicle.CurrentLocation.Latitude,1}')::bigint > s.private_until)
$$;
