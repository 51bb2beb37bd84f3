-- 004: what samples mean.  Trips, events, alerts, what a customer sets up for them, and one order of all changes.
-- Rows about a vehicle follow the vehicle's tenant; what a customer owns carries its customer_id.

-- ---- what is known of a vehicle, and of its customer
ALTER TABLE customer
    ADD COLUMN speed_limit_kmh double precision CHECK (speed_limit_kmh BETWEEN 5 AND 300),
    ADD COLUMN timezone        text NOT NULL DEFAULT 'Europe/Paris';
ALTER TABLE vehicle
    ADD COLUMN model           text NOT NULL DEFAULT '' CHECK (length(model) <= 80),
    ADD COLUMN group_name      text NOT NULL DEFAULT '' CHECK (length(group_name) <= 63),
    ADD COLUMN displacement_l  double precision CHECK (displacement_l BETWEEN 0.1 AND 30),
    ADD COLUMN tank_l          double precision CHECK (tank_l BETWEEN 1 AND 5000),
    ADD COLUMN redline_rpm     double precision CHECK (redline_rpm BETWEEN 1000 AND 20000),
    ADD COLUMN nominal_v       integer CHECK (nominal_v IN (12, 24)),
    ADD COLUMN speed_limit_kmh double precision CHECK (speed_limit_kmh BETWEEN 5 AND 300),
    ADD COLUMN co2_kg_l        double precision CHECK (co2_kg_l BETWEEN 0 AND 10), -- of fuels we have no factor for
    ADD COLUMN timezone        text,        -- NULL: the customer's
    ADD COLUMN muted_until     timestamptz; -- workshop: facts go on, notifications do not

CREATE TABLE driver (
    id          uuid PRIMARY KEY,
    customer_id uuid NOT NULL REFERENCES customer,
    user_id     uuid, -- the account, where there is one
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    phone       text NOT NULL DEFAULT '' CHECK (length(phone) <= 40),
    licence     text NOT NULL DEFAULT '' CHECK (length(licence) <= 40),
    card        text NOT NULL DEFAULT '' CHECK (length(card) <= 80),
    created_at  timestamptz NOT NULL DEFAULT now(),
    version     integer NOT NULL DEFAULT 1,
    UNIQUE (customer_id, id),
    FOREIGN KEY (customer_id, user_id) REFERENCES app_user (customer_id, id)
);

-- Who drives what, from when to when.  Of two that overlap the later beginning counts.
CREATE TABLE driver_assignment (
    id          uuid PRIMARY KEY,
    customer_id uuid NOT NULL,
    vin         text NOT NULL,
    driver_id   uuid NOT NULL,
    from_at     timestamptz NOT NULL,
    to_at       timestamptz CHECK (to_at > from_at),
    FOREIGN KEY (customer_id, vin) REFERENCES vehicle (customer_id, vin) ON DELETE CASCADE,
    FOREIGN KEY (customer_id, driver_id) REFERENCES driver (customer_id, id) ON DELETE CASCADE
);
CREATE INDEX driver_assignment_vin ON driver_assignment (vin, from_at DESC);

CREATE TABLE geofence (
    id              uuid PRIMARY KEY,
    customer_id     uuid NOT NULL REFERENCES customer,
    name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    kind            text NOT NULL CHECK (kind IN ('circle', 'polygon', 'corridor')),
    radius_m        double precision CHECK (radius_m BETWEEN 30 AND 100000), -- corridor: half its width
    points          jsonb NOT NULL CHECK (jsonb_typeof(points) = 'array'),   -- [[lon, lat], ...]: centre, corners or line
    dwell_s         integer NOT NULL DEFAULT 0 CHECK (dwell_s BETWEEN 0 AND 3600),
    speed_limit_kmh double precision CHECK (speed_limit_kmh BETWEEN 5 AND 300),
    muted           boolean NOT NULL DEFAULT false, -- enter and exit are events, not alerts
    schedule        jsonb,                          -- as in rule; NULL: always
    group_name      text NOT NULL DEFAULT '',       -- '': all vehicles of the customer
    colour          text NOT NULL DEFAULT '' CHECK (length(colour) <= 20),
    created_at      timestamptz NOT NULL DEFAULT now(),
    version         integer NOT NULL DEFAULT 1,
    UNIQUE (customer_id, id),
    CHECK (kind = 'polygon' OR radius_m IS NOT NULL)
);

