"""What the samples mean, as people and programs read it.  The rows are written as ingest writes them; that it writes them is
its own tests' affair."""
import json
import threading
import uuid

import psycopg2
import pytest
from api_site import OURS, THEIRS, ApiSite, wait_until

OWN, FOREIGN = OURS[0], THEIRS[0]


@pytest.fixture(scope="module")
def s(tmp_path_factory):
    own = ApiSite(tmp_path_factory.mktemp("facts"))
    yield own
    own.stop()


@pytest.fixture
def token(s):
    return s.token(s.fresh_user())


def at(hours):
    """A moment, hours before a fixed one, as SQL and as the API says it."""
    return f"(timestamptz '2026-11-20T12:00:00Z' - interval '{hours} h')"


SPAN = "from=2026-11-01T00:00:00Z&to=2026-11-21T00:00:00Z"


def segment(s, vin=OWN, kind="trip", begin=2.0, end=1.0, state="final", **columns):
    identity = str(uuid.uuid4())
    columns = {"settled": "true", "distance_m": "1000", **columns}
    s.sql(f"INSERT INTO segment (id, vin, kind, state, start_at, end_at, {', '.join(columns)}) VALUES ('{identity}', '{vin}', '{kind}',"
          f" '{state}', {at(begin)}, {at(end)}, {', '.join(columns.values())})")
    return identity


def event(s, vin=OWN, kind="harsh_braking", hours=1.0, **columns):
    identity = str(uuid.uuid4())
    columns = {"lat": "48.5", "lon": "7.7", "source": "'agent'", "detected_at": "now()", **columns}
    s.sql(f"INSERT INTO event (id, vin, type, occurred_at, {', '.join(columns)}) VALUES ('{identity}', '{vin}', '{kind}', {at(hours)},"
          f" {', '.join(columns.values())})")
    return identity


def alert(s, vin=OWN, kind="dtc_new", hours=1.0, state="open", severity="minor", ending="condition", **columns):
    identity = str(uuid.uuid4())
    columns = {"subject": f"'{uuid.uuid4().hex[:12]}'", "lat": "48.5", "lon": "7.7", **columns}
    s.sql(f"INSERT INTO alert (id, vin, type, ending, state, severity, occurred_at, detected_at, last_at, {', '.join(columns)}) VALUES"
          f" ('{identity}', '{vin}', '{kind}', '{ending}', '{state}', '{severity}', {at(hours)}, now(), {at(hours)}, {', '.join(columns.values())})")
    return identity


def pages(s, token, path, limit=2):
    items, cursor = [], None
    while True:
        one = s.ask("GET", f"{path}&limit={limit}" + (f"&cursor={cursor}" if cursor else ""), token=token)
        assert one.code == 200, one.body
        items += one.json["items"]
        cursor = one.json["next"]
        if cursor is None:
            return items


def clean(s):
    s.sql("TRUNCATE segment, event, alert, dtc, change, fact CASCADE")


@pytest.fixture(autouse=True)
def empty(s):
    clean(s)


# ---- trips and stops
def test_a_trip_says_what_was_measured_and_nothing_else(s, token):
    driver = s.sql(f"INSERT INTO driver (id, customer_id, name) VALUES (gen_random_uuid(), '{s.customers[0]}', 'Élodie') RETURNING id").split()[0]
    identity = segment(s, distance_m="34520.5", estimated_m="500", max_speed_kmh="91", engine_ms="3000000", idle_ms="300000", moving_ms="2700000",
                       covered_ms="95", expected_ms="100", fuel_l="2.957", fuel_method="'speed_density'", fuel_share="1", co2_kg="6.95",
                       start_lat="48.5", start_lon="7.7", end_reason="'ignition_off'", driver_id=f"'{driver}'", score="84.8",
                       score_terms="'{\"harsh\": 7.5}'")
    segment(s, state="superseded", begin=1.5)
    segment(s, FOREIGN)
    answer = s.ask("GET", f"vehicles/{OWN}/trips?{SPAN}", token=token)
    assert answer.code == 200 and answer.json["next"] is None
    trip, = answer.json["items"]
    assert trip == {"id": identity, "vin": OWN, "state": "final", "settled": True, "provisional": False, "version": 1,
                    "start": "2026-11-20T10:00:00.000Z", "end": "2026-11-20T11:00:00.000Z", "start_lat": 48.5, "start_lon": 7.7,
                    "distance_km": 34.5205, "estimated_km": 0.5, "distance_check": False, "duration_s": 3600.0, "moving_s": 2700.0,
                    "engine_s": 3000.0, "idle_s": 300.0, "pause_s": 0.0, "max_speed_kmh": 91, "coverage": 0.95, "fuel_l": 2.957,
                    "fuel_method": "speed_density", "fuel_share": 1, "co2_kg": 6.95, "score": 84.8, "score_terms": {"harsh": 7.5},
                    "driver": "Élodie", "driver_id": driver, "end_reason": "ignition_off"}
    segment(s, OURS[1], distance_m="32000")  # by fixes that tell no speed
    silent, = s.ask("GET", f"vehicles/{OURS[1]}/trips?{SPAN}", token=token).json["items"]
    assert silent["distance_km"] == 32 and "max_speed_kmh" not in silent


