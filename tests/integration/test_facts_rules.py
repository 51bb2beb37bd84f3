"""Zones, limits and rules of a customer, held against cars that drive through the real stack."""
import datetime
import json
import time
import uuid
import zoneinfo

import pytest

import drives
from ingest_site import MISSING, now_ms, running, wait_until
from test_facts import HOUR_MS, alerts, events, send, settled

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
LEVEL = "Vehicle.Powertrain.FuelSystem.RelativeLevel"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from running(tmp_path_factory.mktemp("facts-rules"), rate=100000, burst=100000, late_wait="1s")


@pytest.fixture
def car(site):
    """One of a customer of its own, so that what others set up is none of its business."""
    customer = str(uuid.uuid4())
    site.sql(f"INSERT INTO customer (id, name) VALUES ('{customer}', 'Of one test')")
    with site.car() as made:
        site.sql(f"UPDATE vehicle SET customer_id = '{customer}' WHERE vin = '{made.vin}'")
        made.customer = customer
        yield made


def zone(site, car, metres, radius=100, **more):
    """A circle around a point on the way of drives.north."""
    identity = str(uuid.uuid4())
    columns = {"id": identity, "customer_id": car.customer, "name": "Zone", "kind": "circle", "radius_m": radius,
               "points": json.dumps([[7.7, 48.5 + metres * drives.METRE]]), **more}
    site.sql(f"INSERT INTO geofence ({', '.join(columns)}) VALUES ({', '.join(repr(v) for v in columns.values())})")
    return identity


def second(at, start):
    return round((at - start) / 1000)


def test_a_car_that_drives_through_a_zone_enters_and_leaves_it(site, car):
    start = now_ms() - HOUR_MS
    here, loud = zone(site, car, 1000), zone(site, car, 1000, radius=150, muted=True)
    zone(site, car, 5000)
    send(car, drives.north(start, [(30, 0), (120, 72), (30, 0)]))  # 20 m/s from second 30 on
    found = [(kind, subject, second(at, start)) for kind, subject, at, _ in events(site, car.vin)]
    assert [f[:2] for f in found] == [("geofence_enter", loud), ("geofence_enter", here), ("geofence_exit", here),
                                      ("geofence_exit", loud)]
    for _, subject, at in found:
        edge = 1000 + (-1 if at < 80 else 1) * (100 if subject == here else 150)
        assert abs((at - 30) * 20 - edge) <= 50
    assert sorted((a.type, a.subject) for a in alerts(site, car.vin)) == [("geofence_enter", here), ("geofence_exit", here)]


def test_a_zone_of_corners_and_one_along_a_road_are_entered_and_left(site, car):
    start = now_ms() - HOUR_MS
    m = drives.METRE
    square = [[7.7 + x, 48.5 + y * m] for x, y in ((-0.002, 600), (0.002, 600), (0.002, 800), (-0.002, 800))]
    area = zone(site, car, 0, kind="polygon", points=json.dumps(square))
    road = zone(site, car, 0, kind="corridor", radius=50, points=json.dumps([[7.69, 48.5 + 1200 * m], [7.71, 48.5 + 1200 * m]]))
    send(car, drives.north(start, [(120, 72)]))  # 20 m/s
    found = [(kind, subject, second(at, start)) for kind, subject, at, _ in events(site, car.vin)]
    assert [f[:2] for f in found] == [("geofence_enter", area), ("geofence_exit", area), ("geofence_enter", road), ("geofence_exit", road)]
    assert all(abs(at * 20 - edge) <= 60 for (_, _, at), edge in zip(found, (600, 800, 1150, 1250)))


def test_crossing_between_sparse_fixes_is_interpolated(site, car):
    start = now_ms() - HOUR_MS
    here = zone(site, car, 1000)
    drive = drives.north(start, [(300, 72)])
    sparse = {t: s for n, (t, s) in enumerate(drive.items()) if n % 30 == 9}  # at 200 m, 800 m, 1400 m ...
    send(car, sparse)
    with site.car() as other:  # one fix in the zone, with outside ones ten seconds before and after
        site.sql(f"UPDATE vehicle SET customer_id = '{car.customer}' WHERE vin = '{other.vin}'")
        send(other, {t: s for n, (t, s) in enumerate(drive.items()) if n % 10 == 9})
        found = [(kind, subject, data.get("interpolated")) for kind, subject, _, data in events(site, other.vin)]
        assert found == [("geofence_enter", here, True), ("geofence_exit", here, True)]
    found = [(kind, subject, data.get("interpolated")) for kind, subject, _, data in events(site, car.vin)]
    assert found == [("geofence_enter", here, True), ("geofence_exit", here, True)]


