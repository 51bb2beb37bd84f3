"""The purge: what is older than its limit goes, what is not stays, and the proof says how many and how old the rest is."""
import json
import subprocess
import time
import uuid

import pytest
from api_site import OURS, PROGRAM, THEIRS, site

SPEED, LAT = "Vehicle.Speed", "Vehicle.CurrentLocation.Latitude"
DAY = 86400_000
NOW = int(time.time() * 1000)


@pytest.fixture(scope="module")
def s():
    return site()


def purge(s, *more):
    return {row["kind"]: row for row in json.loads(s.run("purge", "--json", *more, env={"VIGIE_INFLUX": s.influx.address}))}


def days(n):
    return f"now() - interval '{n} days'"


def insert(s, table, **columns):
    names = ", ".join(columns)
    values = ", ".join(v if v.startswith("now()") or v.startswith("decode(") else f"'{v}'" for v in map(str, columns.values()))
    s.sql(f"INSERT INTO {table} ({names}) VALUES ({values})")


def segment(s, age, **more):
    insert(s, "segment", **{"id": uuid.uuid4(), "vin": OURS[0], "kind": "trip", "state": "final", "settled": "true",
                            "start_at": days(age + 0.1), "end_at": days(age), "start_lat": 48.528612, "start_lon": 7.711634,
                            "end_lat": 48.5861, "end_lon": 7.7507, **more})


def test_rows_go_with_their_time_and_places_grow_coarse_before(s):
    insert(s, "purge_proof", site="illkirch", kind="x", kept="", removed=0, at=days(1))
    s.sql("DELETE FROM ws_ticket")  # of the tests before
    for age in (1, 59, 61, 364, 367):
        segment(s, age)
        for _ in range(2):
            insert(s, "event", id=uuid.uuid4(), vin=OURS[0], type="idle", source="agent", occurred_at=days(age),
                   detected_at=days(age), lat=48.528612, lon=7.711634,
                   data=json.dumps({"lat": 48.528612, "lon": 7.711634, "s": 300}))
        insert(s, "alert", id=uuid.uuid4(), vin=OURS[0], type="crash", ending="point", state="cleared", severity="critical",
               occurred_at=days(age), detected_at=days(age), last_at=days(age), lat=48.528612, lon=7.711634)
        insert(s, "fact", vin=OURS[0], id=uuid.uuid4(), kind="alert", stream=uuid.uuid4(), seq=1, occurred_at=days(age),
               body=json.dumps({"seq": 1, "data": {"lat": 48.528612, "lon": 7.711634, "peak_g": 0.5}}))
        insert(s, "fact", vin=OURS[0], id=uuid.uuid4(), kind="diagnostics", stream=uuid.uuid4(), seq=1, occurred_at=days(age),
               body=json.dumps({"seq": age, "mil": age < 365, "dtcs": []}))
    insert(s, "recipient", id=uuid.uuid4(), customer_id=s.customers[0], channel="webhook", target="{}")
    s.sql("INSERT INTO notification (id, alert_id, opening, transition, recipient_id, channel, state, severity, created_at) SELECT "
          "gen_random_uuid(), a.id, 1, 'opened', r.id, r.channel, 'sent', a.severity, a.last_at FROM alert a, recipient r")
    segment(s, 400, state="open")
    insert(s, "alert", id=uuid.uuid4(), vin=OURS[0], type="mil_on", ending="condition", state="open", severity="minor",
           occurred_at=days(500), detected_at=days(500), last_at=days(500))
    for age in (1, 13, 15, 300):
        insert(s, "dead_letter", id=uuid.uuid4(), site="illkirch", vin=OURS[0], kind="up/event", reason="json", detail="",
               payload="x", received_at=days(age))
    before = {t: s.sql(f"SELECT count(*) FROM {t}") for t in ("segment", "event", "dead_letter", "purge_proof")}
    dry = purge(s, "--dry-run")
    assert {t: s.sql(f"SELECT count(*) FROM {t}") for t in before} == before  # counted only
    proof = purge(s)
    assert dry == proof
    for kind, removed in {"trips and stops": 1, "events": 2, "alerts": 1, "notifications": 2, "messages of vehicles": 1, "dead letters": 2}.items():
        assert proof[kind]["removed"] == removed == dry[kind]["removed"], (kind, proof[kind])
    assert proof["places of trips and stops"]["removed"] == 4  # 61, 364, 367 and the open one
    assert proof["places of events"]["removed"] == 6 == proof["places in events"]["removed"]
    assert proof["places of alerts"]["removed"] == 3 and proof["places in messages"]["removed"] == 3
    assert s.sql("SELECT count(*), min(state) FROM segment") == "5|final"
    assert s.sql("SELECT count(*) FROM alert WHERE state = 'open'") == "1"  # nobody has dealt with it
    assert proof["reports of codes that say what the one before said"]["removed"] == 1
    assert s.sql("SELECT string_agg(body->>'seq', ' ' ORDER BY occurred_at) FROM fact WHERE kind = 'diagnostics'") == "367 364 59 1"
    fine = s.sql("SELECT (now() - end_at < interval '60 days'), start_lat, start_lon FROM segment WHERE state <> 'open' ORDER BY end_at").splitlines()
    assert fine == ["f|48.53|7.71"] * 2 + ["t|48.528612|7.711634"] * 2
    assert s.sql("SELECT DISTINCT data->>'lat', data->>'s' FROM event WHERE occurred_at < now() - interval '60 days'") == "48.53|300"
    assert s.sql("SELECT DISTINCT body->'data'->>'lat', body->'data'->>'peak_g', body->>'seq' FROM fact WHERE kind = 'alert' "
                 "AND occurred_at < now() - interval '60 days'") == "48.53|0.5|1"
    left = s.sql("SELECT to_char(min(received_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI') FROM dead_letter")
    assert proof["dead letters"]["oldest_left"].startswith(left)
    assert "oldest_left" not in proof["tickets"]
    again = purge(s)
    assert {kind: row["removed"] for kind, row in again.items()} == dict.fromkeys(again, 0)
    filed = s.sql("SELECT count(DISTINCT at::date), sum(removed) FROM purge_proof WHERE kind = 'dead letters'")
    assert filed.endswith("|2")


