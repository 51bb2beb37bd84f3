"""Private mode from outside: no place in the outbox, none at the broker, while distance and everything else go on."""
import json
import signal
import sys
import time
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from vehicle_bench import GPSD, MOSQUITTO, Service, VehicleBench, wait_for  # noqa: E402

pytestmark = pytest.mark.skipif(not GPSD or not MOSQUITTO, reason="gpsd or mosquitto is not installed")

QUICK = ["--obd-period=200ms", "--record=250ms", "--encoding=json"]
LATITUDE = "Vehicle.CurrentLocation.Latitude"
ALWAYS_WORK = [{"days": [1, 2, 3, 4, 5, 6, 7], "from": 0, "to": 1440}]


@pytest.fixture
def bench(tmp_path):
    made = []

    def make():
        b = VehicleBench(tmp_path / f"bench-{len(made)}", agent_args=QUICK)
        made.append(b)
        b.button = b.folder / "private"
        b.agent_args.append(f"--private-file={b.button}")
        return b, Service(b)

    yield make
    for one in made:
        one.stop()


def switches(service):
    once = {e["id"]: e for e in service.of("up/event") if e["type"] == "private_mode"}
    return [(e["data"]["on"], e["data"]["by"]) for e in sorted(once.values(), key=lambda e: e["seq"])]


def switched_at(service, n):
    once = {e["id"]: e for e in service.of("up/event") if e["type"] == "private_mode"}
    return sorted(once.values(), key=lambda e: e["seq"])[n]["t"]


def online(service):
    told = [s for s in service.of("up/state") if s["state"] == "online"]
    return told[-1] if told else {}


def fixes(service, after=0):
    return [t for t, s in service.samples().items() if LATITUDE in s and t > after]


def hidden(b):
    return b.metric("vigie_vehicle_places_hidden_total")


def assert_no_place(b, service, since, until=None):
    """Nothing of the receiver's but speed, in what was sent and in what lies on the disk."""
    until = until or time.time() * 1000
    for t, sample in service.poll().samples().items():
        if since < t < until:
            assert not [path for path in sample if path.startswith("Vehicle.CurrentLocation.")], (t, sample)
    for (payload,) in b.rows("SELECT payload FROM record"):
        body = json.loads(payload)
        for sample in body.get("samples", []):
            if since < sample["t"] < until:
                assert "CurrentLocation" not in json.dumps(sample)


def test_with_the_button_pressed_no_place_leaves_the_car_and_the_rest_goes_on(bench):
    b, service = bench()
    b.start_agent()
    service.wait("places", lambda s: len(fixes(s)) >= 3)
    assert "private" not in online(service)
    b.button.touch()
    service.wait("the switch", lambda s: switches(s) == [(True, "button")])
    since = switched_at(service, 0)
    service.wait("the state", lambda s: online(s).get("private") == {"since": since})
    metres, count = b.metric("vigie_vehicle_trip_meters"), hidden(b)
    wait_for("a dozen fixes with their places dropped", lambda: hidden(b) >= count + 12)
    service.wait("speeds of that time", lambda s: sum("Vehicle.Speed" in v for t, v in s.samples().items() if t > since) >= 12)
    assert_no_place(b, service, since)
    wait_for("distance to count on", lambda: b.metric("vigie_vehicle_trip_meters") > metres)
    assert not [a for a in service.of("up/alert") if "lat" in json.dumps(a)]
    b.button.unlink()
    service.wait("the end", lambda s: switches(s) == [(True, "button"), (False, "button")])
    until = switched_at(service, 1)
    service.wait("places again", lambda s: len(fixes(s, until)) >= 3)
    service.wait("the state", lambda s: "private" not in online(s))
    assert_no_place(b, service, since, until)


def test_a_command_begins_and_ends_it_and_a_restart_does_not(bench):
    b, service = bench()
    b.start_agent()
    service.wait("places", lambda s: len(fixes(s)) >= 2)
    ident = b.command("privacy.set", {"on": True, "until": int(time.time() * 1000) + 3600000})
    service.wait("done", lambda s: [r["data"] for r in s.of("up/result") if r["command"] == ident and r["state"] == "done"] ==
                 [{"private": True, "by": "command"}])
    service.wait("the switch", lambda s: switches(s) == [(True, "command")])
    since = switched_at(service, 0)
    b.end("agent", signal.SIGKILL)
    service.messages.clear()  # what came before it was killed
    b.start_agent()
    service.wait("the same private mode", lambda s: online(s).get("private") == {"since": since})
    count = hidden(b)
    wait_for("fixes with their places dropped", lambda: hidden(b) >= count + 6)
    service.wait("samples after the restart", lambda s: len(s.samples()) >= 20)
    assert_no_place(b, service, since)
    ident = b.command("privacy.set", {"on": False})
    service.wait("that it is over", lambda s: [r["data"] for r in s.of("up/result") if r["command"] == ident and
                                               r["state"] == "done"] == [{"private": False}])
    service.wait("the end", lambda s: (False, "command") in switches(s))
    service.wait("places again", lambda s: fixes(s, switched_at(s, -1)))
    assert_no_place(b, service, since, switched_at(service, -1))


def test_private_by_command_it_stays_so_without_its_outbox(bench):
    b, service = bench()
    b.start_agent()
    service.wait("places", lambda s: fixes(s))
    b.command("privacy.set", {"on": True, "until": int(time.time() * 1000) + 3600000})
    service.wait("the switch", lambda s: switches(s) == [(True, "command")])
    since = switched_at(service, 0)
    b.end("agent", signal.SIGKILL)
    for file in (b.folder / "outbox").glob("outbox.db*"):
        file.unlink()
    service.messages.clear()
    b.start_agent()
    service.wait("the same private mode", lambda s: online(s).get("private") == {"since": since})
    count = hidden(b)
    wait_for("fixes with their places dropped", lambda: hidden(b) >= count + 6)
    assert_no_place(b, service, since)


def test_outside_the_hours_of_work_it_is_private_and_no_command_ends_that(bench):
    b, service = bench()
    b.configure(1, privacy={"zone": "CET-1CEST,M3.5.0,M10.5.0/3", "work": []})
    b.start_agent()
    service.wait("the switch", lambda s: switches(s) == [(True, "hours")])
    since = switched_at(service, 0)
    ident = b.command("privacy.set", {"on": False})
    service.wait("what it says", lambda s: [r["data"] for r in s.of("up/result") if r["command"] == ident and
                                            r["state"] == "done"] == [{"private": True, "by": "hours"}])
    count = hidden(b)
    wait_for("fixes with their places dropped", lambda: hidden(b) >= count + 6)
    assert_no_place(b, service, since)
    b.configure(2, privacy={"work": ALWAYS_WORK})
    service.wait("work", lambda s: switches(s) == [(True, "hours"), (False, "hours")])
    service.wait("places", lambda s: fixes(s, switched_at(s, 1)))
