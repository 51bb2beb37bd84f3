"""Cases: whose they are, what ends them, and who is told, in whatever order their facts come."""
import json
import uuid

import pytest

import drives
from ingest_site import LAT, LON, MISSING, SPEED, now_ms, running, wait_until
from test_facts import HOUR_MS, OTHER, alerts, events, send, settled
from test_facts_late import named

LEVEL = "Vehicle.Powertrain.FuelSystem.RelativeLevel"
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from running(tmp_path_factory.mktemp("facts-cases"), rate=100000, burst=100000, late_wait="1s", start_quiet="1s")


@pytest.fixture
def cars(site):
    """Makes cars of one customer, who wants to hear of all; with a limit of 60 km/h."""
    customer, made = str(uuid.uuid4()), []
    site.sql(f"INSERT INTO customer (id, name) VALUES ('{customer}', 'Of one test'); INSERT INTO recipient (id, customer_id, channel, "
             f"target, min_severity) VALUES (gen_random_uuid(), '{customer}', 'webhook', '{{}}', 'info')")

    def make():
        made.append(site.car())
        site.sql(f"UPDATE vehicle SET customer_id = '{customer}', speed_limit_kmh = 60 WHERE vin = '{made[-1].vin}'")
        return made[-1]

    yield make
    for car in made:
        car.client.close()


def told(site, vin):
    """[(type, transition, severity)] of what people were told."""
    rows = site.sql("SELECT a.type, n.transition, n.severity FROM notification n JOIN alert a ON a.id = n.alert_id "
                    f"WHERE a.vin = '{vin}' ORDER BY n.created_at, n.transition DESC").splitlines()
    return [tuple(row.split("|")) for row in rows]


def low_battery(car, t):
    car.event("low_battery", {"kind": "low", "volts": 12.0}, leaf="alert", severity="minor", t=t)
    car.wait_ack(car.seq)


def brake(car, identity):
    car.event("harsh_braking", {"peak_g": 0.9}, leaf="alert", severity="major", identity=identity)
    car.wait_ack(car.seq)


# ---- whose a case is


def test_a_car_that_comes_with_the_id_of_another_s_case_gets_a_case_of_its_own(site, cars):
    victim = cars()
    with site.car() as thief:
        low_battery(victim, now_ms())
        brake(victim, str(uuid.uuid4()))
        before, heard = alerts(site, victim.vin), told(site, victim.vin)
        assert sorted(a.type for a in before) == ["harsh_braking", "low_battery"]
        for case in before:
            for _ in range(2):  # and a second time, which is no second case
                brake(thief, case.id)
        assert alerts(site, victim.vin) == before and told(site, victim.vin) == heard
        own = alerts(site, thief.vin)
        assert [a.type for a in own] == ["harsh_braking"] * 2 and not {a.id for a in own} & {a.id for a in before}
        assert {e[0] for e in events(site, thief.vin)} == {"harsh_braking"}


def test_an_id_that_is_taken_beforehand_hides_no_case(site, cars):
    victim, t = cars(), now_ms()
    with site.car() as thief:
        brake(thief, named(f"alert {victim.vin} low_battery low {t}"))
        low_battery(victim, t)
        (case,) = alerts(site, victim.vin)
        assert case.type == "low_battery" and told(site, victim.vin) == [("low_battery", "opened", "minor")]
        low_battery(victim, t + 1000)
        (again,) = alerts(site, victim.vin)
        assert (again.id, again.count) == (case.id, "2")
        brake(victim, case.id)  # nor does a car its own
        assert sorted((a.type, a.severity) for a in alerts(site, victim.vin)) == [("harsh_braking", "major"), ("low_battery", "minor")]


def test_two_cars_with_one_id_in_one_group_are_two_cases(site, cars):
    one, other, identity = cars(), cars(), str(uuid.uuid4())
    site.freeze(site.postgres)  # so that what waits is one group
    try:
        first = one.event("harsh_braking", {}, leaf="alert", severity="major")["id"]
        for car in (one, other, one):
            car.event("harsh_braking", {}, leaf="alert", severity="major", identity=identity)
    finally:
        site.go_on(site.postgres)
    one.wait_ack(one.seq)
    other.wait_ack(other.seq)
    assert {a.id for a in alerts(site, one.vin)} ^ {a.id for a in alerts(site, other.vin)} >= {first}
    assert (len(alerts(site, one.vin)), len(alerts(site, other.vin))) == (2, 1)
    assert told(site, other.vin) == [("harsh_braking", "opened", "major")]