@pytest.fixture
def audit_kept(s):
    """What the site's other tests find in its log."""
    s.sql("CREATE TABLE audit_kept AS TABLE audit")
    yield
    s.sql("DELETE FROM audit; INSERT INTO audit OVERRIDING SYSTEM VALUE TABLE audit_kept; DROP TABLE audit_kept")


@pytest.mark.usefixtures("audit_kept")
def test_the_chain_of_the_audit_holds_after_a_purge(s):
    """The oldest rows go, and only they: also where two were written a moment out of order."""
    s.sql("DELETE FROM audit")
    for n, age in enumerate((500, 364.9, 367, 366, 10)):
        s.sql("INSERT INTO audit (at, action, detail, previous, hash) SELECT now() - interval '1 day' * "
              f"{age}, 'test', '{{\"n\":{n}}}', (SELECT hash FROM audit ORDER BY id DESC LIMIT 1), 'x'")
        s.sql("UPDATE audit SET hash = audit_hash(previous, at, customer_id, user_id, action, vin, detail, address) "
              "WHERE hash = 'x'")
    assert "5 rows hold" in s.run("audit", "verify")
    assert purge(s)["audit"]["removed"] == 4
    assert "1 rows hold" in s.run("audit", "verify")


def test_a_customer_who_keeps_less_has_its_samples_deleted_and_nobody_elses(s):
    for vin in (OURS[0], THEIRS[0]):
        s.write("\n".join(f"telemetry,vin={vin} {SPEED}={age},{LAT}=48.5 {NOW - age * DAY}" for age in (1, 2, 6, 8, 9, 30, 59)))
    s.query('CREATE RETENTION POLICY "minutes" ON "fleet" DURATION 730d REPLICATION 1 SHARD DURATION 7d')
    s.write_minutes(f"telemetry_1m,vin={OURS[0]} min_{SPEED}=1 {NOW - 40 * DAY}")
    assert "1 to 60" in s.run("customer", "keep", "61", "--customer", s.customers[0], code=2)
    s.run("customer", "keep", "7", "--customer", s.customers[0])
    s.write(f"telemetry,vin={OURS[0]} {SPEED}=1 {NOW - 59 * DAY - 1000}")  # the oldest of all: it goes
    kind, final = f"samples of customer {s.customers[0]}", "trips and stops that are final now"
    of_vehicle = f"samples of vehicle {OURS[0]}"
    for more in ({"score_terms": "{}"}, {"kind": "stop"}, {"kind": "stop", "settled": "false"}, {}, {"kind": "stop", "vin": THEIRS[0]}):
        segment(s, 8, state="closed", **more)
    segment(s, 6, state="closed", kind="stop")
    dry, marks = purge(s, "--dry-run"), s.sql("SELECT count(*) FROM samples_gone")
    assert dry[kind]["removed"] == 9 and dry[final]["removed"] == 3 and count(s, OURS[0]) == 8 and marks == "0"
    proof = purge(s)
    assert dry == proof
    assert proof[kind]["removed"] == 9 and proof[kind]["kept"] == "7 days" and proof[final]["removed"] == 3
    assert proof[of_vehicle] == {**proof[kind], "kind": of_vehicle} and proof[kind]["unit"] == "values"
    assert {row["unit"] for row in proof.values()} == {"rows", "values", "places"}
    assert sorted(s.sql("SELECT kind, vin FROM segment WHERE state = 'closed'").splitlines()) == sorted([
        f"stop|{THEIRS[0]}", f"trip|{OURS[0]}", f"stop|{OURS[0]}"])  # who keeps more; what waits for its score; what has its samples
    assert proof[kind]["oldest_left"] == iso(NOW - 6 * DAY)
    assert count(s, OURS[0]) == 3 and count(s, THEIRS[0]) == 7
    assert proof["samples"]["oldest_left"] == iso(NOW - 59 * DAY) and proof["minutes"]["oldest_left"] == iso(NOW - 40 * DAY)
    again = purge(s)
    assert again[kind]["removed"] == 0 and of_vehicle not in again
    s.run("customer", "keep", "60", "--customer", s.customers[0])
    gone = s.sql(f"SELECT until_ms FROM samples_gone WHERE vin = '{OURS[0]}'")
    s.sql("UPDATE segment SET score_terms = '{}' WHERE state = 'closed' AND kind = 'trip'")
    proof = purge(s)
    assert kind not in proof and proof[final]["removed"] == 1
    s.run("customer", "keep", "30", "--customer", s.customers[0])
    s.write(f"telemetry,vin={OURS[0]} {SPEED}=1 {NOW - 40 * DAY}")
    assert purge(s)[kind]["removed"] == 1
    assert s.sql("SELECT vin, until_ms FROM samples_gone") == f"{OURS[0]}|{gone}", "it never goes back"
    s.run("customer", "keep", "60", "--customer", s.customers[0])


