"""The agent with a CAN adapter that only moves frames (SLCAN): the transport protocol is its own, and what the adapter
or the units do wrong costs a value, never a wrong one."""
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from test_vehicle_agent import RECORDED, assert_as_recorded, obd_state, rounds  # noqa: E402
from vehicle_bench import (BUILD, CAPTURES, DRIVE, GPSD, MOSQUITTO, ROOT, VIN, Service, VehicleBench,  # noqa: E402
                           control, end_with_parent, wait_for)

QUICK = ["--obd-period=200ms", "--record=250ms"]


class Plugged:
    """A simulated car with an SLCAN adapter, and --probe."""

    def __init__(self, folder, *args):
        self.tty, self.control = folder / "tty", folder / "ctl"
        self.car = subprocess.Popen(
            [sys.executable, ROOT / "tests/sim/car.py", "--drive", CAPTURES / DRIVE, "--vin", VIN, "--link", self.tty,
             "--control", self.control, "--offset", "60", "--adapter", "slcan", "--baud", "115200", *args],
            stdout=subprocess.DEVNULL, preexec_fn=end_with_parent)
        wait_for("the car", lambda: self.tty.exists() and self.control.exists())
        self.folder = folder

    def order(self, line):
        answer = control.ask(str(self.control), line)
        assert not answer.startswith("error"), answer
        return answer

    def probe(self):
        done = subprocess.run([ROOT / BUILD / "bin/vigie-vehicle", f"--obd=slcan:{self.tty}", "--gps=none", f"--vin={VIN}",
                               f"--outbox={self.folder}/outbox", "--probe"], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stop(self):
        self.car.terminate()
        self.car.wait(15)


@pytest.fixture
def plugged(tmp_path):
    made = []

    def make(*args):
        made.append(Plugged(tmp_path, *args))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def values(text):
    return {path: float(value) for path, value in re.findall(r"^  [0-9A-F]{2}  (Vehicle\S+) +(-?[0-9.e+]+)", text, re.M)}


@pytest.mark.parametrize("protocol", "6789")
def test_every_can_bus_is_found_and_read(plugged, protocol):
    car = plugged("--protocol", protocol, "--ecus", "2", "--dtc", "P0301,P0420,P0133,U0100:pending:1")
    text = car.probe()
    first, second = ("7E8", "7E9") if protocol in "68" else ("18DAF110", "18DAF118")
    assert re.search(rf"^protocol +{protocol}: CAN, ", text, re.M), text
    assert f"vin        {VIN}" in text
    for code, unit in (("P0301", first), ("P0420", first), ("P0133", first)):
        assert f"  {code} stored {unit}" in text, text
    assert f"  U0100 pending {second}" in text
    assert len(values(text)) >= 13, text


@pytest.mark.parametrize("quirk", ("plain-ack", "lower-case", "no-stamp-command", "foreign-traffic"))
def test_adapters_differ_and_are_read(plugged, quirk):
    text = plugged("--quirks", quirk).probe()
    assert f"vin        {VIN}" in text and len(values(text)) >= 13, text


@pytest.mark.parametrize("fault", ("bel x2", "lost-cr on", "lost-ack x3", "bad-byte x1", "lost-line 1", "double-line 1",
                                   "shuffle", "garbage 64 x4", "pending 600", "lying-length -5"))
def test_a_passing_fault_is_recovered_from(plugged, fault):
    car = plugged("--ecus", "2", "--dtc", "P0301")
    car.order("fault " + fault)
    text = car.probe()
    assert "P0301 stored 7E8" in text and len(values(text)) >= 13, text
    assert values(text)["Vehicle.Powertrain.CombustionEngine.Speed"] < 7000


@pytest.mark.parametrize("request_lost", ("0100", "0120", "010D", "03"))
def test_an_answer_that_is_lost_is_asked_for_once_more(plugged, request_lost):
    car = plugged("--dtc", "P0301")
    car.order(f"fault unheard {request_lost}")
    text = car.probe()
    assert "P0301 stored 7E8" in text and "Vehicle.Speed" in values(text), text
    offers = re.search(r"7E8 offers((?: [0-9A-F]{2})+)", text)[1].split()
    assert any(pid > "20" for pid in offers) and len(values(text)) >= 13, text


def test_a_lying_length_is_no_vin_and_stops_nothing(plugged):
    car = plugged()
    car.order("fault lying-length 2000 on")
    text = car.probe()
    assert "vin        not told" in text or VIN not in text, text
    assert len(values(text)) >= 13


def test_an_adapter_that_refuses_every_frame_is_no_hang(plugged):
    car = plugged()
    car.order("fault bel on")
    assert "does not answer" in car.probe()


def test_a_sleeping_car_is_told_from_a_missing_adapter(plugged):
    car = plugged()
    car.order("ignition off")
    assert "car        does not answer" in car.probe()
    car.order("fault silent on")
    done = subprocess.run([ROOT / BUILD / "bin/vigie-vehicle", f"--obd=slcan:{car.tty}?baud=115200", "--gps=none",
                           f"--vin={VIN}", f"--outbox={car.folder}/outbox", "--probe"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "SLCAN" in done.stderr


@pytest.mark.skipif(not GPSD or not MOSQUITTO, reason="gpsd or mosquitto is not installed")
def test_what_is_published_over_slcan_is_what_the_recording_says(tmp_path):
    b = VehicleBench(tmp_path / "bench", gps=False, car_args=["--adapter", "slcan", "--baud", "115200", "--ecus", "2"],
                     agent_args=QUICK)
    b.agent_args.append(f"--obd=slcan:{b.tty}")
    try:
        service = Service(b)
        b.start_agent()
        service.wait("rounds, and every signal", lambda s: len(rounds(s)) >= 20 and set(RECORDED) <= {
            path for sample in rounds(s).values() for path in sample})
        for t, sample in rounds(service).items():
            assert_as_recorded(b, t, sample)
        for fault in ("bad-byte x3", "lost-cr x5", "bel x2", "garbage 200 x3", "lv-reset"):
            b.order("fault " + fault)
            seen = len(rounds(service.poll()))
            service.wait(f"rounds after {fault}", lambda s, n=seen: len(rounds(s)) >= n + 6, 60)
        b.order("unplug")
        service.wait("gone", lambda s: obd_state(s) == "gone", 60)
        b.order("replug")
        back = time.time() * 1000
        service.wait("rounds after the cable", lambda s: any(t > back for t in rounds(s)), 60)
        for t, sample in rounds(service).items():
            assert_as_recorded(b, t, sample)
    finally:
        b.stop()