# ---- who is told


def test_who_is_told_does_not_depend_on_where_records_are_cut(site, cars):
    heard = []
    for size in (60, 1000):
        car, drive = cars(), drives.north(now_ms() - 120000, [(20, 0), (20, 50), (30, 90), (30, 0)])
        for samples in drives.records(drive, size):
            car.telemetry(samples)
            car.wait_ack(car.seq)
        heard.append(told(site, car.vin))
    assert heard[0] == heard[1] == [("overspeed", "opened", "major"), ("overspeed", "cleared", "major")]


def test_who_waits_for_a_parked_car_hears_that_it_is_silent(site, cars):
    car = cars()
    car.telemetry({now_ms(): {SPEED: 0.0, LAT: 48.5, LON: 7.7}})
    car.wait_ack(car.seq)
    site.sql("UPDATE vehicle_state SET last_seen = now() - interval '21 min', t_ms = ms(now() - interval '21 min'), ignition_on = false "
             f"WHERE vin = '{car.vin}'")
    wait_until(lambda: told(site, car.vin) == [("vehicle_silent", "opened", "warning")], why="the message")


# ---- late, and not so after all


def late(site, car, samples):
    for n, part in enumerate(drives.records(samples, 20), 1):
        car.telemetry(part, seq=n, stream=OTHER)
    car.wait_ack(n, stream=OTHER)
    wait_until(lambda: settled(site, car.vin), why="what came late")


@pytest.mark.parametrize("state", ("cleared", "open"))
def test_a_major_thing_found_late_is_a_case_and_told_as_it_would_have_been(site, cars, state):
    """The newer one, that came before it, has ended or goes on."""
    start, found = now_ms() - 3 * HOUR_MS, []
    first = drives.north(start, [(60, 0), (100, 90), (300, 0)])
    second = drives.north(start + HOUR_MS, [(60, 0), (100, 90), (300 if state == "cleared" else 0, 0)], lat=list(first.values())[-1][LAT])
    for car, in_order in ((cars(), True), (cars(), False)):
        send(car, first | second if in_order else second)
        if not in_order:
            late(site, car, first)
        found.append(([a[2:] for a in alerts(site, car.vin)], sorted(told(site, car.vin))))
    assert found[0] == found[1] and len(found[0][1]) == (4 if state == "cleared" else 3)
    assert [a[1] for a in found[0][0]] == ["cleared", state]


def test_a_fact_that_is_withdrawn_takes_its_case_with_it_though_that_was_over(site, cars):
    car, start = cars(), now_ms() - 3 * HOUR_MS
    drive = drives.north(start, [(60, 0), (100, 72), (300, 0)])
    send(car, drive)
    assert [(a.type, a.state, a.reason) for a in alerts(site, car.vin)] == [("overspeed", "cleared", "ended")]
    late(site, car, {t + ms: {**drive[t], SPEED: 40.0} for t in drive if 60000 <= t - start < 160000 for ms in (0, 200, 600)})
    assert events(site, car.vin) == []
    assert [(a.type, a.state, a.reason) for a in alerts(site, car.vin)] == [("overspeed", "cleared", "corrected")]


# ---- the same case, though some of it comes late


def in_hand(site, car, case, *comments, acknowledge=True):
    """Somebody acknowledges a case, takes it, and says something of it."""
    who = str(uuid.uuid4())
    site.sql("INSERT INTO app_user (id, customer_id, username, role, password_hash) SELECT "
             f"'{who}', customer_id, '{who}', 'dispatcher', '' FROM vehicle WHERE vin = '{car.vin}'")
    if acknowledge:
        site.sql(f"SELECT alert_acknowledge('{case.id}', '{who}'); UPDATE alert SET assigned_to = '{who}' WHERE id = '{case.id}'")
    for text in comments:
        site.sql(f"INSERT INTO alert_comment (id, alert_id, user_id, text) VALUES (gen_random_uuid(), '{case.id}', '{who}', '{text}')")
    return who