CREATE TABLE rule (
    id          uuid PRIMARY KEY,
    customer_id uuid NOT NULL REFERENCES customer,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    purpose     text NOT NULL DEFAULT '', -- what it is for, in the words of whoever set it
    enabled     boolean NOT NULL DEFAULT true,
    severity    text NOT NULL DEFAULT 'warning' CHECK (severity IN ('critical', 'major', 'minor', 'warning', 'info')),
    signal      text NOT NULL, -- VSS path
    test        text NOT NULL CHECK (test IN ('above', 'below', 'equal', 'other')),
    threshold   double precision NOT NULL,
    release     double precision NOT NULL DEFAULT 0 CHECK (release >= 0),
    duration_s  integer NOT NULL DEFAULT 0 CHECK (duration_s BETWEEN 0 AND 86400),
    repeat      integer NOT NULL DEFAULT 1 CHECK (repeat BETWEEN 1 AND 16),
    repeat_s    integer NOT NULL DEFAULT 0 CHECK (repeat_s BETWEEN 0 AND 604800),
    -- {"spans": [{"days": [1, .. 7], "from": "08:00", "to": "18:00"}], "except": false}; days from Monday; NULL: always
    schedule    jsonb,
    place       text NOT NULL DEFAULT 'anywhere' CHECK (place IN ('anywhere', 'inside', 'outside')),
    geofence_id uuid,
    group_name  text NOT NULL DEFAULT '',
    vin         text, -- NULL: every vehicle of the customer or group
    created_at  timestamptz NOT NULL DEFAULT now(),
    version     integer NOT NULL DEFAULT 1,
    FOREIGN KEY (customer_id, geofence_id) REFERENCES geofence (customer_id, id) ON DELETE CASCADE,
    FOREIGN KEY (customer_id, vin) REFERENCES vehicle (customer_id, vin) ON DELETE CASCADE,
    CHECK (place = 'anywhere' OR geofence_id IS NOT NULL)
);

CREATE TABLE contract (
    id          uuid PRIMARY KEY,
    customer_id uuid NOT NULL REFERENCES customer,
    vin         text NOT NULL,
    reference   text NOT NULL DEFAULT '' CHECK (length(reference) <= 100),
    starts_on   date NOT NULL,
    ends_on     date NOT NULL CHECK (ends_on > starts_on),
    price       numeric(12, 2),
    currency    text NOT NULL DEFAULT 'EUR' CHECK (length(currency) = 3),
    start_km    double precision NOT NULL DEFAULT 0,
    cap_km      double precision CHECK (cap_km > 0),
    created_at  timestamptz NOT NULL DEFAULT now(),
    version     integer NOT NULL DEFAULT 1,
    -- ingest's forecast
    stage       text NOT NULL DEFAULT 'fine' CHECK (stage IN ('fine', 'over_soon', 'nearly_used')),
    used_km     double precision,
    end_km      double precision, -- expected
    cap_at      timestamptz,      -- when the cap is reached at this rate
    computed_at timestamptz,
    FOREIGN KEY (customer_id, vin) REFERENCES vehicle (customer_id, vin) ON DELETE CASCADE
);
CREATE INDEX contract_vin ON contract (vin);

CREATE TABLE maintenance (
    id          uuid PRIMARY KEY,
    customer_id uuid NOT NULL REFERENCES customer,
    vin         text NOT NULL,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    every_km    double precision CHECK (every_km > 0),
    every_h     double precision CHECK (every_h > 0),
    every_days  double precision CHECK (every_days > 0),
    last_km     double precision, -- at the last service
    last_h      double precision,
    last_at     timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    version     integer NOT NULL DEFAULT 1,
    -- ingest's forecast
    stage       text NOT NULL DEFAULT 'fine' CHECK (stage IN ('fine', 'soon', 'due', 'overdue')),
    due_by      text NOT NULL DEFAULT '' CHECK (due_by IN ('', 'km', 'hours', 'date')),
    due_at      timestamptz,
    due_left    double precision, -- km, hours or days of due_by; negative: over
    computed_at timestamptz,
    UNIQUE (customer_id, id),
    FOREIGN KEY (customer_id, vin) REFERENCES vehicle (customer_id, vin) ON DELETE CASCADE,
    CHECK (coalesce(every_km, every_h, every_days) IS NOT NULL)
);
CREATE INDEX maintenance_vin ON maintenance (vin);

