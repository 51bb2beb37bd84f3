"""What the agent says to systemd, as systemd hears it: a datagram socket, and nothing else of systemd."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from vehicle_bench import GPSD, MOSQUITTO, VIN, VehicleBench, main_loop_stands, wait_for  # noqa: E402

pytestmark = pytest.mark.skipif(not GPSD or not MOSQUITTO, reason="gpsd or mosquitto is not installed")

INTERVAL_S = 2


class Supervisor:
    """NOTIFY_SOCKET's other end."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)
        self.heard = []

    def poll(self):
        try:
            while True:
                self.heard.append((time.monotonic(), self.socket.recv(4096).decode()))
        except BlockingIOError:
            return self.heard

    def said(self, word):
        return [text for _, text in self.poll() if word in text.split("\n")]

    def since(self, moment):
        return [text for t, text in self.poll() if t > moment]


@pytest.fixture
def bench(tmp_path):
    b = VehicleBench(tmp_path / "bench", gps=False)
    yield b
    b.stop()


def start(b, name, **env):
    supervisor = Supervisor("\0" + name[1:] if name[0] == "@" else name)
    b.spawn("agent", b.agent_argv(), env={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": str(INTERVAL_S * 1000000), **env})
    return supervisor


@pytest.mark.parametrize("abstract", [False, True])
def test_it_says_ready_then_that_it_turns_then_that_it_stops(bench, tmp_path, abstract):
    folder = tempfile.mkdtemp(prefix="vigie-", dir="/tmp")  # the address of a socket is short
    began = time.monotonic()
    supervisor = start(bench, f"@vigie-{os.getpid()}" if abstract else f"{folder}/notify")
    wait_for("ready", lambda: supervisor.said("READY=1"))
    assert supervisor.said(f"STATUS={VIN}") and bench.ready()
    wait_for("the watchdog, again and again", lambda: len(supervisor.said("WATCHDOG=1")) >= 3)
    turns = len(supervisor.said("WATCHDOG=1"))
    assert turns <= (time.monotonic() - began) / (INTERVAL_S / 4) + 1, "at half of its time, not at every turn"
    assert bench.end("agent") == 0
    assert supervisor.said("STOPPING=1")
    shutil.rmtree(folder)


def test_the_watchdog_hears_nothing_while_the_main_loop_stands(bench):
    supervisor = start(bench, f"@vigie-loop-{os.getpid()}")
    wait_for("the watchdog", lambda: supervisor.said("WATCHDOG=1"))
    with main_loop_stands(bench.processes["agent"].pid):
        time.sleep(0.1)
        supervisor.poll()  # what it had said before
        stood = time.monotonic()
        while time.monotonic() < stood + 2 * INTERVAL_S:
            assert bench.get("/healthz")[0] == 200, "the admin thread answers meanwhile"
            time.sleep(0.2)
        assert not supervisor.since(stood)
    wait_for("the watchdog again", lambda: [t for t in supervisor.since(stood) if t == "WATCHDOG=1"])


def test_a_watchdog_meant_for_another_process_is_not_told(bench):
    supervisor = start(bench, f"@vigie-other-{os.getpid()}", WATCHDOG_PID="1")
    wait_for("ready", lambda: supervisor.said("READY=1"))
    ready = time.monotonic()
    wait_for("a while", lambda: time.monotonic() > ready + INTERVAL_S * 1.5)
    assert not supervisor.said("WATCHDOG=1")


@pytest.mark.parametrize("env", [{"NOTIFY_SOCKET": "nowhere"}, {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "soon"}])
def test_nonsense_from_the_supervisor_is_refused(bench, env):
    done = subprocess.run([str(a) for a in bench.agent_argv()], env={**os.environ, **env}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and list(env)[-1] in done.stderr


def test_nobody_listening_costs_nothing(bench):
    bench.spawn("agent", bench.agent_argv(), env={"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "1000000"})
    wait_for("the agent to be ready", bench.ready)
    assert bench.end("agent", signal.SIGTERM) == 0
