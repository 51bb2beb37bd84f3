-- 007: what REST says of rows, and commands in the order of changes.

-- A time as the API writes it.
CREATE FUNCTION rfc3339(t timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;

-- What becomes of a command is news like any other.
CREATE TRIGGER change_new AFTER INSERT ON command FOR EACH ROW EXECUTE FUNCTION change_log('type', 'state', 'version');
CREATE TRIGGER change_again AFTER UPDATE ON command FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
    EXECUTE FUNCTION change_log('type', 'state', 'version');
CREATE POLICY dispatch ON change FOR INSERT TO vigie_dispatch WITH CHECK (true);
GRANT INSERT ON change TO vigie_dispatch;

-- ---- what people set up
ALTER TABLE driver_assignment
    ADD COLUMN created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN version    integer NOT NULL DEFAULT 1;

-- ---- lists of a whole fleet by time
CREATE INDEX alert_fleet ON alert (occurred_at DESC, id DESC);

-- ---- hours of work, as config/1 has them; NULL: every hour is one
ALTER TABLE vehicle ADD COLUMN privacy jsonb CHECK (jsonb_typeof(privacy) = 'object');
CREATE OR REPLACE FUNCTION config_body(v vehicle, sites jsonb, brokers jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$
    SELECT jsonb_build_object('required_sites', sites, 'brokers', brokers, 'detects', v.detects) ||
           CASE WHEN v.record_ms IS NULL THEN '{}' ELSE
               jsonb_build_object('rates', jsonb_build_object('record_ms', v.record_ms)) END ||
           CASE WHEN v.privacy IS NULL THEN '{}' ELSE jsonb_build_object('privacy', v.privacy) END
$$;
