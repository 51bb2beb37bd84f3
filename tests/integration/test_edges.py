"""The edges of lib/ and lib/store/ against the real servers.

Each edge has a C program of tests (tests/unit/lib, tests/unit/store) that takes addresses from the environment and asks
for what it cannot do itself by a line "@kill broker"; the names of its tests are read from its source, so each of them
is one test here too.
"""

import contextlib
import functools
import http.server
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import zlib

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SAN = os.environ.get("SAN", "")  # the same tests with programs built by make SAN=address,undefined
BUILD = os.path.join(ROOT, f"build-{SAN}" if SAN else "build")
MAKE_WITH = [f"SAN={SAN}"] if SAN else []
sys.path.insert(0, os.path.join(ROOT, "tests"))

from soak.gate import Gate  # noqa: E402
from stack import influx, postgres  # noqa: E402
from stack.ports import free_port  # noqa: E402


def served_tests(program):
    with open(os.path.join(ROOT, "tests/unit", program + ".c"), encoding="utf-8") as f:
        source = f.read()
    table = re.search(r"CMUnitTest with_server\[\] = \{(.*?)\};", source, re.S).group(1)
    return re.findall(r"cmocka_unit_test\(\s*(\w+)\)", table)


@functools.cache
def built(program):
    path = os.path.join(BUILD, "unit", program)
    done = subprocess.run(["make", "-C", ROOT, *MAKE_WITH, os.path.relpath(path, ROOT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return path


def drive(program, test, environment, actions):
    """Run one test of a C program, doing what it asks for."""
    path = built(program)
    said = []
    with subprocess.Popen([path, test], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          bufsize=1, env={**os.environ, **environment}) as p:
        watch = threading.Timer(240, p.kill)
        watch.start()
        for line in p.stdout:
            said.append(line)
            if line.startswith("@"):
                actions[line[1:].strip()]()
                p.stdin.write("ok\n")
                p.stdin.flush()
        p.wait()
        watch.cancel()
    assert p.returncode == 0, "".join(said)
    assert "1 test(s) run" in "".join(said), "".join(said)


# ---- certificates


class Authority:
    """A CA made with openssl, and what it signs."""

    def __init__(self, folder, name):
        self.folder, self.name = str(folder), name
        self.ca = self.path(name + "-ca.pem")
        self._run("req", "-x509", *self._fresh(name + "-ca"), "-subj", f"/CN={name} test root", "-days", "2", "-out",
                  self.ca)

    def path(self, name):
        return os.path.join(self.folder, name)

    def _run(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=self.folder)

    def _fresh(self, name):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.path(name + "-key.pem"))

    def issue(self, name, alternative=None):
        """(certificate, key) of /CN=name."""
        request, cert, key = (self.path(f"{self.name}-{name}{end}") for end in (".csr", ".pem", "-key.pem"))
        self._run("req", "-new", *self._fresh(f"{self.name}-{name}"), "-subj", f"/CN={name}", "-out", request)
        extensions = self.path(f"{self.name}-{name}.ext")
        with open(extensions, "w", encoding="utf-8") as f:
            f.write(f"subjectAltName={alternative}\n" if alternative else "keyUsage=digitalSignature\n")
        self._run("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.path(self.name + "-ca-key.pem"),
                  "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", cert)
        return cert, key


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    ours, other = Authority(folder, "ours"), Authority(folder, "other")
    return {
        "ca": ours.ca,
        "other_ca": other.ca,
        "server": ours.issue("localhost", "DNS:localhost,IP:127.0.0.1"),
        "misnamed": ours.issue("elsewhere", "DNS:elsewhere.example"),
        "client": ours.issue("svc-test"),
        "stranger": other.issue("svc-test"),
    }


# ---- the broker


class Broker:
    CONFIG = """\
per_listener_settings false
allow_anonymous false
acl_file {folder}/acl
message_size_limit 32768
max_packet_size 65536
max_inflight_messages 1000
set_tcp_nodelay true
sys_interval 0
{user}
listener {port} 127.0.0.1
cafile {ca}
certfile {cert}
keyfile {key}
require_certificate true
use_identity_as_username true
tls_version tlsv1.2
"""

    def __init__(self, folder, ca, server):
        self.port = free_port()
        self.folder = str(folder)
        self.log = os.path.join(self.folder, "mosquitto.log")
        with open(os.path.join(self.folder, "acl"), "w", encoding="utf-8") as f:
            f.write("user svc-test\ntopic readwrite test/#\n")
        os.chmod(os.path.join(self.folder, "acl"), 0o600)
        with open(os.path.join(self.folder, "conf"), "w", encoding="utf-8") as f:
            f.write(self.CONFIG.format(folder=self.folder, port=self.port, ca=ca, cert=server[0], key=server[1],
                                       user="user root" if os.geteuid() == 0 else ""))
        self.start()

    @property
    def address(self):
        return f"mqtts://localhost:{self.port}"

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["mosquitto", "-c", os.path.join(self.folder, "conf")], stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while True:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None and time.monotonic() < deadline, open(self.log, encoding="utf-8").read()
            time.sleep(0.02)

    def signal(self, signum):
        self.process.send_signal(signum)

    def end(self, signum):
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signum)
        self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def actions(self):
        return {
            "kill broker": lambda: self.end(signal.SIGKILL),
            "kill frozen broker": self.kill,
            "stop broker": lambda: self.end(signal.SIGTERM),
            "start broker": self.start,
            "freeze broker": lambda: self.signal(signal.SIGSTOP),
            "thaw broker": lambda: self.signal(signal.SIGCONT),
        }


class Rude(threading.Thread):
    """A broker of one's own making: what it does with a client is `serve`'s."""

    def __init__(self, ca, server):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*server)
        self.context.load_verify_locations(ca)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"mqtts://localhost:{self.listener.getsockname()[1]}"
        self.start()

    def run(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):  # the client's end of it is its own affair
                self.serve(plain)


