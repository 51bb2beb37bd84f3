"""What the control units say of themselves: codes, the freeze frame, calibrations, and the bus that is remembered."""
import json
import re
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from test_vehicle_agent import RECORDED, rounds  # noqa: E402
from vehicle_bench import GPSD, MOSQUITTO, VIN, Service, VehicleBench, wait_for  # noqa: E402

pytestmark = pytest.mark.skipif(not GPSD or not MOSQUITTO, reason="gpsd or mosquitto is not installed")

OFTEN = ["--obd-period=200ms", "--record=250ms", "--obd-codes=1s"]
FRAMES = {"6": ("7E8", "7E9"), "7": ("18DAF110", "18DAF118"), "3": ("10", "18")}


@pytest.fixture
def bench(tmp_path):
    made = []

    def make(**more):
        made.append(VehicleBench(tmp_path / f"bench-{len(made)}", gps=False, **{"agent_args": OFTEN, **more}))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def diagnoses(service):
    """Each once, however often it came."""
    return [d for _, d in sorted({d["seq"]: d for d in service.of("up/diagnostics")}.items())]


def newest(service):
    return (diagnoses(service) or [{}])[-1]


@pytest.mark.parametrize("protocol, batch", (("6", "on"), ("7", "on"), ("6", "off"), ("3", "off")))
def test_a_new_code_brings_what_was_frozen_with_it(bench, protocol, batch):
    engine, gearbox = FRAMES[protocol]
    b = bench(car_args=["--ecus", "2", "--protocol", protocol, "--batch", batch, "--baud", "115200"])
    service = Service(b)
    b.start_agent()
    service.wait("a diagnosis without a code", lambda s: newest(s).get("mil") is False and "freeze_frame" not in newest(s), 60)
    b.order("dtc P0301")
    frozen = json.loads(b.order("frozen"))
    service.wait("the code", lambda s: {"code": "P0301", "state": "stored", "ecu": engine} in newest(s)["dtcs"], 60)
    frame = newest(service)["freeze_frame"]
    assert (frame["dtc"], frame["ecu"]) == ("P0301", engine) and "freeze_frames" not in newest(service)
    for path, (pid, step) in RECORDED.items():
        assert abs(frame["s"][path] - frozen[f"{pid:02X}"]) <= step / 2 + 0.06, (path, frame["s"][path], frozen)
    b.order("dtc P0715 stored 1")
    service.wait("the other unit's", lambda s: len(newest(s).get("freeze_frames", ())) == 2, 60)
    both = newest(service)["freeze_frames"]
    assert [(f["dtc"], f["ecu"]) for f in both] == [("P0301", engine), ("P0715", gearbox)]
    assert both[0] == newest(service)["freeze_frame"] == frame, "read once, and never again another moment under its name"
    assert set(both[1]["s"]) == {"Vehicle.Speed"}, "the gearbox keeps a speed alone"
    assert all("freeze" not in path for sample in rounds(service).values() for path in sample)


@pytest.mark.parametrize("protocol", ("6", "7", "3"))
def test_calibrations_are_told_with_their_numbers(bench, protocol):
    engine, gearbox = FRAMES[protocol]
    b = bench(car_args=["--ecus", "2", "--protocol", protocol])
    service = Service(b)
    b.start_agent()
    service.wait("a diagnosis", lambda s: newest(s), 60)
    assert newest(service)["calibrations"] == [{"id": "03L906018DK  997", "ecu": engine, "cvn": "3A1C77B0"},
                                               {"id": "02E300057P   180", "ecu": gearbox, "cvn": "0D94E2F6"}]


def test_codes_are_read_again_and_told_when_they_changed(bench):
    b = bench(car_args=["--ecus", "2"])
    service = Service(b)
    b.start_agent()
    service.wait("a diagnosis", lambda s: newest(s), 60)
    asked = json.loads(b.order("state"))["ports"][0]["heard"].count("07")
    wait_for("more readings", lambda: json.loads(b.order("state"))["ports"][0]["heard"].count("07") >= asked + 3)
    told = diagnoses(service.poll())
    cut = [d for d in told if set(d["lists"].values()) != {"full"}]  # an answer too late for the adapter: that is told, and its end
    assert len(told) <= 1 + 2 * len(cut), "nothing changed, nothing is told"
    b.order("dtc U0100 pending 1")  # neither the lamp nor the count knows of it
    service.wait("the pending code", lambda s: [c["code"] for c in newest(s)["dtcs"]] == ["U0100"])
    b.order("dtc clear U0100")
    service.wait("its end", lambda s: newest(s)["dtcs"] == [] and newest(s)["lists"]["pending"] == "full")
    b.order("readiness 07E521")
    service.wait("another readiness", lambda s: newest(s)["readiness"]["catalyst"] == "incomplete")
    assert "calibrations" in newest(service) and newest(service)["vin"] == VIN


