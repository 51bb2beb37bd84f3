"""A car that is parked, whose battery runs down, whose supply is cut: the real agent, an adapter on a pty, a real broker. The
agent's clocks can be moved, so that a quarter of an hour need not be waited for; nothing else of it is changed."""
import json
import re
import signal
import sys
import time
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from lying_clock import LyingClock  # noqa: E402
from vehicle_bench import MOSQUITTO, Service, VehicleBench, wait_for  # noqa: E402

pytestmark = pytest.mark.skipif(not MOSQUITTO, reason="mosquitto is not installed")

QUICK = ["--obd-period=250ms", "--record=250ms"]
RPM = "Vehicle.Powertrain.CombustionEngine.Speed"
AWAKE, DRAINING, BEATING, GRACE, DOWN = range(5)
BEAT_S = 4


class Parked:
    """A car with a lying clock whose one required site acknowledges all that comes."""

    def __init__(self, folder, *args, acks=True):
        self.bench = VehicleBench(folder / "bench", gps=False, agent_args=[*QUICK, f"--heartbeat={BEAT_S}s", *args])
        self.clock = LyingClock(self.bench.folder)
        self.service, self.acks = Service(self.bench), acks
        self.bench.configure(1, required_sites=["illkirch"])
        self.start()

    def start(self):
        process = self.bench.spawn("agent", self.bench.agent_argv(), env=self.clock.env)
        wait_for("the agent", lambda: self.bench.ready() or process.poll() is not None)
        assert process.poll() is None, self.bench.log("agent")

    def poll(self):
        if self.acks:
            self.service.ack_all()
        else:
            self.service.poll()
        return self

    def wait(self, what, condition, timeout_s=120):
        return wait_for(what, lambda: condition(self.poll()), timeout_s, 0.2)

    def mode(self):
        return self.bench.metric("vigie_vehicle_power_mode")

    def states(self):
        return self.service.of("up/state")

    def looks(self):
        """Voltages told by a car whose bus sleeps."""
        return [s for s in self.service.samples().values() if "Vehicle.LowVoltageBattery.CurrentVoltage" in s and RPM not in s]

    def look_after(self, seconds, volts):
        """Time passes, and the supply is looked at again. Not before the agent has dated what it saw may more time pass."""
        self.clock.pass_by(seconds)
        now = time.time() + self.clock.lies[0] / 1000
        self.wait("a look at the supply", lambda p: p.bench.metric("vigie_vehicle_supply_volts") == volts and p.bench.metric(
            'vigie_vehicle_last_timestamp_seconds{what="supply"}') >= now, 120)

    def alerts(self, kind):
        return list({a["id"]: a for a in self.service.of("up/alert") if a["type"] == kind}.values())

    def drive_and_park(self):
        self.wait("a drive", lambda p: len([s for s in p.service.samples().values() if RPM in s]) >= 4)
        self.bench.order("ignition off")
        self.wait("heartbeats", lambda p: p.mode() == BEATING)

    def stop(self):
        self.service.close()
        self.bench.stop()


@pytest.fixture
def parked(tmp_path):
    made = []

    def make(*args, **more):
        made.append(Parked(tmp_path, *args, **more))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def test_a_parked_car_only_beats_says_so_and_wakes_with_the_engine(parked):
    p = parked()
    p.drive_and_park()
    assert p.states()[-1]["state"] == "online", "a stop of a minute is none"
    p.wait("a look at the supply", lambda p: p.bench.metric("vigie_vehicle_supply_volts") > 0)
    assert re.search(r"^supply +1\d\.\d V, told \d+ s ago$", p.bench.run_agent("--status").stdout, re.M)
    p.clock.pass_by(61)
    p.wait("the announcement", lambda p: p.states()[-1]["state"] == "sleeping")
    assert p.states()[-1]["wake_ms"] == p.states()[-1]["heartbeat_ms"] == BEAT_S * 1000
    p.clock.pass_by(900)
    asked, told = p.bench.state()["requests"], len(p.states())
    p.wait("three heartbeats", lambda p: len(p.states()) >= told + 3)
    assert p.bench.state()["requests"] == asked, "no ECU is asked while the ignition is off"
    assert p.bench.metric("vigie_vehicle_connected") == 1
    p.bench.order("voltage 14.1")
    p.bench.order("ignition on")
    p.clock.pass_by(31)
    p.wait("the next drive", lambda p: p.states()[-1]["state"] == "online" and p.mode() == AWAKE)
    assert "wake_ms" not in p.states()[-1]


def test_an_outbox_nobody_acknowledges_is_given_a_quarter_of_an_hour(parked):
    p = parked(acks=False)
    p.wait("a drive", lambda p: len([s for s in p.service.samples().values() if RPM in s]) >= 4)
    p.bench.order("ignition off")
    p.wait("draining", lambda p: p.mode() == DRAINING)
    p.clock.pass_by(800)
    told = len(p.states())
    p.wait("more heartbeats", lambda p: len(p.states()) >= told + 2)
    assert p.mode() == DRAINING
    p.clock.pass_by(101)
    p.wait("heartbeats alone", lambda p: p.mode() == BEATING)


