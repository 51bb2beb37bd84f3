"""car.py itself, as a process: pty, TCP, sockets, signals, gpsd."""
import calendar
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import tty

import pytest
from simbench import HERE, VIN, capture
from stack.ports import free_port
from stack.wait import wait_until

import control

QUICK = ["--delay-search", "20", "--delay-reset", "10", "--delay-ecu", "3", "--baud", "1000000",
         "--offset", "1"]
PATIENCE_S = 60.0


class Host:
    """The other end of the adapter's line."""

    def __init__(self, fd):
        self.fd = fd

    def write(self, text):
        os.write(self.fd, text.encode())

    def read(self, end=b">", seconds=PATIENCE_S):
        """Bytes up to `end`; what came so far when there is no more within the time."""
        data = b""
        deadline = time.monotonic() + seconds
        while not data.endswith(end):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                break
            data += os.read(self.fd, 4096)
        return data.decode("latin-1")

    def gather(self, enough):
        """What comes, until it is `enough`, and whatever more comes at once."""
        text, deadline = "", time.monotonic() + PATIENCE_S
        while not enough(text):
            assert time.monotonic() < deadline, f"no more after {text!r}"
            text += self.read(end=b"never", seconds=0.2)
        return text + self.read(end=b"never", seconds=0.5)

    def ask(self, command):
        self.write(command + "\r")
        return self.read()