def test_trips_come_by_time_in_pages_that_meet(s, token):
    made = [segment(s, begin=n + 1, end=n) for n in range(7)]
    assert [t["id"] for t in pages(s, token, f"vehicles/{OWN}/trips?{SPAN}")] == made, "newest first"
    some = s.ask("GET", f"vehicles/{OWN}/trips?from=2026-11-20T09:30:00Z&to=2026-11-20T10:30:00Z", token=token).json["items"]
    assert [t["id"] for t in some] == made[1:3], "those that lie in it at least in part"
    same = [segment(s, begin=50, end=49) for _ in range(5)]  # all of one moment
    assert sorted(t["id"] for t in pages(s, token, f"vehicles/{OWN}/trips?{SPAN}") if t["id"] in same) == sorted(same)


def test_stops_and_what_lies_between(s, token):
    made = {kind: segment(s, kind=kind, begin=n + 2, end=n + 1, start_lat="48.5", start_lon="7.7", end_lat="48.6", end_lon="7.8")
            for n, kind in enumerate(("stop", "gap", "idle", "lapse", "trip"))}
    get = lambda query: [(i["kind"], i["id"]) for i in s.ask("GET", f"vehicles/{OWN}/stops?{SPAN}{query}", token=token).json["items"]]
    assert get("") == [("stop", made["stop"])] and get("&kind=gap,idle") == [("gap", made["gap"]), ("idle", made["idle"])]
    stop = s.ask("GET", f"vehicles/{OWN}/stops?{SPAN}", token=token).json["items"][0]
    assert (stop["lat"], stop["lon"], stop["duration_s"]) == (48.5, 7.7, 3600.0) and "end_lat" not in stop and "distance_km" not in stop
    assert s.ask("GET", f"vehicles/{OWN}/stops?kind=trip", token=token).code == 422


def test_reading_trips_is_written_down(s):
    user = s.fresh_user()
    token = s.token(user)
    for what in ("trips", "stops", "events"):
        s.ask("GET", f"vehicles/{OWN}/{what}?{SPAN}", token=token)
    rows = s.sql(f"SELECT action, vin, detail ->> 'from' FROM audit a JOIN app_user u ON u.id = a.user_id WHERE username = '{user}'"
                 " AND action LIKE '%.read' ORDER BY a.id").splitlines()
    assert rows == [f"{what}.read|{OWN}|1793491200000" for what in ("trips", "stops", "events")]


@pytest.mark.parametrize("path", ["trips", "stops", "events"])
@pytest.mark.parametrize("query,pointer", [
    ("from=x", "from"), ("to=x", "to"), ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "from"), ("from=2020-01-01T00:00:00Z", "from"),
    ("cursor=1", "cursor"), ("cursor=1.x", "cursor"), ("cursor=x.01900000-0000-7000-8000-000000000000", "cursor"), ("limit=501", "limit")])
def test_a_wrong_question_is_pointed_at(s, token, path, query, pointer):
    answer = s.ask("GET", f"vehicles/{OWN}/{path}?{query}", token=token)
    assert answer.code == 422 and answer.json["errors"][0]["pointer"] == pointer


