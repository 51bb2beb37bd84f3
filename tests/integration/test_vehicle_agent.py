"""The real agent with a simulated car, a real gpsd and a real broker: what it measures is what it publishes, whatever
happens to the adapter, to gpsd, to the broker or to itself."""
import math
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

import columnar  # noqa: E402
import control  # noqa: E402
from lying_clock import LyingClock  # noqa: E402
from vehicle_bench import GPSD, MOSQUITTO, VIN, Service, VehicleBench, topic, wait_for  # noqa: E402

pytestmark = pytest.mark.skipif(not GPSD or not MOSQUITTO, reason="gpsd or mosquitto is not installed")

ENGINE = "Vehicle.Powertrain.CombustionEngine."
# path -> PID, and what one step of it is worth
RECORDED = {ENGINE + "EngineCoolant.Temperature": (0x05, 1), ENGINE + "MAP": (0x0B, 1), ENGINE + "Speed": (0x0C, 0.25),
            "Vehicle.Speed": (0x0D, 1), "Vehicle.OBD.IntakeTemp": (0x0F, 1), ENGINE + "MAF": (0x10, 0.01),
            ENGINE + "TPS": (0x11, 100 / 255), "Vehicle.Exterior.AirTemperature": (0x46, 1),
            "Vehicle.Chassis.Accelerator.PedalPosition": (0x49, 100 / 255),
            "Vehicle.OBD.AcceleratorPositionE": (0x4A, 100 / 255)}
QUICK = ["--obd-period=200ms", "--record=250ms"]
LATITUDE, LONGITUDE = "Vehicle.CurrentLocation.Latitude", "Vehicle.CurrentLocation.Longitude"


@pytest.fixture
def bench(tmp_path):
    """bench(...) makes one for this test alone."""
    made = []

    def make(**more):
        made.append(VehicleBench(tmp_path / f"bench-{len(made)}", **more))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def rounds(service):
    """Samples of polling rounds: those with a speed of the engine."""
    return {t: s for t, s in service.samples().items() if ENGINE + "Speed" in s}


def fixes(service):
    return {t: s for t, s in service.samples().items() if LATITUDE in s}


def assert_as_recorded(bench, t, sample, span_s=2.5, after_s=0.1):
    """Each value is one the recording has within the round that ended at `t`, give or take one step of the encoding."""
    for path, (pid, step) in RECORDED.items():
        if path not in sample:
            continue
        possible = list(bench.replay.values_between(pid, t / 1000 - span_s, t / 1000 + after_s))
        if not any(abs(sample[path] - v) <= step + 0.05 for v in possible):
            possible += control.told_lately(str(bench.control), bench.replay, pid, t / 1000 + 0.1)
        assert possible, (path, t)
        assert min(abs(sample[path] - v) for v in possible) <= step + 0.05, (path, sample[path], possible)


def assert_no_gap(service):
    for stream, seqs in service.seqs().items():
        assert seqs == list(range(1, seqs[-1] + 1)), f"numbers missing in {stream}: {seqs}"


def events(service):
    return [e["type"] for e in service.of("up/event")]


def obd_state(service):
    states = service.of("up/state")
    return states[-1]["sources"]["obd"] if states else None


def test_what_is_published_is_what_the_recording_says(bench):
    b = bench()
    service = Service(b)
    b.start_agent()
    service.wait("two dozen rounds and fixes, and every signal", lambda s: len(rounds(s)) >= 24 and len(fixes(s)) >= 24 and set(
        RECORDED) <= {path for sample in rounds(s).values() for path in sample}, 180)
    for t, sample in rounds(service).items():
        assert_as_recorded(b, t, sample)
        assert sample.get("Vehicle.LowVoltageSystemState", 4) == 4
    assert sum("Vehicle.LowVoltageSystemState" in sample for sample in rounds(service).values()) >= 3  # every 5 s
    for t, sample in fixes(service).items():
        there = b.replay.at(t / 1000)
        metres = math.hypot((sample[LATITUDE] - there.lat) * 111195,
                            (sample[LONGITUDE] - there.lon) * 111195 * math.cos(math.radians(there.lat)))
        assert metres < 2, (t, sample, there)
    once = {record["seq"]: record for record in service.of("up/telemetry")}  # nobody acknowledges: it all comes again
    times = [sample["t"] for _, record in sorted(once.items()) for sample in record["samples"]]
    assert times == sorted(set(times)), "times are strictly increasing"
    beside = {t: s for t, s in fixes(service).items() if any(0 < t - at < 2000 for at in rounds(service))}
    assert len(beside) >= 12 and all("Vehicle.Speed" not in s for s in beside.values())
    assert_no_gap(service)
    assert {record["clock"] for _, record in sorted(once.items())[-3:]} == {"gps"}