def test_staying_long_in_a_zone_is_a_case_until_the_car_leaves(site, car):
    start = now_ms() - HOUR_MS
    here = zone(site, car, 1000, dwell_s=300)
    send(car, drives.north(start, [(50, 72), (400, 0)]))
    (dwell,) = [a for a in alerts(site, car.vin) if a.type == "geofence_dwell"]
    assert dwell.subject == here and dwell.state == "open"
    (entered,) = [at for kind, _, at, _ in events(site, car.vin) if kind == "geofence_enter"]
    assert int(dwell.occurred) == entered + 300 * 1000
    on = drives.north(start + 450 * 1000, [(60, 72)], lat=48.5 + 990 * drives.METRE)
    send(car, on)
    (dwell,) = [a for a in alerts(site, car.vin) if a.type == "geofence_dwell"]
    assert (dwell.state, dwell.reason) == ("cleared", "ended")


def test_a_car_that_sleeps_in_a_zone_has_stayed_there_all_the_same(site, car):
    start = now_ms() - 60 * 1000
    here = zone(site, car, 1000, dwell_s=15)
    drive = drives.north(start, [(52, 72), (3, 0)])
    with site.car() as private:  # one of whom nobody knows where it is since
        site.sql(f"UPDATE vehicle SET customer_id = '{car.customer}' WHERE vin = '{private.vin}'")
        send(private, drive)
        private.event("private_mode", {"on": True, "by": "button"}, t=max(drive) + 500)
        private.wait_ack(private.seq)
    send(car, drive)  # ten seconds inside, and no more of it
    (dwell,) = wait_until(lambda: [a for a in alerts(site, car.vin) if a.type == "geofence_dwell"], why="the dwell")
    (entered,) = [at for kind, _, at, _ in events(site, car.vin) if kind == "geofence_enter"]
    assert (dwell.subject, dwell.state, int(dwell.occurred)) == (here, "open", entered + 15 * 1000)
    assert not [e for e in events(site, car.vin) if e[0] == "geofence_exit"]
    assert [e[0] for e in events(site, private.vin)] == ["geofence_enter", "private_mode"]


def test_a_stay_that_time_alone_told_is_corrected_when_the_car_had_left(site, car):
    start = now_ms() - 60 * 1000
    zone(site, car, 1000, dwell_s=15)
    drive = drives.north(start, [(52, 72), (3, 0)])
    send(car, drive)  # inside, then nobody hears it
    wait_until(lambda: [a for a in alerts(site, car.vin) if a.type == "geofence_dwell"], why="the dwell that time alone tells")
    on = drives.north(max(drive) + 1000, [(40, 72)], lat=max(s[drives.LAT] for s in drive.values()))
    send(car, on)  # what it had kept: it went on at once
    (dwell,) = [a for a in alerts(site, car.vin) if a.type == "geofence_dwell"]
    assert (dwell.state, dwell.reason) == ("cleared", "corrected")
    assert [kind for kind, *_ in events(site, car.vin)] == ["geofence_enter", "geofence_exit"]


def test_what_is_changed_today_does_not_undo_what_was_found_yesterday(site, car):
    start, later = now_ms() - 2 * HOUR_MS, str(uuid.uuid4())
    site.sql(f"UPDATE vehicle SET speed_limit_kmh = 60 WHERE vin = '{car.vin}'")
    gone = rule(site, car, signal="Vehicle.Speed", test="above", threshold=50, duration_s=20)
    drive = drives.north(start, [(60, 0), (100, 72), (300, 0)])
    hidden = {t: s for t, s in drive.items() if 20000 < t - start < 30000}
    send(car, {t: s for t, s in drive.items() if t not in hidden})
    before = events(site, car.vin), alerts(site, car.vin)
    assert [e[0] for e in before[0]] == ["overspeed", "rule"]
    zone(site, car, 1000)  # on its way, but drawn after the drive
    site.sql(f"UPDATE vehicle SET speed_limit_kmh = 110 WHERE vin = '{car.vin}'; DELETE FROM rule WHERE id = '{gone}'")
    car.telemetry(hidden, seq=1, stream=later)  # ten seconds of standing, late
    car.wait_ack(1, stream=later)
    wait_until(lambda: settled(site, car.vin), why="the late ones to be looked at")
    assert (events(site, car.vin), alerts(site, car.vin)) == before


