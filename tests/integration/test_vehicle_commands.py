"""Commands from outside: what the real agent answers over a real broker, and what it did to the simulated car."""
import contextlib
import http.server
import json
import signal
import sys
import threading
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from vehicle_bench import GPSD, MOSQUITTO, Service, VehicleBench, wait_for  # noqa: E402

pytestmark = pytest.mark.skipif(not GPSD or not MOSQUITTO, reason="gpsd or mosquitto is not installed")

QUICK = ["--obd-period=200ms", "--record=250ms", "--encoding=json"]


@pytest.fixture
def bench(tmp_path):
    made = []

    def make(**more):
        made.append(VehicleBench(tmp_path / f"bench-{len(made)}", **{"agent_args": QUICK, **more}))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture(scope="module")
def driving(tmp_path_factory):
    """One car under way for all that leaves it as it is."""
    b = VehicleBench(tmp_path_factory.mktemp("driving"), agent_args=QUICK)
    service = Service(b)
    b.start_agent()
    connected(service)
    yield b, service
    b.stop()


def connected(service):
    service.wait("the car to be online with its adapter", lambda s: s.of("up/state") and
                 s.of("up/state")[-1]["state"] == "online" and s.of("up/state")[-1]["sources"]["obd"] == "ok")


def results(service, ident):
    """[(state, reason)] in the order of their numbers, each record once."""
    once = {(r["stream"], r["seq"]): r for r in service.of("up/result") if r["command"] == ident}
    return [(r["state"], r.get("reason", "")) for _, r in sorted(once.items())]


def final(service, ident, timeout_s=60):
    service.wait(f"the end of command {ident}", lambda s: any(state != "delivered" for state, _ in results(s, ident)),
                 timeout_s)
    return results(service, ident)


def data_of(service, ident):
    return [r for r in service.of("up/result") if r["command"] == ident and r["state"] != "delivered"][-1].get("data")


def diagnoses(service):
    return {r["seq"]: r for r in service.of("up/diagnostics")}


# ---- a car that drives

def test_codes_are_read_on_order_and_a_diagnosis_follows(driving):
    b, service = driving
    b.order("dtc P0420 pending")
    before = set(diagnoses(service.poll()))
    ident = b.command("diagnostics.read")
    assert final(service, ident) == [("delivered", ""), ("done", "")]
    service.wait("a diagnosis with the new code", lambda s: any(
        {"code": "P0420", "state": "pending", "ecu": "7E8"} in d.get("dtcs", [])
        for seq, d in diagnoses(s).items() if seq not in before))


def test_results_are_journalled_in_the_urgent_stream(driving):
    b, service = driving
    ident = b.command("photo")
    final(service, ident)
    (urgent,), = b.rows("SELECT id FROM stream WHERE name = 'urgent'")
    assert {r["stream"] for r in service.of("up/result")} == {urgent}


@pytest.mark.parametrize("kind, args", [("photo", {}), ("clip", {}), ("stream.start", {"session": "a", "url": "rtsp://x"}),
                                        ("stream.stop", {"session": "a"})])
def test_pictures_are_refused_while_there_is_no_camera(driving, kind, args):
    b, service = driving
    assert final(service, b.command(kind, args)) == [("refused", "no camera")]


def test_codes_are_not_cleared_while_the_engine_runs(driving):
    b, service = driving
    b.order("dtc P0301")
    ident = b.command("diagnostics.clear", {"confirmed_by": "ada"})
    told = final(service, ident)
    assert told[-1][0] == "refused" and told[-1][1], told
    assert "P0301" in json.dumps(b.state()), "the car still has it"
    b.order("dtc clear P0301")


def test_clearing_needs_somebody_who_signed_it_off(driving):
    b, service = driving
    assert final(service, b.command("diagnostics.clear")) == [("refused", "confirmed_by is missing")]


def test_a_command_that_came_too_late_expires(driving):
    b, service = driving
    assert [state for state, _ in final(service, b.command("agent.restart", expires_s=-1))] == ["expired"]
    assert b.processes["agent"].poll() is None


def test_what_is_not_understood_is_refused_or_counted(driving):
    b, service = driving
    assert final(service, b.command("engine.stop")) == [("refused", "type is none we know")]
    before = b.metric('vigie_vehicle_commands_total{state="malformed"}')
    b.command("photo", raw=b'{"schema":"command/1","id":"7","type":"photo","args":{},"expires":5}')
    b.command("photo", raw=b"\xff\x00nonsense")
    wait_for("both to be counted", lambda: b.metric('vigie_vehicle_commands_total{state="malformed"}') == before + 2)


def test_the_same_command_again_gets_the_same_answer(driving):
    b, service = driving
    before = len(diagnoses(service.poll()))
    ident = b.command("diagnostics.read")
    first = final(service, ident)
    service.wait("its diagnosis", lambda s: len(diagnoses(s)) > before)  # in the other stream, so perhaps behind the answer
    count = len(diagnoses(service))
    b.command("diagnostics.read", ident=ident)
    service.wait("the answer once more", lambda s: len(results(s, ident)) == len(first) + 1)
    assert results(service, ident)[-1] == first[-1]
    final(service, b.command("photo"))  # had it been read again, that would have been told by now
    assert len(diagnoses(service.poll())) == count


