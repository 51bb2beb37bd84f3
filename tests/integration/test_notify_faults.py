"""The live feed when something is away, slow or told to stop."""
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest
from notify_bench import BUILD, Bench, Dashboard, answers, wait_until
from stack.ports import free_port
from stack.process import sanitized

pytestmark = pytest.mark.skipif(not shutil.which("mosquitto", path="/usr/sbin:/usr/bin") or not shutil.which("pg_config"),
                                reason="mosquitto or PostgreSQL is not installed")
MANY = 6000  # vehicles: a frame of all of them is far more than any socket takes at once


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("notify-faults"))
    try:
        yield bench.start()
    finally:
        bench.stop()


def ready_code(bench):
    return answers(f"http://127.0.0.1:{bench.admin}/readyz")


def test_postgresql_killed_and_back(bench):
    vin = bench.vehicle()
    with bench.watching(vin) as client:
        spare = bench.ticket()
        bench.postgres.kill()
        wait_until(lambda: ready_code(bench) == 503)
        t = bench.live(vin, speed=44)  # who is in goes on seeing
        assert client.until(vin, t=t)["speed"] == 44
        with Dashboard(bench, spare) as late:
            assert late.close_code() == 1011
        assert bench.refused("unavailable") >= 1
        bench.postgres.start()
        wait_until(lambda: ready_code(bench) == 200)
        new = bench.vehicle(name="After")  # heard of by NOTIFY: the new connection listens too
        client.until(new, name="After")
    with bench.watching():
        wait_until(lambda: bench.metric("vigie_notify_clients") == 1)


def test_the_broker_killed_and_back(bench):
    vin = bench.vehicle()
    with bench.watching(vin) as client:
        bench.broker.kill()
        wait_until(lambda: ready_code(bench) == 503)
        client.send(type="ping")
        client.next("pong")
        bench.sql(f"UPDATE vehicle_state SET last_seen = now() - interval '90 s' WHERE vin = '{vin}'; NOTIFY vehicle")
        client.until(vin, connectivity="late")  # freshness goes on being told
        bench.broker.start()
        bench.speak()
        wait_until(lambda: ready_code(bench) == 200)
        heard = bench.metric("vigie_notify_live_total")
        wait_until(lambda: bench.live(vin, speed=66) and bench.metric("vigie_notify_live_total") > heard)
        client.until(vin, speed=66, connectivity="online")


def test_a_client_that_does_not_read_costs_one_frame_and_then_gets_a_fresh_one(bench):
    first = bench.vehicle()
    bench.sql(f"INSERT INTO vehicle (vin, customer_id, name, status) SELECT 'VF1' || lpad(n::text, 14, '0'), '{bench.ours[0]}',"
              f" repeat('n', 200), 'active' FROM generate_series(1, {MANY}) n; NOTIFY fleet")
    with bench.dashboard() as reader, bench.dashboard(small=True) as sleeper:
        wait_until(lambda: len(reader.subscribe().snapshot()) > MANY)
        skipped = bench.metric("vigie_notify_conflated_total")
        while bench.metric("vigie_notify_conflated_total") == skipped:  # until no buffer takes any more
            assert time.monotonic() < sleeper.end
            sleeper.subscribe()
            bench.live(first, speed=1)
            time.sleep(0.1)
        for speed in range(2, 1300):
            bench.live(first, speed=speed % 290 + 2)
            time.sleep(0.01)
            if speed % 100 == 0:
                sleeper.lives()
                reader.lives()
            if speed == 700:  # the fleet was read again by now, and the allocator has what that needs
                before = bench.resident_bytes()
        last = bench.live(first, speed=300)
        reader.until(first, speed=300)  # it holds nobody up
        assert bench.resident_bytes() < before + (8 << 20) or sanitized(BUILD / "bin/vigie-notify")
        frames = []
        while not frames or not any(v["vin"] == first and v.get("t") == last for v in frames[-1]["vehicles"]):
            frames.append(sleeper.frame())
        assert frames[0]["type"] == "snapshot" and len(frames[0]["vehicles"]) > MANY
        # what was under way when it fell asleep, then at once the newest: nothing of what was between
        speeds = {v["speed"] for f in frames for v in f["vehicles"] if v["vin"] == first}
        assert len(speeds - {12.5, 1, 300}) <= 2, speeds
    bench.sql("DELETE FROM vehicle WHERE vin LIKE 'VF1%'; NOTIFY fleet")  # those after it need no such fleet


