"""The database holds its fences alone: tenants in row-level security, whatever the program above it does."""
import uuid

import psycopg2
import pytest
from api_site import OURS, THEIRS, site


@pytest.fixture(scope="module")
def s():
    s = site()
    for vin in (OURS[0], THEIRS[0]):
        s.sql(f"INSERT INTO vehicle_state (vin, last_seen) VALUES ('{vin}', now()) ON CONFLICT DO NOTHING")
        s.sql(f"INSERT INTO fact (vin, id, kind, stream, seq, body) VALUES ('{vin}', gen_random_uuid(), 'event', gen_random_uuid(), 1, '{{}}')")
    s.token("owner")
    s.token("stranger")
    return s


class As:
    """A transaction of `role`, with a tenant or without."""

    def __init__(self, s, role, tenant=None, login=None):
        self.db = psycopg2.connect(s.postgres.conninfo(login or role))
        self.cursor = self.db.cursor()
        if login:
            self.cursor.execute(f"SET LOCAL ROLE {role}")
        if tenant is not None:
            self.cursor.execute("SELECT set_config('app.customer', %s, true)", [tenant])

    def __call__(self, statement, *params):
        self.cursor.execute("SAVEPOINT s")
        try:
            self.cursor.execute(statement, params)
            rows = self.cursor.fetchall() if self.cursor.description else self.cursor.rowcount
        except psycopg2.Error as error:
            self.cursor.execute("ROLLBACK TO s")
            return type(error).__name__
        return rows

    def close(self):
        self.db.close()


TENANT_TABLES = ["customer", "app_user", "vehicle", "vehicle_state", "vehicle_config", "fact", "command", "segment", "event", "alert",
                 "alert_comment", "dtc", "change", "loss_hour", "geofence", "rule", "driver", "driver_assignment", "contract", "maintenance", "service_entry",
                 "meter_entry", "audit", "idempotency", "ws_ticket"]


@pytest.mark.parametrize("table", TENANT_TABLES)
def test_without_a_tenant_there_are_no_rows(s, table):
    columns = "id" if table in ("app_user", "customer") else "1"
    for tenant in (None, "", ):
        as_api = As(s, "vigie_api", tenant)
        assert as_api(f"SELECT {columns} FROM {table}") == []
        as_api.close()


def test_a_tenant_that_is_no_uuid_is_an_error_and_no_rows(s):
    as_api = As(s, "vigie_api", "x' OR true --")
    assert as_api("SELECT vin FROM vehicle") == "InvalidTextRepresentation"
    as_api.close()


def test_each_tenant_sees_its_own_and_nothing_else(s):
    for customer, own, foreign in ((s.customers[0], OURS[0], THEIRS[0]), (s.customers[1], THEIRS[0], OURS[0])):
        as_api = As(s, "vigie_api", customer)
        for table in ("vehicle", "vehicle_state", "fact"):
            vins = {row[0] for row in as_api(f"SELECT vin FROM {table}")}
            assert own in vins and foreign not in vins, table
            assert as_api(f"SELECT vin FROM {table} WHERE vin = %s", foreign) == []
        assert {row[0] for row in as_api("SELECT customer_id::text FROM app_user")} == {customer}
        assert {row[0] for row in as_api("SELECT customer_id::text FROM audit")} == {customer}
        assert [row[0] for row in as_api("SELECT id::text FROM customer")] == [customer]
        as_api.close()