def test_the_car_introduces_itself(bench):
    b = bench(gps=False, car_args=["--ecus", "2"])
    b.order("dtc P0301")
    b.order("dtc U0100 pending 1")
    service = Service(b)
    b.start_agent()
    service.wait("a diagnosis", lambda s: s.of("up/diagnostics"))
    d = service.of("up/diagnostics")[0]
    assert d["vin"] == VIN and d["protocol"] == "6" and d["mil"] is True
    assert {"code": "P0301", "state": "stored", "ecu": "7E8"} in d["dtcs"]
    assert {"code": "U0100", "state": "pending", "ecu": "7E9"} in d["dtcs"]
    assert d["lists"] == {"stored": "full", "pending": "full", "permanent": "full"}
    assert {"05", "0C", "0D", "10"} <= set(d["supported"])
    assert d["readiness"]["misfire"] == "complete"
    service.wait("rounds", lambda s: len(rounds(s)) >= 5)
    for t, sample in rounds(service).items():
        assert_as_recorded(b, t, sample)  # the second unit reads differently on purpose


@pytest.mark.parametrize("args", (
    ["--adapter", "clone"], ["--adapter", "stn"], ["--quirks", "ignore-ath1"], ["--quirks", "crlf,banner-first,blank-prompt"],
    ["--quirks", "no-isotp,no-dtc,no-vin"], ["--protocol", "7"], ["--protocol", "3"], ["--protocol", "5"], ["--protocol", "1"]),
    ids=lambda a: "-".join(a).replace("--", ""))
def test_adapters_and_buses_of_all_kinds_give_the_same_numbers(bench, args):
    b = bench(gps=False, car_args=args, agent_args=QUICK)
    service = Service(b)
    b.start_agent()
    service.wait("rounds", lambda s: len(rounds(s)) >= 6, 60)
    for t, sample in list(rounds(service).items())[1:]:
        assert_as_recorded(b, t, sample, 3)


def test_an_unplugged_adapter_is_an_event_and_comes_back(bench):
    b = bench()
    service = Service(b)
    b.start_agent()
    service.wait("rounds", lambda s: len(rounds(s)) >= 3)
    b.order("unplug")
    service.wait("the loss to be told", lambda s: "adapter_unplugged" in events(s) and obd_state(s) == "gone")
    assert b.ready(), "a missing source is a state, not an illness"
    gone = time.time() * 1000
    service.wait("speed from the receiver instead",
                 lambda s: any("Vehicle.Speed" in x for t, x in fixes(s).items() if t > gone))
    b.order("replug")
    service.wait("the return to be told", lambda s: "adapter_back" in events(s) and obd_state(s) == "ok", 60)
    back = max(rounds(service))
    service.wait("rounds again", lambda s: len([t for t in rounds(s) if t > back]) >= 3)
    for t, sample in rounds(service).items():
        assert_as_recorded(b, t, sample)
    assert_no_gap(service)


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    """One car for all the faults that pass: each test spoils it for a moment."""
    b = VehicleBench(tmp_path_factory.mktemp("faults"), gps=False, agent_args=QUICK)
    service = Service(b)
    b.start_agent()
    yield b, service
    b.stop()


@pytest.mark.parametrize("fault", ("lost-prompt x3", "garbage x5", "cut x5", "damaged x3", "stopped x2", "slow 1500 x3",
                                   "no-data x4", "pending 300 x2", "lost-line 0 x3", "error BUS BUSY x2", "nul on",
                                   "echo on", "error BUFFER FULL x2", "error ERR94 x1", "negative 12 x1"))
def test_faults_on_the_line_cost_readings_and_never_give_wrong_ones(patient, fault):
    b, service = patient
    service.wait("rounds", lambda s: len(rounds(s)) >= 2)
    b.order(f"fault {fault}")
    before = max(rounds(service))
    if not fault.endswith(" on"):
        wait_for("the fault to be played", lambda: b.state()["played"].get(fault.split()[0]), 60)
    service.wait("rounds after it", lambda s: len([t for t in rounds(s) if t > before]) >= 8, 90)
    b.order("fault clear")
    for t, sample in rounds(service).items():
        if t > before:
            assert_as_recorded(b, t, sample, 8, 1.0)