def test_clients_of_a_tenant_see_the_same_at_the_cost_of_one(bench):
    vin = bench.vehicle()
    clients = []
    try:
        while len(clients) < 10:
            clients.append(bench.watching(vin))
            for c in clients:
                c.lives()
        for speed in (71, 72, 73):
            bench.live(vin, speed=speed)
            for c in clients:
                assert c.until(vin, speed=speed)["speed"] == speed
                for other in clients:
                    other.lives()
    finally:
        for c in clients:
            c.ws.shutdown()


def test_a_connection_that_says_nothing_or_drips_is_not_kept(bench):
    with socket.create_connection(("127.0.0.1", bench.port), 60) as s:
        s.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\n")
        assert s.recv(100) == b""  # after 8 s


def test_sigterm_says_goodbye_and_ends(bench):
    vin = bench.vehicle()
    bench.sql(f"UPDATE vehicle_state SET private_since = {int(time.time() * 1000)} WHERE vin = '{vin}'")
    bench.sql(f"UPDATE vehicle_state SET private_since = NULL WHERE vin = '{vin}'; NOTIFY fleet")
    with bench.watching(vin) as client:
        bench.alert(vin)
        (seen,) = client.changes(1)
        bench.process.process.send_signal(signal.SIGTERM)
        assert client.close_code() == 1001
        assert bench.process.process.wait(60) == 0
    assert "event=stopping" in (bench.folder / "notify.log").read_text().splitlines()[-1]
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", bench.port), 2)
    missed = bench.alert(vin)
    bench.start()
    with bench.dashboard() as client:  # what changed before it started can be resumed
        client.subscribe(resume=seen["cursor"])
        assert client.frame()["type"] == "snapshot" and client.changes(1)[0]["id"] == missed
    with bench.dashboard() as client:  # it starts with what the database has: no place from before private mode either
        seen = client.subscribe().snapshot()[vin]
        assert seen["speed"] == 12.5 and "lat" not in seen and "private_since" not in seen


def backend(bench):
    """The one that serves it: one connection, whatever happened before."""
    pids = lambda: [int(p) for p in bench.sql("SELECT pid FROM pg_stat_activity WHERE usename = 'vigie_notify'").split()]
    return wait_until(lambda: len(pids()) == 1 and pids())[0]


def test_a_postgresql_that_hangs_is_away(bench):
    vin, pid = bench.vehicle(), backend(bench)
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: ready_code(bench) == 503)
        wait_until(lambda: ready_code(bench) == 200)  # another connection is answered
        with bench.watching(vin):
            pass
    finally:
        os.kill(pid, signal.SIGCONT)


def test_it_ends_although_postgresql_hangs(bench):
    ticket = bench.ticket()
    pid = backend(bench)
    os.kill(pid, signal.SIGSTOP)
    try:
        with Dashboard(bench, ticket) as client:  # its ticket waits for an answer
            client.send(type="ping")
        bench.process.process.send_signal(signal.SIGTERM)
        assert bench.process.process.wait(60) == 0
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_port_that_is_taken_and_settings_that_are_wrong_are_said(bench, tmp_path):
    own = [f"--{name}=127.0.0.1:{free_port()}" for name in ("listen", "admin")]
    argv, env = bench.process.argv + own, bench.process.env
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(argv + [f"--listen=127.0.0.1:{port}"], env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and f"127.0.0.1:{port}" in done.stderr
    for wrong in ("--listen=8081", "--listen=127.0.0.1:99999", "--tick=5", "--tick=2s", "--mqtt=mqtt://127.0.0.1:1"):
        done = subprocess.run(argv + [wrong], env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and "level=error" in done.stderr, wrong
        done = subprocess.run(argv + ["--check", wrong], env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == (0 if "mqtt" in wrong else 2), wrong  # --check opens nothing
