"""What recorded drives come to, sent through the broker, ingest and both stores: trips, stops, distance, fuel."""
import collections
import json
import re
from pathlib import Path

import pytest

import drives
from ingest_site import BUILD, LAT, LON, MISSING, RPM, SPEED, now_ms, running, topic, wait_until

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
HOUR_MS = 3600 * 1000
OTHER = "0197f3c2-5f0e-7abc-8def-0123456789ab"

Row = collections.namedtuple("Row", "id kind state start end distance_m fuel_l fuel_method co2_kg end_reason version")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from running(tmp_path_factory.mktemp("facts"), rate=100000, burst=100000)


def segments(site, vin, start_ms, kinds=("trip", "stop", "gap")):
    """The rows of a vehicle in order of time, times in seconds since start_ms."""
    def seconds(column):
        return f"round((extract(epoch FROM {column}) * 1000 - {start_ms}) / 1000, 3)"

    wanted = ", ".join(f"'{k}'" for k in kinds)
    rows = site.sql(f"SELECT id, kind, state, {seconds('start_at')}, {seconds('end_at')}, distance_m, fuel_l, fuel_method, "
                    f"co2_kg, end_reason, version FROM segment WHERE vin = '{vin}' AND state <> 'superseded' "
                    f"AND kind IN ({wanted}) "
                    "ORDER BY start_at, kind, id").splitlines()
    return [Row(*(float(v) if i in (3, 4, 5, 6, 8, 10) and v else v for i, v in enumerate(r.split("|")))) for r in rows]


def send(car, drive, size=20):
    for samples in drives.records(drive, size):
        car.telemetry(samples)
    car.wait_ack(car.seq)


def settled(site, vin):
    """Nothing waits any more, and the open rows are as the newest sample left them."""
    return site.sql(f"SELECT count(*) FROM fact_state WHERE vin = '{vin}' AND wait_ms = 0 AND late_from_ms = 0 "
                    "AND shown_ms = t_ms") == "1"


def is_partition(rows):
    return all(a.end == b.start for a, b in zip(rows, rows[1:]))


# ---- in order


def test_b08_is_two_trips_with_a_stop_of_272_seconds_between(site):
    start = now_ms() - HOUR_MS
    with site.car() as car:
        send(car, drives.b08(start))
        wait_until(lambda: settled(site, car.vin), why="the open rows")
        rows = segments(site, car.vin, start)
    assert [r.kind for r in rows] == ["stop", "trip", "stop", "trip", "stop"] and is_partition(rows)
    trips = [r for r in rows if r.kind == "trip"]
    assert abs(rows[2].end - rows[2].start - 272) <= 5
    assert abs(trips[1].end - 1836) <= 5 and [t.end_reason for t in trips] == ["standing", "standing"]
    assert abs(sum(t.distance_m for t in trips) - 6900) <= 0.02 * 6900
    assert [t.state for t in trips] == ["closed", "closed"] and rows[4].state == "open"
    assert all(t.fuel_l == "" and t.fuel_method == "none" for t in trips)  # not measured is not 0


def test_the_caliber_drove_34_52_km_on_2_957_litres(site):
    start = now_ms() - HOUR_MS
    with site.car() as car:
        site.sql(f"UPDATE vehicle SET fuel = 'petrol', displacement_l = 1.798 WHERE vin = '{car.vin}'")
        send(car, drives.caliber(start))
        wait_until(lambda: settled(site, car.vin), why="the open rows")
        (trip,) = [r for r in segments(site, car.vin, start) if r.kind == "trip"]
    assert abs(trip.distance_m - 34520) <= 0.02 * 34520
    assert abs(trip.fuel_l - 2.957) <= 0.01 * 2.957 and trip.fuel_method == "speed_density"
    assert abs(trip.co2_kg - 6.95) <= 0.01 * 6.95


def stop_and_go_is_as_long_as_it_was(site, hidden, phases, step_ms, share):
    """Each start lies between two samples."""
    start = now_ms() - 2 * HOUR_MS
    drive = drives.north(start, phases, step_ms=step_ms)
    truth = (max(s[LAT] for s in drive.values()) - 48.5) / drives.METRE
    with site.car() as car:
        send(car, {t: {path: v for path, v in s.items() if path not in hidden} for t, s in drive.items()}, size=60)
        wait_until(lambda: settled(site, car.vin), why="the open rows")
        (trip,) = [r for r in segments(site, car.vin, start) if r.kind == "trip"]
    assert abs(trip.distance_m - truth) <= share * truth


@pytest.mark.parametrize("told, share", (("fixes and speed", 0.001), ("speed", 0.001), ("fixes", 0.05)))
def test_stop_and_go_that_is_told_every_ten_seconds_is_as_long_as_it_was(site, told, share):
    hidden = {"speed": (LAT, LON), "fixes": (SPEED, RPM)}.get(told, ())
    stop_and_go_is_as_long_as_it_was(site, hidden, [(60, 0), *[(30, 30), (30, 0)] * 30], 10000, share)


@pytest.mark.parametrize("told, share", (("fixes and speed", 0.001), ("fixes", 0.02)))
@pytest.mark.parametrize("step_ms", (30000, 60000))
def test_stop_and_go_is_as_long_as_it_was_by_a_tracker_that_sends_once_or_twice_a_minute(site, told, share, step_ms):
    hidden = (SPEED, RPM) if told == "fixes" else ()
    stop_and_go_is_as_long_as_it_was(site, hidden, [(120, 0), *[(180, 50), (120, 0)] * 15], step_ms, share)


