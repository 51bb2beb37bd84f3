-- 001: the first schema.  Applied by `vigie-api migrate` in one transaction, as the database's owner.
-- Who may see what: `vigie_api` sees one tenant, the one set in the transaction by set_config('app.customer', id, true);
-- the other roles work before or across tenants and get exactly the tables and columns they need.

DO $$
DECLARE
    r text;
BEGIN
    FOREACH r IN ARRAY ARRAY ['vigie_api', 'vigie_ingest', 'vigie_notify', 'vigie_video'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOINHERIT NOBYPASSRLS', r);
        END IF;
    END LOOP;
    -- Taken with SET LOCAL ROLE by the api for the two steps that come before a tenant is known.
    FOREACH r IN ARRAY ARRAY ['vigie_login', 'vigie_enroll'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOBYPASSRLS', r);
        END IF;
    END LOOP;
END
$$;
GRANT vigie_login, vigie_enroll TO vigie_api;

-- The tenant of this transaction; NULL (no rows) when none was set.
CREATE FUNCTION tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT NULLIF(current_setting('app.customer', true), '')::uuid $$;

-- ---- who
CREATE TABLE customer (
    id         uuid PRIMARY KEY,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL DEFAULT now(),
    version    integer NOT NULL DEFAULT 1
);

CREATE TABLE app_user (
    id            uuid PRIMARY KEY,
    customer_id   uuid NOT NULL REFERENCES customer,
    username      text NOT NULL UNIQUE CHECK (username = lower(username) AND length(username) BETWEEN 1 AND 200),
    name          text NOT NULL DEFAULT '',
    role          text NOT NULL CHECK (role IN ('owner', 'admin', 'dispatcher', 'mechanic', 'driver', 'auditor')),
    password_hash text NOT NULL, -- crypt(5) text, yescrypt
    locale        text NOT NULL DEFAULT 'fr' CHECK (locale IN ('fr', 'en')),
    epoch         integer NOT NULL DEFAULT 1, -- raised by sign-out everywhere, password and role changes
    disabled      boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now(),
    version       integer NOT NULL DEFAULT 1,
    UNIQUE (customer_id, id)
);

-- Refresh tokens: a family begins at sign-in; each use spends one and makes the next.
CREATE TABLE refresh_token (
    hash              bytea PRIMARY KEY, -- SHA-256 of the opaque token
    family            uuid NOT NULL,
    user_id           uuid NOT NULL REFERENCES app_user ON DELETE CASCADE,
    customer_id       uuid NOT NULL,
    issued_at         timestamptz NOT NULL DEFAULT now(),
    family_started_at timestamptz NOT NULL DEFAULT now(),
    spent_at          timestamptz,
    revoked_at        timestamptz,
    FOREIGN KEY (customer_id, user_id) REFERENCES app_user (customer_id, id) ON DELETE CASCADE
);
CREATE INDEX refresh_token_family ON refresh_token (family);
CREATE INDEX refresh_token_user ON refresh_token (user_id);

-- Written by api, taken by notify with DELETE ... RETURNING.
CREATE TABLE ws_ticket (
    hash        text PRIMARY KEY, -- SHA-256 of the ticket, lower-case hex
    user_id     uuid NOT NULL,
    customer_id uuid NOT NULL,
    origin      text NOT NULL,
    expires_at  timestamptz NOT NULL,
    FOREIGN KEY (customer_id, user_id) REFERENCES app_user (customer_id, id) ON DELETE CASCADE
);

-- Repeats of a change at either site find its first answer here for 24 h.
CREATE TABLE idempotency (
    user_id     uuid NOT NULL,
    key         text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    customer_id uuid NOT NULL,
    fingerprint bytea NOT NULL, -- SHA-256 of method, path, body
    status      integer,        -- NULL while the first is still running
    answer      jsonb,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, key)
);

-- ---- vehicles
CREATE TABLE vehicle (
    vin         text PRIMARY KEY CHECK (vin ~ '^[A-HJ-NPR-Z0-9]{17}$'),
    customer_id uuid NOT NULL REFERENCES customer,
    name        text NOT NULL DEFAULT '' CHECK (length(name) <= 200),
    plate       text NOT NULL DEFAULT '' CHECK (length(plate) <= 32),
    make        text NOT NULL DEFAULT '' CHECK (length(make) <= 80),
    class       text NOT NULL DEFAULT 'car' CHECK (class IN ('car', 'van', 'heavy')),
    fuel        text NOT NULL DEFAULT '' CHECK (fuel IN ('', 'petrol', 'diesel', 'electric', 'hybrid', 'lpg', 'cng', 'ethanol')),
    status      text NOT NULL DEFAULT 'awaiting' CHECK (status IN ('awaiting', 'active', 'revoked', 'retired')),
    detects     text NOT NULL DEFAULT 'agent' CHECK (detects IN ('agent', 'ingest')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    version     integer NOT NULL DEFAULT 1,
    UNIQUE (customer_id, vin)
);

CREATE TABLE enroll_token (
    hash       bytea PRIMARY KEY, -- SHA-256 of the token
    vin        text NOT NULL REFERENCES vehicle ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    tries      integer NOT NULL DEFAULT 0, -- wrong uses so far; 5 end it
    used_at    timestamptz,
    key_sha256 bytea, -- of the public key that used it: the same key gets the same certificate for 10 min
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX enroll_token_vin ON enroll_token (vin);

CREATE TABLE certificate (
    serial     text PRIMARY KEY, -- hex
    vin        text NOT NULL REFERENCES vehicle ON DELETE CASCADE,
    sha256     bytea NOT NULL UNIQUE,
    key_sha256 bytea NOT NULL,
    not_before timestamptz NOT NULL,
    not_after  timestamptz NOT NULL,
    pem        text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
CREATE INDEX certificate_vin ON certificate (vin, created_at DESC);

-- ---- what ingest writes
-- The newest that is known of a vehicle.  `signals`: {"<path>": [value, t_ms, "gps"|"obd"]}.
CREATE TABLE vehicle_state (
    vin         text PRIMARY KEY REFERENCES vehicle ON DELETE CASCADE,
    presence    text CHECK (presence IN ('online', 'offline', 'sleeping')), -- its own word, or its last will
    presence_t  bigint,      -- ms, when it said so
    boot        text,
    agent       text,        -- version
    config      bigint,      -- revision in force
    sources     jsonb,       -- {"gps":"ok","obd":"ok","camera":"absent"}
    last_seen   timestamptz, -- when we last stored anything of it
    t_ms        bigint,      -- of the newest sample
    lat         double precision,
    lon         double precision,
    speed_kmh   double precision,
    heading_deg double precision,
    ignition_on boolean,
    signals     jsonb NOT NULL DEFAULT '{}'
);

-- How fresh a vehicle is.  Driving: late after 60 s, lost after 180 s.  Parked: late one minute after a missed
-- heartbeat (600 s), lost after two.  Announced sleep is neither.  A broken session alone proves nothing.
CREATE FUNCTION connectivity(s vehicle_state, at timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
$$
    SELECT CASE
        WHEN s.last_seen IS NULL THEN 'never'
        WHEN s.presence = 'sleeping' THEN 'sleeping'
        WHEN at - s.last_seen < interval '60 s' THEN 'online'
        WHEN coalesce(s.ignition_on, s.speed_kmh >= 3, false) THEN
            CASE WHEN at - s.last_seen < interval '180 s' THEN 'late' ELSE 'lost' END
        WHEN at - s.last_seen < interval '660 s' THEN 'online'
        WHEN at - s.last_seen < interval '1200 s' THEN 'late'
        ELSE 'lost'
    END
$$;

-- What is stored at `site`: every seq of 1 .. upto except those in gaps.
CREATE TABLE watermark (
    site       text NOT NULL,
    vin        text NOT NULL REFERENCES vehicle ON DELETE CASCADE,
    stream     uuid NOT NULL,
    upto       bigint NOT NULL CHECK (upto >= 0),
    gaps       int8multirange NOT NULL DEFAULT '{}',
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, vin, stream)
);

-- Events, alerts, diagnostics, media and results as they came.  The id is the vehicle's own word, hence the key.
CREATE TABLE fact (
    vin         text NOT NULL REFERENCES vehicle ON DELETE CASCADE,
    id          uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('event', 'alert', 'diagnostics', 'media', 'result')),
    type        text NOT NULL DEFAULT '',
    stream      uuid NOT NULL,
    seq         bigint NOT NULL,
    occurred_at timestamptz,
    received_at timestamptz NOT NULL DEFAULT now(),
    body        jsonb NOT NULL,
    PRIMARY KEY (vin, id)
);
CREATE INDEX fact_time ON fact (vin, occurred_at DESC);

-- Records that could not be decoded or stored: bytes and reason.  The id is derived from site, topic, payload.
CREATE TABLE dead_letter (
    id          uuid PRIMARY KEY,
    site        text NOT NULL,
    vin         text NOT NULL,
    kind        text NOT NULL, -- leaf of the topic: up/telemetry ...
    stream      uuid,
    seq         bigint,
    reason      text NOT NULL, -- a word: json, schema, time, store ...
    detail      text NOT NULL,
    payload     bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    replayed_at timestamptz
);
CREATE INDEX dead_letter_vin ON dead_letter (vin, received_at DESC);

-- ---- who did and who looked at what: insert only, each row carries the hash of the one before
CREATE TABLE audit (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT now(),
    customer_id uuid,
    user_id     uuid,
    action      text NOT NULL, -- "session.create", "vehicle.create", "track.read" ...
    vin         text,
    detail      jsonb NOT NULL DEFAULT '{}',
    address     text NOT NULL DEFAULT '',
    previous    bytea,
    hash        bytea NOT NULL
);
CREATE INDEX audit_customer ON audit (customer_id, id);

-- ---- tenants
ALTER TABLE customer ENABLE ROW LEVEL SECURITY;
ALTER TABLE customer FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON customer TO vigie_api USING (id = tenant());
CREATE POLICY login ON customer FOR SELECT TO vigie_login USING (true);

ALTER TABLE app_user ENABLE ROW LEVEL SECURITY;
ALTER TABLE app_user FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON app_user TO vigie_api USING (customer_id = tenant()) WITH CHECK (customer_id = tenant());
CREATE POLICY login ON app_user TO vigie_login USING (true) WITH CHECK (true);

ALTER TABLE refresh_token ENABLE ROW LEVEL SECURITY;
ALTER TABLE refresh_token FORCE ROW LEVEL SECURITY;
CREATE POLICY login ON refresh_token TO vigie_login USING (true) WITH CHECK (true);

ALTER TABLE ws_ticket ENABLE ROW LEVEL SECURITY;
ALTER TABLE ws_ticket FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ws_ticket TO vigie_api USING (customer_id = tenant()) WITH CHECK (customer_id = tenant());
CREATE POLICY notify ON ws_ticket TO vigie_notify USING (true);

ALTER TABLE idempotency ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON idempotency TO vigie_api USING (customer_id = tenant()) WITH CHECK (customer_id = tenant());

ALTER TABLE vehicle ENABLE ROW LEVEL SECURITY;
ALTER TABLE vehicle FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON vehicle TO vigie_api USING (customer_id = tenant()) WITH CHECK (customer_id = tenant());
CREATE POLICY enroll ON vehicle TO vigie_enroll USING (true) WITH CHECK (true);
CREATE POLICY ingest ON vehicle FOR SELECT TO vigie_ingest USING (true);
CREATE POLICY notify ON vehicle FOR SELECT TO vigie_notify USING (true);

-- A vehicle may change hands, so its rows elsewhere carry no tenant of their own: they follow the vehicle.
ALTER TABLE vehicle_state ENABLE ROW LEVEL SECURITY;
ALTER TABLE vehicle_state FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON vehicle_state FOR SELECT TO vigie_api
    USING (EXISTS (SELECT FROM vehicle v WHERE v.vin = vehicle_state.vin));
CREATE POLICY ingest ON vehicle_state TO vigie_ingest USING (true) WITH CHECK (true);
CREATE POLICY notify ON vehicle_state FOR SELECT TO vigie_notify USING (true);

ALTER TABLE fact ENABLE ROW LEVEL SECURITY;
ALTER TABLE fact FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON fact FOR SELECT TO vigie_api USING (EXISTS (SELECT FROM vehicle v WHERE v.vin = fact.vin));
CREATE POLICY ingest ON fact TO vigie_ingest USING (true) WITH CHECK (true);

ALTER TABLE enroll_token ENABLE ROW LEVEL SECURITY;
ALTER TABLE enroll_token FORCE ROW LEVEL SECURITY;
CREATE POLICY enroll ON enroll_token TO vigie_enroll USING (true) WITH CHECK (true);

ALTER TABLE certificate ENABLE ROW LEVEL SECURITY;
ALTER TABLE certificate FORCE ROW LEVEL SECURITY;
CREATE POLICY enroll ON certificate TO vigie_enroll USING (true) WITH CHECK (true);

ALTER TABLE watermark ENABLE ROW LEVEL SECURITY;
ALTER TABLE watermark FORCE ROW LEVEL SECURITY;
CREATE POLICY ingest ON watermark TO vigie_ingest USING (true) WITH CHECK (true);

ALTER TABLE dead_letter ENABLE ROW LEVEL SECURITY;
ALTER TABLE dead_letter FORCE ROW LEVEL SECURITY;
CREATE POLICY ingest ON dead_letter TO vigie_ingest USING (true) WITH CHECK (true);

ALTER TABLE audit ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit TO vigie_api USING (customer_id = tenant()) WITH CHECK (customer_id = tenant());
CREATE POLICY login ON audit TO vigie_login USING (true) WITH CHECK (true);
CREATE POLICY enroll ON audit TO vigie_enroll USING (true) WITH CHECK (true);

-- ---- grants: nothing but this
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO vigie_api, vigie_login, vigie_enroll, vigie_ingest, vigie_notify, vigie_video;
GRANT SELECT ON customer TO vigie_api, vigie_login;
GRANT SELECT (id, customer_id, username, name, role, locale, epoch, disabled, created_at, version) ON app_user TO vigie_api;
GRANT SELECT, UPDATE ON app_user TO vigie_login;
GRANT SELECT, INSERT, UPDATE, DELETE ON refresh_token TO vigie_login;
GRANT SELECT, INSERT, DELETE ON ws_ticket TO vigie_api;
GRANT SELECT, DELETE ON ws_ticket TO vigie_notify;
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency TO vigie_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON vehicle TO vigie_api;
GRANT SELECT, UPDATE ON vehicle TO vigie_enroll;
GRANT SELECT ON vehicle TO vigie_ingest, vigie_notify;
GRANT SELECT ON vehicle_state TO vigie_api, vigie_notify;
GRANT SELECT, INSERT, UPDATE ON vehicle_state TO vigie_ingest;
GRANT SELECT ON fact TO vigie_api;
GRANT SELECT, INSERT ON fact TO vigie_ingest;
GRANT SELECT, INSERT, UPDATE ON enroll_token TO vigie_enroll;
GRANT SELECT, INSERT, UPDATE ON certificate TO vigie_enroll;
GRANT SELECT, INSERT, UPDATE ON watermark TO vigie_ingest;
GRANT SELECT, INSERT, DELETE ON dead_letter TO vigie_ingest;
GRANT SELECT, INSERT ON audit TO vigie_api, vigie_login, vigie_enroll;