# ---- events and codes
def test_events_with_their_places_for_those_who_may_see_them(s, token):
    made = [event(s, hours=n, data="'{\"peak_g\": 0.52}'", severity="'major'") for n in range(5)]
    event(s, withdrawn="true")
    event(s, FOREIGN)
    other = event(s, kind="refuel", hours=9)
    items = pages(s, token, f"vehicles/{OWN}/events?{SPAN}&type=harsh_braking")
    assert [i["id"] for i in items] == made and items[0]["data"] == {"peak_g": 0.52} and (items[0]["lat"], items[0]["lon"]) == (48.5, 7.7)
    assert items[0]["occurred_at"] == "2026-11-20T12:00:00.000Z" and items[0]["severity"] == "major" and items[0]["source"] == "agent"
    mechanic = s.token(s.fresh_user("mechanic"))
    seen = s.ask("GET", f"vehicles/{OWN}/events?{SPAN}&type=harsh_braking,refuel", token=mechanic).json["items"]
    assert len(seen) == 6 and other in [i["id"] for i in seen] and not {"lat", "lon"} & set(seen[0])
    assert s.ask("GET", f"vehicles/{OWN}/trips", token=mechanic).code == 403


def test_codes_and_what_the_newest_report_said(s, token):
    assert s.ask("GET", f"vehicles/{OWN}/diagnostics", token=token).json == {"items": [], "next": None}
    for code, there in (("P0301", "true"), ("P0420", "false"), ("U0100", "true")):
        s.sql(f"INSERT INTO dtc VALUES ('{OWN}', '{code}', '7E8', 'stored', {there}, {at(9)}, {at(1)}, {'NULL' if there == 'true' else at(1)}, 3)")
    body = {"protocol": "6", "mil": True, "readiness": {"misfire": "complete"}, "lists": {"stored": "full"},
            "freeze_frame": {"dtc": "P0301", "s": {"Vehicle.Speed": 48.0}}, "supported": ["04", "0C"]}
    s.sql(f"INSERT INTO fact (vin, id, kind, stream, seq, occurred_at, body) VALUES ('{OWN}', gen_random_uuid(), 'diagnostics',"
          f" gen_random_uuid(), 1, {at(1)}, '{json.dumps(body)}')")
    s.sql(f"INSERT INTO dtc_status (vin, at, mil, cleared_km) VALUES ('{OWN}', {at(1)}, true, 12) ON CONFLICT (vin) DO UPDATE SET cleared_km = 12")
    answer = s.ask("GET", f"vehicles/{OWN}/diagnostics", token=token).json
    assert [c["code"] for c in answer["items"]] == ["P0301", "P0420", "U0100"]
    assert answer["items"][1] == {"code": "P0420", "ecu": "7E8", "state": "stored", "there": False, "first_at": "2026-11-20T03:00:00.000Z",
                                  "last_at": "2026-11-20T11:00:00.000Z", "gone_at": "2026-11-20T11:00:00.000Z", "count": 3}
    assert answer["report"] == {"t": "2026-11-20T11:00:00.000Z", **body, "km_since_clear": 12}
    codes = lambda query: [c["code"] for c in pages(s, token, f"vehicles/{OWN}/diagnostics?{query}", 1)]
    assert codes("there=1") == ["P0301", "U0100"] and codes("there=0") == ["P0420"] and codes("x") == ["P0301", "P0420", "U0100"]
    assert codes("from=2026-11-20T11:30:00Z") == [] and s.ask("GET", f"vehicles/{OWN}/diagnostics?there=2", token=token).code == 422


