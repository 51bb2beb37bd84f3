"""A machine without a clock of its own, and receivers that say the wrong date: the real agent with clocks that lie, a real gpsd, a
real broker with TLS. The simulated car lives in the true time, so a sample with a wrong time has a wrong value."""
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

import bench_pki  # noqa: E402
import nmea  # noqa: E402
from lying_clock import ALONE, LyingClock  # noqa: E402
from test_vehicle_agent import LATITUDE, assert_as_recorded, events, fixes, rounds  # noqa: E402
from vehicle_bench import DRIVE, GPSD, MOSQUITTO, Service, VehicleBench, main_loop_stands, wait_for  # noqa: E402

pytestmark = pytest.mark.skipif(not GPSD or not MOSQUITTO, reason="gpsd or mosquitto is not installed")

QUICK = ["--obd-period=250ms", "--record=250ms"]
ANSWERED = 'vigie_vehicle_obd_requests_total{outcome="answered"}'
IN_1970 = 24 * 3600 * 1000
DAYS_AGO = 5


class Unset:
    """A car whose machine has just been switched on, in 1970."""

    def __init__(self, folder, gps=False, in_1970=True, drive=DRIVE):
        self.bench = VehicleBench(folder / "bench", gps=gps, agent_args=QUICK, drive=drive)
        if in_1970:
            self.clock = LyingClock(self.bench.folder, real_ms=IN_1970 - int(time.time() * 1000), keeper=ALONE)
        else:
            self.clock = LyingClock(self.bench.folder)
        self.service = Service(self.bench)

    def start(self):
        self.began_ms = time.time() * 1000
        self.bench.spawn("agent", self.bench.agent_argv(), env=self.clock.env)
        wait_for("a connection, verified as always", lambda: self.bench.metric("vigie_vehicle_connected") == 1)
        return self

    def measured(self, n):
        wait_for("answers of the car", lambda: self.bench.metric(ANSWERED) >= n)

    def stored(self):
        return self.bench.rows("SELECT count(*) FROM record")[0][0]

    def stop(self):
        self.service.close()
        self.bench.stop()


@pytest.fixture
def unset(tmp_path, monkeypatch):
    """Its certificate, and the broker's, were made some days ago: that much the machine knows."""
    made, days_ago = [], LyingClock(tmp_path, real_ms=-DAYS_AGO * 24 * 3600 * 1000)

    def openssl(*args):
        done = subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True, timeout=60,
                              env={**os.environ, **days_ago.env})
        assert done.returncode == 0, done.stderr

    monkeypatch.setattr(bench_pki, "openssl", openssl)

    def make(**more):
        made.append(Unset(tmp_path, **more))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def clocks(service):
    once = {record["seq"]: record["clock"] for record in service.of("up/telemetry")}
    return [clock for _, clock in sorted(once.items())]


def test_what_was_measured_before_the_time_was_known_gets_its_true_time(unset):
    u = unset().start()
    u.measured(60)
    assert u.stored() == 0, "nothing is stamped, so nothing is stored and nothing is sent"
    states = u.service.poll().of("up/state")
    ago = [(time.time() * 1000 - s["t"]) / 3600000 for s in states]
    assert ago and all(DAYS_AGO * 24 <= hours < DAYS_AGO * 24 + 1 for hours in ago), "not before its certificate was made"
    set_ms = time.time() * 1000
    u.clock.set_right()
    u.service.wait("samples from before and after", lambda s: len(rounds(s)) >= 8 and max(rounds(s)) > set_ms + 1000)
    times = list(rounds(u.service))
    assert u.began_ms < times[0] < set_ms - 1000
    for t, sample in rounds(u.service).items():
        assert_as_recorded(u.bench, t, sample)
    assert set(clocks(u.service)) == {"ntp"}
    u.service.wait("what happened", lambda s: "clock_set" in events(s))
    assert all(u.began_ms - 1000 < e["t"] < time.time() * 1000 for e in u.service.of("up/event"))


def test_what_went_on_while_the_time_was_not_known_is_told_with_its_true_time(unset, tmp_path):
    drive = tmp_path / "standing.csv"
    drive.write_text("Time,Engine RPM [RPM],Vehicle Speed Sensor [km/h]\n"
                     + "".join(f"17:{m:02}:{s:02}.000,800,0\n" for m in range(20) for s in range(60)))
    u = unset(drive=drive)
    (tmp_path / "private").touch()
    u.bench.agent_args.append(f"--private-file={tmp_path / 'private'}")
    u.start()
    for _ in range(20):  # a car that stands, engine on, for longer than two minutes
        u.measured((u.bench.metric(ANSWERED) or 0) + 4)
        u.clock.pass_by(8)
    u.measured(u.bench.metric(ANSWERED) + 4)
    u.clock.set_right()
    u.service.wait("what happened", lambda s: "idle" in events(s))
    u.service.wait("when it became private", lambda s: s.of("up/state")[-1]["private"]["since"] > u.began_ms - 300000)
    for e in u.service.of("up/event"):
        assert u.began_ms - 300000 < e["t"] < time.time() * 1000, e


