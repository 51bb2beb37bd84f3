"""A car on the bench: the real agent, a simulated car and adapter, a real gpsd, a real broker, and a service's eyes.
No ingest: the tests read what the agent publishes and acknowledge it themselves."""
import contextlib
import ctypes
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = os.environ.get("VIGIE_BUILD") or "build"
CAPTURES = ROOT / "tests/captures"
VIN = "WVWZZZ1KZAW000001"
DRIVE = "kit_2018-02-23_RT_RT_Frei_Beschleunigung.csv"
LINE = "envirocar_track_2_dodge_caliber.json"
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/integration"), str(ROOT / "tests/sim")]

import columnar  # noqa: E402
import control  # noqa: E402
import mqtt5  # noqa: E402
import replay  # noqa: E402
from bench_pki import BenchPki  # noqa: E402
from stack.broker import Broker  # noqa: E402
from stack.growing import whole_text  # noqa: E402
from stack.ports import free_port  # noqa: E402
from stack.process import end_with_parent  # noqa: E402
from stack.wait import wait_for  # noqa: E402

GPSD = shutil.which("gpsd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
MOSQUITTO = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


@contextlib.contextmanager
def main_loop_stands(pid):
    """The main thread of a program of ours is held, the others go on."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    assert libc.ptrace(PTRACE_SEIZE, pid, None, None) == 0, os.strerror(ctypes.get_errno())
    try:
        assert libc.ptrace(PTRACE_INTERRUPT, pid, None, None) == 0
        os.waitpid(pid, 0x40000000)  # __WALL
        yield
    finally:
        assert libc.ptrace(PTRACE_DETACH, pid, None, None) == 0


def topic(rest, vin=VIN):
    return f"fleet/v1/{zlib.crc32(vin.encode()) % 64:02x}/{vin}/{rest}"


class Service:
    """A subscriber with a service's certificate: sees everything the car sends, publishes what a site would."""

    def __init__(self, bench):
        cert, key = bench.service_identity("svc-ingest")
        self.client = mqtt5.Client(bench.broker.port_services, bench.pki.path("service-root.pem"), cert, key,
                                   client_id="svc-ingest-bench-0")
        self.client.subscribe(topic("up/#"), 1)
        self.messages = []  # (leaf, decoded payload)
        self.raw = {}       # (stream, seq) -> bytes, for "resent byte for byte"

    def poll(self):
        for message in self.client.drain():
            leaf = "/".join(message.topic.split("/")[4:])
            body = columnar.message(message.payload)
            self.messages.append((leaf, body))
            if "seq" in body:
                before = self.raw.setdefault((body["stream"], body["seq"]), message.payload)
                assert before == message.payload, "a record was sent again with other bytes"
        return self

    def of(self, leaf):
        return [body for name, body in self.messages if name == leaf]

    def samples(self):
        """Every sample by time, each once however often it came."""
        found = {}
        for record in self.of("up/telemetry"):
            for sample in record["samples"]:
                found[sample["t"]] = sample["s"]
        return dict(sorted(found.items()))

    def seqs(self):
        """{stream: sorted numbers seen}"""
        found = {}
        for stream, seq in self.raw:
            found.setdefault(stream, []).append(seq)
        return {stream: sorted(seqs) for stream, seqs in found.items()}

    def wait(self, what, condition, timeout_s=90):
        return wait_for(what, lambda: condition(self.poll()), timeout_s)

    def ack(self, stream, upto, gaps=(), site="illkirch", retained=False):
        self.client.publish(topic("down/ack"), json.dumps(
            {"schema": "ack/1", "site": site, "stream": stream, "upto": upto, "gaps": list(gaps)}).encode(), qos=1,
            retained=retained)

    def ack_all(self, site="illkirch"):
        for stream, seqs in self.poll().seqs().items():
            have, upto, gaps = set(seqs), seqs[-1], []
            for n in range(1, upto + 1):
                if n not in have:
                    if gaps and gaps[-1][1] == n - 1:
                        gaps[-1][1] = n
                    else:
                        gaps.append([n, n])
            self.ack(stream, upto, gaps, site)

    def close(self):
        self.client.close()


class VehicleBench:
    def __init__(self, folder, drive=DRIVE, gps=True, car_args=(), agent_args=(), site=None, vin=VIN, pki=None):
        """`site`: an ingest_site.Site that is started already; without one a broker of the bench's own.
        `pki`: another than the bench's own, with path(), leaf() and folder."""
        self.folder, self.vin, self.site = Path(folder), vin, site
        self.folder.mkdir(parents=True, exist_ok=True)
        self.pki = pki or (site.pki if site else BenchPki(self.folder / "pki"))
        self.identities = {}
        self.cert, self.key = self.pki.leaf("car", vin, "vehicle")
        guard = ROOT / "build/lib/vigie_guard.so"  # a plugin built with a sanitizer does not load into Mosquitto
        self.broker = site.broker if site else Broker(self.folder / "broker", self.pki.folder,
                             guard if guard.exists() else ROOT / BUILD / "lib/vigie_guard.so", refusals=False).start()
        self.drive, self.gps = drive, gps
        self.car_args, self.agent_args = list(car_args), list(agent_args)
        self.tty, self.control = self.folder / "tty", self.folder / "ctl"
        self.nmea, self.gpsd_port, self.admin = free_port(), free_port(), free_port()
        self.epoch = time.time() - 20
        self.processes = {}
        self.replay = replay.Replay(replay.load(str(CAPTURES / drive)), replay.load(str(CAPTURES / LINE)),
                                    epoch=self.epoch)
        self.start_car()
        if gps:
            self.start_gpsd()

    # ---- processes
    def spawn(self, name, argv, env=None):
        log = open(self.folder / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                start_new_session=True, preexec_fn=end_with_parent,
                                                env={**os.environ, **(env or {})})
        log.close()
        return self.processes[name]

    def end(self, name, how=signal.SIGTERM):
        process = self.processes.pop(name, None)
        if process and process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise AssertionError(f"{name} did not end within 40 s of signal {how}") from None
        return process.returncode if process else None

    def start_car(self):
        self.spawn("car", [sys.executable, ROOT / "tests/sim/car.py", "--drive", CAPTURES / self.drive, "--track",
                           CAPTURES / LINE, "--vin", self.vin, "--link", self.tty, "--nmea", f"127.0.0.1:{self.nmea}",
                           "--control", self.control, "--epoch", self.epoch, *self.car_args])
        wait_for("the simulated car", lambda: self.tty.exists() and self.control.exists())

    def start_gpsd(self):
        self.spawn("gpsd", [GPSD, "-N", "-n", "-S", self.gpsd_port, f"udp://127.0.0.1:{self.nmea}"])

    def agent_argv(self, *more):
        gps = f"gpsd:localhost:{self.gpsd_port}" if self.gps else "none"
        return [ROOT / BUILD / "bin/vigie-vehicle", f"--brokers=mqtts://localhost:{self.broker.port_vehicles}",
                f"--ca={self.pki.path('service-root.pem')}", f"--cert={self.cert}", f"--key={self.key}",
                f"--obd=elm327:{self.tty}", f"--gps={gps}", f"--outbox={self.folder}/outbox",
                f"--admin=127.0.0.1:{self.admin}", *self.agent_args, *more]

    def start_agent(self, *more):
        process = self.spawn("agent", self.agent_argv(*more))
        wait_for("the agent to be ready", lambda: self.ready() or process.poll() is not None)
        assert process.poll() is None, self.log("agent")
        return process

    def run_agent(self, *more):
        return subprocess.run([str(a) for a in self.agent_argv(*more)], capture_output=True, text=True, timeout=60)

    def stop(self):
        for name in list(self.processes):
            self.end(name, signal.SIGKILL if name != "car" else signal.SIGTERM)
        if not self.site:
            self.broker.stop()

    # ---- looking and ordering
    def service_identity(self, cn):
        if cn not in self.identities:
            self.identities[cn] = self.pki.leaf(cn, cn, "service")
        return self.identities[cn]

    def order(self, line):
        answer = control.ask(str(self.control), line)
        assert not answer.startswith("error"), answer
        return answer

    def log(self, name):
        return whole_text(self.folder / f"{name}.log")

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, ""
        except OSError:
            return 0, ""

    def ready(self):
        return self.get("/readyz")[0] == 200

    def metric(self, name):
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def configure(self, revision, **keys):
        """Publish config/1 as the API would, retained."""
        cert, key = self.service_identity("svc-api")
        client = mqtt5.Client(self.broker.port_services, self.pki.path("service-root.pem"), cert, key,
                              client_id="svc-api-bench")
        client.publish(topic("down/config", self.vin), json.dumps({"schema": "config/1", "revision": revision,
                                                              **keys}).encode(), qos=1, retained=True)
        client.close()

    def command(self, kind, args=None, ident=None, expires_s=60, raw=None):
        """Publish command/1 as the API would; its id."""
        ident = ident or str(uuid.uuid4())
        body = raw if raw is not None else json.dumps({"schema": "command/1", "id": ident, "type": kind, "args": args or {},
                                                       "expires": int((time.time() + expires_s) * 1000)}).encode()
        cert, key = self.service_identity("svc-api")
        client = mqtt5.Client(self.broker.port_services, self.pki.path("service-root.pem"), cert, key,
                              client_id="svc-api-bench")
        client.publish(topic("down/command"), body, qos=1)
        client.close()
        return ident

    def rows(self, statement):
        db = sqlite3.connect(f"file:{self.folder}/outbox/outbox.db?mode=ro", uri=True, timeout=60)
        try:
            return db.execute(statement).fetchall()
        finally:
            db.close()

    def told(self, pid):
        """When the car was asked for it lately, as it knows itself."""
        return control.told(str(self.control), pid)

    def state(self, when=None):
        return json.loads(self.order("state" if when is None else f"at {when}"))