# ---- alerts
def test_alerts_of_the_fleet_by_what_they_are(s, token):
    made = [alert(s, hours=n, kind=("dtc_new", "tow")[n % 2], severity=("minor", "critical")[n % 2]) for n in range(6)]
    alert(s, OURS[1], hours=30, state="cleared", reason="'ended'")
    alert(s, FOREIGN)
    get = lambda query: [i["id"] for i in pages(s, token, f"alerts?{query}")]
    assert get("state=open") == made and get("severity=critical") == made[1::2] == get("type=tow") == get("type=tow&severity=critical,major")
    assert len(get("x")) == 7 and len(get(f"vin={OURS[1]}")) == 1 and get(f"vin={FOREIGN}") == []
    assert get("from=2026-11-20T08:30:00Z&to=2026-11-20T10:30:00Z") == made[2:4]
    one = s.ask("GET", f"alerts/{made[0]}", token=token)
    assert one.headers["etag"] == '"v1"' and one.json["comments"] == [] and one.json["vin"] == OWN and one.json["lat"] == 48.5
    assert {"id", "type", "occurred_at", "detected_at", "lat", "lon", "data", "severity", "state", "count"} <= set(one.json)
    mechanic = s.ask("GET", f"alerts/{made[0]}", token=s.token(s.fresh_user("mechanic"))).json
    assert "lat" not in mechanic and mechanic["id"] == made[0]
    for query in ("state=x", "severity=x", "type='", "vin=x", "from=x", "cursor=x", "limit=0"):
        assert s.ask("GET", f"alerts?{query}", token=token).code == 422, query


def test_a_case_is_seen_assigned_commented_and_closed(s):
    user = s.fresh_user()
    token, identity = s.token(user), alert(s)
    me = s.ask("GET", "me", token=token).json["id"]
    post = lambda verb, body: s.ask("POST", f"alerts/{identity}/{verb}", body, token=token)
    seen = post("acknowledge", {"comment": "I go there"})
    assert seen.code == 200 and seen.json["state"] == "acknowledged" and seen.json["acknowledged_by"] == me and seen.json["version"] == 2
    assert [(c["text"], c["user_id"]) for c in seen.json["comments"]] == [("I go there", me)]
    assert post("acknowledge", {}).json["version"] == 2, "twice is once"
    given = post("assign", {"user_id": me})
    assert given.json["assigned_to"] == me and given.json["version"] == 3 and post("assign", {"user_id": me}).json["version"] == 3
    assert "assigned_to" not in post("assign", {"user_id": None}).json
    assert post("comments", {"text": "done"}).code == 201
    closed = post("clear", {})
    assert (closed.json["state"], closed.json["reason"], closed.json["cleared_by"]) == ("cleared", "person", me)
    assert s.sql(f"SELECT held_down FROM alert WHERE id = '{identity}'") == "t", "until it has been false once"
    assert post("clear", {}).json["version"] == closed.json["version"] and post("acknowledge", {}).json["state"] == "cleared"
    assert [c["text"] for c in s.ask("GET", f"alerts/{identity}", token=token).json["comments"]] == ["I go there", "done"]
    states = s.sql(f"SELECT data ->> 'state' FROM change WHERE ref = '{identity}' ORDER BY xid, id").split()
    assert states == ["open", "acknowledged", "acknowledged", "acknowledged", "cleared"]
    actions = s.sql(f"SELECT action FROM audit WHERE user_id = '{me}' AND action LIKE 'alert.%' ORDER BY id").split()
    assert actions == ["alert." + a for a in ("acknowledge", "acknowledge", "assign", "assign", "assign", "comment", "clear", "clear", "acknowledge")]


def test_what_cannot_be_done_to_a_case(s, token):
    identity, foreign = alert(s), alert(s, FOREIGN)
    stranger = s.sql("SELECT id FROM app_user WHERE username = 'stranger'")
    for verb, body in (("acknowledge", {}), ("clear", {}), ("assign", {"user_id": None}), ("comments", {"text": "x"})):
        for missing in (foreign, str(uuid.uuid4())):
            assert s.ask("POST", f"alerts/{missing}/{verb}", body, token=token).code == 404, verb
        assert s.ask("POST", f"alerts/{identity}/{verb}", body, token=s.token(s.fresh_user("auditor"))).code == 403
    for verb, body, pointer in (("assign", {"user_id": stranger}, "/user_id"), ("assign", {}, "/user_id"), ("assign", {"user_id": "x"}, "/user_id"),
                                ("comments", {"text": ""}, "/text"), ("comments", {"text": " \n\u200b"}, "/text"), ("acknowledge", {"comment": " "}, "/comment"),
                                ("comments", {"text": "x" * 2001}, "/text"), ("comments", {}, "/text"),
                                ("acknowledge", {"comment": "x" * 2001}, "/comment"), ("clear", {"state": "open"}, "/state")):
        answer = s.ask("POST", f"alerts/{identity}/{verb}", body, token=token)
        assert answer.code == 422 and answer.json["errors"][0]["pointer"] == pointer, (verb, body)
    assert s.sql(f"SELECT version, state FROM alert WHERE id = '{identity}'") == "1|open"
    assert s.sql(f"SELECT version, state FROM alert WHERE id = '{foreign}'") == "1|open"
    key = {"Idempotency-Key": "c"}
    both = [s.ask("POST", f"alerts/{identity}/comments", {"text": "once"}, key, token) for _ in range(2)]
    assert both[0].body == both[1].body and s.sql(f"SELECT count(*) FROM alert_comment WHERE alert_id = '{identity}'") == "1"


