-- 003: commands to vehicles and their configuration.
-- Both belong to a vehicle, so they follow its row and carry no tenant of their own.

DO $$
BEGIN
    -- Taken with SET LOCAL ROLE by the api for what it does by itself, for every customer: sending and expiring.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'vigie_dispatch') THEN
        CREATE ROLE vigie_dispatch NOLOGIN NOBYPASSRLS;
    END IF;
END
$$;
GRANT vigie_dispatch TO vigie_api;

-- How far a command has come.  It only rises.  A car's own word that it did something stands above our guess that it
-- did not: a result may come long after the moment it was due.
CREATE FUNCTION command_rank(state text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$
    SELECT CASE state WHEN 'queued' THEN 0 WHEN 'sent' THEN 1 WHEN 'delivered' THEN 2 WHEN 'expired' THEN 3 ELSE 4 END
$$;

CREATE TABLE command (
    id           uuid PRIMARY KEY,
    n            bigint GENERATED ALWAYS AS IDENTITY UNIQUE, -- the order they are sent in
    vin          text NOT NULL REFERENCES vehicle ON DELETE CASCADE,
    type         text NOT NULL CHECK (type IN ('stream.start', 'stream.stop', 'photo', 'clip', 'diagnostics.read',
                     'diagnostics.clear', 'config.apply', 'privacy.set', 'agent.restart')),
    args         jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(args) = 'object'),
    state        text NOT NULL DEFAULT 'queued'
                     CHECK (state IN ('queued', 'sent', 'delivered', 'done', 'failed', 'refused', 'expired')),
    reason       text,           -- where it is not done
    data         jsonb,          -- of its result
    created_by   uuid REFERENCES app_user ON DELETE SET NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    sent_at      timestamptz,    -- the last time it was handed to a broker
    delivered_at timestamptz,
    ended_at     timestamptz,
    version      integer NOT NULL DEFAULT 1
);
CREATE INDEX command_vin ON command (vin, n DESC);
CREATE INDEX command_open ON command (vin, n) WHERE state IN ('queued', 'sent', 'delivered');

-- What a vehicle is to do, without schema and revision: config/1.  A new wording is a new revision.
CREATE TABLE vehicle_config (
    vin          text PRIMARY KEY REFERENCES vehicle ON DELETE CASCADE,
    revision     bigint NOT NULL DEFAULT 1 CHECK (revision >= 1),
    body         jsonb NOT NULL,
    changed_at   timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz -- this revision, retained on down/config; NULL: not yet
);
CREATE INDEX vehicle_config_due ON vehicle_config (vin) WHERE published_at IS NULL;

-- How often a record is made; NULL: the agent's own choice.
ALTER TABLE vehicle ADD COLUMN record_ms integer CHECK (record_ms BETWEEN 250 AND 30000);

CREATE FUNCTION config_body(v vehicle, sites jsonb, brokers jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$
    SELECT jsonb_build_object('required_sites', sites, 'brokers', brokers, 'detects', v.detects) ||
           CASE WHEN v.record_ms IS NULL THEN '{}' ELSE
               jsonb_build_object('rates', jsonb_build_object('record_ms', v.record_ms)) END
$$;

-- ---- tenants
ALTER TABLE command ENABLE ROW LEVEL SECURITY;
ALTER TABLE command FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON command TO vigie_api USING (EXISTS (SELECT FROM vehicle v WHERE v.vin = command.vin))
    WITH CHECK (EXISTS (SELECT FROM vehicle v WHERE v.vin = command.vin));
CREATE POLICY dispatch ON command TO vigie_dispatch USING (true) WITH CHECK (true);
CREATE POLICY ingest ON command TO vigie_ingest USING (true) WITH CHECK (true);
CREATE POLICY notify ON command FOR SELECT TO vigie_notify USING (true);

ALTER TABLE vehicle_config ENABLE ROW LEVEL SECURITY;
ALTER TABLE vehicle_config FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON vehicle_config TO vigie_api USING (EXISTS (SELECT FROM vehicle v WHERE v.vin = vehicle_config.vin))
    WITH CHECK (EXISTS (SELECT FROM vehicle v WHERE v.vin = vehicle_config.vin));
CREATE POLICY enroll ON vehicle_config TO vigie_enroll USING (true) WITH CHECK (true);
CREATE POLICY dispatch ON vehicle_config TO vigie_dispatch USING (true) WITH CHECK (true);

CREATE POLICY dispatch ON vehicle FOR SELECT TO vigie_dispatch USING (true);

-- ---- grants
GRANT USAGE ON SCHEMA public TO vigie_dispatch;
GRANT SELECT ON command TO vigie_api, vigie_dispatch, vigie_ingest, vigie_notify;
GRANT INSERT (id, vin, type, args, created_by, expires_at) ON command TO vigie_api;
GRANT UPDATE (state, reason, ended_at, version) ON command TO vigie_api;
GRANT UPDATE (state, reason, sent_at, ended_at, version) ON command TO vigie_dispatch;
GRANT UPDATE (state, reason, data, delivered_at, ended_at, version) ON command TO vigie_ingest;
GRANT SELECT, INSERT, UPDATE ON vehicle_config TO vigie_api, vigie_enroll, vigie_dispatch;
GRANT SELECT ON vehicle TO vigie_dispatch;
