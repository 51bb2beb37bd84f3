"""What recorded drives come to, sent through the broker, ingest and both stores: trips, stops, distance, fuel."""
import collections

import pytest

import drives
from ingest_site import MISSING, Site, now_ms

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
HOUR_MS = 3600 * 1000

Row = collections.namedtuple("Row", "id kind state start end distance_m fuel_l fuel_method co2_kg end_reason version")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("facts"))
    try:
        made.start(rate=100000, burst=100000)
        yield made
        made.ingest.stop()
        assert made.ingest.process.returncode == 0
        assert "Sanitizer" not in made.ingest.log_text() and "runtime error" not in made.ingest.log_text()
    finally:
        made.stop()


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


def is_partition(rows):
    return all(a.end == b.start for a, b in zip(rows, rows[1:]))


# ---- in order


def test_b08_is_two_trips_with_a_stop_of_272_seconds_between(site):
    start = now_ms() - HOUR_MS
    with site.car() as car:
        send(car, drives.b08(start))
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
        (trip,) = [r for r in segments(site, car.vin, start) if r.kind == "trip"]
    assert abs(trip.distance_m - 34520) <= 0.02 * 34520
    assert abs(trip.fuel_l - 2.957) <= 0.01 * 2.957 and trip.fuel_method == "speed_density"
    assert abs(trip.co2_kg - 6.95) <= 0.01 * 6.95