# ---- the feed
def news(s, token, after, n):
    """The next `n` changes.  A reader lags behind the oldest transaction that is open, and the server has some of its own."""
    wait_until(lambda: len(feed(s, token, after)["items"]) >= n, why=f"{n} changes")
    return feed(s, token, after)["items"]


def settled_now(s, token):
    """A cursor behind all there is: nothing else is under way."""
    wait_until(lambda: s.sql("SELECT pg_snapshot_xmin(pg_current_snapshot()) = pg_snapshot_xmax(pg_current_snapshot())") == "t",
               why="the server's own transactions to end")
    return feed(s, token, "now")["next"]


def feed(s, token, after=None, limit=None):
    query = "&".join(x for x in (after is not None and f"after={after}", limit and f"limit={limit}") if x)
    answer = s.ask("GET", f"feed?{query}", token=token)
    assert answer.code == 200, answer.body
    return answer.json


def test_a_page_that_gets_too_long_ends_early_and_the_next_goes_on(s, token):
    after = settled_now(s, token)
    made = [event(s, hours=n, data="jsonb_build_object('a', repeat('x', 900000))") for n in range(7)]
    page = s.ask("GET", f"vehicles/{OWN}/events?{SPAN}&limit=500", token=token)
    assert page.code == 200 and len(page.body) < 4 << 20 and [i["id"] for i in page.json["items"]] == made[:4] and page.json["next"]
    assert [i["id"] for i in pages(s, token, f"vehicles/{OWN}/events?{SPAN}", 500)] == made
    told = []
    while len(told) < 7:
        items = news(s, token, after, 1)
        told, after = told + [i["id"] for i in items], items[-1]["cursor"]
        assert len(items) < 7
    assert told == made


def test_the_feed_has_every_change_once_and_in_order(s, token):
    after = settled_now(s, token)
    assert feed(s, token, "now")["items"] == []
    made = [event(s, hours=1), segment(s), alert(s, hours=3)]
    event(s, FOREIGN)
    s.ask("POST", f"alerts/{made[2]}/acknowledge", {}, token=token)
    items = []
    news(s, token, after, 4)
    while len(items) < 4:
        page = feed(s, token, after, 1)
        assert len(page["items"]) == 1
        items, after = items + page["items"], page["next"]
    assert [(i["kind"], i["id"]) for i in items] == [("event", made[0]), ("trip", made[1]), ("alert", made[2]), ("alert", made[2])]
    assert items[0]["object"]["type"] == "harsh_braking" and items[3]["data"]["state"] == "acknowledged" and items[3]["vin"] == OWN
    assert not [k for i in items for k in i["object"] if k.endswith("lat") or k.endswith("lon")]
    assert feed(s, token, after) == {"items": [], "next": after} and len(news(s, token, None, 4)) == 4
    assert feed(s, token, items[1]["cursor"])["items"][0] == {**items[2], "object": items[3]["object"]}, "objects are as they are now"
    for bad in ("x", "1", "1.", ".1", "1.2.3", "-1.0", "1.2'", "9" * 19 + ".0"):
        assert s.ask("GET", f"feed?after={bad}", token=token).code == 422, bad
    assert s.ask("GET", "feed", token=s.token(s.fresh_user("mechanic"))).code == 403


