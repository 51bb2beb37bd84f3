"""State, history and track: the numbers are the ones that were stored."""
import csv
import io
import time
import xml.etree.ElementTree as ElementTree

import pytest
from api_site import OURS, THEIRS, ApiSite, site, wait_until

SPEED, RPM = "Vehicle.Speed", "Vehicle.Powertrain.CombustionEngine.Speed"
LAT, LON = "Vehicle.CurrentLocation.Latitude", "Vehicle.CurrentLocation.Longitude"
T0 = int(time.time()) // 60 * 60000 - 4 * 86400000  # a minute boundary, and young enough for samples
VIN = OURS[0]


@pytest.fixture(scope="module")
def s():
    s = site()
    lines = []
    for i in range(3000):  # 50 minutes, one a second; one peak and one dip nobody may lose
        speed = 180.25 if i == 1234 else -0.5 if i == 2345 else 50 + i % 7 / 10
        lines.append(f"telemetry,vin={VIN} {SPEED}={speed},{RPM}={800 + i * 0.25} {T0 + 1000 * i}")
        if i % 2 == 0:
            lines.append(f"telemetry,vin={VIN} {LAT}={48.5 + i * 1e-5:.5f},{LON}={7.7 + i * 1e-5:.5f} {T0 + 1000 * i + 500}")
        if i % 10 == 0:
            lines.append(f"telemetry,vin={VIN} {SPEED}={i / 100} {T0 + 1000 * i + 500}")
    lines += [f"telemetry,vin={THEIRS[0]} {SPEED}=99,{LAT}=1,{LON}=2 {T0 + 1000 * i}" for i in range(5)]
    s.write("\n".join(lines))
    return s


@pytest.fixture
def token(s):
    return s.token(s.fresh_user())