# ---- events and alerts

Alert = collections.namedtuple("Alert", "id type subject state severity reason count occurred data openings")


def alerts(site, vin):
    rows = site.sql("SELECT id, type, subject, state, severity, reason, count, ms(occurred_at), data, openings FROM alert "
                    f"WHERE vin = '{vin}' ORDER BY occurred_at, type, subject").splitlines()
    return [Alert(*r.split("|")) for r in rows]


def events(site, vin):
    """[(type, subject, occurred ms, data)] that still hold."""
    rows = site.sql(f"SELECT type, subject, ms(occurred_at), data FROM event WHERE vin = '{vin}' AND NOT withdrawn "
                    "ORDER BY occurred_at, type, subject").splitlines()
    return [(t, s, int(at), json.loads(data)) for t, s, at, data in (r.split("|") for r in rows)]


def test_one_emergency_braking_is_one_event_where_ingest_detects(site):
    start = now_ms() - HOUR_MS
    with site.car() as car:
        site.sql(f"UPDATE vehicle SET detects = 'ingest' WHERE vin = '{car.vin}'")
        send(car, drives.braking(start), size=100)
        found = events(site, car.vin)
        (alert,) = alerts(site, car.vin)
    (kind, _, at, data), = [e for e in found if e[0].startswith(("harsh", "crash"))]
    assert kind == "harsh_braking" and abs(at - start - 138297) < 3000
    assert data["band"] == 3 and data["speed_before_kmh"] == 77 and abs(data["peak_g"] - 0.71) < 0.01
    assert (alert.type, alert.severity, alert.state) == ("harsh_braking", "major", "open")


def test_a_car_towed_away_is_one_alert_where_ingest_detects_and_the_tow_ends_with_the_ignition(site):
    start = (now_ms() - HOUR_MS) // 5000 * 5000  # the trail keeps a place for each five seconds of the clock
    state = "Vehicle.LowVoltageSystemState"
    moved = {t: {k: v for k, v in s.items() if k != drives.RPM} for t, s in drives.north(start, [(60, 0), (60, 54)]).items()}
    said = {t + 400: {state: 4.0 if t < start + 30000 else 1.0} for t in moved}  # in samples of its own
    with site.car() as car:
        site.sql(f"UPDATE vehicle SET detects = 'ingest' WHERE vin = '{car.vin}'")
        send(car, dict(sorted((moved | said).items())))
        (found,), (raised,) = ([row for row in rows(site, car.vin) if "tow" in row] for rows in (events, alerts))
        far = metres(site, car.vin, "alert", "tow")
        assert 200 < far < 250, far  # from where it stood
        stops = lambda: site.sql(f"SELECT round((start_lat - 48.5) / {drives.METRE}) FROM segment WHERE vin = '{car.vin}' AND kind = 'stop' "
                                 "AND state <> 'superseded' ORDER BY start_at").split()
        end = round((max(s[drives.LAT] for s in moved.values()) - 48.5) / drives.METRE)
        wait_until(lambda: stops() == ["0", str(end)], why=f"the stop at {end} m, where it is now")
        send(car, {start + 130000: {state: 4.0}})
        over = site.sql(f"SELECT state, ms(ended_at) - {start} FROM alert WHERE id = '{raised.id}'")
    assert start + 73000 <= found[2] <= start + 76000, found[2] - start
    assert (raised.type, raised.severity, raised.state) == ("tow", "major", "open")
    assert over == "open|130000"  # the tow is over, the case waits for a person


def test_twenty_minutes_without_data_that_end_elsewhere_are_a_gap(site):
    start = now_ms() - HOUR_MS
    with site.car() as car:
        send(car, drives.north(start, [(300, 72)]))
        send(car, drives.north(start + 1500 * 1000, [(300, 72), (60, 0)], lat=48.5 + 7200 * drives.METRE))  # 1.2 km on
        wait_until(lambda: settled(site, car.vin), why="the open rows")
        rows = segments(site, car.vin, start)
    assert is_partition(rows)
    (gap,) = [r for r in rows if r.kind == "gap"]
    assert 295 <= gap.start <= 305 and 1495 <= gap.end <= 1505
    assert [r.kind for r in rows if r.kind != "stop"] == ["trip", "gap", "trip"]


def test_another_vehicle_s_number_is_a_case_until_a_diagnosis_of_its_own(site):
    with site.car() as car:
        t = now_ms()
        car.event("vin_mismatch", {"vin": "VSSZZZ5FZJR999999"}, leaf="alert", severity="major", t=t)
        car.wait_ack(1)
        told = wait_until(lambda: [a for a in alerts(site, car.vin) if a.type == "vin_mismatch"], why="the case")
        assert [a.state for a in told] == ["open"]
        for n, (vin, state) in enumerate((("VSSZZZ5FZJR999999", "open"), (car.vin, "cleared"))):
            car.publish("diagnostics", {**car.head("diagnostics"), "t": t + 1000 + n, "vin": vin, "protocol": "6", "mil": False, "dtcs": [],
                                        "lists": {"stored": "full", "pending": "full", "permanent": "full"}, "readiness": {}})
            car.wait_ack(car.seq)
            assert [a.state for a in alerts(site, car.vin) if a.type == "vin_mismatch"] == [state]