def test_a_cursor_that_has_missed_something_is_told_so(s, token):
    old = settled_now(s, token)
    event(s)
    kept = wait_until(lambda: feed(s, token, old)["items"])[-1]["cursor"]
    s.sql(f"UPDATE change SET at = now() - interval '91 d' WHERE change_cursor(change) = '{kept}'")
    event(s)
    s.sql("DELETE FROM change WHERE at < now() - interval '90 d'")
    gone = s.ask("GET", f"feed?after={old}", token=token)
    assert gone.code == 410 and gone.type == "resync"
    assert len(news(s, token, kept, 1)) == 1, "whoever had read up to there has missed nothing"
    assert len(news(s, token, None, 1)) == 1


def test_a_slow_transaction_is_waited_for_and_not_passed(s, token):
    after = settled_now(s, token)
    slow = psycopg2.connect(s.postgres.conninfo())
    cursor = slow.cursor()
    first = str(uuid.uuid4())
    cursor.execute(f"INSERT INTO event (id, vin, type, source, occurred_at, detected_at) VALUES ('{first}', '{OWN}', 'idle', 'ingest', now(), now())")
    second = event(s)  # commits first
    assert feed(s, token, after)["items"] == [], "the one before it is not over yet"
    slow.commit()
    slow.close()
    assert [i["id"] for i in news(s, token, after, 2)] == [first, second]


def test_many_writers_and_a_reader_that_misses_nothing(s, token):
    after, seen, written, stop = settled_now(s, token), [], [], threading.Event()

    def write(n):
        db = psycopg2.connect(s.postgres.conninfo())
        for i in range(25):
            identity = str(uuid.uuid4())
            db.cursor().execute("INSERT INTO event (id, vin, type, source, occurred_at, detected_at) VALUES (%s, %s, 'idle', 'ingest', now(), now());"
                                " SELECT pg_sleep(random() * 0.02)", [identity, OURS[n % 3]])
            db.commit()
            written.append(identity)
        db.close()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    readers = [s.token(s.fresh_user()) for _ in range(5)]  # 20 requests a second each
    turn = 0
    while any(t.is_alive() for t in threads) or len(seen) < 150:
        page = feed(s, readers[(turn := turn + 1) % 5], after, 7)
        seen, after = seen + [i["id"] for i in page["items"]], page["next"]
        stop.wait(0.02)
        assert turn < 3000, (len(seen), len(written))
    assert sorted(seen) == sorted(written) and len(set(seen)) == 150


def test_a_car_that_goes_is_news(s, token):
    s.sql(f"INSERT INTO vehicle_state (vin, presence) VALUES ('{OWN}', 'offline') ON CONFLICT (vin) DO UPDATE SET presence = 'offline'")
    after = settled_now(s, token)
    for presence in ("online", "online", "sleeping"):
        s.sql(f"UPDATE vehicle_state SET presence = '{presence}' WHERE vin = '{OWN}'")
    items = news(s, token, after, 2)
    assert [(i["kind"], i["vin"], i["data"]) for i in items] == [("state", OWN, {"presence": p}) for p in ("online", "sleeping")]


def test_who_looked_at_what_can_be_read(s):
    user = s.fresh_user()
    mine = s.token(user)
    me = s.ask("GET", "me", token=mine).json["id"]
    for what in ("trips", "stops", "track"):
        s.ask("GET", f"vehicles/{OWN}/{what}", token=mine)
    auditor = s.token(s.fresh_user("auditor"))
    get = lambda query: [(i["action"], i.get("vin")) for i in pages(s, auditor, f"audit?{query}", 1)]
    assert get(f"user={me}") == [(f"{what}.read", OWN) for what in ("track", "stops", "trips")] + [("session.create", None)]
    assert get(f"user={me}&action=stops.read") == [("stops.read", OWN)] == get(f"user={me}&vin={OWN}&action=stops.read")
    row = s.ask("GET", f"audit?user={me}&limit=1", token=auditor).json["items"][0]
    assert row["username"] == user and row["address"] == "127.0.0.1" and row["detail"]["from"] and row["at"].endswith("Z")
    assert s.ask("GET", f"audit?user={me}", token=s.token("stranger")).json["items"] == []
    assert s.ask("GET", "audit", token=s.token(s.fresh_user("dispatcher"))).code == 403
    for query in ("user=x", "vin=x", "action='", "cursor=x", "from=x"):
        assert s.ask("GET", f"audit?{query}", token=auditor).code == 422