CREATE TABLE service_entry (
    id             uuid PRIMARY KEY,
    customer_id    uuid NOT NULL,
    maintenance_id uuid NOT NULL,
    done_at        timestamptz NOT NULL,
    km             double precision,
    hours          double precision,
    cost           numeric(12, 2),
    currency       text NOT NULL DEFAULT 'EUR' CHECK (length(currency) = 3),
    note           text NOT NULL DEFAULT '' CHECK (length(note) <= 2000),
    entered_by     uuid,
    entered_at     timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (customer_id, maintenance_id) REFERENCES maintenance (customer_id, id) ON DELETE CASCADE
);
CREATE INDEX service_entry_maintenance ON service_entry (maintenance_id, done_at DESC);

-- Somebody read the dashboard: the base where the car itself tells no odometer.
CREATE TABLE meter_entry (
    id          uuid PRIMARY KEY,
    customer_id uuid NOT NULL,
    vin         text NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    odometer_m  double precision CHECK (odometer_m >= 0),
    engine_h    double precision CHECK (engine_h >= 0),
    entered_by  uuid,
    taken_at    timestamptz, -- by ingest
    FOREIGN KEY (customer_id, vin) REFERENCES vehicle (customer_id, vin) ON DELETE CASCADE
);
CREATE INDEX meter_entry_waiting ON meter_entry (vin, at) WHERE taken_at IS NULL;

-- Where notifications of a customer go.  One row is one person (or none: a webhook) and one channel.
CREATE TABLE recipient (
    id           uuid PRIMARY KEY,
    customer_id  uuid NOT NULL REFERENCES customer,
    user_id      uuid,
    channel      text NOT NULL CHECK (channel IN ('push', 'email', 'webhook')),
    target       jsonb NOT NULL, -- push: the subscription; email: {"address"}; webhook: {"url", "secret"}
    min_severity text NOT NULL DEFAULT 'minor' CHECK (min_severity IN ('critical', 'major', 'minor', 'warning', 'info')),
    types        text[], -- NULL: all
    vins         text[], -- NULL: all
    quiet_from   time,
    quiet_to     time,
    timezone     text NOT NULL DEFAULT 'Europe/Paris',
    locale       text CHECK (locale IN ('fr', 'en')),
    disabled     boolean NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL DEFAULT now(),
    version      integer NOT NULL DEFAULT 1,
    FOREIGN KEY (customer_id, user_id) REFERENCES app_user (customer_id, id) ON DELETE CASCADE
);
CREATE INDEX recipient_customer ON recipient (customer_id) WHERE NOT disabled;