def test_streams_nobody_has_heard_of_for_long_go_and_each_car_keeps_its_latest(s):
    s.sql("DELETE FROM watermark")
    for vin, n, age, site_ in ((OURS[0], 70, 100, "illkirch"), (OURS[0], 3, 1, "illkirch"), (OURS[0], 70, 100, ""), (OURS[1], 64, 300, "illkirch"),
                               (THEIRS[0], 70, 60, "illkirch"), (THEIRS[1], 4100, 3, "illkirch")):
        s.sql("INSERT INTO watermark (site, vin, stream, upto, updated_at) SELECT "
              f"'{site_}', '{vin}', gen_random_uuid(), n, now() - interval '{age} days' - interval '1 s' * n FROM generate_series(1, {n}) AS n")
    assert purge(s, "--dry-run")["streams of vehicles"]["removed"] == 9 + 6 + 4
    assert purge(s)["streams of vehicles"]["removed"] == 9 + 6 + 4
    left = s.sql("SELECT site, vin, count(*), max(upto) FROM watermark GROUP BY site, vin").splitlines()
    assert sorted(left) == sorted([f"illkirch|{OURS[0]}|64|61", f"|{OURS[0]}|64|64", f"illkirch|{OURS[1]}|64|64", f"illkirch|{THEIRS[0]}|70|70",
                                   f"illkirch|{THEIRS[1]}|4096|4096"])


def test_without_a_database_there_is_nothing_and_without_influxdb_it_says_so(s):
    s.query("DROP DATABASE fleet")
    assert "oldest_left" not in purge(s)["samples"]
    done = subprocess.run([PROGRAM, "purge"], env=s.env({"VIGIE_INFLUX": "http://127.0.0.1:1"}), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stderr


def count(s, vin):
    rows = s.query(f"SELECT count(\"{SPEED}\") FROM telemetry WHERE vin = '{vin}'")["results"][0]["series"][0]["values"]
    return rows[0][1]


def iso(t_ms):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t_ms // 1000))