def test_where_ingest_detects_another_vehicle_s_number_in_a_diagnosis_is_one_case(site):
    with site.car() as car, site.car() as other:  # the other one detects itself, and told nothing
        site.sql(f"UPDATE vehicle SET detects = 'ingest' WHERE vin = '{car.vin}'")
        t, foreign = now_ms(), "VSSZZZ5FZJR999999"

        def told(c, n, vin):
            c.publish("diagnostics", {**c.head("diagnostics"), "t": t + n, "vin": vin})
            c.wait_ack(c.seq)
            return [(a.state, a.severity, a.count, json.loads(a.data)) for a in alerts(site, c.vin) if a.type == "vin_mismatch"]

        case = ("open", "major", "1", {"vin": foreign})
        assert told(other, 1000, foreign) == told(car, 0, "not read") == []
        assert told(car, 1000, foreign) == told(car, 2000, foreign) == [case]
        assert [e[:3] for e in events(site, car.vin)] == [("vin_mismatch", "", t + 1000)]
        assert told(car, 3000, car.vin) == told(car, 2500, foreign) == [("cleared", *case[1:])]


def test_a_car_that_detects_itself_is_not_detected_twice(site):
    with site.car() as car:
        send(car, drives.braking(now_ms() - HOUR_MS), size=100)
        assert events(site, car.vin) == [] and alerts(site, car.vin) == []


def test_an_alert_of_the_car_is_stored_and_told_once(site):
    notify = site.notify()
    with site.car() as car:
        assert notify.subscribe(topic(car.vin, "alert")) == 1
        body = car.event("harsh_braking", {"peak_g": 0.52}, leaf="alert", severity="major")
        car.wait_ack(1)
        car.publish("alert", body)  # the same once more
        car.event("refuel", {"litres": 40})
        car.wait_ack(2)
        told = json.loads(notify.receive(60).payload)
        assert notify.drain() == []
        (alert,) = alerts(site, car.vin)
        assert [e[0] for e in events(site, car.vin)] == ["harsh_braking", "refuel"]
    assert alert.id == body["id"] and json.loads(alert.data) == {"peak_g": 0.52}
    cursor = site.sql(f"SELECT change_cursor(c) FROM change c WHERE kind = 'alert' AND vin = '{car.vin}'")
    assert told == {"schema": "alert-change/1", "id": body["id"], "vin": car.vin, "type": "harsh_braking", "severity": "major",
                    "state": "open", "occurred_at": body["t"], "detected_at": told["detected_at"], "count": 1, "cursor": cursor}


def test_what_happened_in_private_mode_gets_no_place_but_the_one_it_gives_itself(site):
    with site.car() as car:
        t = now_ms()
        car.telemetry({t: {"Vehicle.CurrentLocation.Latitude": 48.5, "Vehicle.CurrentLocation.Longitude": 7.7, "Vehicle.Speed": 50.0}})
        car.wait_ack(1)
        told = [{"peak_g": 0.5}, {"peak_g": 0.5, "private": True}, {"private": True}, {"speed_before_kmh": 60, "lat": 48.25, "lon": 7.5},
                {"lat": 91, "lon": 7.5}, {"lat": "48.25", "lon": 7.5}, {"lat": 48.25}, {"private": "true"}]
        wanted = ["48.5|7.7", "|", "|", "48.25|7.5"] + 4 * ["48.5|7.7"]
        bodies = [car.event("harsh_braking", data) for data in told]
        bodies.append(car.event("private_mode", {"on": True, "by": "command"}))
        car.wait_ack(2 + len(told))
        for body, place in zip(bodies, wanted + ["|"], strict=True):
            assert site.sql(f"SELECT lat, lon FROM event WHERE vin = '{car.vin}' AND id = '{body['id']}'").strip() == place, body["data"]


def places(site, vin):
    """[(kind, state, starts somewhere, ends somewhere, km)] of the rows of a vehicle."""
    rows = site.sql("SELECT kind, state, start_lat IS NOT NULL, end_lat IS NOT NULL, round(distance_m / 1000) FROM segment "
                    f"WHERE vin = '{vin}' AND state <> 'superseded' AND kind IN ('trip', 'stop') ORDER BY start_at").splitlines()
    return [tuple(row.split("|")) for row in rows]


def test_a_trip_in_private_mode_tells_no_place_and_none_that_was_dropped_comes_back(site):
    start = now_ms() - HOUR_MS
    drive = drives.north(start, [(60, 0), (120, 60), (180, 60), (300, 0), (300, 0), (120, 60)])
    began, ended = start + 180500, start + 660500
    for t in drive:
        if began <= t < ended:
            drive[t] = {k: v for k, v in drive[t].items() if not k.startswith("Vehicle.CurrentLocation.")}
    times = list(drive)

    def send_until(n):
        for samples in drives.records({t: drive[t] for t in times[len(sent):n]}, 30):
            car.telemetry(samples)
        sent.extend(times[len(sent):n])
        car.wait_ack(car.seq)

    with site.car() as car:
        sent = []
        send_until(181)
        car.event("private_mode", {"on": True, "by": "button"}, t=began)
        car.wait_ack(car.seq)
        assert places(site, car.vin) == [("stop", "closed", "t", "t", "0"), ("trip", "open", "t", "f", "2")]
        send_until(661)
        wait_until(lambda: settled(site, car.vin), why="the stop at home")
        private = [("stop", "closed", "t", "t", "0"), ("trip", "closed", "t", "f", "5")]
        assert places(site, car.vin) == [*private, ("stop", "open", "f", "f", "0")]
        car.event("private_mode", {"on": False, "by": "button"}, t=ended)
        send_until(961)  # it stands on at home, in public
        wait_until(lambda: settled(site, car.vin), why="the same stop")
        assert places(site, car.vin) == [*private, ("stop", "open", "f", "f", "0")]
        send_until(len(times))
        wait_until(lambda: settled(site, car.vin), why="the next trip")
        assert places(site, car.vin) == [*private, ("stop", "closed", "f", "f", "0"), ("trip", "open", "t", "t", "2")]