def test_a_restarting_adapter_is_set_up_again(bench):
    b = bench(gps=False)
    service = Service(b)
    b.start_agent()
    service.wait("rounds", lambda s: len(rounds(s)) >= 2)
    b.order("lv-reset")
    before = max(rounds(service))
    service.wait("rounds after it", lambda s: len([t for t in rounds(s) if t > before]) >= 5, 60)


def test_a_sleeping_car_is_left_alone_and_woken_by_its_voltage(bench):
    b = bench(gps=False)
    clock = LyingClock(b.folder)
    service = Service(b)
    b.spawn("agent", b.agent_argv(), env=clock.env)
    service.wait("rounds", lambda s: len(rounds(s)) >= 2)
    b.order("ignition off")
    b.order("voltage 12.4")
    service.wait("sleep to be noticed", lambda s: obd_state(s) == "silent", 60)
    service.wait("its facts", lambda s: [x for x in s.samples().values() if x.get("Vehicle.LowVoltageSystemState") == 2])
    asleep = [x for x in service.samples().values() if x.get("Vehicle.LowVoltageSystemState") == 2][0]
    assert asleep == {"Vehicle.LowVoltageSystemState": 2, ENGINE + "IsRunning": 0,
                      "Vehicle.LowVoltageBattery.CurrentVoltage": 12.4}
    b.order("ignition on")
    b.order("voltage 14.1")
    clock.pass_by(31)  # it looks twice a minute
    service.wait("waking", lambda s: obd_state(s) == "ok", 90)


def test_gpsd_may_die_and_come_back(bench):
    b = bench()
    service = Service(b)
    b.start_agent()
    service.wait("fixes", lambda s: len(fixes(s)) >= 3)
    b.end("gpsd", signal.SIGKILL)
    service.wait("the loss to be told", lambda s: s.of("up/state")[-1]["sources"]["gps"] == "gone")
    assert b.ready()
    b.start_gpsd()
    service.wait("the return to be told", lambda s: s.of("up/state")[-1]["sources"]["gps"] == "ok", 60)
    back = max(fixes(service))
    service.wait("fixes again", lambda s: [t for t in fixes(s) if t > back])


def test_kill_9_and_restart_go_on_without_a_gap(bench):
    b = bench()
    service = Service(b)
    b.start_agent()
    for _ in range(3):
        seen = len(service.raw)
        service.wait("more records", lambda s: len(s.raw) >= seen + 4)
        b.end("agent", signal.SIGKILL)
        service.wait("the last will", lambda s: s.of("up/state")[-1]["state"] == "offline")
        b.start_agent()
    seen = len(service.raw)
    service.wait("more records", lambda s: len(s.raw) >= seen + 4)
    assert len(service.seqs()) == 1, "the same stream goes on"
    assert_no_gap(service)
    kept = [seq for (seq,) in b.rows("SELECT seq FROM record WHERE stream = 'bulk' ORDER BY seq")]
    assert kept == list(range(1, kept[-1] + 1)), "nothing is forgotten without an ack"
    times = {}
    for seq, payload in b.rows("SELECT seq, payload FROM record WHERE leaf = 'up/telemetry' ORDER BY seq"):
        for sample in columnar.message(payload)["samples"]:
            assert sample["t"] not in times, (seq, times[sample["t"]])
            times[sample["t"]] = seq


def test_a_broker_away_costs_nothing(bench):
    b = bench()
    service = Service(b)
    b.start_agent()
    service.wait("records", lambda s: len(s.raw) >= 4)
    service.ack_all()
    b.broker.kill()
    given = b.rows("SELECT next_seq FROM stream WHERE name = 'bulk'")[0][0]
    wait_for("records while it is away", lambda: b.rows("SELECT next_seq FROM stream WHERE name = 'bulk'")[0][0] > given + 5)
    b.broker.spawn()
    b.broker.wait_ready()
    again = Service(b)
    again.raw, again.messages = service.raw, service.messages
    again.wait("all of them", lambda s: not assert_fails(assert_no_gap, s) and
               list(s.seqs().values())[0][-1] >= given + 5, 60)


def assert_fails(check, *args):
    try:
        check(*args)
    except AssertionError as e:
        return e