def work(site, case):
    """Who has it, and what was said of it."""
    return site.sql("SELECT a.acknowledged_by, a.assigned_to, (SELECT string_agg(c.text, '+' ORDER BY c.text) FROM alert_comment c "
                    f"WHERE c.alert_id = a.id) FROM alert a WHERE a.id = '{case.id}'").strip()


def standing(site, car):
    return [a for a in alerts(site, car.vin) if a.reason != "corrected"]


def test_a_case_whose_beginning_comes_late_stays_in_the_hands_it_is_in(site, cars):
    car, start = cars(), now_ms() - 3 * HOUR_MS
    drive = drives.north(start, [(60, 0), (200, 90)])
    send(car, {t: s for t, s in drive.items() if t >= start + 120000})
    (case,) = alerts(site, car.vin)
    who, heard = in_hand(site, car, case, "on it"), told(site, car.vin)
    late(site, car, {t: s for t, s in drive.items() if t < start + 120000})
    (after,) = alerts(site, car.vin)
    assert (after.id, after.state, after.count) == (case.id, "acknowledged", "1")
    assert int(case.occurred) - int(after.occurred) in range(55000, 65000)
    assert work(site, after) == f"{who}|{who}|on it" and told(site, car.vin) == heard
    send(car, {max(drive) + n * 1000: {SPEED: 0.0} for n in range(1, 30)})
    assert [(a.id, a.state) for a in alerts(site, car.vin)] == [(case.id, "cleared")]


def test_two_cases_that_turn_out_to_be_one_go_on_as_that_which_people_work_on(site, cars):
    car, start = cars(), now_ms() - 3 * HOUR_MS
    drive = drives.north(start, [(60, 0), (1000, 90)])
    hidden = {t for t in drive if start + 120000 <= t < start + 960000}
    send(car, {t: s for t, s in drive.items() if t not in hidden})
    first, second = alerts(site, car.vin)
    in_hand(site, car, first, "who drove", acknowledge=False)
    who, heard = in_hand(site, car, second, "on it"), told(site, car.vin)
    late(site, car, {t: drive[t] for t in hidden})
    (case,) = standing(site, car)
    assert (case.id, case.state, case.occurred, case.count) == (second.id, "acknowledged", first.occurred, "1")
    assert work(site, case) == f"{who}|{who}|on it+who drove" and told(site, car.vin) == heard
    send(car, {t + 300: {SPEED: 90.0} for t in drive if start + 61000 < t < start + 120000})
    wait_until(lambda: settled(site, car.vin), why="a further recompute, which finds the same")
    assert standing(site, car) == [case]


@pytest.mark.parametrize("state", ("open", "acknowledged"))
def test_of_two_that_turn_out_to_be_one_the_open_one_goes_on_and_nobody_hears_of_it(site, cars, state):
    car, start = cars(), now_ms() - 1100000
    drive = drives.north(start, [(60, 0), (1000, 90)])
    hidden = {t for t in drive if start + 120000 <= t < start + 960000}
    send(car, {t: s for t, s in drive.items() if t not in hidden})
    first, second = alerts(site, car.vin)
    who = in_hand(site, car, first, "who drove", acknowledge=False)
    if state == "acknowledged":  # before it was over
        site.sql(f"UPDATE alert SET acknowledged_at = now(), acknowledged_by = '{who}' WHERE id = '{first.id}'")
    heard = told(site, car.vin)
    late(site, car, {t: drive[t] for t in hidden})
    (case,) = standing(site, car)
    assert (case.id, case.state, case.occurred, case.count) == (second.id, state, first.occurred, "1")
    assert work(site, case) == f"{who if state == 'acknowledged' else ''}||who drove" and told(site, car.vin) == heard


def test_a_repeat_counts_whenever_it_comes(site, cars):
    car, t = cars(), now_ms() - 600000
    for minutes, count in ((0, 1), (4, 2), (2, 3), (2, 3), (3, 4), (-1, 5)):
        low_battery(car, t + minutes * 60000)
        assert [(a.state, a.count) for a in alerts(site, car.vin)] == [("open", str(count))], minutes
    (case,) = alerts(site, car.vin)
    assert int(case.occurred) == t - 60000 and told(site, car.vin) == [("low_battery", "opened", "minor")]


