"""An adapter at its worst, on a pseudo-terminal and over TCP: whatever it says, the numbers that come out are the car's, they
come again when it is well, and nothing grows."""
import json
import sys
import time
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from stack.process import sanitized  # noqa: E402
from test_vehicle_agent import RECORDED, assert_as_recorded, obd_state, rounds  # noqa: E402
from vehicle_bench import BUILD, GPSD, MOSQUITTO, ROOT, VIN, Service, VehicleBench, free_port, wait_for  # noqa: E402

pytestmark = pytest.mark.skipif(not GPSD or not MOSQUITTO, reason="gpsd or mosquitto is not installed")

SANITIZED = sanitized(ROOT / BUILD / "bin/vigie-vehicle")
OFTEN = ["--obd-period=200ms", "--record=250ms", "--obd-codes=3s"]
CODES = {("P0301", "stored"), ("P0420", "stored"), ("P0133", "stored"), ("U0100", "pending")}
LINES = {"pty": ["--baud", "115200"], "tcp": ["--baud", "40000000"], "29-bit": ["--baud", "115200", "--protocol", "7"],
         "older bus": ["--baud", "115200", "--protocol", "4"]}


def memory_kb(bench):
    status = Path(f"/proc/{bench.processes['agent'].pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def plug(folder, name):
    port = free_port()
    b = VehicleBench(folder, gps=False, agent_args=OFTEN, car_args=[
        "--ecus", "2", "--dtc", "P0301,P0420,P0133,U0100:pending:1", "--delay-reset", "100", *LINES[name],
        *(["--tcp", port] if name == "tcp" else [])])
    if name == "tcp":
        b.agent_args.append(f"--obd=elm327+tcp:127.0.0.1:{port}")
    service = Service(b)
    b.start_agent()
    service.wait("rounds", lambda s: len(rounds(s)) >= 5, 60)
    service.close()
    b.lowest_kb = memory_kb(b)
    return b


@pytest.fixture(scope="module")
def plugged(tmp_path_factory):
    made = {}

    def get(name):
        if name not in made:
            made[name] = plug(tmp_path_factory.mktemp("line"), name)
        return made[name]

    yield get
    for one in made.values():
        one.stop()


@pytest.fixture
def lines(plugged):
    """lines(name): one car for all that happens to that line, and what it publishes during this test."""
    used = []

    def get(name):
        b = plugged(name)
        b.seen = Service(b)
        used.append(b)
        return b

    yield get
    for b in used:
        b.order("fault clear")
        b.seen.close()


def codes(diagnosis):
    return {(c["code"], c["state"]) for c in diagnosis["dtcs"]}


def assert_well_again(b, since_ms, want=4):
    """Rounds come again, no value that was told since is another than the car's, and no code is invented."""
    service, now = b.seen, time.time() * 1000
    service.wait("rounds again", lambda s: len([t for t in rounds(s) if t > now]) >= want, 120)
    for t, sample in rounds(service).items():
        if t > since_ms - 1000:
            assert_as_recorded(b, t, sample, 8, 1.0)
    for diagnosis in service.of("up/diagnostics"):
        assert codes(diagnosis) <= CODES, diagnosis
        assert diagnosis.get("vin", VIN) == VIN, diagnosis
        for name, state in (("stored", {c for c in CODES if c[1] == "stored"}), ("pending", {("U0100", "pending")})):
            if diagnosis["lists"][name] == "full":
                assert state <= codes(diagnosis), f"a full list that lacks a code would clear it: {diagnosis}"
    assert SANITIZED or memory_kb(b) < b.lowest_kb + 6000, "nothing grows"


PASSING = ("lost-prompt x4", "garbage 300 x6", "cut 3 x5", "cut 11 x5", "damaged x4", "stopped x3", "double-line 1 x6",
           "double-line 0 x6", "shuffle x8", "lost-line 0 x4", "lost-line 1 x4", "short-line 1 x5", "short-line 2 x5", "short-line 5 x5",
           "lying-length 1 x4", "lying-length -3 x4", "lying-length 4000 x4", "mid-reset 3 x1", "mid-reset 9 x2", "bus-init-error x1",
           "unable x1", "error CAN ERROR x2", "error LV RESET x1", "error BUFFER FULL x3", "pending 200 x2", "nul x20", "slow 2500 x2")


ELSEWHERE = ("lost-prompt x4", "garbage 300 x6", "cut 11 x5", "mid-reset 9 x2", "lying-length 4000 x4", "error LV RESET x1")


@pytest.mark.parametrize("line, fault", [*(("pty", fault) for fault in PASSING), *(("tcp", fault) for fault in ELSEWHERE)])
def test_a_passing_fault(lines, line, fault):
    b = lines(line)
    since = time.time() * 1000
    b.order("fault " + fault)
    wait_for("the fault to be played", lambda: b.state()["played"].get(fault.split()[0]), 60)
    wait_for("it to be over", lambda: fault.split()[0] not in b.state()["faults"], 90)
    assert_well_again(b, since)


@pytest.mark.parametrize("fault", ("echo on", "nul on", "shuffle on", "glued on"))
@pytest.mark.parametrize("line", ("pty", "29-bit", "older bus"))
def test_a_lasting_one(lines, line, fault):
    b = lines(line)
    since = time.time() * 1000
    b.order("fault " + fault)
    b.order("fault search")
    assert_well_again(b, since)


@pytest.mark.parametrize("fault", ("lost-prompt x4", "garbage 200 x6", "cut 9 x5", "short-line 2 x5", "mid-reset 9 x1", "lost-line 1 x4",
                                   "bus-init-error x1"))
@pytest.mark.parametrize("line", ("29-bit", "older bus"))
def test_other_buses(lines, line, fault):
    test_a_passing_fault(lines, line, fault)


@pytest.mark.parametrize("line, bytes_", (("pty", 10000), ("tcp", 1000000), ("tcp", 3000000)))
def test_garbage_without_end(lines, line, bytes_):
    b = lines(line)
    since = time.time() * 1000
    before = json.loads(b.order("state"))["ports"][-1]["sent"]
    b.order(f"fault burst {bytes_}")
    wait_for("it to be sent", lambda: json.loads(b.order("state"))["ports"][-1]["sent"] >= before + bytes_, 120)
    assert_well_again(b, since)


@pytest.mark.parametrize("line", ("pty", "tcp"))
def test_a_lying_length_that_does_not_end_costs_what_is_long_and_nothing_else(lines, line):
    b = lines(line)
    since = time.time() * 1000
    b.order("fault lying-length 700 on")
    b.seen.wait("rounds", lambda s: len([t for t in rounds(s) if t > since + 3000]) >= 6, 90)
    assert_well_again(b, since)


@pytest.mark.parametrize("line", ("pty", "tcp"))
def test_an_adapter_pulled_out_in_the_middle_of_it(lines, line):
    b = lines(line)
    since = time.time() * 1000
    b.order("fault garbage 5000 x3")
    b.order("unplug")
    b.seen.wait("the loss", lambda s: obd_state(s) == "gone", 60)
    b.order("replug")
    b.seen.wait("the return", lambda s: obd_state(s) == "ok", 90)
    assert_well_again(b, since)


@pytest.mark.parametrize("line", LINES)
def test_after_all_that_every_signal_is_there(lines, line):
    b = lines(line)
    b.order("fault clear")
    since = time.time() * 1000
    b.seen.wait("every signal", lambda s: set(RECORDED) <= {path for t, x in rounds(s).items() if t > since for path in x}, 120)
    assert_well_again(b, since)
    newest = lambda: b.rows("SELECT payload FROM record WHERE leaf = 'up/diagnostics' ORDER BY seq DESC LIMIT 1")[0][0]
    wait_for("all of its codes", lambda: codes(json.loads(newest())) == CODES)  # read again every three seconds