class Kicker(Rude):
    """Takes every client in and says DISCONNECT 152 (administrative action) at once, as a plugin makes Mosquitto do."""

    def serve(self, plain):
        with self.context.wrap_socket(plain, server_side=True) as client:
            client.recv(4096)
            client.sendall(b"\x20\x03\x00\x00\x00")
            time.sleep(0.1)
            client.sendall(b"\xe0\x01\x98")
            client.settimeout(5)
            client.recv(4096)


class Slow(threading.Thread):
    """A way to a broker on which TCP itself takes a while: the queue of those to be let in is full until the door is opened."""

    def __init__(self, to_port):
        super().__init__(daemon=True)
        self.to_port, self.opened = to_port, threading.Event()
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.address = f"mqtts://127.0.0.1:{self.listener.getsockname()[1]}"
        self.first = socket.create_connection(self.listener.getsockname())
        self.first_name = self.first.getsockname()
        self.start()

    @staticmethod
    def carry(one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def run(self):
        self.opened.wait()
        while True:
            try:
                client, who = self.listener.accept()
                if who == self.first_name:
                    client.close()
                    continue
                broker = socket.create_connection(("127.0.0.1", self.to_port))
            except OSError:
                return
            threading.Thread(target=self.carry, args=(client, broker), daemon=True).start()
            threading.Thread(target=self.carry, args=(broker, client), daemon=True).start()

    def end(self):
        self.opened.set()
        self.first.close()
        self.listener.close()


class Resetter(Rude):
    """Says its part of the handshake and resets the connection."""

    def serve(self, plain):
        said, heard = ssl.MemoryBIO(), ssl.MemoryBIO()
        hand = self.context.wrap_bio(heard, said, server_side=True)
        with plain:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            heard.write(plain.recv(65536))
            with contextlib.suppress(ssl.SSLError):  # it wants to hear more, and does not
                hand.do_handshake()
            plain.sendall(said.read())


@pytest.fixture
def slow(broker):
    one = Slow(broker.port)
    yield one
    one.end()


@pytest.fixture
def resetter(certificates):
    one = Resetter(certificates["ca"], certificates["server"])
    yield one
    one.listener.close()


@pytest.fixture
def kicker(certificates):
    one = Kicker(certificates["ca"], certificates["server"])
    yield one
    one.listener.close()


@pytest.fixture
def broker(tmp_path_factory, certificates):
    one = Broker(tmp_path_factory.mktemp("broker"), certificates["ca"], certificates["server"])
    yield one
    one.end(signal.SIGKILL)


@pytest.fixture
def misnamed_broker(tmp_path_factory, certificates):
    one = Broker(tmp_path_factory.mktemp("misnamed"), certificates["ca"], certificates["misnamed"])
    yield one
    one.end(signal.SIGKILL)


@pytest.fixture
def mqtt_environment(broker, misnamed_broker, kicker, certificates):
    return {
        "VIGIE_TEST_BROKER": broker.address,
        "VIGIE_TEST_BROKERS": f"mqtts://localhost:{free_port()},{broker.address}",
        "VIGIE_TEST_MISNAMED": misnamed_broker.address,
        "VIGIE_TEST_KICKER": kicker.address,
        "VIGIE_TEST_CA": certificates["ca"],
        "VIGIE_TEST_OTHER_CA": certificates["other_ca"],
        "VIGIE_TEST_CERT": certificates["client"][0],
        "VIGIE_TEST_KEY": certificates["client"][1],
        "VIGIE_TEST_OTHER_CERT": certificates["stranger"][0],
        "VIGIE_TEST_OTHER_KEY": certificates["stranger"][1],
    }


@pytest.mark.parametrize("test", served_tests("lib/test_mqtt"))
def test_mqtt(test, broker, mqtt_environment):
    drive("lib/test_mqtt", test, mqtt_environment, broker.actions())


@pytest.mark.parametrize("test", served_tests("lib/test_mqtt_link"))
def test_mqtt_link(test, broker, mqtt_environment):
    drive("lib/test_mqtt_link", test, mqtt_environment, broker.actions())


@pytest.mark.parametrize("test", served_tests("lib/test_mqtt_exit"))
def test_mqtt_exit(test, broker, mqtt_environment):
    drive("lib/test_mqtt_exit", test, mqtt_environment, broker.actions())


@pytest.mark.parametrize("test", served_tests("ingest/test_receiver"))
def test_receiver(test, broker, slow, resetter, mqtt_environment):
    gate = Gate(broker.port, free_port())
    environment = {**mqtt_environment, "VIGIE_TEST_SLOW": slow.address, "VIGIE_TEST_RESETTER": resetter.address,
                   "VIGIE_TEST_GATE": f"mqtts://localhost:{gate.port}"}
    actions = {**broker.actions(), "open the door": slow.opened.set, "let packets vanish": gate.vanish}
    drive("ingest/test_receiver", test, environment, actions)


@pytest.mark.parametrize("test", served_tests("ingest/test_speaker"))
def test_speaker(test, broker, mqtt_environment):
    drive("ingest/test_speaker", test, mqtt_environment, broker.actions())


# ---- HTTP


class Manners(http.server.BaseHTTPRequestHandler):
    """An HTTP server's good and bad manners, by path."""

    protocol_version = "HTTP/1.1"
    connections = 0

    def setup(self):
        super().setup()
        type(self).connections += 1

    def log_message(self, *_):
        pass

    def answer(self, code, body, *headers):
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_GET(self):
        what, _, detail = self.path[1:].partition("/")
        if what == "status":
            self.answer(int(detail), detail)
        elif what == "connection":
            self.answer(200, str(Manners.connections))
        elif what == "moved":
            self.answer(302, "", ("Location", "/status/200"))
        elif what == "long":
            self.answer(200, "x" * int(detail))
        elif what == "silence":
            time.sleep(1.5)
            self.close_connection = True
        elif what == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"only this")
            self.close_connection = True
        elif what == "hang-up":
            self.answer(200, "bye")
            self.close_connection = True  # without having said so

    def body(self):
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        pieces = []
        while size := int(self.rfile.readline() or b"0", 16):  # or cut short
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def do_POST(self):
        body = self.body()
        if self.path.startswith("/answers/"):
            code = int(self.path.split("/")[2])
            self.answer(code, "" if code == 204 else '{"error":"so it is"}')
            return
        if self.path.startswith("/plain/"):  # something that stands before InfluxDB
            self.answer(int(self.path.split("/")[2]), "The plain HTTP request was sent to HTTPS port")
            return
        if self.path == "/sum":
            told = " told" if "Content-Length" in self.headers else ""
            self.answer(200, f"{len(body)} {zlib.crc32(body)}{told}")
            return
        self.answer(200, f"{self.command} {self.headers['Content-Type']} expect={self.headers['Expect']} "
                         f"test={self.headers['X-Test']} {len(body)}")

    do_PUT = do_POST