def test_what_grows_in_the_database_goes_on_as_it_was_told(site, cars):
    car = cars()
    for data in ({"kind": "slope", "metres": [1e300] * 12}, {}):
        car.event("tow", data, leaf="alert", severity="major", t=now_ms())
        car.wait_ack(car.seq)
    (case,) = alerts(site, car.vin)
    assert case.count == "2" and site.sql(f"SELECT jsonb_array_length(data -> 'metres') FROM alert WHERE id = '{case.id}'").strip() == "12"
    assert site.sql(f"SELECT count(*) FROM dead_letter WHERE vin = '{car.vin}'").strip() == "0"


def test_the_evidence_of_a_case_is_that_of_its_event_though_part_of_it_came_late(site, cars):
    start, found = now_ms() - HOUR_MS, []
    drive = drives.north(start, [(60, 0), (60, 95), (1, 80), (1, 60), (1, 40), (1, 20), (60, 0)])
    for hidden in (set(), {t for t in drive if start + 122000 <= t < start + 128000}):
        car = cars()
        site.sql(f"UPDATE vehicle SET detects = 'ingest' WHERE vin = '{car.vin}'")
        send(car, {t: s for t, s in drive.items() if t not in hidden})
        if hidden:
            (early,) = [a for a in alerts(site, car.vin) if a.type == "harsh_braking"]
            late(site, car, {t: drive[t] for t in hidden})
        (case,) = [a for a in standing(site, car) if a.type == "harsh_braking"]
        assert [json.loads(case.data)] == [e[3] for e in events(site, car.vin) if e[0] == "harsh_braking"]
        found.append((case.severity, case.occurred, case.data))
    assert found[0] == found[1] and early.data != case.data


def rule(site, car, **columns):
    columns = {"id": str(uuid.uuid4()), "name": "Rule", "signal": LEVEL, "test": "below", "threshold": 10, **columns}
    site.sql(f"INSERT INTO rule (customer_id, {', '.join(columns)}) SELECT customer_id, {', '.join(repr(v) for v in columns.values())} "
             f"FROM vehicle WHERE vin = '{car.vin}'")


def test_a_case_that_began_before_what_is_stepped_again_is_withdrawn_with_its_event(site, cars):
    car, start, minute = cars(), now_ms() - 8 * HOUR_MS, 60000
    rule(site, car, duration_s=3600)
    drive = drives.north(start, [(7800, 0), (1200, 50), (300, 0), (1200, 50), (600, 0)], step_ms=20000)
    for t, sample in drive.items():
        sample[LEVEL] = 50.0 if t < start + 100 * minute else 5.0
    for before, until in ((-1, 0), (0, 125), (125, 186)):  # its state is kept two hours after the first record
        send(car, {t: s for t, s in drive.items() if before * minute < t - start <= until * minute})
        assert until > 125 or alerts(site, car.vin) == []
    (case,) = alerts(site, car.vin)
    assert (case.type, case.state, int(case.occurred)) == ("rule", "open", start + 100 * minute)
    assert int(site.sql(f"SELECT max(t_ms) FROM fact_checkpoint WHERE vin = '{car.vin}' AND t_ms < {start + 150 * minute}")) > start + 100 * minute
    late(site, car, {start + 157 * minute + 500: {SPEED: 50.0, drives.RPM: 2000.0, LEVEL: 50.0}})
    assert [e for e in events(site, car.vin) if e[0] == "rule"] == []
    assert [(a.id, a.state, a.reason) for a in alerts(site, car.vin)] == [(case.id, "cleared", "corrected")]