CREATE FUNCTION severity_rank(word text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT array_position(ARRAY ['info', 'warning', 'minor', 'major', 'critical'], word) $$;

-- ms since 1970 UTC, as everywhere but here.
CREATE FUNCTION ms(at timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT (extract(epoch FROM at) * 1000)::bigint $$;

-- ---- what ingest finds
-- Trips, stops and gaps follow each other without hole or overlap; idles and lapses (short gaps) lie over them.
-- A row is `settled` once later samples in order cannot change it; late ones still can, and raise its version.
CREATE TABLE segment (
    id                  uuid PRIMARY KEY,
    vin                 text NOT NULL REFERENCES vehicle ON DELETE CASCADE,
    kind                text NOT NULL CHECK (kind IN ('trip', 'stop', 'gap', 'idle', 'lapse')),
    state               text NOT NULL CHECK (state IN ('open', 'closed', 'final', 'superseded')),
    settled             boolean NOT NULL,
    provisional         boolean NOT NULL DEFAULT false, -- closed by silence alone
    version             integer NOT NULL DEFAULT 1,
    start_at            timestamptz NOT NULL,
    end_at              timestamptz NOT NULL, -- open: of the newest sample in it
    start_lat           double precision,
    start_lon           double precision,
    end_lat             double precision,
    end_lon             double precision,
    distance_m          double precision NOT NULL DEFAULT 0,
    estimated_m         double precision NOT NULL DEFAULT 0, -- of distance_m: straight lines over holes
    odometer_m          double precision,                    -- by the car's own meter, from 5 km on
    distance_check      boolean NOT NULL DEFAULT false,      -- the two part by more than 5 % and 500 m
    max_speed_kmh       double precision NOT NULL DEFAULT 0,
    moving_ms           bigint NOT NULL DEFAULT 0,
    engine_ms           bigint NOT NULL DEFAULT 0,
    idle_ms             bigint NOT NULL DEFAULT 0,
    covered_ms          bigint NOT NULL DEFAULT 0, -- of expected_ms: with samples close enough to add up
    expected_ms         bigint NOT NULL DEFAULT 0,
    pause_ms            bigint NOT NULL DEFAULT 0, -- fuel stops of a trip
    high_rpm_ms         bigint NOT NULL DEFAULT 0, -- of engine_ms: above 75 % of the redline
    cold_load_ms        bigint NOT NULL DEFAULT 0, -- of engine_ms: coolant below 60 degrees and load above 70 %
    rpm_ms              bigint NOT NULL DEFAULT 0, -- of engine_ms: in which rpm, or coolant and load, were measured
    load_ms             bigint NOT NULL DEFAULT 0,
    fuel_l              double precision,          -- NULL: not measured
    fuel_method         text NOT NULL DEFAULT 'none' CHECK (fuel_method IN ('none', 'direct', 'mass', 'maf', 'speed_density', 'level')),
    fuel_share          double precision,          -- of the litres' time, by that method
    fuel_coverage       double precision,          -- 0 .. 1
    fuel_l_100km        double precision,          -- NULL under 1 km or 90 % coverage
    fuel_litres         double precision[] NOT NULL DEFAULT '{}', -- by method, in the order of the check above
    fuel_ms             bigint[] NOT NULL DEFAULT '{}',
    fuel_expected_ms    bigint NOT NULL DEFAULT 0,
    co2_kg              double precision,
    odometer_start_m    double precision,
    odometer_end_m      double precision,
    level_start_percent double precision,
    level_end_percent   double precision,
    end_reason          text NOT NULL DEFAULT '' CHECK (end_reason IN ('', 'standing', 'ignition_off', 'gap', 'silent')),
    driver_id           uuid,
    score               double precision, -- eco score of a trip, 0 .. 100
    score_terms         jsonb,            -- {"harsh": 7.5, ...}: the points lost; absent: not measured
    updated_at          timestamptz NOT NULL DEFAULT now(),
    CHECK (end_at >= start_at)
);
CREATE INDEX segment_time ON segment (vin, start_at DESC) WHERE state <> 'superseded';
CREATE INDEX segment_unscored ON segment (end_at) WHERE kind = 'trip' AND state = 'closed' AND NOT provisional AND score_terms IS NULL;
CREATE INDEX segment_unsettled ON segment (vin) WHERE NOT settled AND state <> 'superseded';

-- A fact, found by the car (its own id) or by us (an id derived from what and when).  It never changes; what late data
-- disproves is withdrawn.
CREATE TABLE event (
    id          uuid NOT NULL,
    vin         text NOT NULL REFERENCES vehicle ON DELETE CASCADE,
    type        text NOT NULL,
    subject     text NOT NULL DEFAULT '', -- zone, rule, code + ecu; '' of most
    source      text NOT NULL CHECK (source IN ('agent', 'ingest')),
    severity    text CHECK (severity IN ('critical', 'major', 'minor', 'warning', 'info')),
    occurred_at timestamptz NOT NULL,
    detected_at timestamptz NOT NULL,
    lat         double precision,
    lon         double precision,
    data        jsonb NOT NULL DEFAULT '{}',
    told_ms     bigint NOT NULL DEFAULT 0, -- of the sample that told it, where we found it
    withdrawn   boolean NOT NULL DEFAULT false,
    PRIMARY KEY (vin, id)
);
CREATE INDEX event_entered ON event (occurred_at) WHERE type = 'geofence_enter';
CREATE INDEX segment_closed ON segment (end_at) WHERE state = 'closed';
CREATE INDEX event_told ON event (vin, told_ms) WHERE source = 'ingest';
CREATE INDEX event_time ON event (vin, occurred_at DESC);

-- A case.  Points keep the id they came with; of a condition there is at most one uncleared case per key.
CREATE TABLE alert (
    id              uuid PRIMARY KEY,
    vin             text NOT NULL REFERENCES vehicle ON DELETE CASCADE,
    type            text NOT NULL,
    subject         text NOT NULL DEFAULT '',
    ending          text NOT NULL CHECK (ending IN ('point', 'condition', 'person')),
    state           text NOT NULL CHECK (state IN ('open', 'acknowledged', 'cleared')),
    severity        text NOT NULL CHECK (severity IN ('critical', 'major', 'minor', 'warning', 'info')),
    reason          text NOT NULL DEFAULT '' CHECK (reason IN ('', 'ended', 'person', 'corrected', 'expired')),
    occurred_at     timestamptz NOT NULL,
    detected_at     timestamptz NOT NULL,
    last_at         timestamptz NOT NULL, -- newest repeat
    ended_at        timestamptz,          -- the condition is over since
    cleared_at      timestamptz,
    count           integer NOT NULL DEFAULT 1,
    held_down       boolean NOT NULL DEFAULT false, -- cleared by hand while true: until it has been false once
    changes         bigint[] NOT NULL DEFAULT '{}', -- ms, newest last, at most 8: more than 6 an hour is flapping
    messaged_at     timestamptz,
    openings        integer NOT NULL DEFAULT 1,
    lat             double precision,
    lon             double precision,
    data            jsonb NOT NULL DEFAULT '{}',
    acknowledged_at timestamptz,
    acknowledged_by uuid,
    assigned_to     uuid,
    cleared_by      uuid,
    version         integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX alert_once ON alert (vin, type, subject, occurred_at) WHERE ending <> 'point';
CREATE INDEX alert_key ON alert (vin, type, subject, occurred_at DESC);
CREATE UNIQUE INDEX alert_case ON alert (vin, type, subject) WHERE state <> 'cleared' AND ending <> 'point';
CREATE INDEX alert_time ON alert (vin, occurred_at DESC);
CREATE INDEX alert_waiting ON alert (detected_at) WHERE state <> 'cleared';

CREATE TABLE alert_comment (
    id       uuid PRIMARY KEY,
    alert_id uuid NOT NULL REFERENCES alert ON DELETE CASCADE,
    user_id  uuid NOT NULL REFERENCES app_user ON DELETE CASCADE,
    at       timestamptz NOT NULL DEFAULT now(),
    text     text NOT NULL CHECK (length(text) BETWEEN 1 AND 2000)
);
CREATE INDEX alert_comment_alert ON alert_comment (alert_id, at);

-- One delivery: written in the transaction of the alert's change, claimed by notify with a lease.
CREATE TABLE notification (
    id           uuid PRIMARY KEY,
    alert_id     uuid NOT NULL REFERENCES alert ON DELETE CASCADE,
    opening      integer NOT NULL, -- alert.openings then
    transition   text NOT NULL CHECK (transition IN ('opened', 'worsened', 'escalated', 'cleared')),
    recipient_id uuid NOT NULL REFERENCES recipient ON DELETE CASCADE,
    channel      text NOT NULL,
    state        text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'delivered', 'failed', 'expired', 'suppressed')),
    reason       text NOT NULL DEFAULT '', -- of failed, expired, suppressed
    late         boolean NOT NULL DEFAULT false,
    severity     text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    due_at       timestamptz NOT NULL DEFAULT now(),
    lease_until  timestamptz,
    tries        integer NOT NULL DEFAULT 0,
    sent_at      timestamptz,
    UNIQUE (alert_id, opening, transition, severity, recipient_id)
);
CREATE INDEX notification_due ON notification (due_at) WHERE state = 'queued';

-- Trouble codes as they are now, and as they were.
CREATE TABLE dtc (
    vin      text NOT NULL REFERENCES vehicle ON DELETE CASCADE,
    code     text NOT NULL,
    ecu      text NOT NULL,
    list     text NOT NULL CHECK (list IN ('stored', 'pending', 'permanent')),
    there    boolean NOT NULL,
    first_at timestamptz NOT NULL,
    last_at  timestamptz NOT NULL,
    gone_at  timestamptz,
    count    integer NOT NULL DEFAULT 1,
    PRIMARY KEY (vin, code, ecu, list)
);
CREATE TABLE dtc_status (
    vin             text PRIMARY KEY REFERENCES vehicle ON DELETE CASCADE,
    at              timestamptz NOT NULL, -- of the newest report
    mil             boolean,
    readiness_known boolean NOT NULL DEFAULT false,
    supported       bigint NOT NULL DEFAULT 0,
    incomplete      bigint NOT NULL DEFAULT 0,
    cleared_km      double precision
);

-- Kilometres and hours as shown: {"car" by its own meter | "estimated" from a base somebody entered}.
CREATE TABLE vehicle_meter (
    vin        text PRIMARY KEY REFERENCES vehicle ON DELETE CASCADE,
    at         timestamptz NOT NULL,
    odometer_m double precision,
    source     text NOT NULL DEFAULT '' CHECK (source IN ('', 'car', 'estimated')),
    engine_h   double precision,
    idle_h     double precision
) WITH (fillfactor = 60);

-- Where the facts of a vehicle stand: what was stepped, and what has to be looked at again in the history.
CREATE TABLE fact_state (
    vin           text PRIMARY KEY REFERENCES vehicle ON DELETE CASCADE,
    t_ms          bigint NOT NULL DEFAULT 0, -- newest sample stepped
    layout        bigint NOT NULL DEFAULT 0, -- of `state`: another one is not read
    state         bytea,                     -- all the steps need
    shown_ms      bigint NOT NULL DEFAULT 0, -- when its open rows were written last, by sample time
    checkpoint_ms bigint NOT NULL DEFAULT 0, -- newest row of fact_checkpoint
    stream        uuid,                      -- of its telemetry
    passed_seq    bigint NOT NULL DEFAULT 0, -- gaps of it up to here are not waited for any more
    wait_ms       bigint NOT NULL DEFAULT 0, -- the history has samples up to here that wait for a gap; 0: none
    waits         bigint NOT NULL DEFAULT 0, -- how often something was added to what waits
    wait_since    timestamptz,               -- when that gap last moved
    late_from_ms  bigint NOT NULL DEFAULT 0, -- the earliest sample that came too late; 0: none
    late_until_ms bigint NOT NULL DEFAULT 0,
    late_at       timestamptz                -- when the newest of them came
) WITH (fillfactor = 50);
ALTER TABLE fact_state ALTER COLUMN state SET STORAGE MAIN;
CREATE INDEX fact_state_again ON fact_state (vin) WHERE late_from_ms > 0 OR wait_ms > 0;

-- From where a recompute begins: a few a day.
CREATE TABLE fact_checkpoint (
    vin    text NOT NULL REFERENCES vehicle ON DELETE CASCADE,
    t_ms   bigint NOT NULL,
    layout bigint NOT NULL,
    state  bytea NOT NULL,
    PRIMARY KEY (vin, t_ms)
);

-- ---- one order of all changes, without gaps
-- Ids are handed out before the commit, so a reader that followed them alone could miss a slow transaction.  The order
-- is (xid, id), and nobody is shown a transaction before all older ones have ended.  cursor = 'xid.id'.
CREATE TABLE change (
    xid  xid8 NOT NULL DEFAULT pg_current_xact_id(),
    id   bigint GENERATED ALWAYS AS IDENTITY,
    at   timestamptz NOT NULL DEFAULT now(),
    vin  text NOT NULL REFERENCES vehicle ON DELETE CASCADE,
    kind text NOT NULL, -- alert, event, trip, stop, gap, idle, lapse; later command, media
    ref  uuid NOT NULL,
    data jsonb NOT NULL DEFAULT '{}', -- {"state", "version", ...}: enough to tell whether to fetch it
    PRIMARY KEY (xid, id)
);
CREATE INDEX change_at ON change (at);

CREATE FUNCTION change_cursor(c change) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT c.xid::text || '.' || c.id $$;

-- What came after a cursor ('' or NULL: from the oldest kept), oldest first; a cursor that is none is an error 22P02.
CREATE FUNCTION change_after(after text, most integer) RETURNS SETOF change LANGUAGE sql STABLE AS
$$
    SELECT c.* FROM change c
    WHERE (c.xid, c.id) > (CASE WHEN coalesce(after, '') = '' THEN '0' ELSE split_part(after, '.', 1) END::xid8,
                           CASE WHEN coalesce(after, '') = '' THEN '0' ELSE split_part(after, '.', 2) END::bigint)
      AND c.xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY c.xid, c.id LIMIT most
$$;
-- Where somebody begins who wants what comes from now on.
CREATE FUNCTION change_now() RETURNS text LANGUAGE sql STABLE AS
$$ SELECT pg_snapshot_xmin(pg_current_snapshot())::text || '.0' $$;

-- Arguments: which columns `data` gets.
CREATE FUNCTION change_log() RETURNS trigger LANGUAGE plpgsql AS
$$
DECLARE
    row jsonb := to_jsonb(NEW);
BEGIN
    INSERT INTO change (vin, kind, ref, data)
    VALUES (NEW.vin, coalesce(row ->> 'kind', TG_TABLE_NAME), NEW.id,
            (SELECT jsonb_object_agg(key, value) FROM jsonb_each(row) WHERE key = ANY (TG_ARGV)));
    PERFORM pg_notify('change', '');
    RETURN NULL;
END
$$;
-- An open row is written again and again as it grows: that is no news, the live view has it.
CREATE TRIGGER change_new AFTER INSERT ON segment FOR EACH ROW EXECUTE FUNCTION change_log('state', 'version');
CREATE TRIGGER change_again AFTER UPDATE ON segment FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state OR OLD.settled IS DISTINCT FROM NEW.settled
          OR (NEW.settled AND OLD.version IS DISTINCT FROM NEW.version)) EXECUTE FUNCTION change_log('state', 'version');