@pytest.fixture
def manners():
    Manners.connections = 0
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Manners) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def secure_manners(certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates["server"])
    context.load_verify_locations(certificates["ca"])
    context.verify_mode = ssl.CERT_REQUIRED
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Manners) as server:
        server.handle_error = lambda *_: None
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://localhost:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("test", served_tests("lib/test_http"))
def test_http(test, manners, secure_manners, certificates):
    environment = {
        "VIGIE_TEST_HTTP": manners,
        "VIGIE_TEST_HTTPS": secure_manners,
        "VIGIE_TEST_NOBODY": f"http://127.0.0.1:{free_port()}",
        "VIGIE_TEST_CA": certificates["ca"],
        "VIGIE_TEST_OTHER_CA": certificates["other_ca"],
        "VIGIE_TEST_CERT": certificates["client"][0],
        "VIGIE_TEST_KEY": certificates["client"][1],
    }
    drive("lib/test_http", test, environment, {})


# ---- the databases


def life_of(server, name):
    return {
        f"kill {name}": server.kill,
        f"start {name}": server.start,
        f"freeze {name}": lambda: server.process.send_signal(signal.SIGSTOP),
        f"thaw {name}": lambda: server.process.send_signal(signal.SIGCONT),
    }


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory):
    hba = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
    one = postgres.start(tmp_path_factory.mktemp("postgres"), free_port(), listen="127.0.0.1", hba=hba)
    one.sql("CREATE ROLE locked LOGIN PASSWORD 'right-hidden'")
    yield one
    one.stop()