def test_a_tenant_cannot_write_into_another(s):
    as_api = As(s, "vigie_api", s.customers[0])
    assert as_api("INSERT INTO vehicle (vin, customer_id) VALUES ('ZZ00000000000LEAK', %s)", s.customers[1]) == "InsufficientPrivilege" \
        or as_api("INSERT INTO vehicle (vin, customer_id) VALUES ('ZZ0000000000ZZZZZ', %s)", s.customers[1]) == "InsufficientPrivilege"
    assert as_api("UPDATE vehicle SET customer_id = %s WHERE vin = %s", s.customers[1], OURS[0]) == "InsufficientPrivilege"
    assert as_api("UPDATE vehicle SET name = 'x' WHERE vin = %s", THEIRS[0]) == 0
    assert as_api("DELETE FROM vehicle WHERE vin = %s", THEIRS[0]) == 0
    assert as_api("INSERT INTO audit (customer_id, action, hash) VALUES (%s, 'x', '')", s.customers[1]) == "InsufficientPrivilege"
    stranger = s.sql("SELECT id FROM app_user WHERE username = 'stranger'")
    assert as_api("INSERT INTO ws_ticket VALUES ('h', %s, %s, '', now())", stranger, s.customers[1]) == "InsufficientPrivilege"
    assert as_api("INSERT INTO ws_ticket VALUES ('h', %s, %s, '', now())", stranger, s.customers[0]) == "ForeignKeyViolation"
    as_api.close()


@pytest.mark.parametrize("statement", [
    "SELECT password_hash FROM app_user", "SELECT * FROM app_user", "UPDATE app_user SET role = 'owner'",
    "INSERT INTO customer VALUES (gen_random_uuid(), 'x')", "SELECT * FROM refresh_token", "SELECT * FROM enroll_token",
    "SELECT * FROM certificate", "SELECT * FROM watermark", "SELECT * FROM dead_letter", "UPDATE vehicle_state SET lat = 0",
    "UPDATE audit SET action = 'x'", "DELETE FROM audit", "DELETE FROM fact", "CREATE TABLE x (a int)",
    "ALTER TABLE vehicle DISABLE ROW LEVEL SECURITY", "SET ROLE vigie_ingest", "TRUNCATE vehicle", "DROP TABLE vehicle",
    "CREATE POLICY x ON vehicle USING (true)"])
def test_the_api_s_role_may_not(s, statement):
    as_api = As(s, "vigie_api", s.customers[0])
    assert as_api(statement) == "InsufficientPrivilege"
    as_api.close()


def test_the_steps_before_a_tenant_have_exactly_their_tables(s):
    login = As(s, "vigie_login", login="vigie_api")
    assert len(login("SELECT password_hash FROM app_user")) >= 2 and isinstance(login("SELECT 1 FROM refresh_token"), list)
    for table in ("vehicle", "vehicle_state", "fact", "enroll_token", "certificate", "ws_ticket"):
        assert login(f"SELECT 1 FROM {table}") == "InsufficientPrivilege", table
    assert login("DELETE FROM app_user") == "InsufficientPrivilege"
    login.close()
    enroll = As(s, "vigie_enroll", login="vigie_api")
    assert len(enroll("SELECT vin FROM vehicle")) >= 5
    for table in ("app_user", "customer", "refresh_token", "vehicle_state", "fact"):
        assert enroll(f"SELECT 1 FROM {table}") == "InsufficientPrivilege", table
    assert enroll("INSERT INTO vehicle (vin, customer_id) VALUES ('ZZ000000000000001', %s)", s.customers[0]) == "InsufficientPrivilege"
    enroll.close()
    dispatch = As(s, "vigie_dispatch", login="vigie_api")
    assert isinstance(dispatch("UPDATE vehicle_state SET presence = 'offline' WHERE false RETURNING vin"), list)
    for statement in ("UPDATE vehicle_state SET lat = 0", "SELECT signals FROM vehicle_state", "UPDATE vehicle SET status = 'active'"):
        assert dispatch(statement) == "InsufficientPrivilege", statement
    dispatch.close()


@pytest.mark.parametrize("role", ["vigie_ingest", "vigie_notify", "vigie_video"])
def test_the_other_services_cannot_become_anyone(s, role):
    session = As(s, role)
    for other in ("vigie", "vigie_api", "vigie_login", "vigie_enroll"):
        assert session(f"SET ROLE {other}") == "InsufficientPrivilege"
    assert session("SELECT password_hash FROM app_user") == "InsufficientPrivilege"
    session.close()