def test_a_battery_that_runs_down_is_told_twice_and_then_left_alone(parked, tmp_path):
    ran = tmp_path / "switched-off"
    p = parked(f"--power-off=echo once >> {ran}")
    p.bench.order("voltage 12.1")
    p.drive_and_park()
    p.look_after(601, 12.1)  # at rest
    assert p.alerts("low_battery") == []
    p.look_after(181, 12.1)
    low = p.wait("the first alert", lambda p: p.alerts("low_battery"))[0]
    assert (low["severity"], low["data"]) == ("minor", {"kind": "low", "volts": 12.1})
    p.wait("a slower heart", lambda p: p.states()[-1].get("heartbeat_ms") == 3600000)
    p.bench.order("voltage 11.7")
    p.wait("news of the supply", lambda p: p.bench.metric("vigie_vehicle_supply_volts") == 11.7)
    p.look_after(61, 11.7)
    p.wait("the second alert", lambda p: len(p.alerts("low_battery")) == 2)
    empty = p.alerts("low_battery")[1]
    assert (empty["severity"], empty["data"]) == ("major", {"kind": "empty", "volts": 11.7})
    p.wait("the grace", lambda p: p.mode() == GRACE)
    p.wait("the announcement", lambda p: p.states()[-1]["state"] == "sleeping" and "wake_ms" not in p.states()[-1])
    assert not ran.exists()
    p.clock.pass_by(10)
    p.wait("deep quiet", lambda p: p.mode() == DOWN and p.bench.metric("vigie_vehicle_connected") == 0)
    wait_for("the command", ran.exists)
    assert p.states()[-1]["state"] == "sleeping", "its last will is not needed"
    heard, told, before = p.bench.state()["ports"][0]["received"], len(p.states()), p.bench.rows("SELECT count(*) FROM record")
    p.clock.pass_by(3000)
    time.sleep(3)  # what does not happen cannot be waited for
    p.poll()
    assert (p.bench.state()["ports"][0]["received"], len(p.states()), p.bench.rows("SELECT count(*) FROM record")) == (
        heard, told, before)
    p.bench.order("voltage 14.2")
    p.bench.order("ignition on")
    p.clock.pass_by(700)
    p.wait("the next drive", lambda p: p.mode() == AWAKE and p.states()[-1]["state"] == "online")
    assert ran.read_text() == "once\n"
    assert not p.alerts("power_cut")


def test_a_supply_that_was_cut_is_told_at_the_next_start_and_dated_at_the_last_commit(parked):
    p = parked()
    p.wait("a drive", lambda p: len(p.service.of("up/telemetry")) >= 4)
    p.bench.end("agent", signal.SIGKILL)
    p.start()  # the machine was not started anew: somebody killed the agent
    p.wait("the agent", lambda p: p.bench.metric("vigie_vehicle_connected") == 1)
    p.bench.end("agent", signal.SIGTERM)
    assert p.bench.rows("SELECT value FROM note WHERE name = 'run'")[0][0].startswith("stopped ")
    p.start()
    seen = len(p.service.of("up/telemetry"))
    p.wait("more of the drive", lambda p: len(p.service.of("up/telemetry")) >= seen + 4)
    assert p.alerts("power_cut") == []
    p.bench.end("agent", signal.SIGKILL)
    p.clock.start_anew()
    last = int(p.bench.rows("SELECT value FROM note WHERE name = 'commit_ms'")[0][0])
    p.start()
    cut = p.wait("the alert", lambda p: p.alerts("power_cut"))[0]
    assert (cut["severity"], cut["t"]) == ("major", last)
    assert p.bench.rows("SELECT max(made_ms) FROM record WHERE made_ms <= %d" % last)[0][0] == last
    p.bench.end("agent", signal.SIGTERM)
    p.start()
    seen = len(p.service.of("up/telemetry"))
    p.wait("more of the drive", lambda p: len(p.service.of("up/telemetry")) >= seen + 2)
    assert len(p.alerts("power_cut")) == 1


def test_a_line_that_says_the_supply_is_gone_ends_the_agent_in_order(parked, tmp_path):
    line = tmp_path / "gpio"
    line.write_text("1\n")
    p = parked(f"--power-file={line}")
    p.wait("a drive", lambda p: len(p.service.of("up/telemetry")) >= 4)
    line.write_text("0\n")
    wait_for("its end", lambda: p.bench.processes["agent"].poll() is not None)
    assert p.bench.processes["agent"].returncode == 0, p.bench.log("agent")
    p.wait("its last words", lambda p: p.states()[-1]["state"] == "offline")
    assert p.bench.rows("SELECT value FROM note WHERE name = 'run'")[0][0].startswith("stopped ")
    p.wait("all it measured", lambda p: max(p.service.seqs().items(), key=lambda s: len(s[1]))[1][-1] == p.bench.rows(
        "SELECT next_seq - 1 FROM stream WHERE name = 'bulk'")[0][0])
    assert json.dumps(p.states()[-1])


def test_somebody_who_watches_gets_fresh_records_also_of_a_parked_car(parked):
    p = parked("--record=10s")
    p.drive_and_park()
    p.clock.pass_by(1000)
    quiet = len(p.looks())
    p.bench.configure(2, required_sites=["illkirch"],
                      rates={"watch": {"until": int((time.time() + 1000 + 600) * 1000), "record_ms": 250}})
    p.wait("looks at the supply", lambda p: len(p.looks()) >= quiet + 2)
    p.bench.order("ignition on")
    p.bench.order("voltage 14.1")
    p.clock.pass_by(31)
    seen = {r["seq"] for r in p.service.of("up/telemetry")}
    p.wait("fresh records", lambda p: len({r["seq"] for r in p.service.of("up/telemetry") if any(RPM in s["s"] for s in r[
        "samples"])} - seen) >= 6)
    fresh = [r["samples"] for r in p.service.of("up/telemetry") if r["seq"] not in seen and any(RPM in s["s"] for s in r["samples"])]
    assert sorted(s[-1]["t"] - s[0]["t"] for s in fresh)[len(fresh) // 2] < 2000
