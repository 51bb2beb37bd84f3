"""The whole system in one folder: servers, services, simulated cars with real agents.

    stack = Stack(folder, Ports.free(), vehicles=3)
    stack.start()            # or start_servers(), start_services(), start_vehicle(n) one by one
    stack.env["VIGIE_URL"]   # what run/env tells
    stack.stop()

`make run` and the integration tests both start it from here, so what is tested is what people run."""
import json
import os
import secrets
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from .broker import Broker
from .fleet import LINE, fleet
from .influx import Influx
from .postgres import Postgres
from .process import Process, Supervisor, answers

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"
ADMIN = "admin"


class Stack:
    def __init__(self, folder, ports, vehicles=3, site="illkirch", build="build", tell=None, loop=True, factor=1,
                 agent_args=(), ingest_args=()):
        self.folder, self.ports, self.site = Path(folder).resolve(), ports, site
        self.build = ROOT / build
        self.cars = fleet(vehicles)
        self.tell = tell or (lambda text: None)
        self.loop, self.factor, self.agent_args, self.ingest_args = loop, factor, agent_args, ingest_args
        self.logs, self.pki = self.folder / "logs", self.folder / "pki"
        self.supervisor = Supervisor(self.folder / "pids", self.tell)
        self.members = {}
        self.sites = (site,)
        self.env = {}
        self.epoch = time.time()

    # ---- parts
    def start(self):
        self.start_servers()
        self.start_services()
        for n in range(1, len(self.cars) + 1):
            self.start_vehicle(n)
        self.write_env()
        return self

    def add(self, member):
        self.members[member.name] = member
        return self.supervisor.start(member)

    def program(self, name, argv, admin, env=None):
        ready = lambda: answers(f"http://127.0.0.1:{admin}/readyz") == 200
        return self.add(Process(name, argv, self.logs / f"{name}.log", env, ready))

    def start_servers(self):
        for folder in (self.folder, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        self.forget_last()
        self.make_pki()
        self.postgres = Postgres(self.folder / "postgres", 5432)  # the number in the socket's name, not a port
        self.influx = Influx(self.folder / "influx", self.ports.influx, self.ports.influx_rpc)
        self.postgres.log, self.influx.log = self.logs / "postgres.log", self.logs / "influxd.log"
        # A sanitized guard cannot be loaded by a broker that is not: always the plain one.
        self.broker = self.make_broker("mosquitto", self.ports.mqtt, self.ports.mqtt_services)
        for server in (self.postgres, self.influx, self.broker):
            self.add(server)
        self.fill_env()
        self.api("migrate")
        self.make_people()

    def make_broker(self, name, vehicles, services, **more):
        broker = Broker(self.folder / name, self.pki, guard=ROOT / "build/lib/vigie_guard.so", port_vehicles=vehicles,
                        port_services=services, log=self.logs / f"{name}.log", name=name, **more)
        broker.prepare()
        return broker

    def start_services(self):
        mqtt = [f"--mqtt=mqtts://127.0.0.1:{self.ports.mqtt_services}", f"--ca={self.pki}/service-root.pem"]
        identity = lambda role: [f"--cert={self.pki}/services/svc-{role}.pem", f"--key={self.pki}/services/svc-{role}.key"]
        pg = lambda role: {"VIGIE_PG": self.postgres.conninfo(f"vigie_{role}")}
        binary = lambda name: str(self.build / "bin" / f"vigie-{name}")
        common = lambda name: [f"--site={self.site}", f"--admin=127.0.0.1:{self.ports.numbers['admin_' + name]}"]
        origins = f"--origins={self.env['VIGIE_URL']},http://127.0.0.1:{self.ports.http}"

        self.start_ingest("ingest", self.site, self.ports.mqtt_services, self.env["VIGIE_INFLUX"], self.ports.admin_ingest)
        self.program("api", [binary("api"), "serve", *common("api"), f"--listen=127.0.0.1:{self.ports.http}",
                             f"--listen-vehicles=127.0.0.1:{self.ports.https}", f"--pki-dir={self.pki}",
                             f"--influx={self.env['VIGIE_INFLUX']}", f"--assets={ROOT}/dashboard/dist",
                             f"--brokers={self.brokers()}", f"--required-sites={','.join(self.sites)}",
                             origins, f"--ws-url={self.env['VIGIE_WS']}", *mqtt, *identity("api")], self.ports.admin_api, pg("api"))
        self.program("notify", [binary("notify"), *common("notify"), *mqtt, *identity("notify"),
                                f"--listen=127.0.0.1:{self.ports.ws}", origins], self.ports.admin_notify, pg("notify"))

    def start_ingest(self, name, site, port, influx, admin, *more):
        state = self.folder / name
        state.mkdir(exist_ok=True)
        self.program(name, [self.build / "bin/vigie-ingest", f"--site={site}", f"--admin=127.0.0.1:{admin}",
                            f"--mqtt=mqtts://127.0.0.1:{port}", f"--ca={self.pki}/service-root.pem",
                            f"--cert={self.pki}/services/svc-ingest.pem", f"--key={self.pki}/services/svc-ingest.key",
                            f"--state-dir={state}", f"--influx={influx}", *self.ingest_args, *more], admin, {"VIGIE_PG": self.postgres.conninfo("vigie_ingest")})

    def brokers(self):
        return f"mqtts://localhost:{self.ports.mqtt}"

    def start_vehicle(self, n):
        car, home = self.cars[n - 1], self.folder / f"vehicle-{n}"
        home.mkdir(exist_ok=True)
        self.enrol(car, home)
        self.start_car(n, car, home)
        self.add(Process(f"gpsd-{n}", [*gpsd(), "-N", "-n", "-S", self.ports.of("gpsd", n),
                                       f"udp://127.0.0.1:{self.ports.of('nmea', n)}"], self.logs / f"gpsd-{n}.log"))
        self.program(f"vehicle-{n}", self.agent_argv(n, car, home), self.ports.of("admin_vehicle", n))

    def start_car(self, n, car, home):
        argv = [PYTHON, ROOT / "tests/sim/car.py", "--drive", car.drive, "--track", LINE, "--vin", car.vin,
                "--link", home / "tty", "--nmea", f"127.0.0.1:{self.ports.of('nmea', n)}", "--control", home / "control",
                "--epoch", self.epoch - car.offset_s, "--factor", self.factor]
        ready = lambda: (home / "tty").exists() and (home / "control").exists()
        self.add(Process(f"car-{n}", argv + (["--loop"] if self.loop else []), self.logs / f"car-{n}.log", ready=ready))

    def agent_argv(self, n, car, home):
        return [self.build / "bin/vigie-vehicle", f"--site={self.site}", f"--vin={car.vin}",
                f"--brokers={self.brokers()}", f"--ca={self.pki}/service-root.pem",
                f"--cert={home}/cert.pem", f"--key={home}/key.pem", f"--api=https://localhost:{self.ports.https}",
                f"--token-file={home}/token", f"--obd=elm327:{home}/tty",
                f"--gps=gpsd:localhost:{self.ports.of('gpsd', n)}", f"--outbox={home}/outbox",
                f"--admin=127.0.0.1:{self.ports.of('admin_vehicle', n)}", *self.agent_args]

    def forget_last(self):
        """Whoever was killed left its word that all is ready, and pids that are somebody else's by now."""
        for file in (self.folder / "env", *(self.folder / "pids").glob("*.pid")):
            file.unlink(missing_ok=True)

    # ---- once per folder
    def make_pki(self):
        self.run([self.build / "bin/vigie-api", "pki", "init", f"--pki-dir={self.pki}"])

    def make_people(self):
        secret = self.folder / "admin.password"
        if not secret.exists():
            secret.touch(0o600)
            secret.write_text(secrets.token_urlsafe(15) + "\n")
        self.env["VIGIE_ADMIN_PASSWORD"] = secret.read_text().strip()
        if not json.loads(self.api("customer", "list", "--json") or "[]"):
            self.api("customer", "add", "Vigie")
        if ADMIN not in [user["username"] for user in json.loads(self.api("user", "list", "--json") or "[]")]:
            self.api("user", "add", ADMIN, "--role", "owner", env={"VIGIE_PASSWORD": self.env["VIGIE_ADMIN_PASSWORD"]})

    def enrol(self, car, home):
        """As an operator would: create the vehicle over REST, hand its one-time token to the agent."""
        if (home / "cert.pem").exists():
            return
        session = Session(self.env)
        session.put(f"vehicles/{car.vin}", {"name": car.name, "plate": car.plate, "make": car.make, "fuel": car.fuel})
        token = home / "token"
        token.touch(0o600)
        token.write_text(json.loads(self.api("enroll-token", car.vin, "--json"))["token"] + "\n")

    # ---- helpers
    def run(self, argv, env=None):
        done = subprocess.run([str(a) for a in argv], env={**os.environ, **self.env, **(env or {})}, text=True,
                              capture_output=True, timeout=120)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(str(a) for a in argv[:3])} failed: {done.stderr.strip()[-500:]}")
        return done.stdout

    def api(self, *argv, env=None):
        return self.run([self.build / "bin/vigie-api", *argv], env)

    def fill_env(self):
        p = self.ports
        self.env.update({
            "VIGIE_URL": f"http://localhost:{p.http}", "VIGIE_WS": f"ws://localhost:{p.ws}/live",
            "VIGIE_ADMIN_USER": ADMIN, "VIGIE_MQTT_HOST": "localhost", "VIGIE_MQTT_PORT": str(p.mqtt),
            "VIGIE_CA": str(self.pki / "service-root.pem"), "VIGIE_PG": self.postgres.conninfo(),
            "VIGIE_INFLUX": f"http://127.0.0.1:{p.influx}", "VIGIE_PKI_DIR": str(self.pki),
            "VIGIE_PIDS": str(self.folder / "pids"), "VIGIE_SITE": self.site,
        })

    def write_env(self):
        """Written last: that it is there means ready."""
        quoted = lambda text: "'" + str(text).replace("'", "'\\''") + "'"
        aside = self.folder / "env.new"
        aside.touch(0o600)
        aside.write_text("".join(f"export {k}={quoted(v)}\n" for k, v in self.env.items()))
        aside.rename(self.folder / "env")

    def stop(self):
        (self.folder / "env").unlink(missing_ok=True)
        self.supervisor.stop()