def test_a_zone_drawn_around_a_standing_car_is_no_enter_and_leaving_it_is_an_exit(site, car):
    start = now_ms() - HOUR_MS
    send(car, drives.north(start, [(60, 0)]))
    here = zone(site, car, 0)
    end = time.monotonic() + 6  # what ingest has of settings is five seconds old at most
    for n in range(1000):
        send(car, drives.north(start + (60 + n) * 1000, [(1, 0)]))  # it stands, and its heart beats
        if time.monotonic() > end:
            break
    assert events(site, car.vin) == []
    send(car, drives.north(start + 40 * 60 * 1000, [(60, 72)]))
    assert [e[:2] for e in events(site, car.vin)] == [("geofence_exit", here)]


def test_driving_above_the_limit_for_a_while_is_one_event(site, car):
    start = now_ms() - HOUR_MS
    site.sql(f"UPDATE vehicle SET speed_limit_kmh = 80 WHERE vin = '{car.vin}'")
    # above for 5 s: nothing; 20 s with a short interruption, at most 100: one, major
    send(car, drives.north(start, [(60, 70), (5, 90), (60, 70), (10, 90), (3, 78), (10, 100), (60, 70)]))
    (event,) = events(site, car.vin)
    assert event[0] == "overspeed" and second(event[2], start) == 125
    assert event[3]["limit_kmh"] == 80 and event[3]["peak_kmh"] == 100 and 19000 <= event[3]["above_ms"] <= 22000
    (alert,) = alerts(site, car.vin)
    assert (alert.type, alert.severity, alert.state, alert.reason) == ("overspeed", "major", "cleared", "ended")


def test_the_lowest_limit_of_the_zones_a_car_is_in_counts(site, car):
    start = now_ms() - HOUR_MS
    site.sql(f"UPDATE vehicle SET speed_limit_kmh = 130 WHERE vin = '{car.vin}'")
    zone(site, car, 1000, radius=500, speed_limit_kmh=50)
    send(car, drives.north(start, [(150, 72)]))
    (event,) = [e for e in events(site, car.vin) if e[0] == "overspeed"]
    assert event[3]["limit_kmh"] == 50 and abs(second(event[2], start) - 25) <= 4


def rule(site, car, **columns):
    identity = str(uuid.uuid4())
    columns = {"id": identity, "customer_id": car.customer, "name": "Rule", "severity": "major", **columns}
    site.sql(f"INSERT INTO rule ({', '.join(columns)}) VALUES ({', '.join(repr(v) for v in columns.values())})")
    return identity


def test_a_rule_raises_a_case_after_its_duration_and_ends_it(site, car):
    start = now_ms() - HOUR_MS
    mine = rule(site, car, signal="Vehicle.OBD.EngineLoad", test="above", threshold=90, release=10, duration_s=20)
    rule(site, car, signal="Vehicle.OBD.EngineLoad", test="above", threshold=10, group_name="others")
    rule(site, car, signal="Vehicle.OBD.EngineLoad", test="above", threshold=10, enabled=False)
    load = {"Vehicle.OBD.EngineLoad": 0.0}
    drive = drives.north(start, [(100, 50)], **load)
    for n, sample in enumerate(drive.values()):
        sample["Vehicle.OBD.EngineLoad"] = 95.0 if 20 <= n < 50 else 85.0 if 50 <= n < 70 else 40.0
    send(car, drive)
    (event,) = events(site, car.vin)
    assert event[:2] == ("rule", mine) and second(event[2], start) == 20
    (alert,) = alerts(site, car.vin)
    assert (alert.type, alert.subject, alert.severity, alert.state) == ("rule", mine, "major", "cleared")
    assert site.sql(f"SELECT ms(ended_at) - {start} FROM alert WHERE id = '{alert.id}'") == "70000"