@pytest.mark.parametrize("test", served_tests("store/test_postgres_often"))
def test_postgres_often(test, postgres_server):
    drive("store/test_postgres_often", test, {"VIGIE_TEST_PG": postgres_server.conninfo()}, {})


@pytest.mark.parametrize("test", served_tests("store/test_postgres_queue"))
def test_postgres_queue(test, postgres_server):
    drive("store/test_postgres_queue", test, {"VIGIE_TEST_PG": postgres_server.conninfo()}, {})


@pytest.mark.parametrize("test", served_tests("store/test_postgres"))
def test_postgres(test, postgres_server):
    tcp = f"host=127.0.0.1 port={postgres_server.port} user=locked"
    environment = {
        "VIGIE_TEST_PG": postgres_server.address,
        "VIGIE_TEST_PG_LOCKED": f"{tcp} dbname=vigie password=right-hidden",
        "VIGIE_TEST_PG_WRONG_PASSWORD": f"{tcp} dbname=vigie password=wrong-hidden",
        "VIGIE_TEST_PG_NO_PASSWORD": f"{tcp} dbname=vigie",
        "VIGIE_TEST_PG_NO_ROLE": postgres_server.address.replace("user=vigie", "user=nobody-we-know"),
        "VIGIE_TEST_PG_NO_DATABASE": postgres_server.address.replace("dbname=vigie", "dbname=nowhere"),
        "VIGIE_TEST_PG_NOBODY": f"host=127.0.0.1 port={free_port()} dbname=vigie",
        "PGPASSFILE": "/dev/null",
    }
    drive("store/test_postgres", test, environment, life_of(postgres_server, "postgres"))


@pytest.fixture(scope="session")
def influx_server(tmp_path_factory):
    one = influx.start(tmp_path_factory.mktemp("influx"), free_port(), max_body=1_000_000)
    yield one
    one.stop()


@pytest.fixture(scope="session")
def locked_influx(tmp_path_factory):
    one = influx.start(tmp_path_factory.mktemp("locked-influx"), free_port(), admin=("root", "right-one"))
    yield one
    one.stop()


@pytest.mark.parametrize("test", served_tests("store/test_influx"))
def test_influx(test, influx_server, locked_influx, manners):
    environment = {
        "VIGIE_TEST_INFLUX": influx_server.address,
        "VIGIE_TEST_INFLUX_LOCKED": locked_influx.address,
        "VIGIE_TEST_INFLUX_WRONG": locked_influx.address.replace("right-one", "wrong-one"),
        "VIGIE_TEST_HTTP": manners,
    }
    drive("store/test_influx", test, environment, life_of(influx_server, "influx"))