# ---- statistics
def test_figures_come_with_their_method_and_only_where_something_was_measured(s, token):
    get = lambda query="": s.ask("GET", f"statistics?{SPAN}{query}", token=token).json
    figures = get()["figures"]
    assert figures["trips"]["value"] == 0 and "distance_km" not in figures and "fuel_l" not in figures
    segment(s, distance_m="30000", fuel_l="3", fuel_l_100km="10", co2_kg="7", engine_ms="3600000", idle_ms="360000", score="80")
    segment(s, OURS[1], begin=30, end=29, distance_m="10000", score="40")
    segment(s, begin=1.9, state="superseded", distance_m="5000")
    segment(s, kind="stop", begin=5, end=4)
    segment(s, FOREIGN)
    event(s)
    alert(s)
    alert(s, severity="major", hours=2)
    alert(s, hours=3, state="cleared", reason="'corrected'")
    answer = get()
    f = {k: v["value"] for k, v in answer["figures"].items()}
    assert f == {"vehicles": 2, "trips": 2, "distance_km": 40, "estimated_km": 0, "driving_h": 2.0, "engine_h": 1.0, "idle_h": 0.1, "fuel_l": 3,
                 "fuel_share": 0.75, "fuel_l_100km": 10, "co2_kg": 7, "score": 70, "harsh": 1, "alerts": 2,
                 "alerts_by_severity": {"minor": 1, "major": 1}}
    assert all(v["method"] and v["unit"] for v in answer["figures"].values()) and answer["from"] == "2026-11-01T00:00:00.000Z"
    assert get(f"&vin={OURS[1]}")["figures"]["distance_km"]["value"] == 10 and get(f"&vin={FOREIGN}")["figures"]["trips"]["value"] == 0
    for begin, metres in ((40, "25276.3"), (41, "23025.1")):  # a mean of 100 and 100 is 100
        segment(s, OURS[2], begin=begin, end=begin - 0.5, distance_m=metres, score="100")
    assert get(f"&vin={OURS[2]}")["figures"]["score"]["value"] == 100
    assert s.ask("GET", "statistics?vin=x", token=token).code == 422 and s.ask("GET", "statistics?from=x", token=token).code == 422


# ---- loss
def test_what_was_lost_doubled_or_late(s, token):
    lag = "'{0,0,10,0,0,0,0,0,10}'"
    for site, hours, records, missing in (("illkirch", 1, 100, 3), ("illkirch", 2, 50, 9), ("esplanade", 1, 10, 0), ("illkirch", 90, 7, 7)):
        s.sql(f"INSERT INTO loss_hour (vin, site, hour, records, samples, duplicates, skipped, recovered, lost, missing, lag) VALUES ('{OWN}',"
              f" '{site}', date_trunc('hour', {at(hours)}), {records}, {records * 10}, 1, 2, 1, 1, {missing}, {lag})")
    answer = s.ask("GET", f"vehicles/{OWN}/loss?from=2026-11-19T12:00:00Z&to=2026-11-20T12:00:00Z", token=token)
    assert answer.code == 200 and [i["site"] for i in answer.json["sites"]] == ["esplanade", "illkirch"]
    ours = answer.json["sites"][1]
    assert (ours["records"], ours["samples"], ours["duplicates"], ours["skipped"], ours["recovered"], ours["lost"]) == (150, 1500, 2, 4, 2, 2)
    assert ours["missing"] == 3 and ours["newest_hour"] == "2026-11-20T11:00:00.000Z", "of the newest hour"
    assert 0 < ours["lag_s"]["p50"] < ours["lag_s"]["p95"] <= ours["lag_s"]["p99"] < 1
    assert s.ask("GET", f"vehicles/{OURS[1]}/loss", token=token).json["sites"] == []
    assert s.ask("GET", f"vehicles/{OWN}/loss?from=x", token=token).code == 422
