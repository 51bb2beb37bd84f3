"""A site for the tests of api: PostgreSQL, InfluxDB, the PKI, two customers with people and cars, vigie-api.

One site serves all of them (site()); a test that stops servers starts its own (ApiSite(folder))."""
import atexit
import functools
import http.client
import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

from stack import influx, postgres, wait
from stack.ports import free_port
from stack.process import Process, answers

ROOT = Path(__file__).resolve().parents[2]
BUILD = os.environ.get("VIGIE_BUILD") or "build"
PROGRAM = ROOT / BUILD / "bin/vigie-api"
PASSWORD = "correct horse battery"
OURS = ["WVWZZZ1KZAW000001", "WVWZZZ1KZAW000002", "VF1AAAAA000000003"]
THEIRS = ["WBAAAAAAA00000001", "WBAAAAAAA00000002"]
ROLES = ["owner", "admin", "dispatcher", "mechanic", "driver", "auditor"]


wait_until = functools.partial(wait.wait_until, every_s=0.06)  # a person may ask 20 times a second


def free_ports(n):
    return [free_port() for _ in range(n)]


class Answer:
    def __init__(self, response):
        self.code, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def type(self):
        """The stable word of a problem."""
        assert self.headers["content-type"] == "application/problem+json", (self.code, self.body)
        return self.json["type"]


class ApiSite:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.http, self.https, self.admin = free_ports(3)
        self.url, self.pki = f"http://127.0.0.1:{self.http}", self.folder / "pki"
        self.postgres = postgres.start(self.folder / "postgres", 5432)
        self.influx = influx.start(self.folder / "influx", free_ports(1)[0])
        self.api = None
        try:
            self.fill()
            self.serve()
        except BaseException:
            self.stop()
            raise

    # ---- what is in it
    def fill(self):
        self.run("migrate")
        self.run("pki", "init")
        self.customers = [self.run("customer", "add", name).strip() for name in ("Ours", "Theirs")]
        self.run("user", "add", "owner", "--role", "owner", "--customer", self.customers[0])
        self.run("user", "add", "stranger", "--role", "owner", "--customer", self.customers[1])
        for role in ROLES[1:]:
            self.add_user(role, role)
        self.run("vehicle", "add", *OURS, "--customer", self.customers[0])
        self.run("vehicle", "add", *THEIRS, "--customer", self.customers[1])

    def add_user(self, name, role="owner", customer=0):
        """Another person with the same password; hashing it again would only cost time."""
        self.sql("INSERT INTO app_user (id, customer_id, username, role, password_hash) SELECT gen_random_uuid(),"
                 f" '{self.customers[customer]}', '{name}', '{role}', password_hash FROM app_user"
                 " WHERE username = 'owner'")
        return name

    def fresh_user(self, role="owner", customer=0):
        """Someone nobody else's rate limit or sign-out touches."""
        return self.add_user("u" + secrets.token_hex(6), role, customer)

    def run(self, *argv, code=0, env=None):
        done = subprocess.run([PROGRAM, *argv], capture_output=True, text=True, timeout=60, env=self.env(env))
        assert done.returncode == code, (argv, done.returncode, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def env(self, more=None):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("VIGIE_")}
        return {**clean, "VIGIE_PG": self.postgres.conninfo(), "VIGIE_PKI_DIR": str(self.pki),
                "VIGIE_PASSWORD": PASSWORD, **(more or {})}

    def sql(self, statement):
        return self.postgres.sql(statement)

    def write_minutes(self, lines):
        self.write(lines, "&rp=minutes")

    def write(self, lines, where=""):
        """Line protocol, ms."""
        self.query("CREATE DATABASE fleet")
        request = urllib.request.Request(f"{self.influx.address}/write?db=fleet&precision=ms{where}", data=lines.encode(),
                                         method="POST")
        urllib.request.urlopen(request, timeout=60).close()

    def query(self, statement):
        data = urllib.parse.urlencode({"q": statement}).encode()
        with urllib.request.urlopen(f"{self.influx.address}/query?db=fleet", data=data, timeout=60) as answer:
            return json.load(answer)

    # ---- the program
    def serve(self, *more):
        argv = [PROGRAM, "serve", f"--listen=127.0.0.1:{self.http}", f"--listen-vehicles=127.0.0.1:{self.https}",
                f"--admin=127.0.0.1:{self.admin}", f"--pki-dir={self.pki}", f"--influx={self.influx.address}",
                f"--assets={ROOT}/tests/integration/no-dashboard", f"--origins={self.url},http://localhost:{self.http}",
                "--brokers=mqtts://localhost:8883,mqtts://other:8883", "--ws-url=ws://127.0.0.1:8081", *more]
        env = {"VIGIE_PG": self.postgres.conninfo("vigie_api")}
        self.api = Process("api", argv, self.folder / "api.log", env, lambda: self.ready() == 200)
        self.api.spawn()
        self.api.wait_ready()

    def restart(self, *more):
        self.api.stop()
        self.serve(*more)

    def ready(self):
        return answers(f"http://127.0.0.1:{self.admin}/readyz")

    def metric(self, name):
        """Sum of all series that begin so."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    def stop(self):
        for server in (self.api, self.influx, self.postgres):
            if server:
                server.stop()

    # ---- asking it
    def ask(self, method, path, body=None, headers=None, token=None):
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        if not path.startswith("/"):
            path = "/api/frontend/" + path
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=60)
        try:
            connection.request(method, path, body, headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def sign_in(self, user="owner", password=PASSWORD):
        return self.ask("POST", "session", {"username": user, "password": password})

    def token(self, user="owner"):
        answer = self.sign_in(user)
        assert answer.code == 200, answer.body
        return answer.json["access_token"]

    def tls(self, cert=None):
        context = ssl.create_default_context(cafile=self.pki / "service-root.pem")
        if cert:
            context.load_cert_chain(*cert)
        return context

    def ask_car(self, method, path, body=None, cert=None, headers=None):
        connection = http.client.HTTPSConnection("localhost", self.https, timeout=60, context=self.tls(cert))
        try:
            data = json.dumps(body) if body is not None else None
            connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def raw(self, text, wait_s=60):
        """Bytes in, bytes out until the other side closes (b"" when it said nothing)."""
        with socket.create_connection(("127.0.0.1", self.http), timeout=wait_s) as s:
            s.sendall(text if isinstance(text, bytes) else text.encode())
            got = b""
            try:
                while chunk := s.recv(65536):
                    got += chunk
            except ConnectionResetError:
                pass
            return got

    def raw_answer(self, text, wait_s=60):
        """The first answer on a connection of its own, which may stay open."""
        with socket.create_connection(("127.0.0.1", self.http), timeout=wait_s) as s:
            s.sendall(text if isinstance(text, bytes) else text.encode())
            response = http.client.HTTPResponse(s)
            response.begin()
            return Answer(response)


def cookie_of(answer):
    """The refresh token an answer sets."""
    value = answer.headers["set-cookie"]
    assert value.startswith("vigie_refresh="), value
    return value.split("=", 1)[1].split(";", 1)[0]


_shared = []


def site():
    """The one that is only looked at."""
    if not _shared:
        folder = tempfile.mkdtemp(prefix="vigie-api-")
        _shared.append(ApiSite(folder))
        atexit.register(shutil.rmtree, folder, True)
        atexit.register(_shared[0].stop)
    return _shared[0]
