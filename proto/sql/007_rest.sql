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

-- ---- a car that comes, goes or falls asleep is news as well
CREATE FUNCTION presence_log() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    INSERT INTO change (vin, kind, ref, data)
    VALUES (NEW.vin, 'state', md5('state ' || NEW.vin)::uuid, jsonb_build_object('presence', NEW.presence));
    PERFORM pg_notify('change', '');
    RETURN NULL;
END
$$;
CREATE TRIGGER change_presence AFTER UPDATE OF presence ON vehicle_state FOR EACH ROW
    WHEN (NEW.presence IS NOT NULL AND OLD.presence IS DISTINCT FROM NEW.presence) EXECUTE FUNCTION presence_log();

-- ---- the audit's chain: no member can pass for another, nothing for something
CREATE FUNCTION audit_hash(previous bytea, at timestamptz, customer uuid, who uuid, action text, vin text, detail jsonb,
                           address text) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS
$$
    SELECT sha256(coalesce(previous, '') || convert_to(jsonb_build_array(extract(epoch FROM at)::text, customer, who, action,
        vin, detail, address)::text, 'UTF8'))
$$;
-- Rows written so far ran their members together, absent ones left out: they get the new form, in their order.
DO $$
DECLARE
    a    audit;
    last bytea;
    whose uuid;
BEGIN
    FOR a IN SELECT * FROM audit ORDER BY customer_id, id LOOP
        IF whose IS DISTINCT FROM a.customer_id THEN
            whose := a.customer_id;
            last := NULL;
        END IF;
        UPDATE audit SET previous = last,
            hash = audit_hash(last, a.at, a.customer_id, a.user_id, a.action, a.vin, a.detail, a.address)
        WHERE id = a.id RETURNING hash INTO last;
    END LOOP;
END
$$;
-- The first row of each customer that is not what it was, or does not follow the one before it.
CREATE FUNCTION audit_broken() RETURNS TABLE (customer_id uuid, id bigint, why text) LANGUAGE sql STABLE AS
$$
    SELECT DISTINCT ON (c.customer_id) c.customer_id, c.id,
           CASE WHEN c.wanted <> c.hash THEN 'altered' ELSE 'one before it is missing' END
    FROM (SELECT a.customer_id, a.id, a.hash, a.previous, 
                 audit_hash(a.previous, a.at, a.customer_id, a.user_id, a.action, a.vin, a.detail, a.address) AS wanted,
                 lag(a.hash) OVER (PARTITION BY a.customer_id ORDER BY a.id) AS before FROM audit a) c
    WHERE c.wanted <> c.hash OR (c.before IS NOT NULL AND c.previous IS DISTINCT FROM c.before)
    ORDER BY c.customer_id, c.id
$$;

-- ---- how far the order of changes was purged: a cursor before that has missed something
CREATE TABLE change_floor (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    xid xid8 NOT NULL,
    id  bigint NOT NULL
);
INSERT INTO change_floor (xid, id) VALUES ('0', 0);
CREATE FUNCTION change_gone() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    -- Those of a vehicle that was deleted go with it, whatever their age: nobody is to see them any more.
    UPDATE change_floor f SET xid = g.xid, id = g.id
    FROM (SELECT xid, id FROM gone WHERE at < now() - interval '1 day' ORDER BY xid DESC, id DESC LIMIT 1) g
    WHERE (g.xid, g.id) > (f.xid, f.id);
    RETURN NULL;
END
$$;
CREATE TRIGGER change_gone AFTER DELETE ON change REFERENCING OLD TABLE AS gone FOR EACH STATEMENT
    EXECUTE FUNCTION change_gone();
ALTER TABLE change_floor ENABLE ROW LEVEL SECURITY;
ALTER TABLE change_floor FORCE ROW LEVEL SECURITY;
CREATE POLICY everybody ON change_floor FOR SELECT TO vigie_api, vigie_notify USING (true);
GRANT SELECT ON change_floor TO vigie_api, vigie_notify;

-- ---- a customer's own settings
GRANT UPDATE (name, speed_limit_kmh, timezone, version) ON customer TO vigie_api;
