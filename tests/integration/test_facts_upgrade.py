"""A new build of ingest finds the states of another one while a car drives: what was known goes on."""
import json
import uuid

import pytest

import drives
import layouts
from ingest_site import MISSING, Ingest, now_ms, running, wait_until
from test_facts import HOUR_MS, alerts, events, is_partition, segments, settled

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
SETTINGS = {"rate": 100000, "burst": 100000, "late_wait": "1s"}
VOLTS = "Vehicle.LowVoltageBattery.CurrentVoltage"
EVERY = ("trip", "stop", "gap", "idle", "lapse")
UPGRADE_S = 480  # of a drive that is then in its zone, and its battery does not charge


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from running(tmp_path_factory.mktemp("facts-upgrade"), **SETTINGS)


def made_car(site):
    """One with a zone on its way, a rule it breaks, one that counts for hours, and detections that are ingest's."""
    car, customer, zone, rule, often = site.car(), *(str(uuid.uuid4()) for _ in range(4))
    points = json.dumps([[7.7, 48.5 + 8000 * drives.METRE]])
    site.sql(f"INSERT INTO customer (id, name) VALUES ('{customer}', 'Of one car'); "
             f"UPDATE vehicle SET customer_id = '{customer}', detects = 'ingest', speed_limit_kmh = 60 WHERE vin = '{car.vin}'; "
             f"INSERT INTO geofence (id, customer_id, name, kind, radius_m, points, dwell_s) VALUES ('{zone}', '{customer}', 'Zone', "
             f"'circle', 2000, '{points}', 60); "
             f"INSERT INTO rule (id, customer_id, name, signal, test, threshold, duration_s) VALUES ('{rule}', '{customer}', 'Fast', "
             "'Vehicle.Speed', 'above', 50, 30); "
             "INSERT INTO rule (id, customer_id, name, signal, test, threshold, duration_s, repeat, repeat_s) VALUES "
             f"('{often}', '{customer}', 'Stands again and again', 'Vehicle.Speed', 'below', 1, 30, 5, 28800)")
    car.customer, car.often = customer, often
    return car


def send(car, samples):
    for record in drives.records(samples, 20):
        car.telemetry(record)
    car.wait_ack(car.seq)


def enter(site, cars, km):
    for car in cars:
        site.sql("INSERT INTO meter_entry (id, customer_id, vin, at, odometer_m) SELECT gen_random_uuid(), v.customer_id, v.vin, "
                 f"to_timestamp(s.t_ms / 1000.0), {km * 1000} FROM vehicle v JOIN vehicle_state s ON s.vin = v.vin WHERE v.vin = '{car.vin}'")
    wait_until(lambda: site.sql("SELECT count(*) FROM meter_entry WHERE taken_at IS NULL") == "0", why="the entries")


def upgrade(site, store):
    site.ingest.stop()
    store()
    site.ingest = Ingest(site, **SETTINGS).start()


def cases(site, car):
    return [(a.type, a.state, a.severity, a.reason, a.count, a.occurred, a.openings) for a in alerts(site, car.vin)]


def found(site, car):
    return [(kind, at, {k: v for k, v in data.items() if k not in ("rule", "geofence")}) for kind, _, at, data in events(site, car.vin)]


def rows(site, car, start):
    return [r._replace(id="", version=0, distance_m=round(r.distance_m or 0)) for r in segments(site, car.vin, start, EVERY)]


def seen(site, vin):
    """Ids of all trips and stops that anybody was ever told of."""
    return set(site.sql(f"SELECT DISTINCT ref FROM change WHERE vin = '{vin}' AND kind IN ('trip', 'stop')").splitlines())


def part(way, start, from_s, to_s):
    return {t: s for t, s in way.items() if from_s * 1000 <= t - start < to_s * 1000}


def morning(start):
    """Three trips that end where and hours before the next begins."""
    speeds = [(60, 0), *[(300, 60), (900, 0)] * 3]
    end = list(drives.north(start, speeds, step_ms=10000).values())[-1][drives.LAT]
    return drives.north(start, speeds, step_ms=10000, lat=97.0 - end)


