"""A real Mosquitto with services/broker's configuration and guard, for `make run` and for tests.

    broker = Broker(folder, pki)      # folder: its own; pki: as made by `vigie-api pki init`
    broker.start()                    # fills the template, starts, waits until both ports answer
    broker.revoke(["WVW..."])         # replaces the deny file as `vigie-api revoke` does
    broker.reload()                   # SIGHUP
    broker.stop()

A supervisor that looks after processes itself calls prepare() once and spawn() for every start.
fill() alone serves whoever installs the configuration somewhere else.
"""
import collections
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from .growing import whole_text
from .ports import free_port
from .process import end_with_parent

ROOT = Path(__file__).resolve().parents[2]
ROOM = ROOT / "services" / "broker"
USER = "mosquitto"  # what a broker started as root changes to
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
LINES, KINDS = 5, 64  # of Mosquitto's own refusals in a second: of one client, and of how many


def fill(template, **values):
    """The text `template` with every @NAME@ replaced; a name left over or unknown is an error."""
    for name, value in values.items():
        if f"@{name}@" not in template:
            raise ValueError(f"the template has no @{name}@")
        template = template.replace(f"@{name}@", str(value))
    # Comments explain the placeholders; a setting must not keep one.
    left = re.findall(r"^[^#\n]*(@[A-Z_]+@)", template, re.M)
    if left:
        raise ValueError(f"no value for {', '.join(left)}")
    return template


def as_user(user):
    """What to put before a command so that root runs it as `user`, yet able to read root's keys.

    Mosquitto started as root changes user before it reads plugin, keys and CRL, and again at every
    SIGHUP; below a folder closed to others it would find none of them."""
    if os.geteuid() != 0:
        return []
    bounding = int(re.search(r"^CapBnd:\s*(\w+)", Path("/proc/self/status").read_text(), re.M)[1], 16)
    if bounding >> CAP_DAC_READ_SEARCH & 1:
        caps = "-all,+dac_read_search"
    elif bounding >> CAP_DAC_OVERRIDE & 1:  # many containers have only this one
        caps = "-all,+dac_override"
    else:
        caps = "-all"
    # Changing user makes the kernel forget the signal end_with_parent asked for.
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--pdeathsig=TERM",
            f"--inh-caps={caps}", f"--ambient-caps={caps}"]


def owned_by_broker(path):
    if os.geteuid() == 0:
        entry = pwd.getpwnam(USER)
        os.chown(path, entry.pw_uid, entry.pw_gid)


class LogFilter:
    """Keeps of Mosquitto's debug lines its refusals only, and of those a few per client and second.

    `sink` is the stderr to give to a broker; the thread ends when the last holder closed it."""
    CHATTER = re.compile(rb"[^ ]+: (Received |Sending |No will message|Will message specified|\t)")
    REFUSAL = re.compile(rb"[^ ]+: ((Denied|Dropped too large) PUBLISH from .*?) \(d")

    def __init__(self, path):
        source, self.sink = os.pipe()
        self.second, self.kinds, self.left_out = 0, collections.Counter(), 0
        self.thread = threading.Thread(target=self.run, args=(source, path), daemon=True)
        self.thread.start()

    def keeps(self, line):
        if self.CHATTER.match(line):
            return False
        refusal = self.REFUSAL.match(line)
        if not refusal:
            return True
        if refusal[1] in self.kinds or len(self.kinds) < KINDS:
            self.kinds[refusal[1]] += 1
            if self.kinds[refusal[1]] <= LINES:
                return True
        self.left_out += 1
        return False

    def new_second(self):
        self.second = int(time.monotonic())
        self.kinds.clear()
        left_out, self.left_out = self.left_out, 0
        return b"%d more refusals of Mosquitto in that second\n" % left_out if left_out else b""

    def run(self, source, path):
        with open(source, "rb") as lines, open(path, "ab", buffering=0) as log:
            for line in lines:
                if int(time.monotonic()) != self.second:
                    log.write(self.new_second())
                if self.keeps(line):
                    log.write(line)
            log.write(self.new_second())


class Broker:
    name = "mosquitto"

    def __init__(self, folder, pki, guard=None, bind="127.0.0.1", port_vehicles=None,
                 port_services=None, log=None, refusals=True, bridge=None, name="mosquitto"):
        """`bridge`: (our site, the other's, port of its services' listener) where this one keeps the
        connection between two sites.  `refusals`: have what Mosquitto itself refuses in the log too (see LogFilter).  It makes
        Mosquitto write several lines per message, so not under load: False there."""
        self.folder = Path(folder).resolve()
        self.pki = Path(pki).resolve()
        self.guard = Path(guard or ROOT / "build/lib/vigie_guard.so").resolve()
        self.bind = bind
        self.port_vehicles = port_vehicles or free_port()
        self.port_services = port_services or free_port()
        self.log = Path(log or self.folder / "mosquitto.log")
        self.refusals, self.bridge, self.name = refusals, bridge, name
        self.etc, self.data = self.folder / "etc", self.folder / "data"
        self.conf = self.etc / "mosquitto.conf"
        self.deny_file = self.pki / "revoked.vins"
        self.process = None

    def prepare(self):
        """Write the folder; what is in data/ and in the deny file stays."""
        self.etc.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(mode=0o700, exist_ok=True)
        owned_by_broker(self.data)
        acl = self.etc / "fleet.acl"
        shutil.copyfile(ROOM / "fleet.acl", acl)
        acl.chmod(0o600)  # from 2.0.21 Mosquitto warns about any other mode or owner
        owned_by_broker(acl)
        if not self.deny_file.exists():
            self.deny_file.touch()
        text = fill((ROOM / "mosquitto.conf.in").read_text(), PKI=self.pki, LIB=self.guard.parent,
                    ETC=self.etc, DATA=self.data, BIND=self.bind,
                    PORT_VEHICLES=self.port_vehicles, PORT_SERVICES=self.port_services)
        if self.bridge:
            site, other, port = self.bridge
            text += fill((ROOM / "bridge.conf.in").read_text(), SITE=site, OTHER=other, ADDRESS=f"{self.bind}:{port}",
                         PKI=self.pki)
        if self.refusals:
            text += "\nlog_type debug\n"
        self.conf.write_text(text)

    def command(self):
        found = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        return as_user(USER) + [found or "mosquitto", "-c", str(self.conf)]

    def spawn(self):
        """Start the process (its pid is Mosquitto's own) and return it; does not wait."""
        if self.refusals:
            sink = LogFilter(self.log).sink
        else:
            sink = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=sink,
                                            stderr=sink, start_new_session=True,
                                            preexec_fn=end_with_parent)
        finally:
            os.close(sink)
        return self.process

    def wait_ready(self, timeout_s=60):
        end = time.monotonic() + timeout_s
        for port in (self.port_vehicles, self.port_services):
            while True:
                if self.process.poll() is not None:
                    raise RuntimeError(f"mosquitto ended with {self.process.returncode}, see {self.log}")
                try:
                    socket.create_connection((self.bind, port), 1).close()
                    break
                except OSError:
                    if time.monotonic() > end:
                        raise RuntimeError(f"no answer on port {port}, see {self.log}") from None
                    time.sleep(0.02)

    def start(self):
        self.prepare()
        self.spawn()
        self.wait_ready()
        return self

    def revoke(self, vins):
        aside = self.deny_file.with_suffix(".new")
        aside.write_text("".join(f"{vin}\n" for vin in vins))
        aside.rename(self.deny_file)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def kill(self):
        """As a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self, timeout_s=30):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()

    def log_text(self):
        return whole_text(self.log)