def test_a_clock_that_was_ahead_once_hides_no_alert_from_a_car_that_goes_on(site, car):
    """What it sends until its clock is there comes late, and never stops coming."""
    mine = rule(site, car, signal="Vehicle.OBD.EngineLoad", test="above", threshold=90)
    send(car, {now_ms() + 9 * 60 * 1000: {drives.SPEED: 50.0}})

    def found():
        car.telemetry({now_ms(): {drives.SPEED: 50.0, "Vehicle.OBD.EngineLoad": 95.0}})
        return mine in [a.subject for a in alerts(site, car.vin)]

    wait_until(found, every_s=0.2, why="an alert while it drives")


def test_a_rule_that_counts_repeats_raises_at_the_last_of_them(site, car):
    start = now_ms() - HOUR_MS
    often = rule(site, car, signal="Vehicle.Speed", test="above", threshold=60, repeat=3, repeat_s=60)
    rule(site, car, signal="Vehicle.Speed", test="above", threshold=60, repeat=3, repeat_s=30)
    send(car, drives.north(start, [(10, 50), (10, 70), (10, 50), (10, 70), (10, 50), (10, 70), (10, 50)]))
    found = [(subject, second(at, start)) for kind, subject, at, _ in events(site, car.vin) if kind == "rule"]
    assert [f[0] for f in found] == [often] and 50 <= found[0][1] <= 52


def test_a_rule_of_a_group_or_of_one_vehicle_is_about_nobody_else(site, car):
    start = now_ms() - HOUR_MS
    above = {"signal": "Vehicle.Speed", "test": "above", "threshold": 30}
    vans_of = "è" * 63  # as long as a name of a group may be
    with site.car() as other:
        site.sql(f"UPDATE vehicle SET customer_id = '{car.customer}' WHERE vin = '{other.vin}'; "
                 f"UPDATE vehicle SET group_name = '{vans_of}' WHERE vin = '{car.vin}'")
        both = rule(site, car, **above)
        vans, own = rule(site, car, group_name=vans_of, **above), rule(site, car, vin=other.vin, **above)
        rule(site, car, group_name=vans_of, vin=other.vin, **above)
        rule(site, car, group_name=vans_of[:-1] + "é", **above)
        for each in (car, other):
            send(each, drives.north(start, [(10, 0), (20, 72)]))
        found = [{subject for kind, subject, _, _ in events(site, each.vin) if kind == "rule"} for each in (car, other)]
    assert found == [{both, vans}, {both, own}]


def test_a_rule_holds_in_its_zone_and_hours_only(site, car):
    start = now_ms() - HOUR_MS
    here = zone(site, car, 1000, muted=True)
    inside = rule(site, car, signal="Vehicle.Speed", test="above", threshold=30, place="inside", geofence_id=here)
    for end in ("24:00", "00:00"):
        rule(site, car, signal="Vehicle.Speed", test="above", threshold=30,
             schedule=json.dumps({"spans": [{"from": "00:00", "to": end}], "except": True}))
    send(car, drives.north(start, [(20, 0), (120, 72)]))
    found = [e for e in events(site, car.vin) if e[0] == "rule"]
    assert [e[1] for e in found] == [inside] and 64 <= second(found[0][2], start) <= 70


def test_of_a_zone_that_is_not_the_car_s_nobody_knows_whether_it_is_outside(site, car):
    start = now_ms() - HOUR_MS
    elsewhere, here = zone(site, car, 9000, group_name="trucks"), zone(site, car, 9000)
    rule(site, car, signal="Vehicle.Speed", test="above", threshold=30, place="outside", geofence_id=elsewhere)
    known = rule(site, car, signal="Vehicle.Speed", test="above", threshold=30, place="outside", geofence_id=here)
    send(car, drives.north(start, [(20, 0), (60, 72)]))
    assert [e[1] for e in events(site, car.vin) if e[0] == "rule"] == [known]


