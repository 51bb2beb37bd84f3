"""A configuration that names other brokers is tried before it is kept, and left again where it cuts the car off."""
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from stack.broker import Broker  # noqa: E402
from vehicle_bench import BUILD, GPSD, MOSQUITTO, ROOT, Service, VehicleBench, free_port, wait_for  # noqa: E402

pytestmark = pytest.mark.skipif(not GPSD or not MOSQUITTO, reason="gpsd or mosquitto is not installed")

WINDOW_S = 3
AGENT = ["--obd-period=200ms", "--record=250ms", "--encoding=json", f"--config-trial={WINDOW_S}s"]


@pytest.fixture
def bench(tmp_path):
    """A car that knows its broker by configuration alone."""
    b = VehicleBench(tmp_path / "bench", gps=False, agent_args=AGENT)
    b.home = f"mqtts://localhost:{b.broker.port_vehicles}"
    b.others = []
    service = Service(b)
    b.start_agent()
    b.configure(1, required_sites=["illkirch"], brokers=[b.home])
    service.wait("revision 1", lambda s: s.of("up/state") and s.of("up/state")[-1]["config"] == 1)
    wait_for("it to be kept", lambda: kept(b) == 1)
    b.end("agent")
    b.agent_args.append("--brokers=")
    yield b, service
    for one in [b, *b.others]:
        one.stop()


def kept(b):
    rows = b.rows("SELECT value FROM note WHERE name = 'config'")
    text = rows[0][0] if rows else b""
    text = text.decode() if isinstance(text, bytes) else text
    return int(text.split('"revision":')[1].split(",")[0]) if text else 0


def another_broker(b, port):
    guard = ROOT / "build/lib/vigie_guard.so"
    other = Broker(b.folder / f"broker-{port}", b.pki.folder, guard if guard.exists() else ROOT / BUILD / "lib/vigie_guard.so",
                   port_vehicles=port, refusals=False).start()
    b.others.append(other)
    return other


def watching(b, broker):
    """A service's eyes at another broker."""
    home, b.broker = b.broker, broker
    try:
        return Service(b)
    finally:
        b.broker = home


def online_again(service, since):
    service.wait("it to be online", lambda s: "online" in [m["state"] for m in s.of("up/state")[since:]])


def refused(service):
    once = {e["id"]: e["data"] for e in service.of("up/event") if e["type"] == "config_refused"}
    return list(once.values())


def test_brokers_nobody_finds_are_left_for_the_old_ones_and_told(bench):
    b, service = bench
    count = len(service.poll().of("up/state"))
    b.start_agent()
    online_again(service, count)
    ident = b.command("config.apply", {"revision": 2})
    service.wait("delivered", lambda s: any(r["command"] == ident for r in s.of("up/result")))
    b.configure(2, required_sites=["illkirch"], brokers=[f"mqtts://localhost:{free_port()}"])
    service.wait("the refusal", refused, 60)
    assert refused(service) == [{"revision": 2, "reason": f"none of its brokers answered within {WINDOW_S} s"}]
    assert service.wait("the command to fail", lambda s: [r for r in s.of("up/result") if r["command"] == ident and r["state"] == "failed"])
    assert service.of("up/state")[-1]["config"] == 1 and kept(b) == 1
    # it is retained and comes again with every connection, also after a restart: once refused is refused
    b.end("agent")
    count = len(service.poll().of("up/state"))
    b.start_agent()
    online_again(service, count)
    rounds = len(service.samples())
    service.wait("samples", lambda s: len(s.samples()) >= rounds + 10)
    assert "config.tried" not in b.log("agent").rsplit("event=started", 1)[1] and len(refused(service)) == 1
    b.configure(3, required_sites=["illkirch"], brokers=[b.home, f"mqtts://localhost:{free_port()}"])
    service.wait("the next revision", lambda s: s.of("up/state")[-1]["config"] == 3)
    wait_for("it to be kept", lambda: kept(b) == 3)
    for stream, seqs in service.seqs().items():
        assert seqs == list(range(1, seqs[-1] + 1)), f"numbers missing in {stream}: {seqs}"


def test_brokers_that_take_the_car_are_kept(bench):
    b, service = bench
    other = another_broker(b, free_port())
    eyes = watching(b, other)
    count = len(service.poll().of("up/state"))
    b.start_agent("--config-trial=60s")
    online_again(service, count)
    b.configure(2, required_sites=["illkirch"], brokers=[f"mqtts://localhost:{other.port_vehicles}"])
    eyes.wait("the car at the other broker", lambda s: s.of("up/state") and s.of("up/state")[-1]["config"] == 2)
    eyes.wait("the event", lambda s: [e for e in s.of("up/event") if e["type"] == "config_applied" and e["data"] == {"revision": 2}])
    wait_for("it to be kept", lambda: kept(b) == 2)
    b.end("agent")
    count = len(eyes.poll().of("up/state"))
    b.start_agent()
    online_again(eyes, count)


def test_while_nobody_answers_it_is_the_network_and_the_new_ones_are_tried_again(bench):
    b, service = bench
    port = free_port()
    count = len(service.poll().of("up/state"))
    b.start_agent("--config-trial=12s")  # the broker is to be gone before the trial is over
    online_again(service, count)
    b.configure(2, required_sites=["illkirch"], brokers=[f"mqtts://localhost:{port}"])
    wait_for("the trial", lambda: "config.tried" in b.log("agent"))
    b.broker.stop()
    wait_for("the way back, in vain", lambda: "config.untried" in b.log("agent"))
    b.end("agent")  # and a restart in the middle of it
    b.start_agent()
    other = another_broker(b, port)
    eyes = watching(b, other)
    eyes.wait("the car at the other broker", lambda s: s.of("up/state") and s.of("up/state")[-1]["config"] == 2, 60)
    wait_for("it to be kept", lambda: kept(b) == 2)
    assert not refused(eyes)