def test_a_configuration_it_has_is_applied_at_once_and_another_when_it_comes(driving):
    b, service = driving
    b.configure(5, required_sites=["illkirch"])
    wait_for("revision 5", lambda: service.poll().of("up/state")[-1]["config"] == 5)
    assert final(service, b.command("config.apply", {"revision": 4})) == [("delivered", ""), ("done", "")]
    ident = b.command("config.apply", {"revision": 6})
    service.wait("delivered", lambda s: results(s, ident) == [("delivered", "")])
    b.configure(6, required_sites=["illkirch"])
    assert final(service, ident) == [("delivered", ""), ("done", "")]
    bad = b.command("config.apply", {"revision": 7})
    service.wait("delivered", lambda s: results(s, bad) == [("delivered", "")])
    b.configure(7, required_sites="illkirch")
    state, reason = final(service, bad)[-1]
    assert state == "failed" and "required_sites" in reason
    b.configure(8, required_sites=["illkirch"])


# ---- one that stands, and one that is started again

def test_codes_are_cleared_where_the_engine_is_off_and_it_was_signed_off(bench):
    b = bench()
    service = Service(b)
    b.order("engine off")
    b.order("dtc P0301")
    b.start_agent()
    connected(service)
    service.wait("the code", lambda s: any("P0301" in json.dumps(d) for d in s.of("up/diagnostics")))
    ident = b.command("diagnostics.clear", {"confirmed_by": "ada"})
    assert final(service, ident) == [("delivered", ""), ("done", "")]
    assert {"ecu": "7E8", "cleared": True} in data_of(service, ident)["units"]
    assert "P0301" not in json.dumps(b.state())
    service.wait("a diagnosis without it", lambda s: not diagnoses(s)[max(diagnoses(s))]["dtcs"])


def test_a_restart_is_told_done_before_and_not_done_again_after(bench):
    b = bench(gps=False)
    service = Service(b)
    process = b.start_agent()
    connected(service)
    ident = b.command("agent.restart")
    assert final(service, ident) == [("delivered", ""), ("done", "")]
    assert process.wait(60) == 0, "a clean end: the supervisor starts it again"
    assert service.wait("goodbye", lambda s: s.of("up/state")[-1]["state"] == "offline")
    b.start_agent()
    connected(service)
    b.command("agent.restart", ident=ident)
    service.wait("the answer once more", lambda s: len(results(s, ident)) == 3)
    assert results(service, ident)[-1] == ("done", "")
    final(service, b.command("photo"))
    assert b.processes["agent"].poll() is None


def test_a_command_cut_short_by_kill_9_is_told_failed_and_not_done_again(bench):
    b = bench(gps=False)
    service = Service(b)
    b.start_agent()
    connected(service)
    ident = b.command("config.apply", {"revision": 99})  # waits for a configuration nobody sends
    service.wait("delivered", lambda s: results(s, ident) == [("delivered", "")])
    b.end("agent", signal.SIGKILL)
    b.start_agent()
    assert final(service, ident) == [("delivered", ""), ("failed", "the agent was stopped meanwhile")]
    b.command("config.apply", {"revision": 99}, ident=ident)
    service.wait("the same again", lambda s: len(results(s, ident)) == 3)
    assert results(service, ident)[-1][0] == "failed"


def test_without_an_adapter_codes_are_refused(bench):
    b = bench(gps=False)
    service = Service(b)
    b.start_agent("--obd=none")
    service.wait("online", lambda s: s.of("up/state") and s.of("up/state")[-1]["state"] == "online")
    assert final(service, b.command("diagnostics.read")) == [("delivered", ""), ("refused", "no adapter is configured")]


class Office(http.server.BaseHTTPRequestHandler):
    """An API that has revision 5 while its first caller waits, and 6 from then on."""

    def do_GET(self):
        first = not self.server.asked.is_set()
        self.server.asked.set()
        if first:
            self.server.go_on.wait(30)
        body = json.dumps({"schema": "config/1", "revision": 5 if first else 6, "required_sites": ["illkirch"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *args):
        pass


def test_a_command_is_not_answered_by_what_another_fetched_before_it(bench):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Office) as office:
        office.asked, office.go_on = threading.Event(), threading.Event()
        threading.Thread(target=office.serve_forever, daemon=True).start()
        b = bench(gps=False)
        service = Service(b)
        b.start_agent(f"--api=http://127.0.0.1:{office.server_port}", "--obd=none")
        service.wait("online", lambda s: s.of("up/state") and s.of("up/state")[-1]["state"] == "online")
        first = b.command("config.apply", {"revision": 5})
        wait_for("the first fetch", office.asked.is_set)
        second = b.command("config.apply", {"revision": 6})
        service.wait("the second to be under way", lambda s: results(s, second) == [("delivered", "")])
        office.go_on.set()
        assert final(service, first) == [("delivered", ""), ("done", "")]
        assert final(service, second) == [("delivered", ""), ("done", "")]
        b.end("agent")
        office.shutdown()
