"""1-minute values: right after late data too, without positions, and not forgotten when ingest is killed."""
import io
import os
import signal

import pytest

from ingest_site import DAY_MS, LAT, LON, MISSING, RPM, SPEED, Ingest, Site, now_ms, wait_until
from test_ingest_faults import Narrow, NarrowRequest

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
MINUTE = 60_000
FUNCTIONS = {"min": min, "max": max, "mean": lambda v: sum(v) / len(v), "count": len, "last": lambda v: v[-1]}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("ingest-minutes"))
    try:
        yield made.start(minute_wait="500ms")
        assert "Sanitizer" not in made.ingest.log_text() and "runtime error" not in made.ingest.log_text()
    finally:
        made.stop()


def minutes(site, vin):
    rows = site.influx.query(f"SELECT * FROM \"minutes\".\"telemetry_1m\" WHERE vin = '{vin}'", "fleet")
    return {row["time"]: {k: v for k, v in row.items() if k not in ("time", "vin") and v is not None} for row in rows}


def expected(samples, signals):
    """What the minutes of {t: {path: value}} are, from the definition."""
    out = {}
    for path in signals:
        by_minute = {}
        for t in sorted(samples):
            if path in samples[t]:
                by_minute.setdefault(t // MINUTE * MINUTE, []).append(samples[t][path])
        for minute, values in by_minute.items():
            out.setdefault(minute, {}).update({f"{name}_{path}": pytest.approx(f(values), rel=1e-12) for name, f in FUNCTIONS.items()})
    return out


def settle(site, car, samples, signals=(SPEED, RPM)):
    wait_until(lambda: minutes(site, car.vin) == expected(samples, signals),
               why=f"{expected(samples, signals)}, not {minutes(site, car.vin)}")


def drive(start, seconds, step=11):
    return {start + k * 1000: {SPEED: 40.0 + k % 13, RPM: 1500 + k * 0.5, LAT: 48.5 + k / 1e5, LON: 7.7} for k in range(0, seconds, step)}


def test_minutes_are_those_of_the_samples_and_have_no_position(site):
    start = now_ms() // MINUTE * MINUTE - 40 * MINUTE
    samples = drive(start, 1500)  # three spans of ten minutes, at least
    with site.car() as car:
        car.telemetry(samples)
        car.wait_ack(1)
        settle(site, car, samples)
        assert not [name for row in minutes(site, car.vin).values() for name in row if "CurrentLocation" in name]
        wait_until(lambda: site.sql(f"SELECT count(*) FROM touched WHERE vin = '{car.vin}'") == "0")


def test_late_data_changes_the_minutes_it_belongs_to_and_no_other(site):
    start = now_ms() // MINUTE * MINUTE - 30 * DAY_MS
    samples = drive(start, 240)
    with site.car() as car:
        car.telemetry(samples)
        car.wait_ack(1)
        settle(site, car, samples)
        before = minutes(site, car.vin)
        late = {start + MINUTE + 500: {SPEED: 199.0}, start + MINUTE + 1500: {SPEED: 3.0}, start + 20 * MINUTE: {SPEED: 5.0}}
        car.telemetry(late)
        car.wait_ack(2)
        samples |= late
        settle(site, car, samples)
        after = minutes(site, car.vin)
        assert after[start + MINUTE]["max_" + SPEED] == 199.0 != before[start + MINUTE]["max_" + SPEED]
        assert {t: row for t, row in after.items() if t not in (start + MINUTE, start + 20 * MINUTE)} == {
            t: row for t, row in before.items() if t != start + MINUTE}


def test_what_is_to_be_computed_is_not_forgotten_by_a_kill(site):
    start = now_ms() // MINUTE * MINUTE - 3 * DAY_MS
    samples = drive(start, 120)
    with site.car() as car:
        site.ingest.stop()
        site.ingest.argv = [a if not a.startswith("--minute-wait") else "--minute-wait=1h" for a in site.ingest.argv]
        site.ingest.start()
        car.telemetry(samples)
        car.wait_ack(1)
        os.kill(site.ingest.process.pid, signal.SIGKILL)
        site.ingest.process.wait(30)
        assert minutes(site, car.vin) == {}
        site.ingest.argv = [a if not a.startswith("--minute-wait") else "--minute-wait=500ms" for a in site.ingest.argv]
        site.ingest.start()
        settle(site, car, samples)


def test_a_span_that_a_purge_may_have_cut_is_left_as_it_was_computed(site):
    """A customer who keeps 5 days: samples from before that say nothing about their minute any more."""
    start = now_ms() // MINUTE * MINUTE - 7 * DAY_MS
    with site.car() as car:
        car.telemetry(drive(start, 120))
        car.wait_ack(1)
        settle(site, car, drive(start, 120))
        before = minutes(site, car.vin)
        site.sql(f"UPDATE customer SET retention_days = 5 WHERE id = '{site.customer}'")
        try:
            car.telemetry({start + 500: {SPEED: 199.0}})
            car.wait_ack(2)
            wait_until(lambda: site.sql(f"SELECT count(*) FROM touched WHERE vin = '{car.vin}'") == "0")
            assert minutes(site, car.vin) == before
        finally:
            site.sql(f"UPDATE customer SET retention_days = NULL WHERE id = '{site.customer}'")
        site.sql(f"INSERT INTO samples_gone (vin, until_ms) VALUES ('{car.vin}', {(start // MINUTE + 20) // 10 * 10 * MINUTE})")
        car.telemetry({start + 700: {SPEED: 198.0}})  # it keeps them again, but what a purge took stays away
        car.wait_ack(3)
        wait_until(lambda: site.sql(f"SELECT count(*) FROM touched WHERE vin = '{car.vin}'") == "0")
        assert minutes(site, car.vin) == before


def test_live_samples_are_registered_rarely_and_counted_all(site):
    """What was written less than half the wait ago need not be written again: nothing slips through all the same."""
    with site.car() as car:
        sent = {}
        for n in range(60):
            t = now_ms()
            sent[t] = {SPEED: float(n)}
            car.telemetry({t: {SPEED: float(n)}})
        car.wait_ack(60)
        settle(site, car, sent, (SPEED,))


class Slow(NarrowRequest):
    """What is asked of the minutes of one vehicle takes too long."""

    def do_POST(self):
        if "/query" not in self.path:
            self.pass_on()
            return
        connection, body = self.rfile, self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.vin and self.server.vin.encode() in body and b"1m" in body:
            self.server.asked += 1
            self.answer(503, b'{"error":"timeout"}')
            return
        self.rfile = io.BytesIO(body)
        self.pass_on()
        self.rfile = connection


def test_a_vehicle_whose_minutes_cannot_be_asked_holds_up_no_other(site):
    start = now_ms() // MINUTE * MINUTE - 40 * MINUTE
    site.ingest.stop()
    with Narrow(site.influx.address, 1 << 30) as between, site.car() as first, site.car() as second:
        between.RequestHandlerClass, between.asked, between.vin = Slow, 0, first.vin
        behind = Ingest(site, "behind", influx=f"http://127.0.0.1:{between.server_port}", minute_wait="500ms").start()
        try:
            assert first.vin < second.vin
            for car in (first, second):
                car.telemetry(drive(start, 1500))
                car.wait_ack(1)
            settle(site, second, drive(start, 1500))
            wait_until(lambda: f"minutes.later vehicle={first.vin}" in behind.log_text(), why="it to be said")
            assert between.asked > 0 and minutes(site, first.vin) == {}
            between.vin = None
            settle(site, first, drive(start, 1500))
        finally:
            behind.stop()
            between.shutdown()
    site.ingest.start()