def metres(site, vin, table, kind):
    """How far on the way of drives.north the one row of this type is; None: it has no place."""
    (row,) = site.sql(f"SELECT lat, lon FROM {table} WHERE vin = '{vin}' AND type = '{kind}'").splitlines()
    if row == "|":
        return None
    lat, lon = map(float, row.split("|"))
    assert abs(lon - 7.7) < 1e-6
    return round((lat - 48.5) / drives.METRE)


def test_alerts_tell_where_the_car_was_then_and_samples_that_follow_tell_it_better(site):
    start = now_ms() - HOUR_MS
    drive = drives.north(start, [(60, 0), (120, 72)])  # 20 m/s from second 60 on
    first = {t: s for t, s in drive.items() if t <= start + 100000}

    def both(vin, kind):
        wait_until(lambda: metres(site, vin, "event", kind) == metres(site, vin, "alert", kind), why="both")
        return metres(site, vin, "alert", kind)

    with site.car() as car:
        site.sql(f"UPDATE vehicle SET speed_limit_kmh = 50 WHERE vin = '{car.vin}'")
        send(car, first)
        # found by ingest once it had lasted for ten seconds; told by the car ahead of its samples
        assert abs(both(car.vin, "overspeed") - 0) <= 20
        car.event("overheating", {"peak_celsius": 112}, leaf="alert", severity="major", t=start + 110000)
        car.event("tow", {"private": True}, leaf="alert", severity="major", t=start + 110000)
        car.event("camera_lost", {}, leaf="alert", severity="warning", t=start + 140000)  # further than half a minute away
        car.publish("diagnostics", {**car.head("diagnostics"), "t": start + 105000, "vin": car.vin, "protocol": "6", "mil": False,
                                    "dtcs": [{"code": "P0301", "state": "stored", "ecu": "7E8"}],
                                    "lists": {"stored": "full", "pending": "full", "permanent": "full"}, "readiness": {}})
        car.wait_ack(car.seq)
        assert both(car.vin, "overheating") == both(car.vin, "dtc_new") == metres(site, car.vin, "event", "dtc_new")
        assert abs(both(car.vin, "dtc_new") - 40 * 20) <= 15 and both(car.vin, "camera_lost") is None
        send(car, {t: s for t, s in drive.items() if t > start + 100000})
        assert abs(both(car.vin, "overheating") - 50 * 20) <= 25 and abs(both(car.vin, "dtc_new") - 45 * 20) <= 25
        assert abs(both(car.vin, "camera_lost") - 80 * 20) <= 25 and both(car.vin, "tow") is None


def test_a_condition_the_car_told_ends_with_its_telemetry(site):
    start = now_ms() - HOUR_MS
    hot, cool = ({drives.COOLANT: c, drives.RPM: 2000.0} for c in (112.0, 90.0))
    with site.car() as car:
        car.telemetry({start + s * 1000: hot for s in range(60)})
        car.event("overheating", {"peak_celsius": 112}, leaf="alert", severity="major", t=start + 30000)
        car.event("overheating", {"peak_celsius": 112}, leaf="alert", severity="major", t=start + 50000)
        car.wait_ack(3)
        (open_case,) = alerts(site, car.vin)
        car.telemetry({start + s * 1000: cool for s in range(60, 180)})
        car.wait_ack(4)
        (alert,) = alerts(site, car.vin)
    assert (open_case.state, open_case.count) == ("open", "2")  # one case, a repeat
    assert (alert.id, alert.state, alert.reason) == (open_case.id, "cleared", "ended")


def test_codes_come_go_and_are_erased(site):
    t = now_ms() - HOUR_MS
    full = {"stored": "full", "pending": "full", "permanent": "full"}

    def report(at, codes, mil, readiness="complete", lists=full):
        car.publish("diagnostics", {**car.head("diagnostics"), "t": at, "vin": car.vin, "protocol": "6", "mil": mil,
                                    "dtcs": [{"code": c, "state": s, "ecu": "7E8"} for c, s in codes], "lists": lists,
                                    "readiness": {"catalyst": readiness}})
        car.wait_ack(car.seq)
        return {(a.type, a.subject): (a.state, a.severity) for a in alerts(site, car.vin)}

    with site.car() as car:
        assert report(t, [], False) == {}
        seen = report(t + 1000, [("P0301", "stored"), ("P0420", "pending")], True)
        assert seen == {("dtc_new", "P0301 7E8 stored"): ("open", "major"), ("mil_on", ""): ("open", "major"),
                        ("dtc_new", "P0420 7E8 pending"): ("open", "info")}
        assert report(t + 2000, [], True, lists={**full, "stored": "partial", "pending": "partial"}) == seen  # not read is not gone
        seen = report(t + 3000, [], False, "incomplete")
        assert seen["dtc_new", "P0301 7E8 stored"] == ("cleared", "major") and seen["mil_on", ""] == ("cleared", "major")
        assert seen["dtc_cleared", "P0301 7E8 stored"] == ("open", "warning")
        (event,) = [e for e in events(site, car.vin) if e[:2] == ("dtc_cleared", "P0301 7E8 stored")]
        assert event[3]["erased"] is True
        report(t + 4000, [("P0301", "stored")], False, "incomplete")
        assert site.sql(f"SELECT there, count FROM dtc WHERE vin = '{car.vin}' AND code = 'P0301'") == "t|2"