CREATE TRIGGER change_new AFTER INSERT ON event FOR EACH ROW EXECUTE FUNCTION change_log('type', 'withdrawn');
CREATE TRIGGER change_again AFTER UPDATE ON event FOR EACH ROW
    WHEN (OLD.withdrawn IS DISTINCT FROM NEW.withdrawn) EXECUTE FUNCTION change_log('type', 'withdrawn');
CREATE TRIGGER change_new AFTER INSERT ON alert FOR EACH ROW
    EXECUTE FUNCTION change_log('type', 'state', 'severity', 'count', 'version');
CREATE TRIGGER change_again AFTER UPDATE ON alert FOR EACH ROW
    WHEN (OLD.version IS DISTINCT FROM NEW.version)
    EXECUTE FUNCTION change_log('type', 'state', 'severity', 'count', 'version');

-- A harsh event or an episode above the limit, come late or withdrawn, changes the score of its trip.
CREATE FUNCTION score_again() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    UPDATE segment SET score = NULL, score_terms = NULL WHERE vin = NEW.vin AND kind = 'trip' AND state <> 'superseded'
        AND start_at <= NEW.occurred_at AND end_at >= NEW.occurred_at AND score_terms IS NOT NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER score_again AFTER INSERT OR UPDATE ON event FOR EACH ROW
    WHEN (NEW.type LIKE 'harsh%' OR NEW.type = 'overspeed') EXECUTE FUNCTION score_again();