def test_it_forgets_only_what_every_required_site_has(bench):
    b = bench(agent_args=["--outbox-keep=0ms"])
    service = Service(b)
    b.start_agent()
    held = lambda: [seq for (seq,) in b.rows("SELECT seq FROM record WHERE stream = 'bulk' ORDER BY seq")]
    service.wait("records", lambda s: len(s.raw) >= 5)
    (stream, seqs), = service.seqs().items()
    service.ack(stream, seqs[-1])
    wait_for("a few more", lambda: len(held()) >= len(seqs) + 2)
    assert held()[0] == 1, "no required site is known: nothing is forgotten"
    b.configure(1, required_sites=["illkirch", "esplanade"])
    service.wait("the configuration", lambda s: s.of("up/state")[-1]["config"] == 1)
    service.wait("its event", lambda s: "config_applied" in events(s))
    service.ack(stream, 3, site="esplanade")
    wait_for("what both have to go", lambda: held()[0] == 4)
    service.ack(stream, 5, [[4, 4]], site="esplanade")
    wait_for("what is in a gap to stay", lambda: held()[:2] == [4, 6])
    b.configure(2, required_sites=["illkirch"])
    wait_for("what the one has to go", lambda: held()[0] == seqs[-1] + 1)
    service.ack(stream, 10 ** 9)
    service.ack("0197f3c2-5f0e-7abc-8def-0123456789ab", 1)
    wait_for("nonsense to be counted",
             lambda: b.metric('vigie_vehicle_acks_ignored_total{reason="beyond"}') == 1 and
             b.metric('vigie_vehicle_acks_ignored_total{reason="unknown_stream"}') == 1)
    first = held()[0]
    service.wait("more records", lambda s: list(s.seqs().values())[0][-1] > seqs[-1] + 3)
    assert held()[0] == first


def test_that_somebody_looks_is_applied_without_an_event(bench):
    b = bench()
    service = Service(b)
    b.start_agent()
    for revision, keys in ((1, {}), (2, {"rates": {"watch": {"until": 4000000000000}}}), (3, {"rates": {"record_ms": 400}})):
        b.configure(revision, required_sites=["illkirch"], **keys)
        service.wait(f"revision {revision}", lambda s: s.of("up/state") and s.of("up/state")[-1]["config"] == revision)
    applied = lambda s: sorted({e["data"]["revision"] for e in s.of("up/event") if e["type"] == "config_applied"})
    service.wait("the event of the last", lambda s: 3 in applied(s))
    assert applied(service) == [1, 3]


def test_a_configuration_without_brokers_leaves_those_it_has(bench):
    b = bench()
    service = Service(b)
    b.start_agent()
    b.configure(1, required_sites=["illkirch"], brokers=[f"mqtts://localhost:{b.broker.port_vehicles}"])
    service.wait("the brokers", lambda s: s.of("up/state") and s.of("up/state")[-1]["config"] == 1)
    b.configure(2, required_sites=["illkirch"])
    service.wait("a configuration that names none", lambda s: s.of("up/state")[-1]["config"] == 2)
    wait_for("it to be kept", lambda: "\"revision\": 2" in b.rows("SELECT value FROM note WHERE name = 'config'")[0][0])
    b.end("agent")
    told = len(service.poll().of("up/state"))
    b.start_agent("--brokers=")
    service.wait("it to come back by itself", lambda s: "online" in [m["state"] for m in s.of("up/state")[told:]])


def test_a_gap_in_an_ack_is_sent_again(bench):
    b = bench()
    service = Service(b)
    b.start_agent()
    service.wait("records", lambda s: len(s.raw) >= 5)
    (stream, seqs), = service.seqs().items()
    copies = lambda s, seq: len([1 for leaf, m in s.messages if m.get("seq") == seq])
    before = copies(service, 2)
    service.ack(stream, seqs[-1], [[2, 3]])
    service.wait("2 and 3 again", lambda s: copies(s, 2) > before and copies(s, 3) > before)


def test_sigterm_ends_in_order(bench):
    b = bench()
    service = Service(b)
    b.start_agent()
    service.wait("records", lambda s: len(s.raw) >= 3)
    assert b.end("agent") == 0
    service.wait("the last words", lambda s: s.of("up/state")[-1]["state"] == "offline")
    given = b.rows("SELECT next_seq FROM stream WHERE name = 'bulk'")[0][0] - 1
    service.wait("the last record", lambda s: list(s.seqs().values())[0][-1] == given)