def test_codes_that_somebody_erased_are_found_out_in_a_backlog_too(site):
    """A car sends its newest first, a report of its present state among it."""
    t, cleared_km = now_ms() - HOUR_MS, "Vehicle.OBD.DistanceSinceDTCClear"
    lists = {"stored": "full", "pending": "full", "permanent": "full"}

    def publish(car, n):
        second, found = {1: (0, 500.0), 2: (1, ["P0301"]), 3: (600, 0.0), 4: (601, []), 5: (1200, 3.0), 6: (1201, [])}[n]
        if n % 2:
            car.telemetry({t + second * 1000: {drives.SPEED: 0.0, cleared_km: found}}, seq=n)
        else:
            car.publish("diagnostics", {**car.head("diagnostics", seq=n), "t": t + second * 1000, "mil": False, "lists": lists,
                                        "dtcs": [{"code": c, "state": "stored", "ecu": "7E8"} for c in found]})
        wait_until(lambda: site.sql(f"SELECT upto > {n - 1} AND NOT gaps @> {n}::bigint FROM watermark WHERE vin = '{car.vin}' "
                                    "AND site = ''") == "t", why="the record")

    for order in (1, 2, 3, 4, 5, 6), (5, 1, 2, 3, 4, 6), (5, 6, 1, 2, 3, 4):
        with site.car() as car:
            for n in order:
                publish(car, n)
            told = [(e[2] - t, e[3]["erased"], e[3].get("distance_fell")) for e in events(site, car.vin) if e[0] == "dtc_cleared"]
            assert told == [(601000, True, True)], order


def codes(site, vin):
    """What is known of a vehicle's codes, and which cases are open."""
    rows = site.sql("SELECT code, list, there, ms(first_at), ms(last_at), ms(gone_at), count FROM dtc "
                    f"WHERE vin = '{vin}' ORDER BY code, list").splitlines()
    status = site.sql(f"SELECT ms(at), mil, readiness_known, supported, incomplete FROM dtc_status WHERE vin = '{vin}'")
    cases = [(a.type, a.subject, a.severity) for a in alerts(site, vin) if a.state == "open" and a.type in ("dtc_new", "mil_on")]
    return rows, status, events(site, vin), sorted(cases)  # when a case began is when it was first known