def test_many_cases_are_looked_through_a_slice_at_a_time_and_then_anew(site):
    """Of 1,500 vehicles, each with a case of a rule that is there; the first and the last also have one of a rule that is not."""
    customer, known, gone = (str(uuid.uuid4()) for _ in range(3))
    cases = ("INSERT INTO alert (id, vin, type, subject, ending, state, severity, occurred_at, detected_at, last_at) "
             "SELECT gen_random_uuid(), vin, 'rule', '{}', 'condition', 'open', 'minor', now(), now(), now() FROM vehicle WHERE ")
    of_all, of_ends = f"customer_id = '{customer}'", "vin IN ('ZZSCE000000000001', 'ZZSCE000000001500')"
    uncleared = f"SELECT count(*) FROM alert JOIN vehicle USING (vin) WHERE customer_id = '{customer}' AND state <> 'cleared'"
    site.sql(f"INSERT INTO customer (id, name) VALUES ('{customer}', 'Many'); INSERT INTO vehicle (vin, customer_id, status) SELECT "
             f"'ZZSCE' || lpad(n::text, 12, '0'), '{customer}', 'active' FROM generate_series(1, 1500) n; INSERT INTO rule (id, customer_id, "
             f"name, signal, test, threshold) VALUES ('{known}', '{customer}', 'Fast', 'Vehicle.Speed', 'above', 130); "
             + cases.format(known) + of_all + "; " + cases.format(gone) + of_ends)
    try:
        wait_until(lambda: site.sql(uncleared) == "1500", why="both ends to be looked at")
        site.sql(cases.format(str(uuid.uuid4())) + "vin = 'ZZSCE000000000001'")
        wait_until(lambda: site.sql(uncleared) == "1500", why="the first slice to come again")
    finally:
        site.sql(f"DELETE FROM vehicle WHERE customer_id = '{customer}'")


def test_what_a_deleted_disabled_or_moved_rule_or_zone_raised_is_over(site, car):
    start = now_ms() - HOUR_MS
    above = {"signal": "Vehicle.Speed", "test": "above", "threshold": 30}
    gone, off, moved, stays = (rule(site, car, **above) for _ in range(4))
    here = zone(site, car, 1000, dwell_s=60)
    site.sql("INSERT INTO recipient (id, customer_id, channel, target, min_severity) VALUES (gen_random_uuid(), "
             f"'{car.customer}', 'webhook', '{{}}', 'info')")
    drive = drives.north(start, [(50, 72), (100, 0)], **{LEVEL: 50.0})
    for sample in list(drive.values())[50:]:
        del sample[drives.SPEED]  # what it was stays so
    send(car, drive)

    def cases():
        return {a.subject: (a.type, a.state, a.reason) for a in alerts(site, car.vin) if a.type in ("rule", "geofence_dwell")}

    raised = {r: ("rule", "open", "") for r in (gone, off, moved, stays)}
    assert cases() == {**raised, here: ("geofence_dwell", "open", "")}
    site.sql(f"DELETE FROM rule WHERE id = '{gone}'; UPDATE rule SET enabled = false, version = version + 1 WHERE id = '{off}'; "
             f"UPDATE rule SET group_name = 'others', version = version + 1 WHERE id = '{moved}'; DELETE FROM geofence WHERE id = '{here}'")
    ended = {r: ("rule", "cleared", "ended") for r in (gone, off, moved)}
    wanted = {**ended, here: ("geofence_dwell", "cleared", "ended"), stays: ("rule", "open", "")}
    wait_until(lambda: cases() == wanted, why="what is gone to be over, and nothing else")
    told = site.sql("SELECT count(*) FROM notification n JOIN alert a ON a.id = n.alert_id WHERE n.transition = 'cleared' AND "
                    f"a.vin = '{car.vin}' AND a.type = 'rule'")
    changed = site.sql(f"SELECT count(*) FROM change WHERE vin = '{car.vin}' AND kind = 'alert' AND data ->> 'state' = 'cleared'")
    assert (told, changed) == ("3", "4")


def test_a_rule_changed_while_it_is_true_begins_anew(site, car):
    start = now_ms() - HOUR_MS
    mine = rule(site, car, signal="Vehicle.Speed", test="above", threshold=30)
    send(car, drives.north(start, [(60, 72)]))
    assert [a.state for a in alerts(site, car.vin)] == ["open"]
    site.sql(f"UPDATE rule SET threshold = 100, version = version + 1 WHERE id = '{mine}'")

    def goes_on():
        goes_on.t += 1000
        send(car, drives.north(goes_on.t, [(1, 72)], lat=48.52))
        return [(a.state, a.reason) for a in alerts(site, car.vin)] == [("cleared", "ended")]

    goes_on.t = start + 60000
    wait_until(goes_on, why="the end of what the old condition raised")


