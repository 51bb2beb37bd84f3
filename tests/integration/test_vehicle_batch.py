"""Several PIDs in one request, to one unit, with the number of lines: as far as car and adapter take it, and never a value
under another name where they do not."""
import json
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from test_vehicle_agent import RECORDED, assert_as_recorded, rounds  # noqa: E402
from vehicle_bench import GPSD, MOSQUITTO, Service, VehicleBench  # noqa: E402

pytestmark = pytest.mark.skipif(not GPSD or not MOSQUITTO, reason="gpsd or mosquitto is not installed")


@pytest.fixture
def polled(tmp_path):
    """polled(car_args, rounds wanted) -> (bench, requests per round)."""
    made = []

    def make(car_args, wanted, link="elm327"):
        b = VehicleBench(tmp_path / "bench", gps=False, car_args=["--baud", "115200", *car_args],
                         agent_args=["--obd-period=200ms", "--record=250ms"])
        made.append(b)
        b.agent_args.append(f"--obd={link}:{b.tty}")
        service = Service(b)
        b.start_agent()
        service.wait("rounds", lambda s: len(rounds(s)) >= 8, 60)
        first = json.loads(b.order("state"))
        service.wait("more rounds", lambda s: len([t for t in rounds(s) if t > first["time"] * 1000]) >= wanted)
        last = json.loads(b.order("state"))
        service.wait("those of the end", lambda s: max(rounds(s)) > last["time"] * 1000)  # what was measured is told later
        between = [t for t in rounds(service) if first["time"] * 1000 < t <= last["time"] * 1000]
        for t, sample in rounds(service).items():
            assert_as_recorded(b, t, sample)
        service.wait("every signal", lambda s: set(RECORDED) <= {path for sample in rounds(s).values() for path in sample}, 90)
        return (last["requests"] - first["requests"]) / len(between)

    yield make
    for one in made:
        one.stop()


@pytest.mark.parametrize("link, args", (("elm327", []), ("elm327", ["--protocol", "7", "--ecus", "2"]), ("elm327", ["--ecus", "3"]),
                                        ("slcan", ["--adapter", "slcan", "--ecus", "2"]),
                                        ("elm327", ["--quirks", "batch-shuffled"]), ("elm327", ["--adapter", "stn"])))
def test_a_car_that_takes_it_is_asked_once_or_twice_a_round(polled, link, args):
    assert polled(args, 20, link) < 2.5


@pytest.mark.parametrize("args", (["--batch", "off"], ["--quirks", "batch-first"], ["--quirks", "no-suffix"], ["--adapter", "clone"],
                                  ["--quirks", "ignore-ath1,ignore-ats0"], ["--quirks", "slow-window"], ["--protocol", "3"],
                                  ["--quirks", "few-commands,no-suffix,batch-first"]), ids=" ".join)
def test_a_car_or_adapter_that_does_not_is_read_all_the_same(polled, args):
    polled(args, 6)