def test_trouble_codes_are_the_same_in_whatever_order_the_reports_come(site):
    """A car sends its newest first: what a dead zone hid comes after it."""
    t, lists = now_ms() - HOUR_MS, {"pending": "full", "permanent": "full"}
    reports = [(0, ["P0301"], True, "complete", "full"), (1, [], False, "complete", "full"), (2, ["P0301", "P0420"], True, "complete", "full"),
               (3, ["P0420"], True, "complete", "full"), (4, [], False, "incomplete", "full"), (5, ["P0301"], True, "incomplete", "full"),
               (2, ["P0171"], False, "incomplete", "partial"), (4, ["P0420"], False, "incomplete", "full"),  # more than one of a time
               (5, ["P0442"], False, "complete", "partial")]

    def publish(car, n, **more):
        second, found, mil, catalyst, extent = reports[n]
        car.publish("diagnostics", {**car.head("diagnostics", **more), "t": t + 1000 * second, "vin": car.vin, "protocol": "6", "mil": mil,
                                    "dtcs": [{"code": c, "state": "stored", "ecu": "7E8"} for c in found],
                                    "lists": {**lists, "stored": extent}, "readiness": {"catalyst": catalyst}})

    def in_order_of(order, at_once):
        with site.car() as car:
            for n, i in enumerate(order, 1):
                publish(car, i, seq=i + 1)
                if not at_once:
                    wait_until(lambda n=n: site.sql(f"SELECT count(*) FROM fact WHERE vin = '{car.vin}'") == str(n), why="the report")
            car.wait_ack(len(reports))
            seen = codes(site, car.vin)
            for n, i in enumerate((5, 0), 1):  # once more, by another stream: nothing is said twice
                publish(car, i, seq=n, stream=OTHER)
            car.wait_ack(2, stream=OTHER)
            assert codes(site, car.vin) == seen
            return seen

    expected = in_order_of((0, 1, 2, 6, 3, 4, 7, 5, 8), False)
    assert [(kind, subject[:5], (at - t) // 1000) for kind, subject, at, _ in expected[2]] == [
        ("dtc_new", "P0301", 0), ("mil_on", "", 0), ("dtc_cleared", "P0301", 1), ("dtc_new", "P0171", 2), ("dtc_new", "P0301", 2),
        ("dtc_new", "P0420", 2), ("mil_on", "", 2), ("dtc_cleared", "P0171", 3), ("dtc_cleared", "P0301", 3), ("dtc_cleared", "P0420", 4),
        ("dtc_new", "P0420", 4), ("dtc_cleared", "P0420", 5), ("dtc_new", "P0301", 5), ("dtc_new", "P0442", 5), ("mil_on", "", 5)]
    assert [e[3]["erased"] for e in expected[2] if e[0] == "dtc_cleared"] == [False, False, False, True, False]
    assert [row.split("|")[-1] for row in expected[0]] == ["1", "3", "2", "1"] and len(expected[3]) == 3
    for order, at_once in (((8, 5, 7, 4, 3, 6, 2, 1, 0), False), ((5, 8, 0, 1, 6, 2, 3, 7, 4), False), ((8, 5, 7, 4, 3, 2, 6, 1, 0), True),
                           ((4, 2, 8, 0, 5, 1, 7, 3, 6), True)):
        assert in_order_of(order, at_once) == expected, order


def test_a_code_that_came_and_went_in_a_dead_zone_opens_no_case(site):
    t, full = now_ms() - HOUR_MS, {"stored": "full", "pending": "full", "permanent": "full"}
    with site.car() as car:
        for n, found in ((3, []), (1, ["P0301"]), (2, ["P0420"])):
            car.publish("diagnostics", {**car.head("diagnostics", seq=n), "t": t + 1000 * n, "vin": car.vin, "protocol": "6",
                                        "dtcs": [{"code": c, "state": "stored", "ecu": "7E8"} for c in found], "lists": full})
            wait_until(lambda: site.sql(f"SELECT count(*) FROM fact WHERE vin = '{car.vin}' AND seq = {n}") == "1", why="the report")
        assert [(kind, subject[:5], at - t) for kind, subject, at, _ in events(site, car.vin)] == [
            ("dtc_new", "P0301", 1000), ("dtc_cleared", "P0301", 2000), ("dtc_new", "P0420", 2000), ("dtc_cleared", "P0420", 3000)]
        assert {a.type for a in alerts(site, car.vin)} == {"dtc_cleared"}


def test_of_a_car_that_reports_a_lot_the_newest_thousand_are_looked_at_again(site):
    t, full = now_ms() - HOUR_MS, {"stored": "full", "pending": "full", "permanent": "full"}
    with site.car() as car:
        def publish(n, at, found):
            body = {**car.head("diagnostics", seq=n), "t": t + at, "vin": car.vin, "protocol": "6", "lists": full,
                    "dtcs": [{"code": c, "state": "stored", "ecu": "7E8"} for c in found]}
            car.publish("diagnostics", body)
            return body

        def report(n, at, found):
            body = publish(n, at, found)
            wait_until(lambda: site.sql(f"SELECT count(*) FROM fact WHERE vin = '{car.vin}' AND seq = {n} AND occurred_at = "
                                        f"to_timestamp({t + at} / 1000.0)") == "1", why="the report")
            return body

        body = report(1, 0, ["P0301"])
        site.sql("INSERT INTO fact (vin, id, kind, stream, seq, occurred_at, body) SELECT "
                 f"'{car.vin}', gen_random_uuid(), 'diagnostics', '{OTHER}', n, to_timestamp({t} / 1000.0 + n), '{json.dumps(body)}' "
                 "FROM generate_series(1, 1100) AS s (n)")
        report(2, 1101000, ["P0301"])
        before = codes(site, car.vin)
        report(3, 500, ["P0420"])  # too long ago
        assert codes(site, car.vin) == before
        report(4, 1099500, [])
        rows, _, found, cases = codes(site, car.vin)
        assert rows == [f"P0301|stored|t|{t}|{t + 1101000}||2"] and cases == before[3]
        assert [(kind, at - t, data["first"] - t) for kind, _, at, data in found] == [
            ("dtc_new", 0, 0), ("dtc_cleared", 1099500, 0), ("dtc_new", 1100000, 0)]
        site.sql(f"DELETE FROM event WHERE vin = '{car.vin}' AND occurred_at < to_timestamp({t + 1100500} / 1000.0)")  # as if a year had gone by
        report(5, 1100500, [])  # what had come by then is stepped over once more, and not counted twice
        assert codes(site, car.vin)[0] == [f"P0301|stored|t|{t}|{t + 1101000}||3"]
        taken = lambda: site.ingest.metric("vigie_ingest_messages_total", 'kind="diagnostics"')
        site.freeze(site.influx)  # so that what waits is one group
        try:
            car.telemetry({now_ms(): {drives.RPM: 2000.0}}, seq=6)
            wait_until(lambda: site.ingest.metric("vigie_ingest_unacked_age_seconds") > 0, why="a group at the history")
            before = taken()
            for n, at, found in ((7, 1102000, []), (8, 1103000, ["P0301"]), (9, 1101500, [])):
                publish(n, at, found)
            wait_until(lambda: taken() == before + 3, why="the next group")
        finally:
            site.go_on(site.influx)
        car.wait_ack(9)  # nor what the late one's own group has brought
        assert codes(site, car.vin)[0] == [f"P0301|stored|t|{t}|{t + 1103000}||4"]


def test_a_report_of_hundreds_of_codes_is_taken_whole(site):
    t, full = now_ms() - HOUR_MS, {"stored": "full", "pending": "full", "permanent": "full"}
    many = [f"P{n:04X}" for n in range(700)]

    def report(car, n, found, seq):
        car.publish("diagnostics", {**car.head("diagnostics", seq=seq), "t": t + 1000 * n, "lists": full,
                                    "dtcs": [{"code": c, "state": "stored"} for c in found]})
        wait_until(lambda: site.sql(f"SELECT count(*) FROM fact WHERE vin = '{car.vin}' AND seq = {seq}") == "1", why="the report")

    def told(car, kind):
        return site.sql(f"SELECT count(*) FROM event WHERE vin = '{car.vin}' AND type = '{kind}' AND NOT withdrawn")

    def cases(car):  # of the worst
        return site.sql(f"SELECT type, severity, state, count(*) FROM alert WHERE vin = '{car.vin}' GROUP BY 1, 2, 3 ORDER BY 1, 2").splitlines()

    with site.car() as car:
        before = site.ingest.metric("vigie_ingest_codes_caseless_total")
        report(car, 1, many, 1)
        report(car, 2, many, 2)
        assert (told(car, "dtc_new"), told(car, "dtc_cleared")) == ("700", "0")
        worst = ["dtc_new|major|open|2", "dtc_new|minor|open|62"]  # of P02xx, none of P00xx
        assert cases(car) == worst
        assert site.ingest.metric("vigie_ingest_codes_caseless_total") - before == 700 - 64
        report(car, 4, many[1:], 3)
        report(car, 3, many, 4)  # late: all of them once more
        assert (told(car, "dtc_new"), told(car, "dtc_cleared")) == ("700", "1")
        assert cases(car) == ["dtc_cleared|info|open|1", *worst]
        assert site.sql(f"SELECT there, count(*), max(count) FROM dtc WHERE vin = '{car.vin}' GROUP BY 1 ORDER BY 1") == "f|1|1\nt|699|1"
        assert site.dead_letters(car.vin) == []


def test_a_late_report_takes_no_memory_for_all_that_it_corrects(site):
    """A hundred codes that came and went five hundred times had come half a second earlier."""
    t, full, pid = now_ms() - HOUR_MS, {"stored": "full", "pending": "full", "permanent": "full"}, site.ingest.process.pid
    at = "to_timestamp({} / 1000.0 + n)".format(t)
    lists, many = json.dumps(full), json.dumps([{"code": f"P{n:04X}", "state": "stored"} for n in range(100)])
    memory = lambda name: int(re.search(name + r":\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) / 1024

    with site.car() as car:
        site.sql("SET session_replication_role = replica; "
                 "INSERT INTO fact (vin, id, kind, stream, seq, occurred_at, body) SELECT "
                 f"'{car.vin}', gen_random_uuid(), 'diagnostics', '{OTHER}', n, {at}, jsonb_build_object('lists', '{lists}'::jsonb, "
                 f"'dtcs', CASE n % 2 WHEN 1 THEN '{many}'::jsonb ELSE '[]' END) FROM generate_series(1, 998) n; "
                 "INSERT INTO event (vin, id, type, subject, source, occurred_at, detected_at, data) SELECT "
                 f"'{car.vin}', gen_random_uuid(), CASE n % 2 WHEN 1 THEN 'dtc_new' ELSE 'dtc_cleared' END, c || '  stored', 'ingest', {at}, "
                 f"{at}, jsonb_build_object('code', c, 'ecu', '', 'state', 'stored', 'first', {t + 1000}, 'count', (n + 1) / 2, 'erased', false) "
                 "FROM generate_series(1, 998) n, (SELECT 'P' || upper(lpad(to_hex(k), 4, '0')) AS c FROM generate_series(0, 99) k) k; "
                 "INSERT INTO dtc (vin, code, ecu, list, there, first_at, last_at, gone_at, count) SELECT "
                 f"vin, data ->> 'code', '', 'stored', false, min(occurred_at), max(occurred_at) - interval '1 s', max(occurred_at), 499 "
                 f"FROM event WHERE vin = '{car.vin}' GROUP BY 1, 2; "
                 f"INSERT INTO dtc_status (vin, at) SELECT '{car.vin}', max(occurred_at) FROM event WHERE vin = '{car.vin}'")
        car.one()
        car.wait_ack(1)
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # from here on the peak is counted
        before = memory("VmRSS")
        car.publish("diagnostics", {**car.head("diagnostics"), "t": t + 500, "lists": full, "dtcs": json.loads(many)})
        car.wait_ack(2)
        grown = memory("VmHWM") - before
        assert grown < 64 or BUILD != "build", f"{grown} MB"
        holds = f"FROM event WHERE vin = '{car.vin}' AND NOT withdrawn AND data ->> 'first' = '{t + 500}'"
        assert site.sql(f"SELECT count(*), count(DISTINCT subject), min(ms(occurred_at)) - {t} {holds}") == "99800|100|500"
        assert site.sql(f"SELECT count(*), max(ms(occurred_at)) - {t} FROM event WHERE vin = '{car.vin}' AND withdrawn") == "100|1000"
        assert site.sql(f"SELECT count, ms(first_at) - {t}, count(*) FROM dtc WHERE vin = '{car.vin}' GROUP BY 1, 2") == "499|500|100"
        assert site.sql(f"SELECT count(*) FROM change WHERE vin = '{car.vin}' AND kind = 'event'") == "200"


def test_codes_gathered_over_years_are_all_remembered(site):
    """More than a car ever has at a time: thousands that went, and some that stay."""
    t, full = now_ms() - HOUR_MS, {"stored": "full", "pending": "full", "permanent": "full"}
    with site.car() as car:
        site.sql("INSERT INTO dtc (vin, code, ecu, list, there, first_at, last_at, gone_at, count) SELECT "
                 f"'{car.vin}', 'P' || upper(lpad(to_hex(n), 4, '0')), '7E8', 'stored', n BETWEEN 600 AND 799, "
                 "'2020-01-01', '2020-01-02', CASE WHEN n < 600 OR n > 799 THEN timestamptz '2020-01-03' + n * interval '1 h' END, 5 "
                 "FROM generate_series(0, 8999) AS s (n)")
        found = ["P0007"] + [f"P{n:04X}" for n in range(600, 800)]
        car.publish("diagnostics", {**car.head("diagnostics"), "t": t, "lists": full,
                                    "dtcs": [{"code": c, "state": "stored", "ecu": "7E8"} for c in found]})
        car.wait_ack(1)
        assert [(kind, subject, data["count"]) for kind, subject, _, data in events(site, car.vin)] == [
            ("dtc_new", "P0007 7E8 stored", 6)]
        assert site.sql(f"SELECT count(*) FILTER (WHERE there), count(*) FROM dtc WHERE vin = '{car.vin}'") == "201|8192"
        # the longest gone are forgotten, however many there are
        assert site.sql(f"SELECT min(code) FROM dtc WHERE vin = '{car.vin}' AND NOT there") == f"P{9000 - (8192 - 201):04X}"


def test_a_control_unit_with_an_odd_name_costs_nothing(site):
    with site.car() as car:
        car.publish("diagnostics", {**car.head("diagnostics"), "t": now_ms(), "lists": {"stored": "full"},
                                    "dtcs": [{"code": "P0301", "state": "stored", "ecu": 'a"\\\n'}]})
        car.wait_ack(1)
        assert [subject for _, subject, _, _ in events(site, car.vin)] == ["P0301 a??? stored"]
        assert site.dead_letters(car.vin) == []


def test_what_a_recipient_wants_is_queued_with_the_alert(site):
    with site.car() as car:
        for n, (least, types) in enumerate([("minor", "NULL"), ("critical", "NULL"), ("info", "'{tow}'")]):
            site.sql("INSERT INTO recipient (id, customer_id, channel, target, min_severity, types, vins) VALUES (gen_random_uuid(), "
                     f"'{site.customer}', 'webhook', '{{\"n\": {n}}}', '{least}', {types}, '{{{car.vin}}}')")
        body = car.event("harsh_braking", {}, leaf="alert", severity="major")
        car.wait_ack(1)
        assert site.sql("SELECT r.target->>'n', n.transition, n.state, n.channel, n.late FROM notification n JOIN recipient r "
                        f"ON r.id = n.recipient_id WHERE alert_id = '{body['id']}'") == "0|opened|queued|webhook|f"
        site.sql(f"UPDATE vehicle SET muted_until = now() + interval '1 hour' WHERE vin = '{car.vin}'")
        body = car.event("tow", {}, leaf="alert", severity="major")
        car.wait_ack(2)
        rows = site.sql("SELECT r.target->>'n', n.state, n.reason FROM notification n JOIN recipient r ON r.id = n.recipient_id "
                        f"JOIN alert a ON a.id = n.alert_id WHERE a.vin = '{car.vin}' AND a.type = 'tow' ORDER BY 1").splitlines()
        assert rows == ["0|suppressed|muted", "2|suppressed|muted"]


def test_small_points_that_nobody_looks_at_clear_after_a_day(site):
    notify = site.notify()
    with site.car() as car:
        small = car.event("harsh_braking", {"peak_g": 0.45}, leaf="alert", severity="minor")
        large = car.event("harsh_braking", {"peak_g": 0.6}, leaf="alert", severity="major")
        fresh = car.event("harsh_braking", {"peak_g": 0.45}, leaf="alert", severity="minor")
        car.wait_ack(3)
        assert notify.subscribe(topic(car.vin, "alert")) == 1
        for event, age in ((small, "24 h"), (large, "240 h"), (fresh, "23 h 50 min")):
            site.sql(f"UPDATE alert SET detected_at = detected_at - interval '{age}' WHERE id = '{event['id']}'")
        site.ingest.stop()
        site.ingest.start()  # it looks once a minute, and when it starts
        wait_until(lambda: {a.id: (a.state, a.reason) for a in alerts(site, car.vin)} ==
                   {small["id"]: ("cleared", "expired"), large["id"]: ("open", ""), fresh["id"]: ("open", "")}, 90, why="the small one to clear")
        while (told := json.loads(notify.receive(90).payload))["state"] == "open":
            pass  # that they began may be told after it is acknowledged
        cursor = site.sql(f"SELECT change_cursor(c) FROM change c WHERE ref = '{small['id']}' ORDER BY xid DESC, id DESC LIMIT 1")
        assert (told["id"], told["state"], told["cursor"]) == (small["id"], "cleared", cursor)