def test_a_receiver_tells_the_time_to_a_machine_that_has_none(unset):
    u = unset(gps=True).start()
    u.service.wait("rounds and fixes", lambda s: len(rounds(s)) >= 8 and len(fixes(s)) >= 5)
    assert clocks(u.service)[-1] == "gps"
    for t, sample in rounds(u.service).items():
        assert u.began_ms < t < time.time() * 1000 + 500
        assert_as_recorded(u.bench, t, sample)
    for t, sample in fixes(u.service).items():
        assert abs(sample[LATITUDE] - u.bench.replay.at(t / 1000).lat) < 0.001, (t, sample)


def test_after_ten_minutes_without_a_time_it_goes_out_as_none_and_what_follows_is_right(unset):
    u = unset().start()
    u.measured(60)
    assert u.stored() == 0
    u.clock.pass_by(601)
    u.service.wait("samples without a time", lambda s: len(rounds(s)) >= 8)
    assert set(clocks(u.service)) == {"none"}
    without = set(u.service.samples())
    assert all(DAYS_AGO * 24 - 1 < (time.time() * 1000 - t) / 3600000 < DAYS_AGO * 24 + 1 for t in without)
    with main_loop_stands(u.bench.processes["agent"].pid):  # what is measured before it notices has no third time
        u.clock.set_right()
        u.measured(u.bench.metric(ANSWERED) + 8)
    u.service.wait("samples with one", lambda s: len([t for t in rounds(s) if t not in without]) >= 8 and clocks(s)[-1] == "ntp")
    first_ntp = next(i for i, clock in enumerate(clocks(u.service)) if clock == "ntp")
    assert set(clocks(u.service)[first_ntp:]) == {"ntp"}
    hours = [(time.time() * 1000 - t) / 3600000 for t in u.service.samples()]
    assert all(abs(ago) < 1 or abs(ago - DAYS_AGO * 24) < 1 for ago in hours), hours
    late = [t for r in u.service.of("up/telemetry") if r["clock"] == "ntp" for t in (s["t"] for s in r["samples"])]
    for t in late:
        if t in rounds(u.service):
            assert_as_recorded(u.bench, t, rounds(u.service)[t])


class OldReceiver(threading.Thread):
    """Tells gpsd where the car is, in June 2005; gpsd 3.22 makes January 2025 out of it, 1,024 weeks later."""

    def __init__(self, bench):
        super().__init__(daemon=True)
        self.bench, self.on = bench, True

    def run(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            while self.on:
                moment = self.bench.replay.at(time.time())
                moment.time = 1118300000 + int(time.time()) % 1000000
                s.sendto(nmea.fix(moment).encode(), ("127.0.0.1", self.bench.nmea))
                time.sleep(1)


def test_a_date_1024_weeks_off_changes_no_time_and_costs_no_position(unset):
    u = unset(gps=True, in_1970=False)
    u.bench.order("fault gps-gone on")
    receiver = OldReceiver(u.bench)
    receiver.start()
    try:
        u.start()
        u.service.wait("fixes", lambda s: len(fixes(s)) >= 5 and len(rounds(s)) >= 5)
        assert all(u.began_ms < t < time.time() * 1000 + 500 for t in u.service.samples())
        assert "gps" not in clocks(u.service) and "clock_set" not in events(u.service)
    finally:
        receiver.on = False


def test_a_date_1024_weeks_off_sets_no_clock_either(unset):
    u = unset(gps=True)
    u.bench.order("fault gps-gone on")
    receiver = OldReceiver(u.bench)
    receiver.start()
    try:
        u.start()
        wait_for("fixes", lambda: u.bench.metric("vigie_vehicle_gps_fixes_total") >= 10)
        u.measured(40)
        assert u.stored() == 0
        u.clock.set_right()
        u.service.wait("fixes at their true times", lambda s: len(fixes(s)) >= 5)
        assert all(u.began_ms < t < time.time() * 1000 + 500 for t in u.service.samples())
        assert set(clocks(u.service)) == {"ntp"}
    finally:
        receiver.on = False