def test_with_a_certificate_missing_at_a_reload_it_stays_connected(bench):
    b = bench()
    service = Service(b)
    agent = b.start_agent()
    service.wait("it to be online", lambda s: s.of("up/state"))
    away = b.cert.with_suffix(".away")
    b.cert.rename(away)
    agent.send_signal(signal.SIGHUP)
    wait_for("it to say so", lambda: "event=broker.kept" in b.log("agent") or agent.poll() is not None)
    assert agent.poll() is None and "No such file or directory" in b.log("agent") and "event=broker.away" not in b.log("agent")
    away.rename(b.cert)
    told = len(service.poll().of("up/state"))
    agent.send_signal(signal.SIGHUP)
    service.wait("it to be back", lambda s: "online" in [m["state"] for m in s.of("up/state")[told:]])
    assert agent.poll() is None


def test_wrong_usage_is_told_and_nothing_is_started(bench):
    b = bench(gps=False)
    for args, words in ((["--obd=usb"], "obd"), (["--vin=SHORT"], "--vin"), (["--vin=VF1RFB00866123456"], "certificate"),
                        (["--record=1h"], "--record"), (["--nonsense"], "nonsense"),
                        (["--brokers=http://x", "--check"], "--brokers"), (["--brokers=mqtts://x:99999", "--check"], "--brokers"),
                        (["--admin=nonsense", "--check"], "nonsense"), (["--ca=/nowhere/ca.pem", "--check"], "--ca: /nowhere/ca.pem"),
                        (["--cert=/nowhere/c.pem", "--check"], "--cert: /nowhere/c.pem"),
                        ([f"--key={b.folder}", "--check"], "is no file"), (["--makes=/nowhere", "--check"], "/nowhere"),
                        ([f"--outbox={b.cert}", "--check"], "is no folder"),
                        (["--cert=/nowhere/c.pem", "--token-file=/nowhere/t", "--api=https://x", "--check"], "/nowhere/c.pem"),
                        ([f"--cert={b.folder}/c.pem", "--token-file=/nowhere/t", "--api=https://x", "--check"], "--token-file: /nowhere/t"),
                        (["--api=http://fleet.example", "--check"], "would tell the token"), (["--api=ftp://x"], "--api"),
                        (["--api=http://127.0.0.1.example", "--check"], "would tell the token"),
                        (["--obd=elm327+tcp:host:0", "--check"], "1 .. 65535"), (["--obd=slcan+tcp:host:65536"], "1 .. 65535"),
                        (["--obd=elm327+tcp::35000"], "host:port")):
        done = b.run_agent(*args)
        assert done.returncode == 2 and words in done.stderr, (args, done.returncode, done.stderr)
    done = b.run_agent("--check", "--api=http://localhost:8443,http://127.0.0.1,http://[::1]:1/,https://x", "--obd=elm327+tcp:[::1]:35000")
    assert done.returncode == 0 and "check.doubtful" not in done.stderr, done.stderr
    done = b.run_agent("--check", "--private-file=/nowhere/button", "--power-file=/nowhere/gpio")
    assert done.returncode == 0 and done.stderr.count("check.doubtful") == 2, done.stderr
    shutil.rmtree(b.folder / "outbox", ignore_errors=True)


def test_probe_and_status_speak_in_words(bench):
    b = bench(gps=False)
    done = b.run_agent("--probe")
    assert done.returncode == 0, done.stderr
    assert VIN in done.stdout and "7E8" in done.stdout and "Vehicle.Speed" in done.stdout
    b.start_agent()
    done = b.run_agent("--status")
    assert done.returncode == 0 and "running, ready" in done.stdout and "obd" in done.stdout
    wait_for("the adapter to be taken", lambda: b.metric('vigie_vehicle_source_state{source="obd"}') == 1)
    done = b.run_agent("--probe")
    assert done.returncode == 1 and "is in use by another program" in done.stderr and done.stderr.count("\n") == 1, done.stderr
    b.end("agent")
    assert b.run_agent("--status").returncode == 1


def test_a_damaged_outbox_is_moved_aside_and_told(bench):
    b = bench(gps=False)
    b.start_agent()
    wait_for("records", lambda: b.rows("SELECT count(*) FROM record")[0][0] >= 3)
    old = b.rows("SELECT id FROM stream WHERE name = 'bulk'")[0][0]
    b.end("agent")
    with open(b.folder / "outbox/outbox.db", "r+b") as f:
        f.write(b"\x5a" * 3000)
    service = Service(b)
    b.start_agent()
    service.wait("the event", lambda s: [e for e in s.of("up/event") if e["type"] == "outbox_reset" and
                                         e["data"]["reason"] == "damaged" and e["stream"] != old])
    assert list((b.folder / "outbox").glob("outbox.db.damaged-*"))
    assert topic("up/event").endswith("/up/event")