def test_a_stay_that_is_over_as_soon_as_it_is_long_enough_is_over_though_some_of_the_drive_came_late(site, cars):
    start, dwell_s, found = now_ms() - HOUR_MS, 0, []
    drive = drives.north(start, [(60, 0), (250, 50), (300, 0)])
    for is_late in (False, False, True):
        car, customer = cars(), str(uuid.uuid4())
        points = json.dumps([[7.7, 48.5 + 1500 * drives.METRE]])
        site.sql(f"INSERT INTO customer (id, name) VALUES ('{customer}', 'Of one car'); UPDATE vehicle SET customer_id = '{customer}' "
                 f"WHERE vin = '{car.vin}'; INSERT INTO geofence (id, customer_id, name, kind, radius_m, points, dwell_s) VALUES "
                 f"(gen_random_uuid(), '{customer}', 'Zone', 'circle', 500, '{points}', {dwell_s})")
        hidden = {t: s for t, s in drive.items() if is_late and 500000 < t - start < 520000}
        send(car, {t: s for t, s in drive.items() if t not in hidden})
        if is_late:
            late(site, car, hidden)
        entered, left = (at for kind, _, at, _ in events(site, car.vin) if kind in ("geofence_enter", "geofence_exit"))
        dwell_s = (left - entered) // 1000
        found.append([(a.type, a.state, a.reason, a.occurred) for a in alerts(site, car.vin)])
    assert [a[:3] for a in found[1] if a[0] == "geofence_dwell"] == [("geofence_dwell", "cleared", "ended")]
    assert found[2] == found[1]


def test_for_a_late_one_of_thousands_of_repeats_not_all_are_gone_through(site, cars):
    """Others' records would wait meanwhile, and thousands may come late."""
    car, t = cars(), now_ms() - 60000
    low_battery(car, t - 7200000)
    site.sql("INSERT INTO event (vin, id, type, source, severity, occurred_at, detected_at, data) SELECT "
             f"'{car.vin}', gen_random_uuid(), 'low_battery', 'agent', 'minor', to_timestamp(({t} - n * 1000) / 1000.0), now(), "
             "'{\"kind\": \"low\"}' FROM generate_series(1, 1100) n")
    low_battery(car, t)
    low_battery(car, t - 2000000)  # an event like all of them, but of its case it is not counted
    assert [(a.state, a.count) for a in alerts(site, car.vin)] == [("open", "2")]
    assert site.sql(f"SELECT count(*) FROM event WHERE vin = '{car.vin}'").strip() == "1103"


def test_what_a_car_tells_twice_by_one_id_is_told_of_both_times(site, cars):
    car, other, identity, t = cars(), cars(), str(uuid.uuid4()), now_ms() - 60000
    site.freeze(site.postgres)  # so that what waits is one group
    try:
        low_battery_at = [other.event("low_battery", {"kind": "low"}, leaf="alert", severity="minor", t=t)["t"]]
        for ago in (0, 1800000):
            low_battery_at.append(car.event("low_battery", {"kind": "low"}, leaf="alert", severity="minor", t=t - ago, identity=identity)["t"])
    finally:
        site.go_on(site.postgres)
    car.wait_ack(car.seq)
    assert [int(a.occurred) for a in alerts(site, car.vin)] == sorted(low_battery_at[1:])


def test_what_returns_after_it_was_over_is_open_and_told_though_the_time_before_was_acknowledged(site, cars):
    car, start = cars(), now_ms() - 300000
    rule(site, car)
    stand = {t: {SPEED: 0.0} for t in range(start, start + 240000, 1000)}
    send(car, stand | {start: {SPEED: 0.0, LEVEL: 5.0}})
    (case,) = alerts(site, car.vin)
    who = in_hand(site, car, case, "on it")
    send(car, {start + 240000: {SPEED: 0.0, LEVEL: 50.0}, start + 280000: {SPEED: 0.0}})
    assert [(a.id, a.state) for a in alerts(site, car.vin)] == [(case.id, "cleared")]
    late(site, car, {start + 260000: {LEVEL: 5.0}})
    (after,) = alerts(site, car.vin)
    assert (after.id, after.state, after.count, work(site, after)) == (case.id, "open", "2", f"{who}|{who}|on it")
    assert [t[1] for t in told(site, car.vin)] == ["opened", "cleared", "opened"]


def test_what_returns_is_open_though_it_goes_on_as_a_case_that_came_after_it(site, cars):
    car, start = cars(), now_ms() - 1500000
    rule(site, car)
    low, high = {SPEED: 0.0, LEVEL: 5.0}, {SPEED: 0.0, LEVEL: 50.0}
    send(car, {start: low})
    (first,) = alerts(site, car.vin)
    who = in_hand(site, car, first, "on it")
    send(car, {start + 60000: high, start + 900000: {SPEED: 0.0}, start + 1260000: low})
    assert [a.state for a in alerts(site, car.vin)] == ["cleared", "open"]
    second = alerts(site, car.vin)[1]
    late(site, car, {start + 540000: {LEVEL: 5.0}})
    (case,) = standing(site, car)
    assert (case.id, case.state, case.occurred) == (second.id, "open", first.occurred)
    assert work(site, case) == f"{who}|{who}|on it"