-- Edited, a plan or contract is looked at anew at once.
CREATE FUNCTION forecast_again() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    NEW.computed_at := NULL;
    RETURN NEW;
END
$$;
CREATE TRIGGER forecast_again BEFORE UPDATE ON maintenance FOR EACH ROW
    WHEN (OLD.version IS DISTINCT FROM NEW.version) EXECUTE FUNCTION forecast_again();
CREATE TRIGGER forecast_again BEFORE UPDATE ON contract FOR EACH ROW
    WHEN (OLD.version IS DISTINCT FROM NEW.version) EXECUTE FUNCTION forecast_again();

-- ---- what people do with a case; both do nothing the second time, and return the case as it is then
CREATE FUNCTION alert_acknowledge(case_id uuid, who uuid) RETURNS SETOF alert LANGUAGE sql VOLATILE AS
$$
    UPDATE alert SET state = 'acknowledged', acknowledged_at = now(), acknowledged_by = who, version = version + 1
    WHERE id = case_id AND state = 'open';
    SELECT * FROM alert WHERE id = case_id;
$$;
-- Cleared while still true it stays cleared until it has been false once.
CREATE FUNCTION alert_clear(case_id uuid, who uuid) RETURNS SETOF alert LANGUAGE sql VOLATILE AS
$$
    UPDATE alert SET state = 'cleared', reason = 'person', cleared_at = now(), cleared_by = who, version = version + 1,
        held_down = ending <> 'point' AND ended_at IS NULL,
        changes = (changes || (extract(epoch FROM now()) * 1000)::bigint)[greatest(cardinality(changes) - 6, 1):]
    WHERE id = case_id AND state <> 'cleared';
    SELECT * FROM alert WHERE id = case_id;