def test_a_list_that_lacks_a_unit_is_partial(bench):
    b = bench(car_args=["--ecus", "2", "--dtc", "P0301,P0715:stored:1"])
    service = Service(b)
    b.start_agent()
    service.wait("both codes", lambda s: len(newest(s).get("dtcs", ())) == 2 and newest(s)["lists"]["stored"] == "full", 60)
    b.order("fault lost-line 1 on")  # of two answers in single frames the second is lost
    service.wait("a partial list", lambda s: newest(s)["lists"]["stored"] == "partial", 60)
    assert [c["code"] for c in newest(service)["dtcs"]] == ["P0301"]
    b.order("fault clear")
    service.wait("a full one", lambda s: newest(s)["lists"]["stored"] == "full" and len(newest(s)["dtcs"]) == 2, 60)


@pytest.mark.parametrize("quirk, lists", (("no-dtc", {"absent"}), ("dtc-no-count", {"full"})))
def test_an_adapter_without_codes_says_nothing_of_them(bench, quirk, lists):
    b = bench(car_args=["--quirks", quirk, "--dtc", "P0301"])
    service = Service(b)
    b.start_agent()
    service.wait("a diagnosis", lambda s: newest(s), 60)
    assert set(newest(service)["lists"].values()) == lists
    assert [c["code"] for c in newest(service)["dtcs"]] == (["P0301"] if lists == {"full"} else [])


def heard(bench):
    return json.loads(bench.order("state"))["ports"][0]["heard"]


def test_the_bus_is_looked_for_once_and_remembered(bench):
    b = bench(car_args=["--protocol", "7"])
    service = Service(b)
    b.start_agent()
    service.wait("rounds", lambda s: len(rounds(s)) >= 3, 60)
    assert "ATSP0" in heard(b)
    b.end("agent")
    assert b.rows("SELECT value FROM note WHERE name = 'protocol/" + VIN + "'")[0][0] in ("7", b"7")
    b.end("car")
    b.start_car()  # it has forgotten, as one that was without power has
    seen = len(rounds(service.poll()))
    b.start_agent()
    service.wait("rounds again", lambda s: len(rounds(s)) >= seen + 3, 60)
    assert "ATSP7" in heard(b) and "ATSP0" not in heard(b)
    # another bus under the same name: what was remembered is tried, given up, and replaced
    b.end("agent")
    b.end("car")
    b.car_args = ["--protocol", "6"]
    b.start_car()
    seen = len(rounds(service.poll()))
    b.start_agent()
    service.wait("rounds on the other bus", lambda s: len(rounds(s)) >= seen + 3, 90)
    order = [c for c in heard(b) if re.match("ATSP", c)]
    assert order[0] == "ATSP7" and "ATSP0" in order
    wait_for("the note", lambda: b.rows("SELECT value FROM note WHERE name LIKE 'protocol/%'")[0][0] in ("6", b"6"))


@pytest.mark.parametrize("fault, state, clears", ((None, "done", 1), ("deaf-clear x1", "done", 1), ("negative 22 on", None, None)))
def test_clearing_goes_out_once_whatever_becomes_of_it(bench, fault, state, clears):
    b = bench(agent_args=["--obd-period=200ms", "--record=250ms"])
    service = Service(b)
    b.order("engine off")
    b.order("dtc P0301")
    b.start_agent()
    service.wait("the code", lambda s: newest(s).get("dtcs"), 60)
    if fault:
        b.order("fault " + fault)
    ident = b.command("diagnostics.clear", {"confirmed_by": "ada"})
    service.wait("an answer", lambda s: [r for r in s.of("up/result") if r["command"] == ident and r["state"] != "delivered"], 90)
    result = [r for r in service.of("up/result") if r["command"] == ident and r["state"] != "delivered"][-1]
    if state:
        assert result["state"] == state, result
        assert json.loads(b.order("state"))["clears"] == clears
        assert "P0301" not in json.dumps(json.loads(b.order("state"))["dtcs"])
    else:  # it refuses everything: nothing is known of the engine, so nothing is cleared
        assert result["state"] in ("refused", "failed") and json.loads(b.order("state"))["clears"] == 0, result
    b.order("fault clear")
    service.wait("rounds again", lambda s: len(rounds(s)) >= 3, 60)
    heard_now = heard(b)
    after = heard_now[max(i for i, c in enumerate(heard_now) if c == "04"):] if clears else []
    assert after.count("04") <= 1, "no CR repeated it"