def iso(t_ms):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(t_ms // 1000)) + f".{t_ms % 1000:03d}Z"


def history(s, token, **query):
    query = {"signals": SPEED, "from": T0, "to": T0 + 3000 * 1000, **query}
    path = f"vehicles/{VIN}/history?" + "&".join(f"{k}={v}" for k, v in query.items())
    return s.ask("GET", path, token=token)


# ---- state
def test_the_state_has_each_signal_with_age_and_source(s, token):
    now = int(time.time() * 1000)
    s.sql(f"DELETE FROM vehicle_state WHERE vin = '{VIN}'")
    s.sql(f"""INSERT INTO vehicle_state (vin, presence, agent, sources, last_seen, t_ms, lat, lon, speed_kmh, heading_deg,
        ignition_on, signals) VALUES ('{VIN}', 'online', '1.2.3', '{{"gps":"ok","obd":"ok"}}', now(), {now - 2000}, 48.5286,
        7.7116, 50.1, 271, true, '{{"{SPEED}": [50.1, {now - 2000}, "obd"], "{LAT}": [48.5286, {now - 1000}, "gps"],
        "{RPM}": [812.25, {now + 60000}, "obd"], "{LON}": [7.7116, {now + 500000}, "gps", 503808]}}') ON CONFLICT (vin) DO NOTHING""")
    state = s.ask("GET", f"vehicles/{VIN}/state", token=token).json
    assert (state["vin"], state["connectivity"], state["presence"], state["agent"]) == (VIN, "online", "online", "1.2.3")
    assert state["sources"] == {"gps": "ok", "obd": "ok"}
    assert list(state["signals"]) and set(state["signals"]) == {SPEED, LAT, LON, RPM}
    speed = state["signals"][SPEED]
    assert speed["value"] == 50.1 and speed["source"] == "obd" and speed["t"] == iso(now - 2000)
    assert 2000 <= speed["age_ms"] < 60000
    assert state["signals"][LAT]["source"] == "gps"
    lon = state["signals"][LON]
    assert lon["t"] == iso(now + 500000), "a sample has its own time, as in the history"
    assert 3808 <= lon["age_ms"] < 60000, "it is as old as when it came"
    assert state["signals"][RPM]["age_ms"] == 0, "a clock ahead of ours makes nothing younger than now"
    listed = next(v for v in s.ask("GET", "vehicles?limit=500", token=token).json["items"] if v["vin"] == VIN)
    assert (listed["lat"], listed["lon"], listed["speed"], listed["heading"]) == (48.5286, 7.7116, 50.1, 271)
    assert listed["ignition"] is True and listed["t"] == iso(now - 2000) and listed["connectivity"] == "online"
    assert "private_since" not in listed and "private_since" not in state


def test_in_private_mode_no_place_is_shown_not_even_the_last(s, token):
    now = int(time.time() * 1000)
    s.sql(f"DELETE FROM vehicle_state WHERE vin = '{VIN}'")
    s.sql(f"""INSERT INTO vehicle_state (vin, presence, last_seen, t_ms, lat, lon, speed_kmh, heading_deg, private_since,
        signals) VALUES ('{VIN}', 'online', now(), {now}, 48.5286, 7.7116, 50.1, 271, {now - 1000},
        '{{"{SPEED}": [50.1, {now}, "obd"], "{LAT}": [48.5286, {now - 2000}, "gps"]}}')""")
    state = s.ask("GET", f"vehicles/{VIN}/state", token=token).json
    assert state["private_since"] == iso(now - 1000) and set(state["signals"]) == {SPEED}
    listed = next(v for v in s.ask("GET", "vehicles?limit=500", token=token).json["items"] if v["vin"] == VIN)
    assert listed["private_since"] == iso(now - 1000) and listed["speed"] == 50.1
    assert not {"lat", "lon", "heading"} & set(listed)
    s.sql(f"UPDATE vehicle_state SET private_since = NULL, presence_t = {now} WHERE vin = '{VIN}'")  # it ended; the place is from before

    def shown():
        state = s.ask("GET", f"vehicles/{VIN}/state", token=token).json
        listed = next(v for v in s.ask("GET", "vehicles?limit=500", token=token).json["items"] if v["vin"] == VIN)
        assert "private_since" not in state and "private_since" not in listed
        return set(state["signals"]), {"lat", "lon", "heading"} & set(listed)

    assert shown() == ({SPEED}, set())
    s.sql(f"""UPDATE vehicle_state SET signals = '{{"{SPEED}": [50.1, {now}, "obd"], "{LAT}": [48.5286, {now + 1}, "gps"]}}'
        WHERE vin = '{VIN}'""")
    assert shown() == ({SPEED, LAT}, {"lat", "lon", "heading"})
    s.sql(f"DELETE FROM vehicle_state WHERE vin = '{VIN}'")


def test_a_vehicle_never_heard_of_has_no_signals(s, token):
    assert s.ask("GET", f"vehicles/{OURS[1]}/state", token=token).json == {
        "vin": OURS[1], "connectivity": "never", "signals": {}}


# ---- history
def test_a_signal_named_twice_is_answered_once(s, token):
    answer = history(s, token, to=T0 + 9000, signals=f"{RPM},{SPEED},{RPM}", points=10)
    assert answer.code == 200 and answer.body.count(f'"{RPM}":'.encode()) == 1
    assert set(answer.json["signals"]) == {RPM, SPEED}


def test_few_points_come_as_they_were_measured(s, token):
    answer = history(s, token, to=T0 + 9000, signals=RPM, points=10)
    assert answer.json == {"signals": {RPM: {"t": [T0 + 1000 * i for i in range(10)], "v": [800 + i * 0.25 for i in range(10)],
                                             "min": [800 + i * 0.25 for i in range(10)],
                                             "max": [800 + i * 0.25 for i in range(10)]}}}


@pytest.mark.parametrize("points", [2, 10, 97, 500, 2000])
def test_many_points_become_few_and_no_peak_is_lost(s, token, points):
    series = history(s, token, points=points).json["signals"][SPEED]
    assert 0 < len(series["t"]) <= points
    assert len(series["t"]) == len(series["v"]) == len(series["min"]) == len(series["max"])
    assert series["t"] == sorted(series["t"]) and max(series["max"]) == 180.25 and min(series["min"]) == -0.5
    assert all(low <= v <= high for low, v, high in zip(series["min"], series["v"], series["max"]))


def test_a_very_long_series_is_reduced_by_the_database(s, token):
    lines = [f"telemetry,vin={OURS[2]} {SPEED}={180.25 if i == 31234 else i % 50} {T0 + 100 * i}" for i in range(60000)]
    s.write("\n".join(lines))
    answer = s.ask("GET", f"vehicles/{OURS[2]}/history?signals={SPEED}&from={T0}&to={T0 + 6000000}&points=300", token=token)
    series = answer.json["signals"][SPEED]
    assert 250 < len(series["t"]) <= 300 and max(series["max"]) == 180.25 and min(series["min"]) == 0


def test_several_signals_and_both_spellings_of_time(s, token):
    answer = history(s, token, signals=f"{SPEED},{RPM}", **{"from": iso(T0), "to": iso(T0 + 2000)})
    assert set(answer.json["signals"]) == {SPEED, RPM} and len(answer.json["signals"][RPM]["t"]) == 3


def test_a_signal_nobody_measured_is_an_empty_series(s, token):
    answer = history(s, token, signals="Vehicle.OBD.EngineLoad")
    assert answer.json == {"signals": {"Vehicle.OBD.EngineLoad": {"t": [], "v": [], "min": [], "max": []}}}


def test_what_is_older_than_the_samples_is_answered_from_1_minute_values(s, token):
    day, minute = 86400000, 60000
    old = int(time.time() * 1000) // day * day - 200 * day
    ask = lambda **more: history(s, token, **{"signals": f"{SPEED},{LAT}", "from": old, "to": old + day, **more})
    answer = ask()  # before anybody made them
    assert answer.code == 200 and answer.json["signals"][SPEED]["t"] == []
    s.query('CREATE RETENTION POLICY "minutes" ON "fleet" DURATION 730d REPLICATION 1 SHARD DURATION 7d')
    for at in (old, T0 - day):  # the second: young, but its samples are gone
        s.write_minutes("\n".join(f"telemetry_1m,vin={VIN} min_{SPEED}={k},max_{SPEED}={k + 20},mean_{SPEED}={k + 10},"
                                  f"last_{SPEED}={k + 5} {at + k * minute}" for k in range(100)))
    speed = ask(points=2000).json["signals"][SPEED]
    assert speed == {"t": [old + k * minute for k in range(100)], "v": [k + 5 for k in range(100)],
                     "min": list(range(100)), "max": [k + 20 for k in range(100)]}
    few = ask(points=10).json["signals"]
    assert 1 <= len(few[SPEED]["t"]) <= 10 and min(few[SPEED]["min"]) == 0 and max(few[SPEED]["max"]) == 119
    assert few[LAT] == {"t": [], "v": [], "min": [], "max": []}
    gone = history(s, token, **{"from": T0 - day, "to": T0 - day + 100 * minute, "points": 200}).json["signals"][SPEED]
    assert gone["v"] == [k + 5 for k in range(100)]


@pytest.mark.parametrize("query,at", [
    ({"signals": ""}, "signals"), ({"signals": "Vehicle.Nothing"}, "signals"), ({"signals": SPEED + ","}, None),
    ({"signals": f"{SPEED},{SPEED}\""}, "signals"), ({"signals": "Vehicle.Speed%22%20FROM%20telemetry--"}, "signals"),
    ({"signals": ",".join([SPEED] * 17)}, "signals"), ({"points": 1}, "points"), ({"points": 2001}, "points"),
    ({"from": "yesterday"}, "from"), ({"to": "x"}, "to"), ({"from": T0, "to": T0}, "from"), ({"from": T0 + 1, "to": T0}, "from"),
    ({"from": T0 - 733 * 86400000}, "from"), ({"from": "-5"}, "from"), ({"from": "2026-02-30T00:00:00Z"}, "from"),
    ({"from": "1;%20DROP%20MEASUREMENT%20telemetry"}, "from")])
def test_a_wrong_question_is_pointed_at(s, token, query, at):
    answer = history(s, token, **query)
    if at is None:
        assert answer.code == 200
        return
    assert answer.code == 422 and answer.json["errors"][0]["pointer"] == at, answer.body


def test_the_databases_own_words_never_come_out(s, token):
    for path in ("history?signals=x%27%20OR%201=1", "track?from=%27", "track?to=%22", f"history?signals={SPEED}%27"):
        answer = s.ask("GET", f"vehicles/{VIN}/{path}", token=token)
        assert answer.code == 422
        assert b"influx" not in answer.body.lower() and b"select" not in answer.body.lower()


# ---- track
def track(s, token, accept=None, **query):
    query = {"from": T0, "to": T0 + 3000 * 1000, **query}
    path = f"vehicles/{VIN}/track?" + "&".join(f"{k}={v}" for k, v in query.items())
    return s.ask("GET", path, headers={"Accept": accept} if accept else None, token=token)


def test_a_track_is_a_line_with_times_and_speeds(s, token):
    answer = track(s, token, to=T0 + 21000)
    assert answer.headers["content-type"] == "application/json" and len(answer.json["features"]) == 1
    feature = answer.json["features"][0]
    places, properties = feature["geometry"]["coordinates"], feature["properties"]
    assert feature["geometry"]["type"] == "LineString" and properties["vin"] == VIN
    assert places[0] == [7.7, 48.5] and places[1] == [7.70002, 48.50002] and len(places) == 11
    assert properties["times"] == [T0 + 2000 * i + 500 for i in range(11)]
    assert properties["speeds"][0] == 0 and properties["speeds"][1] == 50.2 and properties["speeds"][5] == 0.1
    geo = track(s, token, "application/geo+json")
    assert geo.headers["content-type"] == "application/geo+json"


def test_a_track_as_gpx_and_as_csv_is_the_same(s, token):
    line = track(s, token).json["features"][0]
    gpx = track(s, token, "application/gpx+xml")
    assert gpx.headers["content-type"] == "application/gpx+xml" and gpx.headers["vary"]
    points = ElementTree.fromstring(gpx.body).findall(".//{http://www.topografix.com/GPX/1/1}trkpt")
    assert [[float(p.get("lon")), float(p.get("lat"))] for p in points] == line["geometry"]["coordinates"]
    assert points[0][0].text == iso(line["properties"]["times"][0])
    speeds = [float(p.find(".//{http://www.garmin.com/xmlschemas/TrackPointExtension/v2}speed").text) for p in points]
    assert speeds == [round(v / 3.6, 3) for v in line["properties"]["speeds"]]
    text = track(s, token, "text/csv")
    rows = list(csv.DictReader(io.StringIO(text.body.decode())))
    assert text.headers["content-type"] == "text/csv; charset=utf-8" and f'filename="{VIN}.csv"' in text.headers["content-disposition"]
    assert [[float(r["lon"]), float(r["lat"])] for r in rows] == line["geometry"]["coordinates"]
    assert [float(r["speed_kmh"]) if r["speed_kmh"] else None for r in rows] == line["properties"]["speeds"]


def test_a_track_has_a_hole_where_private_mode_was_switched(s, token):
    assert track(s, token, to=T0 + 21000).json["features"][0]["properties"]["parts"] == [0]
    for at in (T0 + 5000, T0 + 5100, T0 + 12500):
        s.sql("INSERT INTO event (vin, id, type, source, occurred_at, detected_at, data) VALUES "
              f"('{VIN}', gen_random_uuid(), 'private_mode', 'agent', to_timestamp({at} / 1000.0), now(), '{{\"on\": true}}')")
    try:
        line = track(s, token, to=T0 + 21000).json["features"][0]
        times, parts = line["properties"]["times"], line["properties"]["parts"]
        assert [times[i] for i in parts] == [T0 + 500, T0 + 6500, T0 + 12500] and len(times) == 11
        gpx = ElementTree.fromstring(track(s, token, "application/gpx+xml", to=T0 + 21000).body)
        segments = gpx.findall(".//{http://www.topografix.com/GPX/1/1}trkseg")
        assert [len(part) for part in segments] == [3, 3, 5]
    finally:
        s.sql(f"DELETE FROM event WHERE vin = '{VIN}' AND type = 'private_mode'")


def test_a_track_of_nowhere_is_an_empty_line(s, token):
    answer = track(s, token, **{"from": T0 - 86400000, "to": T0 - 1})
    assert answer.json["features"][0]["geometry"]["coordinates"] == []


def test_a_very_long_track_is_thinned(s, token):
    vin = OURS[1]
    s.write("\n".join(f"telemetry,vin={vin} {LAT}={40 + i * 1e-4:.4f},{LON}={5 + i * 1e-4:.4f},{SPEED}={i % 90} {T0 + 1000 * i}"
                      for i in range(12000)))
    answer = s.ask("GET", f"vehicles/{vin}/track?from={T0}&to={T0 + 12000000}", token=token)
    places = answer.json["features"][0]["geometry"]["coordinates"]
    assert 5000 < len(places) <= 10000 and places[0] == [5, 40]
    assert all(round(lon - 5, 4) == round(lat - 40, 4) for lon, lat in places), "each place is one that was measured"


def test_looking_is_written_down_before_anything_is_shown(s):
    user = s.fresh_user()
    token = s.token(user)
    track(s, token, to=T0 + 5000)
    history(s, token, to=T0 + 5000, signals=f"{SPEED},{LAT}")
    rows = s.sql("SELECT action, vin, detail->>'from', detail->>'position', address FROM audit WHERE user_id ="
                 f" (SELECT id FROM app_user WHERE username = '{user}') AND action LIKE '%.read' ORDER BY id").splitlines()
    assert rows == [f"track.read|{VIN}|{T0}||127.0.0.1", f"history.read|{VIN}|{T0}|true|127.0.0.1"]


# ---- servers that go away
def test_without_a_database_the_answer_is_503_and_it_comes_back_by_itself(tmp_path):
    own = ApiSite(tmp_path)
    try:
        token = own.token()
        own.write(f"telemetry,vin={VIN} {SPEED}=1 {T0}")
        ask = lambda path: own.ask("GET", path, token=token)
        series = f"vehicles/{VIN}/history?signals={SPEED}&from={T0}&to={T0 + 1}"
        assert ask(series).code == 200
        own.influx.kill()
        away = ask(series)
        assert away.code == 503 and away.type == "unavailable" and away.headers["retry-after"]
        assert ask("vehicles").code == 200 and own.ready() == 200, "the rest goes on"
        own.influx.start()
        assert ask(series).code == 200
        own.postgres.kill()
        # what serves a connection outlives the server for a moment
        for away in (lambda: ask("vehicles"), lambda: own.ask("GET", "health"), own.sign_in):
            wait_until(lambda: away().code == 503, why="an answer without a database")
        refresh = own.ask("PUT", "session", "{}", {"Cookie": "vigie_refresh=" + "A" * 43, "Origin": own.url,
                                                   "Content-Type": "application/json"})
        assert refresh.code == 503, "only a 401 signs out"
        wait_until(lambda: own.ready() == 503, why="readyz to notice")
        own.postgres.start()
        wait_until(lambda: own.ready() == 200, why="readyz to come back")
        assert ask("vehicles").code == 200 and own.ask("GET", "health").json["mode"] == "rw"
    finally:
        own.stop()


def test_readyz_says_no_while_draining_and_what_is_under_way_is_finished(tmp_path):
    own = ApiSite(tmp_path)
    try:
        own.api.process.terminate()
        assert own.api.process.wait(60) == 0
    finally:
        own.stop()


def backends_of(own, name):
    return [int(p) for p in own.sql(f"SELECT pid FROM pg_stat_activity WHERE application_name = '{name}'").split()]


def test_a_database_that_says_nothing_costs_a_connection_and_not_the_process(tmp_path):
    import os
    import signal
    own = ApiSite(tmp_path)
    hung = []

    def hang(name):
        pids = backends_of(own, name)
        assert pids
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        hung.extend(pids)
        return pids
    try:
        token = own.token()
        assert own.ask("GET", "me", token=token).code == 200
        hang("vigie-api")
        answer = own.ask("GET", "me", token=token)  # by a worker whose backend is stopped: it takes a fresh connection
        assert answer.code == 200
        assert own.ask("GET", "config").code == 200, "the loop and the other workers go on"
        watch = hang("vigie-api watch")
        wait_until(lambda: set(backends_of(own, "vigie-api watch")) - set(watch), why="readiness to be looked at again")
        wait_until(lambda: own.ready() == 200, why="the site to be ready again")
        hang("vigie-api watch")
        hang("vigie-api")
        own.api.process.terminate()
        assert own.api.process.wait(60) == 0, "it need not be killed"
    finally:
        for pid in hung:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        own.stop()