class Session:
    """A person signed in, as far as setting up a fleet and looking at it needs one."""

    def __init__(self, env):
        self.base, self.origin, self.token = env["VIGIE_URL"] + "/api/frontend/", env["VIGIE_URL"], None
        answer = self.call("POST", "session", {"username": env["VIGIE_ADMIN_USER"], "password": env["VIGIE_ADMIN_PASSWORD"]})
        self.token = answer["access_token"]

    def call(self, method, path, body=None, headers=None):
        headers = {"Content-Type": "application/json", "Origin": self.origin, **(headers or {})}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.base + path, method=method, headers=headers,
                                         data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def get(self, path):
        return self.call("GET", path)

    def put(self, path, body):
        try:
            return self.call("PUT", path, body, {"If-None-Match": "*"})
        except urllib.error.HTTPError as error:
            if error.code != 412:  # it is there already
                raise


def gpsd():
    """As root it would become user gpsd by itself, and then outlive us when we are killed."""
    path = next((p for p in ("/usr/sbin/gpsd", "/sbin/gpsd") if os.path.exists(p)), "gpsd")
    if os.geteuid() != 0:
        return [path]
    return ["setpriv", "--reuid=gpsd", "--regid=dialout", "--clear-groups", "--pdeathsig=TERM", path]
