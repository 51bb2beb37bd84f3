"""The real agent on a disk that is full, takes nothing, forgets or rots: it goes on, says so, and recovers by itself."""
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from vehicle_bench import GPSD, MOSQUITTO, Service, VehicleBench, wait_for  # noqa: E402

pytestmark = pytest.mark.skipif(not GPSD or not MOSQUITTO, reason="gpsd or mosquitto is not installed")

QUICK = ["--obd-period=200ms", "--record=250ms", "--encoding=json"]
FOREVER = resource.RLIM_INFINITY


@pytest.fixture
def bench(tmp_path):
    made = []

    def make(**more):
        made.append(VehicleBench(tmp_path / f"bench-{len(made)}", gps=False, agent_args=QUICK, **more))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 20 MiB for an outbox."""
    where = tmp_path / "small"
    where.mkdir()
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if root and subprocess.run([*root, "true"], capture_output=True).returncode:
        pytest.skip("only root may mount a file system, and sudo asks for a password")
    subprocess.run([*root, "mount", "-t", "tmpfs", "-o", f"size=20m,uid={os.geteuid()}", "tmpfs", where], check=True)
    yield where
    subprocess.run([*root, "umount", "-l", where], check=True)


def events(service, kind):
    return [e for e in service.of("up/event") if e["type"] == kind]


def assert_none_missing(b, service, patience_ms=2500):
    """No number and no span of time in which the car was asked, from the first sample to the last."""
    for stream, seqs in service.seqs().items():
        assert seqs == list(range(1, seqs[-1] + 1)), f"numbers missing in {stream}: {seqs}"
    times = list(service.samples())
    asked = b.told(0x0C)  # one that a machine stood still for is nobody's loss
    gaps = [(start, end) for start, end in zip(times, times[1:]) if end - start > patience_ms
            and sum(start < at * 1000 < end for at in asked) > 2]
    assert not gaps, gaps


def highest(service):
    return max((seqs[-1] for seqs in service.poll().seqs().values()), default=0)


def test_a_disk_that_takes_nothing_is_told_and_outlived(bench):
    """A limit on file sizes is as good as a full disk, and anybody may set one."""
    b = bench()
    service = Service(b)
    agent = b.start_agent()
    service.wait("records", lambda s: len(s.raw) >= 5)
    resource.prlimit(agent.pid, resource.RLIMIT_FSIZE, (32768, FOREVER))
    wait_for("the log to say so", lambda: "event=outbox.unwritable" in b.log("agent"))
    assert "disk=full" in b.log("agent")
    service.wait("the state to say so", lambda s: s.of("up/state")[-1].get("outbox") == "full")
    assert not b.ready() and b.metric("vigie_vehicle_outbox_writable") == 0
    assert agent.poll() is None
    before = highest(service)
    wait_for("more tries", lambda: b.metric('vigie_vehicle_outbox_failures_total{reason="full"}') >= 8)
    assert highest(service) == before, "a record without a number on disk was sent"
    assert b.log("agent").count("event=outbox.unwritable") == 1, "once per change"
    resource.prlimit(agent.pid, resource.RLIMIT_FSIZE, (FOREVER, FOREVER))
    wait_for("the disk to take it", lambda: "event=outbox.writable" in b.log("agent") and b.ready())
    service.wait("all that waited, and more", lambda s: highest(s) >= before + 8)
    service.wait("the state to say so", lambda s: "outbox" not in s.of("up/state")[-1])
    assert_none_missing(b, service)
    assert not events(service, "samples_dropped") and not events(service, "outbox_lost")


def fill(disk):
    """To the last byte; how many went in."""
    n = 0
    with open(disk / "ballast", "ab", buffering=0) as f:
        for size in (1 << 20, 4096, 1):
            try:
                while n < 64 << 20:
                    n += f.write(b"x" * size)
            except OSError:
                pass
    return n


def test_what_is_in_memory_when_it_ends_is_not_lost_without_a_word(bench):
    b = bench()
    agent = b.start_agent()
    wait_for("the first records", lambda: b.rows("SELECT 1 FROM record"))
    resource.prlimit(agent.pid, resource.RLIMIT_FSIZE, (32768, FOREVER))
    wait_for("the log to say so", lambda: "event=outbox.unwritable" in b.log("agent"))
    b.end("agent")
    assert "event=memory.lost disk=full" in b.log("agent")


def test_a_full_disk_costs_the_oldest_telemetry_and_no_more(bench, small_disk):
    b = bench()
    (b.folder / "outbox").symlink_to(small_disk)
    service = Service(b)
    b.start_agent()
    b.configure(1, required_sites=["illkirch"])
    service.wait("records", lambda s: len(s.raw) >= 10)
    assert (small_disk / "outbox.db.reserve").stat().st_size == 4 << 20
    fill(small_disk)
    wait_for("the reserve to be given", lambda: not (small_disk / "outbox.db.reserve").exists())
    before = highest(service)
    service.wait("records on a full disk", lambda s: highest(s) >= before + 10)
    for _ in range(6):  # somebody else takes what is left, again and again
        fill(small_disk)
        time.sleep(0.5)
    assert b.processes["agent"].poll() is None
    (small_disk / "ballast").unlink()
    wait_for("the agent to be ready", b.ready)
    before = highest(service)
    service.wait("records as before", lambda s: highest(s) >= before + 10)
    assert_none_missing(b, service)
    held = [seq for (seq,) in b.rows("SELECT seq FROM record WHERE stream = 'bulk' ORDER BY seq")]
    lost = max((e["data"]["last"] for e in events(service, "outbox_lost")), default=0)
    assert held == list(range(lost + 1, held[-1] + 1)), "what is missing on disk is what was told"


def remount(disk, how):
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    subprocess.run([*root, "mount", "-o", f"remount,{how}", disk], check=True)


@pytest.mark.parametrize("before", ["never used", "used before"])
def test_it_waits_at_the_start_for_a_folder_that_may_only_be_read(bench, small_disk, before):
    b = bench()
    (b.folder / "outbox").symlink_to(small_disk)
    if before == "used before":
        b.start_agent()
        wait_for("records", lambda: b.rows("SELECT 1 FROM record"))
        b.end("agent")
    remount(small_disk, "ro")
    agent = b.spawn("agent", b.agent_argv())
    wait_for("the log to say so", lambda: "event=outbox.unopened" in b.log("agent"))
    told = [line for line in b.log("agent").splitlines() if "event=outbox.unopened" in line]
    assert len(told) == 1 and f"{b.folder}/outbox: Read-only file system" in told[0] and "mount it rw" in told[0], told
    assert b.get("/healthz")[0] == 200 and not b.ready() and agent.poll() is None
    done = b.run_agent("--status")
    assert "running, not ready: its start waits for the outbox" in done.stdout, done.stdout
    assert "file system that is read-only" in done.stdout, done.stdout
    remount(small_disk, "rw")
    wait_for("the agent to be ready", b.ready)
    assert "running, ready" in b.run_agent("--status").stdout


def test_it_waits_at_the_start_for_a_disk_that_takes_nothing(bench, small_disk):
    b = bench()
    (b.folder / "outbox").symlink_to(small_disk)
    fill(small_disk)
    b.spawn("agent", b.agent_argv())
    wait_for("the log to say so", lambda: "event=outbox.unopened" in b.log("agent"))
    assert f"{b.folder}/outbox" in b.log("agent")
    assert b.get("/healthz")[0] == 200 and not b.ready()
    (small_disk / "ballast").unlink()
    wait_for("the agent to be ready", b.ready)


def test_a_car_finds_its_brokers_when_its_outbox_is_gone(bench):
    b = bench()
    service = Service(b)
    b.start_agent()
    b.configure(1, brokers=[f"mqtts://localhost:{b.broker.port_vehicles}"], required_sites=["illkirch"])
    service.wait("the configuration", lambda s: s.of("up/state") and s.of("up/state")[-1]["config"] == 1)
    known = b.folder / "outbox/known.json"
    wait_for("its second home", known.exists)
    assert known.stat().st_mode & 0o777 == 0o600
    b.end("agent")
    old = b.rows("SELECT id FROM stream WHERE name = 'bulk'")[0][0]
    b.broker.stop()  # and with it the configuration that it retains
    shutil.rmtree(b.folder / "broker/data", ignore_errors=True)
    b.broker.start()
    for how in ("damaged", "missing"):
        if how == "damaged":
            with open(b.folder / "outbox/outbox.db", "r+b") as f:
                f.write(b"\x5a" * 3000)
        else:
            for file in (b.folder / "outbox").glob("outbox.db*"):
                file.unlink()
        service = Service(b)
        argv = [a for a in b.agent_argv() if not str(a).startswith("--brokers")]
        b.spawn("agent", argv)
        service.wait("the event", lambda s: [e for e in events(s, "outbox_reset") if e["data"]["reason"] == how
                                             and e["stream"] != old])
        assert service.of("up/state")[-1]["config"] == 1, "the required sites too"
        wait_for("the configuration to be back", lambda: b.rows("SELECT value FROM note WHERE name = 'config'"))
        b.end("agent")
        service.close()


def rot(path):
    """As if pages had rotted: all are written back first, the agent's own copies of them are out of date."""
    db = sqlite3.connect(path, timeout=20, isolation_level=None)
    db.execute("INSERT INTO note(name, value) VALUES('x', 'y')")
    wait_for("the log to be written back", lambda: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
    db.close()
    size = path.stat().st_size
    with open(path, "r+b") as f:
        f.seek(4096)
        f.write(b"\x5a" * (size - 4096))


def test_an_outbox_that_rots_while_it_runs_is_replaced_in_the_same_process(bench):
    b = bench()
    service = Service(b)
    agent = b.start_agent()
    b.configure(1, required_sites=["illkirch"])
    service.wait("records", lambda s: len(s.raw) >= 5 and "config_applied" in [e["type"] for e in s.of("up/event")])
    old = b.rows("SELECT id FROM stream WHERE name = 'bulk'")[0][0]
    rot(b.folder / "outbox/outbox.db")
    service.wait("new streams", lambda s: [e for e in events(s, "outbox_reset") if e["stream"] != old and
                                           e["data"]["reason"] == "damaged"])
    assert agent.poll() is None and "event=outbox.damaged" in b.log("agent")
    assert list((b.folder / "outbox").glob("outbox.db.damaged-*"))
    assert events(service, "outbox_reset")[-1]["data"]["counted"] in ("none", "partial", "full")
    new = events(service, "outbox_reset")[-1]["stream"]
    service.wait("records in them", lambda s: len(s.seqs().get(new, [])) >= 5)
    assert service.seqs()[new] == list(range(1, service.seqs()[new][-1] + 1))
    assert b.rows("SELECT value FROM note WHERE name = 'config'")[0][0].count("illkirch") == 1
    service.ack(new, 3)
    wait_for("acks to count", lambda: b.rows("SELECT count(*) FROM note WHERE name = 'ack/bulk/illkirch' AND "
                                             f"value LIKE '%{new}%'")[0][0] == 1)


def test_a_record_whose_bytes_changed_is_not_sent(bench):
    b = bench()
    b.start_agent()
    wait_for("records", lambda: b.rows("SELECT count(*) FROM record WHERE stream = 'bulk'")[0][0] >= 12)
    b.broker.stop()
    wait_for("records nobody has", lambda: b.rows("SELECT max(seq) FROM record WHERE stream = 'bulk'")[0][0] >= 25)
    b.end("agent", signal.SIGKILL)
    db = sqlite3.connect(b.folder / "outbox/outbox.db", isolation_level=None)
    stream = db.execute("SELECT id FROM stream WHERE name = 'bulk'").fetchone()[0]
    db.execute("UPDATE record SET payload = CAST(replace(CAST(payload AS TEXT), '\"seq\":20,', '\"seq\":21,') AS BLOB) "
               "WHERE stream = 'bulk' AND seq = 20")
    db.close()
    b.broker.start()
    service = Service(b)
    b.start_agent()
    told = service.wait("the loss to be told", lambda s: events(s, "outbox_lost"))
    assert told[-1]["data"] == {"stream": stream, "first": 20, "last": 20}
    service.wait("the rest", lambda s: set(s.seqs().get(stream, [])) >= set(range(1, 26)) - {20})
    assert 20 not in service.seqs()[stream], "it went out"
    assert b.metric('vigie_vehicle_outbox_spoiled_total{stream="bulk"}') == 1
    assert b.rows("SELECT stream, seq FROM spoiled") == [("bulk", 20)]


def test_an_old_copy_that_is_put_back_begins_new_streams_and_loses_nothing(bench):
    """Driven on in a tunnel until the numbers are beyond those that the site has, and started again there."""
    b = bench()
    service = Service(b)
    b.start_agent()
    b.configure(1, required_sites=["illkirch"])
    service.wait("records", lambda s: highest(s) >= 6)
    b.end("agent")
    shutil.copytree(b.folder / "outbox", b.folder / "copy")
    (old, copied), = b.rows("SELECT id, next_seq - 1 FROM stream WHERE name = 'bulk'")
    b.start_agent()
    service.wait("what the copy does not know", lambda s: s.seqs()[old][-1] >= copied + 6)
    b.end("agent")
    known = service.poll().seqs()[old][-1]
    service.close()

    shutil.rmtree(b.folder / "outbox")
    (b.folder / "copy").rename(b.folder / "outbox")
    b.start_agent("--brokers=mqtts://localhost:9")
    wait_for("more numbers than the site knows", lambda: b.rows("SELECT max(seq) FROM record")[0][0] >= known + 4)
    b.end("agent")
    made = {s["t"] for (text,) in b.rows(f"SELECT payload FROM record WHERE seq > {copied} AND leaf = 'up/telemetry'")
            for s in json.loads(text)["samples"]}
    assert made
    service = Service(b)
    service.ack(old, known, retained=True)  # what ingest answers to a car that has just connected
    b.start_agent()
    told = service.wait("the event", lambda s: [e for e in events(s, "outbox_reset")])[-1]
    new = told["stream"]
    assert new != old and told["data"]["reason"] == "set_back" and told["data"]["unsent"] > 0
    service.wait("all that was made meanwhile", lambda s: made <= {
        sample["t"] for r in s.of("up/telemetry") if r["stream"] == new for sample in r["samples"]})
    service.wait("no number of the new stream to be missing", lambda s: missing(s, new) == set())
    service.ack(new, 10 ** 6)  # a lie: a stream that began in this process is no old copy
    wait_for("it to be counted", lambda: b.metric('vigie_vehicle_acks_ignored_total{reason="beyond"}') >= 2)
    before = highest(service)
    service.wait("more records", lambda s: highest(s) >= before + 3)
    assert b.rows("SELECT id FROM stream WHERE name = 'bulk'") == [(new,)]
    assert b.log("agent").count("event=outbox.set_back") == 1


def missing(service, stream):
    """Numbers that did neither come nor were told as lost."""
    seqs = service.seqs()[stream]
    lost = {n for e in events(service, "outbox_lost") if e["data"]["stream"] == stream
            for n in range(e["data"]["first"], e["data"]["last"] + 1)}
    return set(range(1, seqs[-1] + 1)) - set(seqs) - lost