def test_rules_and_zones_that_are_too_many_are_counted(site, car):
    start = now_ms() - HOUR_MS
    for _ in range(18):
        rule(site, car, signal="Vehicle.Speed", test="above", threshold=30)
    for n in range(26):
        zone(site, car, 100 * n, radius=5000, muted=True)
    before = [site.ingest.metric(f"vigie_ingest_{name}_total") for name in ("rules_ignored", "fences_crowded")]
    send(car, drives.north(start, [(10, 0), (10, 72)]))
    found = [e[0] for e in events(site, car.vin)]
    ignored, crowded = [site.ingest.metric(f"vigie_ingest_{name}_total") for name in ("rules_ignored", "fences_crowded")]
    assert found.count("rule") == 16 and ignored >= before[0] + 2
    assert crowded - before[1] == 2 * 20  # two zones, at each place


def clock_change():
    """(zone, moment before its clocks were changed lately, and after it at the same time of day UTC); without any, just two days."""
    now = datetime.datetime.now(datetime.UTC).replace(minute=0, second=0, microsecond=0)
    for days in range(3, 50):
        for name in ("Europe/Paris", "America/New_York", "Australia/Sydney", "Pacific/Auckland", "America/Santiago", "Africa/Cairo",
                     "Asia/Beirut", "Africa/Casablanca", "America/Asuncion"):
            before, after = (now - datetime.timedelta(days=d) for d in (days + 2, days))
            zone = zoneinfo.ZoneInfo(name)
            if before.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
                return zone, before, after
    return zoneinfo.ZoneInfo("Asia/Tokyo"), now - datetime.timedelta(days=5), now - datetime.timedelta(days=3)


def test_hours_of_a_rule_are_those_the_clocks_showed_where_the_vehicle_is(site, car):
    zone, before, after = clock_change()

    def hour(at, name):
        local = at.astimezone(zone)
        spans = [{"from": local.strftime("%H:%M"), "to": (local + datetime.timedelta(minutes=20)).strftime("%H:%M")}]
        return rule(site, car, name=name, signal="Vehicle.Speed", test="above", threshold=30, schedule=json.dumps({"spans": spans}))

    site.sql(f"UPDATE vehicle SET timezone = '{zone.key}' WHERE vin = '{car.vin}'")
    rules = {before: hour(before, "Before"), after: hour(after, "After")}
    for at in (before, after):
        send(car, drives.north(round(at.timestamp() * 1000) + 60000, [(20, 0), (60, 72)]))
    changed = before.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset()
    found = [(subject, at) for kind, subject, at, _ in events(site, car.vin) if kind == "rule"]
    held = {(rules[at], round(at.timestamp() * 1000)) for at in rules} if changed else {
        (r, round(at.timestamp() * 1000)) for r in rules.values() for at in rules}
    assert {(r, at // 3600000 * 3600000) for r, at in found} == held and len(found) == len(held)


def test_fuel_that_is_gone_in_the_morning_is_a_case_for_a_person(site, car):
    start = now_ms() - 3 * HOUR_MS
    site.sql(f"UPDATE vehicle SET tank_l = 50 WHERE vin = '{car.vin}'")
    state = "Vehicle.LowVoltageSystemState"
    evening = drives.north(start, [(60, 50), (120, 0)], **{LEVEL: 80.0, state: 4.0})
    night = {start + 180000 + s * 1000: {state: 2.0} for s in range(0, 3600, 60)}
    morning = drives.north(start + 2 * HOUR_MS, [(240, 0)], lat=48.5 + 60 / 3.6 * 50 * drives.METRE, **{LEVEL: 60.0, state: 4.0})
    for part in (evening, night, morning):
        send(car, part)
    assert [e[0] for e in events(site, car.vin)] == ["fuel_drop"]
    (alert,) = alerts(site, car.vin)
    assert (alert.type, alert.severity, alert.state) == ("fuel_drop", "major", "open")
    assert json.loads(alert.data)["before_percent"] == 80 and json.loads(alert.data)["after_percent"] == 60
