"""A site for the tests of ingest: the real broker with guard and ACL, PostgreSQL, InfluxDB, vigie-ingest, and cars."""
import collections
import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
import urllib.request
import uuid
import zlib
from pathlib import Path

import mqtt5
from bench_pki import BenchPki
from stack import influx, postgres
from stack.broker import Broker
from stack.ports import free_port
from stack.process import Process, answers
from stack.wait import wait_until

ROOT = Path(__file__).resolve().parents[2]
BUILD = os.environ.get("VIGIE_BUILD", "build")
PROGRAM = ROOT / BUILD / "bin/vigie-ingest"
SITE = "illkirch"
SPEED, RPM = "Vehicle.Speed", "Vehicle.Powertrain.CombustionEngine.Speed"
LAT, LON = "Vehicle.CurrentLocation.Latitude", "Vehicle.CurrentLocation.Longitude"
HEADING = "Vehicle.CurrentLocation.Heading"
DAY_MS = 24 * 3600 * 1000

Ack = collections.namedtuple("Ack", "stream upto gaps")

MISSING = [name for name in ("mosquitto", "influxd", "pg_config", "openssl")
           if not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")]


def now_ms():
    return int(time.time() * 1000)


def topic(vin, rest):
    return f"fleet/v1/{zlib.crc32(vin.encode()) % 64:02x}/{vin}/{rest}"


def make(build, target):
    sanitizer = build.partition("-")[2]
    done = subprocess.run(["make", "-s", f"B={build}", f"SAN={sanitizer}", f"{build}/{target}"], cwd=ROOT, timeout=400,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def children(pid):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(entry.name))
    return found


def columnar(stream, seq, samples):
    """`samples` {t: {signal id: value}} as the bytes of proto/columnar.h, every column raw: the least of what a car may send."""
    u = mqtt5.varint

    def s(n):
        return u(2 * n if n >= 0 else -2 * n - 1)

    times = list(samples)
    ids = list(dict.fromkeys(i for values in samples.values() for i in values))
    out = bytes([0xC1, 1, 3]) + uuid.UUID(stream).bytes + u(seq) + u(len(times)) + u(times[0]) + u(1)
    out += b"".join(s(b - a - 1) for a, b in zip(times, times[1:])) + u(len(ids))
    for i in ids:
        there = [i in values for values in samples.values()]
        bits = sum(1 << n for n, yes in enumerate(there) if yes)
        out += u(i) + bytes([3 | 8]) + bits.to_bytes((len(times) + 7) // 8, "little")
        out += b"".join(struct.pack("<d", values[i]) for values in samples.values() if i in values)
    return out


class Ingest(Process):
    """One instance of the real program."""

    def __init__(self, site, /, instance="0", **settings):
        self.admin = free_port()
        cert, key = site.identity("svc-ingest", "service")
        flags = {"mqtt": f"mqtts://127.0.0.1:{site.broker.port_services}", "ca": site.pki.path("service-root.pem"),
                 "cert": cert, "key": key, "influx": site.influx.address, "site": SITE, "instance": instance,
                 "admin": f"127.0.0.1:{self.admin}", **{k.replace("_", "-"): v for k, v in settings.items()}}
        argv = [PROGRAM] + [f"--{name}={value}" for name, value in flags.items()]
        super().__init__(f"ingest-{instance}", argv, site.folder / f"ingest-{instance}.log",
                         env={"VIGIE_PG": site.postgres.conninfo("vigie_ingest")}, ready=self.is_ready)

    def is_ready(self):
        return answers(f"http://127.0.0.1:{self.admin}/readyz", 5) == 200

    def wait_ready(self, timeout_s=60):
        super().wait_ready(timeout_s)

    def page(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=60) as answer:
            return answer.read().decode()

    def metric(self, name, label=None):
        """`label` as 'reason="rate"'; what was never counted is 0."""
        wanted = name + (f"{{{label}}}" if label else "")
        for line in self.page("/metrics").splitlines():
            if line.startswith(wanted + " "):
                return float(line.rpartition(" ")[2])
        return 0.0


class Site:
    def __init__(self, folder):
        make("build", "lib/vigie_guard.so")  # the broker that loads it has no sanitizer
        make(BUILD, "bin/vigie-ingest")
        self.folder = Path(folder)
        self.numbers, self.identities = itertools.count(1), {}
        self.pki = BenchPki(self.folder / "pki")
        self.broker = Broker(self.folder / "broker", self.pki.folder, ROOT / "build/lib/vigie_guard.so")
        self.influx = influx.Influx(self.folder / "influx", free_port())
        self.postgres = postgres.Postgres(self.folder / "postgres", free_port(), listen="127.0.0.1")
        self.customer = str(uuid.uuid4())
        self.ingest = None

    def start(self, **settings):
        self.postgres.start()
        for file in sorted((ROOT / "proto/sql").glob("*.sql")):
            self.postgres.sql(file.read_text())
        self.postgres.sql(f"INSERT INTO customer (id, name) VALUES ('{self.customer}', 'Bench')")
        self.influx.start()
        self.broker.start()
        self.ingest = Ingest(self, **settings).start()
        return self

    def stop(self):
        for part in (self.ingest, self.broker, self.influx, self.postgres):
            if part and part.process:
                self.go_on(part)
                part.stop()

    def identity(self, cn, side):
        if (cn, side) not in self.identities:
            self.identities[cn, side] = self.pki.leaf(f"leaf-{len(self.identities)}", cn, side)
        return self.identities[cn, side]

    def new_vin(self, status="active"):
        """A VIN of its own for each test; `status` None: no such vehicle."""
        vin = f"WVWZZZ1KZAW{next(self.numbers):06d}"
        if status:
            self.postgres.sql(f"INSERT INTO vehicle (vin, customer_id, status) VALUES ('{vin}', '{self.customer}', '{status}')")
        return vin

    def car(self, **more):
        return Car(self, self.new_vin(**more))

    def client(self, cn, side, **more):
        port = self.broker.port_vehicles if side == "vehicle" else self.broker.port_services
        return mqtt5.Client(port, self.pki.path("service-root.pem"), *self.identity(cn, side), **more)

    def notify(self):
        return self.client("svc-notify", "service", client_id=f"svc-notify-bench-{time.monotonic_ns()}")

    # ---- what the stores hold
    def points(self, vin):
        """{t: {path: value}} of a vehicle in InfluxDB."""
        rows = self.influx.query(f"SELECT * FROM telemetry WHERE vin = '{vin}'", "fleet")
        return {row["time"]: {k: v for k, v in row.items() if k not in ("time", "vin") and v is not None} for row in rows}

    def sql(self, statement):
        return self.postgres.sql(statement)

    def watermark(self, vin, stream):
        """(upto, gaps as PostgreSQL prints them)"""
        row = self.sql(f"SELECT upto, gaps FROM watermark WHERE site = '{SITE}' AND vin = '{vin}' AND stream = '{stream}'")
        return (int(row.split("|")[0]), row.split("|")[1]) if row else None

    def dead_letters(self, vin):
        """[(reason, seq or '', payload)] oldest first"""
        rows = self.sql(f"SELECT reason, seq, encode(payload, 'hex') FROM dead_letter WHERE vin = '{vin}' "
                        "ORDER BY received_at, seq").splitlines()
        return [(r, s, bytes.fromhex(p)) for r, s, p in (row.split("|") for row in rows)]

    def state(self, vin, columns):
        return self.sql(f"SELECT {columns} FROM vehicle_state WHERE vin = '{vin}'")

    # ---- faults
    def processes(self, part):
        pid = part.process.pid
        return [pid, *children(pid)]

    def freeze(self, part):
        os.kill(part.process.pid, signal.SIGSTOP)  # first: a server that goes on would make children nobody stops
        for pid in children(part.process.pid):
            os.kill(pid, signal.SIGSTOP)

    def go_on(self, part):
        if part.process.poll() is None:
            for pid in self.processes(part):
                with contextlib.suppress(ProcessLookupError):  # those that go on may end
                    os.kill(pid, signal.SIGCONT)


def running(folder, **settings):
    """For a fixture: a site, and an ingest that ends well and without a word of a sanitizer."""
    made = Site(folder)
    try:
        made.start(**settings)
        yield made
        made.ingest.stop()
        assert made.ingest.process.returncode == 0
        assert "Sanitizer" not in made.ingest.log_text() and "runtime error" not in made.ingest.log_text()
    finally:
        made.stop()


class Car:
    """A vehicle's own connection; it numbers, sends and listens to its acks."""

    def __init__(self, site, vin):
        self.site, self.vin, self.seq, self.ticks = site, vin, 0, 0
        self.stream = str(uuid.uuid4())
        self.client = site.client(vin, "vehicle")
        assert self.client.subscribe(topic(vin, "down/ack")) == 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def head(self, kind, seq=None, stream=None):
        if seq is None:
            self.seq += 1
            seq = self.seq
        return {"schema": f"{kind}/1", "stream": stream or self.stream, "seq": seq, "clock": "gps"}

    def publish(self, leaf, body, qos=1, retained=False):
        payload = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
        assert self.client.publish(topic(self.vin, f"up/{leaf}"), payload, qos, retained) in (
            None, mqtt5.SUCCESS, mqtt5.NO_SUBSCRIBERS)

    def telemetry(self, samples, seq=None, stream=None):
        """`samples`: {t: {path: value}}"""
        record = self.head("telemetry", seq, stream)
        record["samples"] = [{"t": t, "s": s} for t, s in samples.items()]
        self.publish("telemetry", record)
        return record

    def one(self, seq=None, t=None, **more):
        """A record of one sample; returns its time."""
        self.ticks = max(self.ticks + 1, now_ms() - 1000)  # two samples of one millisecond would be one point
        t = t or self.ticks
        self.telemetry({t: {SPEED: 50.0}}, seq, **more)
        return t

    def event(self, kind, data, seq=None, stream=None, identity=None, leaf="event", **more):
        body = {**self.head(leaf, seq, stream), "id": identity or str(uuid.uuid4()), "t": now_ms(), "type": kind,
                "data": data, **more}
        self.publish(leaf, body)
        return body

    def online(self, state="online", retained=True, **more):
        self.publish("state", {"schema": "state/1", "state": state, "boot": str(uuid.uuid4()), "agent": "1.0.0",
                               "t": now_ms(), "config": 3, "sources": {"gps": "ok", "obd": "ok", "camera": "absent"},
                               **more}, retained=retained)

    def next_ack(self, timeout_s=90):
        message = self.client.receive(timeout_s)
        assert message.topic == topic(self.vin, "down/ack") and message.qos == 1 and not message.retained
        ack = json.loads(message.payload)
        assert ack["schema"] == "ack/1" and ack["site"] == SITE
        return Ack(ack["stream"], ack["upto"], [tuple(g) for g in ack["gaps"]])

    def wait_ack(self, upto, gaps=(), stream=None, timeout_s=90):
        """Read acks until one says exactly this."""
        wanted, seen = Ack(stream or self.stream, upto, list(gaps)), []
        end = time.monotonic() + timeout_s
        while not seen or seen[-1] != wanted:
            try:
                seen.append(self.next_ack(max(end - time.monotonic(), 0.1)))
            except socket.timeout:
                raise AssertionError(f"no ack {wanted}, only {seen}") from None
        return wanted

    def acks_so_far(self):
        return [json.loads(m.payload) for m in self.client.drain()]
