"""`make run` itself: ready, gone without a trace, and the same data the next time."""
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from stack.ports import STANDARD, Ports, keep
from system import wait_for

ROOT = Path(__file__).resolve().parents[2]
BASES = []


def base_with_free_ports():
    """Kept for this process: another run of these tests, at the same time, takes the next."""
    for base in range(20000, 40000, 200):
        if (held := keep(f"base-{base}")) and not Ports.standard(base, 1).taken():
            BASES.append(held)
            return base
    raise AssertionError("no free ports")


def start(folder, base):
    env = {**os.environ, "RUN_DIR": str(folder), "PORT_BASE": str(base), "VEHICLES": "1"}
    return subprocess.Popen(["/usr/bin/python3", ROOT / "tests/stack/run.py"], env=env, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


def wait_ready(run, folder):
    wait_for("run/env", lambda: (folder / "env").exists() or run.poll() is not None, 180)
    assert run.poll() is None, run.stdout.read()
    text = (folder / "env").read_text()
    return dict(re.findall(r"^export (\w+)='(.*)'$", text, re.M))


def ours(folder):
    """Processes that were told about this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in entry.read_bytes() and int(entry.parent.name) != os.getpid():
                found.append(entry.parent.name)
        except OSError:
            pass
    return found


def vehicles(env):
    out = subprocess.run([ROOT / (os.environ.get("VIGIE_BUILD") or "build") / "bin/vigie-api", "user", "list"], text=True,
                         capture_output=True, env={**os.environ, **env}, timeout=60)
    assert out.returncode == 0, out.stderr
    return out.stdout


def test_ctrl_c_leaves_nothing_and_a_second_run_goes_on_with_the_same_data(tmp_path):
    folder, base = tmp_path / "run", base_with_free_ports()
    first = start(folder, base)
    try:
        env = wait_ready(first, folder)
        assert env["VIGIE_URL"] == f"http://localhost:{8080 + base}"
        assert "admin" in vehicles(env)
        pids = {p.stem for p in (folder / "pids").glob("*.pid")}
        assert {"mosquitto", "postgres", "influxd", "ingest", "api", "notify", "vehicle-1"} <= pids
        password = env["VIGIE_ADMIN_PASSWORD"]
    finally:
        first.send_signal(signal.SIGINT)
        assert first.wait(60) == 0
    wait_for("everything to be gone", lambda: not ours(folder))
    assert not (folder / "env").exists()
    for name, port in STANDARD.items():
        with socket.socket() as s:
            assert s.connect_ex(("127.0.0.1", port + base)) != 0, name
    # As a kill -9 would have left it: no word that it is ready, nor a pid that may be anybody's.
    (folder / "env").write_text("export VIGIE_URL='http://localhost:1'\n")
    (folder / "pids/vehicle-9.pid").write_text("1\n")
    second = start(folder, base)
    wait_for("the last run's word to be gone", lambda: not (folder / "env").exists() or second.poll() is not None, 90, 0.02)
    try:
        assert wait_ready(second, folder)["VIGIE_ADMIN_PASSWORD"] == password
        assert not (folder / "pids/vehicle-9.pid").exists()
    finally:
        second.send_signal(signal.SIGTERM)
        assert second.wait(60) == 0


def test_agents_have_the_ports_that_are_published():
    ports = Ports.standard(1000, vehicles=2)
    assert [ports.of("gpsd", n) for n in (1, 2)] == [1000 + 2951 + n for n in (1, 2)]
    assert [ports.of("admin_vehicle", n) for n in (1, 2)] == [1000 + 9110 + n for n in (1, 2)]


def forget(folder):
    return subprocess.run(["/usr/bin/python3", ROOT / "tests/stack/run.py", "--forget"], text=True, capture_output=True,
                          env={**os.environ, "RUN_DIR": str(folder)}, timeout=60)


def test_forgetting_takes_nothing_that_runs_and_nothing_that_is_not_ours(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "letter").write_text("dear")
    assert forget(folder).returncode == 1 and (folder / "letter").exists()
    assert forget(tmp_path / "nowhere").returncode == 0
    base = base_with_free_ports()
    run = start(tmp_path / "run", base)
    try:
        wait_ready(run, tmp_path / "run")
        refused = forget(tmp_path / "run")
        assert refused.returncode == 1 and "still runs" in refused.stdout
    finally:
        run.send_signal(signal.SIGINT)
        run.wait(60)
    assert forget(tmp_path / "run").returncode == 0 and not (tmp_path / "run").exists()


@pytest.mark.parametrize("name,value", [("VEHICLES", "0"), ("VEHICLES", "abc"), ("PORT_BASE", "60000"),
                                        ("RUN_DIR", "/proc/nope"), ("RUN_DIR", "with space")])
def test_settings_that_make_no_sense_are_said_in_one_line(name, value):
    done = subprocess.run(["/usr/bin/python3", ROOT / "tests/stack/run.py"], text=True, capture_output=True, timeout=60,
                          env={**os.environ, name: value})
    assert done.returncode in (1, 2) and "Traceback" not in done.stderr
    assert name in done.stdout + done.stderr


def test_a_taken_port_is_said_in_one_line(tmp_path):
    base = base_with_free_ports()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", STANDARD["mqtt"] + base))
        taken.listen()
        run = start(tmp_path / "run", base)
        out, _ = run.communicate(timeout=60)
    assert run.returncode == 1
    assert f"port {STANDARD['mqtt'] + base} (mqtt) is taken" in out


def test_a_process_that_dies_is_back_within_two_seconds(own_stack):
    stack = own_stack(vehicles=1)
    for name in ("ingest", "api", "notify", "mosquitto", "influxd", "vehicle-1"):
        member = stack.members[name]
        pid, began = member.process.pid, time.monotonic()
        os.kill(pid, signal.SIGKILL)
        wait_for(f"{name} to be back", lambda m=member, p=pid: m.process.pid != p, 60, 0.02)
        print(f"{name}: back after {time.monotonic() - began:.2f} s")
        wait_for(f"{name} to be ready", lambda m=member: getattr(m, "ready", lambda: True)(), 90)