def test_what_was_over_later_than_was_known_and_returned_is_open_though_its_first_part_was_acknowledged(site, cars):
    car, start = cars(), now_ms() - 1100000
    drive = drives.north(start, [(60, 0), (440, 90), (200, 0), (360, 90)])
    hidden = {t for t in drive if start + 120000 <= t < start + 960000}
    send(car, {t: s for t, s in drive.items() if t not in hidden})
    first, second = alerts(site, car.vin)
    who = in_hand(site, car, first, "who drove", acknowledge=False)
    site.sql(f"UPDATE alert SET acknowledged_at = now(), acknowledged_by = '{who}' WHERE id = '{first.id}'")  # before it was over
    late(site, car, {t: drive[t] for t in hidden})
    (case,) = standing(site, car)
    assert (case.id, case.state, case.occurred, case.count) == (second.id, "open", first.occurred, "2")
    assert work(site, case) == f"{who}||who drove"


def test_a_case_from_before_what_is_stepped_again_goes_on_where_people_did_most_with_it(site, cars):
    car, start = cars(), now_ms() - 1600000
    rule(site, car)
    drive = drives.north(start, [(120, 0), (120, 50), (1260, 0)])
    for at, level in ((0, 5.0), (60, 50.0), (700, 5.0), (760, 50.0)):
        drive[start + at * 1000][LEVEL] = level
    send(car, drive)
    first, second = alerts(site, car.vin)
    in_hand(site, car, second, "again", acknowledge=False)
    who = in_hand(site, car, first, "on it", acknowledge=False)
    site.sql(f"UPDATE alert SET acknowledged_at = now(), acknowledged_by = '{who}' WHERE id = '{first.id}'")  # before it was over
    late(site, car, {start + 500500: {LEVEL: 5.0}})
    (case,) = standing(site, car)
    assert (case.id, case.state, case.occurred, case.count) == (first.id, "cleared", first.occurred, "2")
    assert work(site, case) == f"{who}||again+on it"


# ---- told by the car, ended by its samples


def test_an_overheating_that_is_told_before_its_backlog_ends_when_the_engine_is_cool(site, cars):
    start, found = now_ms() - HOUR_MS, []

    def samples(minutes, celsius):
        return {start + m * 60000 + s * 1000: {SPEED: 50.0, drives.RPM: 2000.0, drives.COOLANT: celsius} for m in minutes for s in range(0, 60, 5)}

    for car, first in ((cars(), 1), (cars(), 0)):  # after the backlog, and before it
        for n, part in enumerate((samples(range(10), 90.0), samples([10], 113.0) | samples(range(11, 30), 90.0))):
            if n == first:
                car.event("overheating", {}, leaf="alert", severity="major", t=start + 600000, stream=OTHER, seq=1)
                car.wait_ack(1, stream=OTHER)
            send(car, part)
        found.append([(a.type, a.state, a.reason) for a in alerts(site, car.vin)])
    assert found == [[("overheating", "cleared", "ended")]] * 2


def test_what_a_gateway_told_ends_although_something_came_late(site, cars):
    car, start = cars(), now_ms() - HOUR_MS
    site.sql(f"UPDATE vehicle SET detects = 'ingest' WHERE vin = '{car.vin}'")
    drive = drives.north(start, [(60, 0), (100, 50), (60, 0)])
    hidden = start + 99000
    send(car, {t: s for t, s in drive.items() if t != hidden})
    car.event("power_cut", {}, leaf="alert", severity="major", t=start + 221000)
    car.wait_ack(car.seq)
    late(site, car, {hidden: drive[hidden]})
    send(car, {start + 300000 + n * 1000: {SPEED: 0.0} for n in range(5)})
    assert [(a.type, a.state, a.reason) for a in alerts(site, car.vin)] == [("power_cut", "cleared", "ended")]