$$;

-- ---- tenants
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY ['driver', 'driver_assignment', 'geofence', 'rule', 'contract', 'maintenance',
                              'service_entry', 'meter_entry', 'recipient'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant ON %I TO vigie_api USING (customer_id = tenant()) '
                       'WITH CHECK (customer_id = tenant())', t);
        EXECUTE format('CREATE POLICY ingest ON %I TO vigie_ingest USING (true) WITH CHECK (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO vigie_api', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY ['segment', 'event', 'alert', 'dtc', 'dtc_status', 'vehicle_meter', 'fact_state',
                              'fact_checkpoint', 'change'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY ingest ON %I TO vigie_ingest USING (true) WITH CHECK (true)', t);
        CONTINUE WHEN t LIKE 'fact_%';
        EXECUTE format('CREATE POLICY tenant ON %1$I FOR SELECT TO vigie_api '
                       'USING (EXISTS (SELECT FROM vehicle v WHERE v.vin = %1$I.vin))', t);
        EXECUTE format('CREATE POLICY notify ON %I FOR SELECT TO vigie_notify USING (true)', t);
        EXECUTE format('GRANT SELECT ON %I TO vigie_api, vigie_notify', t);
    END LOOP;
END
$$;
CREATE POLICY tenant_change ON alert FOR UPDATE TO vigie_api USING (EXISTS (SELECT FROM vehicle v WHERE v.vin = alert.vin))
    WITH CHECK (EXISTS (SELECT FROM vehicle v WHERE v.vin = alert.vin));
CREATE POLICY tenant_log ON change FOR INSERT TO vigie_api WITH CHECK (EXISTS (SELECT FROM vehicle v WHERE v.vin = change.vin));

ALTER TABLE alert_comment ENABLE ROW LEVEL SECURITY;
ALTER TABLE alert_comment FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON alert_comment TO vigie_api USING (EXISTS (SELECT FROM alert a WHERE a.id = alert_comment.alert_id))
    WITH CHECK (EXISTS (SELECT FROM alert a WHERE a.id = alert_comment.alert_id));
ALTER TABLE notification ENABLE ROW LEVEL SECURITY;
ALTER TABLE notification FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON notification FOR SELECT TO vigie_api
    USING (EXISTS (SELECT FROM alert a WHERE a.id = notification.alert_id));
CREATE POLICY ingest ON notification TO vigie_ingest USING (true) WITH CHECK (true);
CREATE POLICY notify ON notification TO vigie_notify USING (true) WITH CHECK (true);
CREATE POLICY notify ON recipient FOR SELECT TO vigie_notify USING (true);
CREATE POLICY ingest ON customer FOR SELECT TO vigie_ingest USING (true);

-- ---- grants: nothing but this
GRANT SELECT (id, speed_limit_kmh, timezone) ON customer TO vigie_ingest;
GRANT SELECT ON driver_assignment, geofence, rule, contract, maintenance, service_entry, meter_entry TO vigie_ingest;
GRANT SELECT (id, customer_id, user_id, channel, min_severity, types, vins, disabled) ON recipient TO vigie_ingest;
GRANT UPDATE (stage, used_km, end_km, cap_at, computed_at) ON contract TO vigie_ingest;
GRANT UPDATE (stage, due_by, due_at, due_left, computed_at) ON maintenance TO vigie_ingest;
GRANT UPDATE (taken_at) ON meter_entry TO vigie_ingest;
GRANT SELECT, INSERT, UPDATE, DELETE ON segment, event, alert, dtc, dtc_status, vehicle_meter, fact_state, fact_checkpoint
    TO vigie_ingest;
GRANT SELECT, INSERT ON change, notification TO vigie_ingest;
GRANT UPDATE ON notification TO vigie_ingest;
GRANT UPDATE (state, reason, cleared_at, cleared_by, acknowledged_at, acknowledged_by, assigned_to, held_down, changes, version)
    ON alert TO vigie_api;
GRANT INSERT ON change TO vigie_api;
GRANT SELECT, INSERT, DELETE ON alert_comment TO vigie_api;
GRANT SELECT ON notification TO vigie_api;
GRANT SELECT, UPDATE ON notification TO vigie_notify;
GRANT SELECT ON recipient TO vigie_notify;