def to_upgrade(site, cars, start, way):
    """Up to the moment when the build changes; its factor is learnt then."""
    for car in cars:
        send(car, morning(start - 6 * HOUR_MS))
        send(car, part(way, start, 0, 200))
    enter(site, cars, 80000)
    for car in cars:
        send(car, part(way, start, 200, 300))
    enter(site, cars, 80002.08)  # of 2,000 m computed: a factor of 1.04
    for car in cars:
        send(car, part(way, start, 300, UPGRADE_S))
    (car, *_) = cars
    assert {a.type for a in alerts(site, car.vin) if a.state == "open"} >= {"geofence_dwell", "low_battery", "rule"}


def is_the_same(site, car, other, start):
    after = segments(site, car.vin, start)
    assert [r.kind for r in after] == ["stop", "trip"] * 4 + ["stop"] and is_partition(after)
    assert abs(after[-2].distance_m - 14000) <= 0.02 * 14000
    assert rows(site, car, start) == rows(site, other, start)
    assert cases(site, car) == cases(site, other) and found(site, car) == found(site, other)
    meter = "SELECT round(odometer_m / 10), round(engine_h * 100), round(factor::numeric, 4) FROM vehicle_meter WHERE vin = '{}'"
    assert site.sql(meter.format(car.vin)) == site.sql(meter.format(other.vin)) and "|1.0400" in site.sql(meter.format(car.vin))
    assert site.sql(f"SELECT connectivity(s, now()) FROM vehicle_state s WHERE vin = '{car.vin}'") == "online"
    return [r.id for r in after]


def test_cars_that_drive_go_on_as_if_nothing_had_happened(site):
    start = now_ms() - 1060000  # they come to a stand about now
    way = drives.north(start, [(60, 0), (700, 72), (300, 0)], **{VOLTS: 12.3})
    with made_car(site) as named, made_car(site) as unknown, made_car(site) as other:
        cars = [named, unknown, other]
        to_upgrade(site, cars, start, way)
        trips = {car: r.id for car in cars for r in segments(site, car.vin, start) if r.kind == "trip" and r.state == "open"}
        layouts_known = [lambda: layouts.store_as_another(site, named.vin, 4711), lambda: layouts.store_as_unknown(site, unknown.vin, 4712)]
        upgrade(site, lambda: [store() for store in layouts_known])
        for car in cars:
            send(car, part(way, start, UPGRADE_S, 2000))
        wait_until(lambda: all(settled(site, car.vin) for car in cars), why="all of it")
        for car in cars:
            ids = is_the_same(site, car, other, start)
            assert len([a for a in alerts(site, car.vin) if a.subject == car.often]) == 1  # the fifth stand: hours unheard make no other
            assert ids[-2] == trips[car] and seen(site, car.vin) == set(ids)  # nobody was ever told of another
        recomputed = {why: site.ingest.metric("vigie_ingest_recomputed_total", f'cause="{why}"') for why in ("layout", "late", "gap")}
        assert recomputed == {"layout": 1, "late": 0, "gap": 0}


def test_cars_that_stand_are_found_again_and_where_the_history_is_gone_nothing_is_taken_away(site):
    start = now_ms() - HOUR_MS
    way = drives.north(start, [(60, 0), (120, 72), (20, 0)])
    with made_car(site) as late, made_car(site) as gone:
        for car in (late, gone):
            send(car, {t: s for t, s in way.items() if not start + 100000 <= t < start + 120000})
        wait_until(lambda: settled(site, late.vin) and settled(site, gone.vin), why="the rows")
        before = {car: [(r.id, r.kind, r.start, r.end) for r in segments(site, car.vin, start)] for car in (late, gone)}
        send(late, part(way, start, 100, 120))  # too late, and the build changes before anybody looked
        upgrade(site, lambda: [layouts.store_as_unknown(site, car.vin, 4713) for car in (late, gone)])
        wait_until(lambda: settled(site, late.vin), why="both the state and what came late")
        assert [(r.id, r.kind, r.start, r.end) for r in segments(site, late.vin, start)] == before[late]
        site.influx.query(f"DELETE FROM telemetry WHERE vin = '{gone.vin}'", "fleet")
        send(gone, drives.north(start + 300000, [(30, 0), (120, 72), (20, 0)], lat=48.52))
        wait_until(lambda: settled(site, gone.vin), why="what can be known")
        after = [(r.id, r.kind, r.start, r.end) for r in segments(site, gone.vin, start)]
        assert after[:2] == before[gone] and [kind for _, kind, _, _ in after[2:]] == ["stop", "trip"]
