-- 008: private mode, as a car says of itself in up/state.  An offline state, its last will above all, says nothing of it.
ALTER TABLE vehicle_state ADD COLUMN private_since bigint; -- ms; NULL: it is not private

CREATE OR REPLACE FUNCTION presence_log() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    INSERT INTO change (vin, kind, ref, data)
    VALUES (NEW.vin, 'state', md5('state ' || NEW.vin)::uuid, jsonb_strip_nulls(jsonb_build_object('presence', NEW.presence,
        'private_since', rfc3339(to_timestamp(NEW.private_since / 1000.0)))));
    PERFORM pg_notify('change', '');
    RETURN NULL;
END
$$;
CREATE TRIGGER change_private AFTER UPDATE OF private_since ON vehicle_state FOR EACH ROW
    WHEN (NEW.presence IS NOT NULL AND OLD.presence IS NOT DISTINCT FROM NEW.presence
          AND OLD.private_since IS DISTINCT FROM NEW.private_since) EXECUTE FUNCTION presence_log();