# ---- the schema as a whole: what is added later is held to the same
def test_every_table_forces_row_level_security(s):
    loose = s.sql("SELECT string_agg(relname, ',') FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
                  " AND NOT (relrowsecurity AND relforcerowsecurity) AND relname <> 'schema_migration'")
    assert loose == ""


def test_every_table_with_a_tenant_has_a_policy_that_names_it(s):
    tables = s.sql("SELECT relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE relkind IN ('r', 'p') AND"
                   " relnamespace = 'public'::regnamespace AND attname = 'customer_id'").splitlines()
    assert len(tables) >= 6
    named = set(s.sql("SELECT DISTINCT tablename FROM pg_policies WHERE qual LIKE '%tenant()%' OR roles = '{vigie_login}'").splitlines())
    assert set(tables) <= named


def test_views_look_with_the_eyes_of_whoever_asks(s):
    assert s.sql("SELECT count(*) FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace AND"
                 " NOT coalesce(reloptions::text LIKE '%security_invoker=true%', false)") == "0"
    assert s.sql("SELECT count(*) FROM pg_class WHERE relkind = 'm' AND relnamespace = 'public'::regnamespace") == "0"
    assert s.sql("SELECT count(*) FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace") == "0"


def test_no_login_owns_or_bypasses(s):
    assert s.sql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'vigie\\_%' AND (rolsuper OR rolbypassrls OR rolcreaterole)") == "0"
    assert s.sql("SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE rolname LIKE 'vigie\\_%'") == "0"
    assert s.sql("SELECT count(*) FROM information_schema.role_table_grants WHERE grantee = 'PUBLIC' AND table_schema = 'public'") == "0"


def test_a_program_connected_as_owner_still_answers_as_a_tenant(tmp_path):
    """The role is set in the transaction: even with the owner's connection nothing leaks."""
    from api_site import ApiSite
    own = ApiSite(tmp_path)
    try:
        own.api.stop()
        own.api.env["VIGIE_PG"] = own.postgres.conninfo()
        own.api.spawn()
        own.api.wait_ready()
        token = own.token("stranger")
        vins = [v["vin"] for v in own.ask("GET", "vehicles", token=token).json["items"]]
        assert vins == sorted(THEIRS) and own.ask("GET", f"vehicles/{OURS[0]}", token=token).code == 404
    finally:
        own.stop()


ROWS = {"alert": "id, vin, type, ending, state, severity, occurred_at, detected_at, last_at) VALUES ('{id}', '{vin}', 'crash', 'point', 'open', "
                 "'critical', now(), now(), now()",
        "event": "id, vin, type, source, occurred_at, detected_at) VALUES ('{id}', '{vin}', 'idle', 'agent', now(), now()",
        "command": "id, vin, type, expires_at) VALUES ('{id}', '{vin}', 'photo', now()",
        "segment": "id, vin, kind, state, settled, start_at, end_at) VALUES ('{id}', '{vin}', 'trip', 'closed', true, now(), now()"}


@pytest.mark.parametrize("table", ROWS)
def test_a_column_that_is_new_is_not_told_by_itself(s, table):
    identity = str(uuid.uuid4())
    db = psycopg2.connect(s.postgres.conninfo())
    try:
        with db.cursor() as cursor:
            def told():
                cursor.execute("SELECT change_object(c) FROM change c WHERE ref = %s", [identity])
                return cursor.fetchone()[0]

            cursor.execute(f"INSERT INTO {table} ({ROWS[table].format(id=identity, vin=OURS[0])})")
            before = told()
            assert before["id"] == identity and before["vin"] == OURS[0]
            cursor.execute(f"ALTER TABLE {table} ADD COLUMN secret text NOT NULL DEFAULT 'x'")
            assert told() == before
    finally:
        db.rollback()
        db.close()
