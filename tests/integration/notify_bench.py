"""vigie-notify between a real broker and a real PostgreSQL, and what a dashboard is to it."""
import functools
import hashlib
import json
import os
import re
import secrets
import socket
import time
import urllib.request
import uuid
import zlib
from pathlib import Path

import mqtt5
import websocket
from bench_pki import BenchPki
from stack import wait
from stack.broker import Broker
from stack.ports import free_port
from stack.postgres import Postgres
from stack.process import Process, answers

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("VIGIE_BUILD", "build")
ORIGIN = "http://dashboard.test"
GUARD = (ROOT / "build" if BUILD.name.startswith("build-") else BUILD) / "lib/vigie_guard.so"  # Mosquitto has no sanitizer
VIN_DIGITS = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"


wait_until = functools.partial(wait.wait_until, every_s=0.15)  # a client may ask 20 times a second


def new_vin():
    return "WVW" + "".join(secrets.choice(VIN_DIGITS) for _ in range(14))


class Closed(Exception):
    def __init__(self, code, why):
        super().__init__(f"closed with {code}: {why}")
        self.code, self.why = code, why


class Dashboard:
    """A client: connects with a ticket, and reads frames as objects."""

    def __init__(self, bench, ticket, origin=ORIGIN, path="/live", protocols=None, small=False, timeout_s=60):
        self.end = time.monotonic() + 180  # bounds a failure, pings or not
        options = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)] if small else []
        self.ws = websocket.create_connection(
            f"ws://127.0.0.1:{bench.port}{path}", origin=origin, timeout=timeout_s, sockopt=options,
            subprotocols=["fleet.v1", f"ticket.{ticket}"] if protocols is None else protocols)

    def send(self, **message):
        self.ws.send(json.dumps(message))

    def subscribe(self, vehicles=("*",), **more):
        self.send(type="subscribe", vehicles=list(vehicles), **more)
        return self

    def frame(self):
        while True:
            assert time.monotonic() < self.end, "nothing of what was waited for came"
            code, data = self.ws.recv_data(control_frame=True)
            if code == websocket.ABNF.OPCODE_CLOSE:
                raise Closed(int.from_bytes(data[:2], "big") if data else None, data[2:].decode())
            if code == websocket.ABNF.OPCODE_TEXT:
                return json.loads(data)

    def next(self, kind):
        """The next frame of this kind, past the others."""
        while (frame := self.frame())["type"] != kind:
            pass
        return frame

    def changes(self, n):
        """The next n frames that are no matter of the live view."""
        found = []
        while len(found) < n:
            if (frame := self.frame())["type"] not in ("live", "snapshot"):
                found.append(frame)
        return found

    def snapshot(self):
        return {v["vin"]: v for v in self.next("snapshot")["vehicles"]}

    def shows(self, vins):
        """Past the snapshots of what it subscribed to before, which may be under way: until one has these and no others."""
        while set(self.snapshot()) != set(vins):
            pass

    def until(self, vin, **wanted):
        """The first object of `vin` that has all this, in whatever frame."""
        while True:
            for v in self.frame().get("vehicles", []):
                if v["vin"] == vin and all(v.get(k) == wanted[k] for k in wanted):
                    return v

    def close_code(self):
        """What it is closed with; None when the connection just ends."""
        try:
            while True:
                self.frame()
        except Closed as closed:
            return closed.code
        except (websocket.WebSocketConnectionClosedException, OSError):
            return None

    def lives(self):
        """Who says nothing for 35 s is hung up on, and a ping is answered only by who reads."""
        self.ws.pong()

    def close(self):
        self.ws.close(timeout=1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ws.shutdown()


class Bench:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.pki = BenchPki(folder / "pki")
        self.broker = Broker(folder / "broker", self.pki.folder, GUARD).start()
        self.postgres = Postgres(folder / "postgres", 5432).start()
        for script in sorted((ROOT / "proto/sql").glob("*.sql")):
            self.postgres.sql(script.read_text())
        self.ours, self.theirs = self.customer(), self.customer()
        self.port, self.admin = free_port(), free_port()
        self.process = self.publisher = None

    # ---- PostgreSQL
    def sql(self, statement):
        return self.postgres.sql(statement)

    def customer(self):
        customer, user = uuid.uuid4(), uuid.uuid4()
        self.sql(f"INSERT INTO customer (id, name) VALUES ('{customer}', 'Garage');"
                 f"INSERT INTO app_user (id, customer_id, username, role, password_hash)"
                 f" VALUES ('{user}', '{customer}', 'u{user.hex}', 'owner', '*')")
        return str(customer), str(user)

    def vehicle(self, owner=None, name="Étoile \"1\"", plate="AB-123-CD", state=True):
        vin, t = new_vin(), int(time.time() * 1000) - 5000
        made = (f"INSERT INTO vehicle (vin, customer_id, name, plate, status)"
                f" VALUES ('{vin}', '{(owner or self.ours)[0]}', '{name}', '{plate}', 'active');")
        if state:
            made += (f"INSERT INTO vehicle_state (vin, last_seen, t_ms, lat, lon, speed_kmh, heading_deg, ignition_on)"
                     f" VALUES ('{vin}', now(), {t}, 48.5, 7.7, 12.5, 90, true);")
        self.sql(made + "NOTIFY fleet")  # in one: the fleet is read at any moment
        return vin

    # ---- what changes: a row each, of which the database tells
    def alert(self, vin, kind="harsh_braking"):
        identity = str(uuid.uuid4())
        self.sql(f"INSERT INTO alert (id, vin, type, ending, state, severity, occurred_at, detected_at, last_at, lat, lon, data)"
                 f" VALUES ('{identity}', '{vin}', '{kind}', 'point', 'open', 'major', now(), now(), now(), 48.5, 7.7,"
                 """ '{"peak_g": 0.5, "lat": 48.5, "lon": 7.7}')""")
        return identity

    def event(self, vin):
        identity = str(uuid.uuid4())
        self.sql(f"INSERT INTO event (vin, id, type, source, occurred_at, detected_at, lat, lon)"
                 f" VALUES ('{vin}', '{identity}', 'refuel', 'ingest', now(), now(), 48.5, 7.7)")
        return identity

    def segment(self, vin, kind="trip"):
        identity = str(uuid.uuid4())
        self.sql(f"INSERT INTO segment (id, vin, kind, state, settled, start_at, end_at, start_lat, start_lon)"
                 f" VALUES ('{identity}', '{vin}', '{kind}', 'open', false, now(), now(), 48.5, 7.7)")
        return identity

    def command(self, vin):
        identity = str(uuid.uuid4())
        self.sql(f"INSERT INTO command (id, vin, type, expires_at) VALUES ('{identity}', '{vin}', 'diagnostics.read',"
                 " now() + interval '1 min')")
        return identity

    def ticket(self, owner=None, origin=ORIGIN, seconds=30):
        ticket = secrets.token_urlsafe(32)
        customer, user = owner or self.ours
        self.sql(f"INSERT INTO ws_ticket VALUES ('{hashlib.sha256(ticket.encode()).hexdigest()}', '{user}', '{customer}',"
                 f" '{origin}', now() + interval '{seconds} s', 'alert,event,trip,command,media')")
        return ticket

    # ---- the program
    def start(self):
        cert, key = self.pki.leaf("svc-notify", "svc-notify", "service")
        argv = [BUILD / "bin/vigie-notify", f"--listen=127.0.0.1:{self.port}", f"--admin=127.0.0.1:{self.admin}",
                f"--origins=http://other.test,{ORIGIN}", f"--mqtt=mqtts://127.0.0.1:{self.broker.port_services}",
                f"--ca={self.pki.path('service-root.pem')}", f"--cert={cert}", f"--key={key}"]
        self.process = Process("notify", argv, self.folder / "notify.log",
                               {"VIGIE_PG": self.postgres.conninfo("vigie_notify")}, self.is_ready)
        self.process.start()
        self.speak()
        return self

    def is_ready(self):
        return answers(f"http://127.0.0.1:{self.admin}/readyz") == 200

    def stop(self):
        if self.publisher:
            self.publisher.drop()
        if self.process:
            self.process.stop()
        self.postgres.stop()
        self.broker.stop()

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=60) as answer:
            return answer.read().decode()

    def metric(self, name, **labels):
        inside = ",".join(f'{k}="{v}"' for k, v in labels.items())
        found = re.search(rf"^{name}{re.escape('{' + inside + '}') if labels else ''} (\S+)$", self.metrics(), re.M)
        return float(found[1]) if found else 0

    def refused(self, reason):
        return self.metric("vigie_notify_refused_total", reason=reason)

    def resident_bytes(self):
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.process.pid}/status").read_text())[1]) * 1024

    # ---- clients
    def dashboard(self, owner=None, **more):
        return Dashboard(self, self.ticket(owner), **more)

    def watching(self, vin=None, **more):
        """A client that has its snapshot, with `vin` in it."""
        client = self.dashboard(**more).subscribe()
        while vin not in client.snapshot() and vin:
            client.subscribe()
            time.sleep(0.1)
        return client

    def speak(self):
        cert, key = self.pki.leaf("svc-ingest", "svc-ingest", "service")
        self.publisher = mqtt5.Client(self.broker.port_services, self.pki.path("service-root.pem"), cert, key,
                                      client_id=f"svc-ingest-bench-{time.monotonic_ns()}")

    def live(self, vin, t=None, topic_vin=None, **values):
        message = {"schema": "live/1", "t": t or int(time.time() * 1000), "vin": vin, "connectivity": "online", **values}
        self.publish(topic_vin or vin, json.dumps(message).encode())
        return message["t"]

    def publish(self, vin, payload):
        self.publisher.publish(f"fleet/v1/{zlib.crc32(vin.encode()) % 64:02x}/{vin}/live", payload, qos=0)