class Process:
    def __init__(self, folder, *args, part="2018"):
        self.link = str(folder / "tty")
        self.socket = str(folder / "ctl")
        self.child = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "car.py"), "--drive", capture(part),
             "--vin", VIN, "--link", self.link, "--control", self.socket, *QUICK, *args],
            stdout=subprocess.PIPE, text=True)
        self.ready = json.loads(self.child.stdout.readline())

    def order(self, line):
        return control.ask(self.socket, line)

    def state(self):
        return json.loads(self.order("state"))

    def open(self):
        fd = os.open(self.link, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(fd)
        return Host(fd)

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        code = self.child.wait(PATIENCE_S)
        self.child.stdout.close()
        return code


@pytest.fixture
def start(tmp_path):
    """start(*arguments) -> Process; all are ended afterwards."""
    running = []

    def begin(*args, **more):
        running.append(Process(tmp_path, *args, **more))
        return running[-1]
    yield begin
    for process in running:
        if process.child.poll() is None:
            process.stop()


def test_it_talks_and_leaves_nothing_behind(start, tmp_path):
    car = start()
    host = car.open()
    assert host.ask("ATZ") == "ATZ\r\r\rELM327 v2.1\r\r>"
    assert host.ask("ATE0") == "ATE0\rOK\r\r>"
    assert host.ask("ATH1") == "OK\r\r>"
    assert host.ask("0100").startswith("SEARCHING...\r7E8 06 41 00 88 3B 80 11")
    assert host.ask("ATDPN") == "A6\r\r>"
    state = car.state()
    assert state["ports"][0]["protocol"] == "6" and state["requests"] == 1
    assert car.stop() == 0
    assert sorted(os.listdir(tmp_path)) == []


def test_two_commands_at_once_are_answered_in_turn(start):
    host = start().open()
    host.write("ATE0\rATI\r")
    assert host.read() == "ATE0\rOK\r\r>"
    assert host.read() == "ELM327 v2.1\r\r>"


def test_writing_before_the_prompt_stops_the_request(start):
    car = start("--delay-ecu", "5000")  # longer than a machine stands still
    host = car.open()
    host.ask("ATE0")
    host.ask("ATSP6")
    host.write("010C\r")
    wait_until(lambda: car.state()["ports"][0]["received"] == 16, why="the request")
    host.write("010D\r")
    assert host.read() == "STOPPED\r\r>"
    assert host.ask("010D") == "41 0D 00 \r\r>"
    assert car.state()["ports"][0]["stopped"] == 1


def test_a_host_that_is_quick_to_answer_the_prompt_is_never_stopped(start):
    car = start("--delay-ecu", "0", "--delay-adapter", "0")
    host = car.open()
    for command in ("ATE0", "ATSP6", "ATSH7E0"):
        host.ask(command)
    for _ in range(300):
        assert host.ask("010D1") == "41 0D 00 \r\r>"
    assert car.state()["ports"][0]["stopped"] == 0


def test_a_lost_prompt_is_found_with_a_return(start):
    car = start()
    host = car.open()
    host.ask("ATE0")
    assert car.order("fault lost-prompt") == "ok"
    host.write("ATI\r")
    assert host.read(end=b"\r\r") == "ELM327 v2.1\r\r"
    assert host.ask("") == "ELM327 v2.1\r\r>"


def test_a_reply_is_cut_or_full_of_rubbish(start):
    car = start()
    host = car.open()
    host.ask("ATE0")
    car.order("fault cut 3")
    host.write("ATI\r")
    assert host.gather(lambda text: "ELM" in text) == "ELM"
    car.order("fault garbage 40")
    host.write("ATI\r")
    reply = host.read(end=b"ELM327 v2.1\r\r>")
    assert len(reply) == 40 + len("ELM327 v2.1\r\r>")
    car.order("fault nul")
    host.write("ATI\r")
    reply = host.gather(lambda text: ">" in text)
    assert "\0" in reply and reply.replace("\0", "") == "ELM327 v2.1\r\r>"
    assert host.ask("ATI") == "ELM327 v2.1\r\r>"
    car.order("burst 10")
    assert len(host.gather(lambda text: len(text) >= 10)) == 10


def test_echo_that_stays_and_an_adapter_that_falls_silent(start):
    car = start()
    host = car.open()
    host.ask("ATE0")
    car.order("fault echo")
    assert host.ask("ATI") == "ATI\rELM327 v2.1\r\r>"
    car.order("fault echo off")
    car.order("fault silent")
    host.write("ATI\r")
    assert host.read(seconds=0.5) == ""
    car.order("fault clear")
    assert host.ask("ATI") == "ELM327 v2.1\r\r>"


def test_a_supply_dip_resets_the_adapter(start):
    car = start()
    host = car.open()
    host.ask("ATE0")
    assert car.order("lv-reset") == "ok"
    assert host.read() == "\r\rLV RESET\r\r>"
    assert host.ask("ATI") == "ATI\rELM327 v2.1\r\r>"


def test_unplugging_hangs_up_and_replugging_gives_a_new_line(start):
    car = start()
    host = car.open()
    assert car.order("fault unplug") == "ok"
    try:
        gone = os.read(host.fd, 100) == b""
    except OSError:
        gone = True
    assert gone and not os.path.lexists(car.link)
    assert car.state()["ports"][0]["plugged"] is False
    assert car.order("fault replug") == "ok"
    wait_until(lambda: os.path.exists(car.link), why="the new line")
    fresh = car.open()
    assert fresh.ask("ATI") == "ATI\rELM327 v2.1\r\r>"
    car.order("unplug 0.1")
    wait_until(lambda: car.state()["ports"][0]["plugged"], why="the adapter to come back")
    assert car.open().ask("ATI") == "ATI\rELM327 v2.1\r\r>"


def test_ignition_sleep_codes_and_voltage_by_order(start):
    car = start()
    host = car.open()
    for command in ("ATE0", "ATSP6"):
        host.ask(command)
    assert host.ask("010D") == "41 0D 00 \r\r>"
    car.order("fault asleep")
    assert host.ask("010D") == "NO DATA\r\r>"
    car.order("fault asleep off")
    car.order("ignition off")
    assert car.state()["ignition_on"] is False
    assert host.ask("010D") == "NO DATA\r\r>"
    assert host.ask("ATRV") == "12.5V\r\r>"
    car.order("voltage 10.9")
    assert host.ask("ATRV") == "10.9V\r\r>"
    car.order("ignition auto")
    assert car.order("dtc P0301") == "ok"
    assert host.ask("03") == "43 01 03 01 \r\r>"
    assert car.order("dtc P0420 pending") == "ok"
    assert car.state()["dtcs"] == [["P0301", "stored", 0], ["P0420", "pending", 0]]
    assert car.order("dtc clear P0301") == "ok"
    assert host.ask("03") == "43 00 \r\r>"


@pytest.mark.parametrize("line", ["", "dance", "fault", "fault rain", "fault cut x y", "ignition",
                                  "ignition maybe", "dtc P9", "readiness 1", "at noon", "open"])
def test_a_bad_order_is_an_answer_not_a_crash(start, line):
    car = start()
    assert car.order(line).startswith("error")
    assert car.order("state").startswith("{")


def test_over_tcp_too(start):
    car = start("--tcp", str(free_port()))
    with socket.create_connection(("127.0.0.1", car.ready["tcp"])) as link:
        host = Host(link.fileno())
        assert host.ask("ATI") == "ATI\rELM327 v2.1\r\r>"
        car.order("unplug")
        assert link.recv(10) == b""
    car.order("replug")
    wait_until(lambda: car.state()["ports"][1]["plugged"], why="the adapter to come back")
    with socket.create_connection(("127.0.0.1", car.ready["tcp"])) as link:
        assert Host(link.fileno()).ask("ATI") == "ATI\rELM327 v2.1\r\r>"


def test_what_is_answered_is_what_the_car_does(start):
    car = start("--offset", "300", "--track", capture("caliber"))
    host = car.open()
    host.ask("ATE0")
    host.ask("ATSP6")
    for _ in range(5):
        before = car.state()["values"]
        speed = int(host.ask("010D").split()[2], 16)
        after = car.state()["values"]
        assert min(before["0D"], after["0D"]) <= speed <= max(before["0D"], after["0D"])
    now = car.state()
    assert json.loads(car.order(f"at {now['time']}"))["lat"] == now["lat"]


def test_it_knows_when_it_was_asked_for_what(start):
    car = start()
    host = car.open()
    for command in ("ATE0", "ATSP6"):
        host.ask(command)
    began = time.time()
    for command in ("010C", "010C0D", "03"):
        host.ask(command)
    ended = time.time()
    speeds, engine = (json.loads(car.order(f"told {pid}")) for pid in ("0D", "0C"))
    assert (len(speeds), len(engine)) == (1, 2) and engine[1] == speeds[0]
    assert began <= engine[0] <= engine[1] <= ended
    assert json.loads(car.order("told 05")) == []


def test_the_socket_may_lie_deep_in_folders(tmp_path):
    folder = tmp_path / ("d" * 60) / ("e" * 60)
    folder.mkdir(parents=True)
    car = Process(folder)
    try:
        assert car.state()["vin"] == VIN
    finally:
        assert car.stop() == 0
    assert os.listdir(folder) == []


def test_a_restart_with_the_same_epoch_goes_on(start):
    epoch = str(time.time() - 400)
    car = start("--epoch", epoch, "--loop")
    first = car.state()
    car.stop()
    second = start("--epoch", epoch, "--loop").state()
    assert 400 <= first["t"] < second["t"] < first["t"] + PATIENCE_S


def datagram(receiver, wanted):
    """The next datagram that contains (or, with '-', lacks) something."""
    def look():
        text = receiver.recv(4096).decode()
        return text if (wanted[1:] not in text if wanted[0] == "-" else wanted in text) else None
    return wait_until(look, why=f"a datagram with {wanted}")


def test_the_receiver_speaks_once_a_second_and_has_its_own_faults(start):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(PATIENCE_S)
        port = receiver.getsockname()[1]
        car = start("--nmea", f"127.0.0.1:{port}", "--track", capture("caliber"))
        day = lambda: time.strftime("%d%m%y", time.gmtime())
        yesterday = day()  # at midnight
        rmc = datagram(receiver, "GPRMC").split(",")
        assert rmc[2] == "A" and rmc[9] in (yesterday, day())
        car.order("fault gps-nofix")
        assert "GPGSA,A,1" in datagram(receiver, ",V,")
        car.order("fault gps-silent")
        datagram(receiver, "-GPRMC")
        assert list(car.state()["faults"]) == ["gps-silent"]
        car.order("fault gps-silent off")
        datagram(receiver, "GPGSA,A,3")


@pytest.mark.skipif(not shutil.which("gpsd", path=os.environ["PATH"] + ":/usr/sbin"),
                    reason="gpsd is not installed")
def test_gpsd_makes_a_fix_of_it(start):
    ports = [free_port(), free_port()]
    gpsd = subprocess.Popen([shutil.which("gpsd", path=os.environ["PATH"] + ":/usr/sbin"), "-N",
                             "-n", "-S", str(ports[0]), f"udp://127.0.0.1:{ports[1]}"],
                            stderr=subprocess.DEVNULL)
    try:
        car = start("--nmea", f"127.0.0.1:{ports[1]}", "--offset", "100", part="caliber")

        def connect():
            try:
                return socket.create_connection(("127.0.0.1", ports[0]), timeout=PATIENCE_S)
            except OSError:
                return None
        with wait_until(connect, why="gpsd") as link:
            link.sendall(b'?WATCH={"enable":true,"json":true}\n')
            for line in link.makefile():
                report = json.loads(line)
                if report["class"] == "TPV" and report.get("mode") == 3 and "track" in report:
                    break
        stamp = report["time"][:19] + "Z"
        second = calendar.timegm(time.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ"))
        truth = json.loads(car.order(f"at {second}"))
        assert abs(second - time.time()) < PATIENCE_S
        assert report["lat"] == pytest.approx(truth["lat"], abs=1e-8)
        assert report["lon"] == pytest.approx(truth["lon"], abs=1e-8)
        assert report["speed"] * 3.6 == pytest.approx(truth["speed_kmh"], abs=0.005)
        assert report["track"] == pytest.approx(truth["heading_deg"], abs=0.01)
        assert report["altHAE"] == pytest.approx(truth["height_m"], abs=0.11)
        assert report["eph"] > 0
    finally:
        gpsd.kill()
        gpsd.wait()
