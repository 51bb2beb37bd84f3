"""ingest when something dies or hangs: nothing acknowledged is missing, nothing is there twice, nobody waits for ever."""
import http.server
import json
import random
import socket
import struct
import threading
import time
import urllib.error
import urllib.request
import uuid

import pytest

import mqtt5
from ingest_site import LAT, MISSING, RPM, SITE, SPEED, Car, Ingest, Site, now_ms, topic, wait_until
from soak.gate import Gate
from stack.ports import free_port
from stack.postgres import rows_held

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("ingest-faults"))
    try:
        yield made.start()
        assert "Sanitizer" not in made.ingest.log_text() and "runtime error" not in made.ingest.log_text()
    finally:
        made.stop()


@pytest.fixture(autouse=True)
def running(site):
    """A test that fails leaves the next one what it expects."""
    yield
    for store in (site.influx, site.postgres):
        site.go_on(store)
    if site.ingest.process.poll() is not None:
        site.ingest.start()


# ---- a store that hangs


@pytest.mark.parametrize("store", ["influx", "postgres"])
def test_nothing_is_acknowledged_before_both_stores_have_it(site, store):
    frozen = getattr(site, store)
    with site.car() as car:
        car.one()
        car.wait_ack(1)
        try:
            site.freeze(frozen)
            car.one()
            wait_until(lambda: site.ingest.metric("vigie_ingest_unacked_age_seconds") > 0, why="an unacknowledged record")
            wait_until(lambda: not site.ingest.is_ready(), why="/readyz to say so")
            assert car.acks_so_far() == []
        finally:
            site.go_on(frozen)
        car.wait_ack(2)
        assert len(site.points(car.vin)) == 2
        wait_until(site.ingest.is_ready)


def test_who_holds_up_commits_by_a_lock_makes_it_not_ready_for_as_long(site):
    def says():
        try:
            return site.ingest.page("/readyz")
        except urllib.error.HTTPError as error:
            return error.read().decode()

    with site.car() as car:
        car.one()
        car.wait_ack(1)
        told = len(site.ingest.log_text())
        with rows_held(site, f"SELECT 1 FROM watermark WHERE vin = '{car.vin}' FOR UPDATE"):
            car.one()
            wait_until(lambda: "postgres (takes too long)" in says(), why="/readyz to say so")
            assert car.acks_so_far() == [] and "store.away" not in site.ingest.log_text()[told:]
        car.wait_ack(2)
        wait_until(site.ingest.is_ready)


@pytest.mark.parametrize("store", ["influx", "postgres"])
def test_a_hanging_store_does_not_keep_it_from_ending(site, store):
    frozen = getattr(site, store)
    with site.car() as car:
        car.one()
        car.wait_ack(1)
        try:
            site.freeze(frozen)
            car.one()
            wait_until(lambda: site.ingest.metric("vigie_ingest_unacked_age_seconds") > 0, why="an unacknowledged record")
            site.ingest.process.terminate()
            assert site.ingest.process.wait(60) == 0, "it does not wait for the store"
            assert car.acks_so_far() == []
        finally:
            site.go_on(frozen)
        site.ingest.start()
        car.one(seq=2)
        car.wait_ack(2)


def test_what_has_arrived_is_stored_and_acknowledged_before_the_end(site):
    with site.car() as car:
        arrived = lambda: site.ingest.metric("vigie_ingest_messages_total", 'kind="telemetry"')
        before = arrived()
        for _ in range(100):
            car.one()
        wait_until(lambda: arrived() >= before + 100)
        site.ingest.process.terminate()
        assert site.ingest.process.wait(60) == 0
        car.wait_ack(100)
        assert len(site.points(car.vin)) == 100
    site.ingest.start()


def test_live_does_not_wait_for_the_databases(site):
    t = now_ms()
    with site.notify() as notify, site.car() as car:
        assert notify.subscribe(topic(car.vin, "live"), qos=0) == 0
        car.telemetry({t: {SPEED: 1.0}})
        car.wait_ack(1)
        notify.receive()
        try:
            site.freeze(site.influx)
            site.freeze(site.postgres)
            for n in range(1, 4):
                car.telemetry({t + n: {SPEED: 1.0 + n}})
                assert json.loads(notify.receive(90).payload)["t"] == t + n
            assert car.acks_so_far() == []
        finally:
            site.go_on(site.postgres)
            site.go_on(site.influx)
        car.wait_ack(4)


class Narrow(http.server.ThreadingHTTPServer):
    """Stands before InfluxDB and takes `most` bytes at once: 413 for a length that is more, but the first time, and always for a
    body in pieces, no answer at all but a closed connection: an answer amid a body may never arrive."""

    def __init__(self, behind, most):
        super().__init__(("127.0.0.1", 0), NarrowRequest)
        self.behind, self.most, self.refused, self.cut, self.open = behind, most, 0, 0, threading.Event()
        self.open.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class NarrowRequest(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def pieces(self):
        """The body; None when it is too long."""
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
            if len(body) > self.server.most:
                return None
        self.rfile.readline()
        return body

    def answer(self, code, body):
        self.send_response(code)
        if code != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if code != 204:
            self.wfile.write(body)

    def pass_on(self):
        self.server.open.wait(60)
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = self.pieces()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if len(body) > self.server.most and self.server.cut:
                self.server.refused += 1
                self.answer(413, b'{"error":"Request Entity Too Large"}')
                return
        if body is None or len(body) > self.server.most:
            self.server.cut += 1
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        kind = {"Content-Type": self.headers["Content-Type"]} if "Content-Type" in self.headers else {}
        ask = urllib.request.Request(self.server.behind + self.path, body or None, kind, method=self.command)
        try:
            with urllib.request.urlopen(ask, timeout=30) as done:
                self.answer(done.status, done.read())
        except urllib.error.HTTPError as e:
            self.answer(e.code, e.read())

    do_GET = do_POST = do_HEAD = pass_on

    def log_message(self, *args):
        pass


def test_a_group_too_large_for_the_store_is_divided_however_the_store_says_so(site):
    site.ingest.stop()
    with Narrow(site.influx.address, 600) as narrow:
        divided = Ingest(site, "divided", influx=f"http://127.0.0.1:{narrow.server_port}").start()
        try:
            with site.car() as car:
                car.one()
                car.wait_ack(1)
                narrow.open.clear()
                for seq in range(2, 42):
                    car.one(seq=seq)
                wait_until(lambda: divided.metric("vigie_ingest_samples_total") >= 41, why="all of them to wait for the store")
                narrow.open.set()
                car.wait_ack(41)
                assert len(site.points(car.vin)) == 41
                assert site.dead_letters(car.vin) == []
                assert narrow.cut >= 1 and narrow.refused >= 2, "neither the whole nor a half of it fitted"
        finally:
            narrow.open.set()
            divided.stop()
            narrow.shutdown()
    assert divided.process.returncode == 0
    site.ingest.start()


# ---- a store that refuses everybody


def shards_of(site, t):
    start = time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(t / 1000))
    return [row["id"] for row in site.influx.query("SHOW SHARDS") if row["database"] == "fleet" and row["start_time"] == start]


def test_what_influxdb_refuses_of_everybody_is_not_acknowledged_and_stored_once_it_is_mended(site):
    """Somebody has written an integer where cars write floats."""
    t = now_ms() - 33 * 86400_000  # a shard of its own
    text = f"telemetry,vin=SOMEBODY {SPEED}=5i {t}".encode()
    urllib.request.urlopen(f"{site.influx.address}/write?db=fleet&precision=ms", text, timeout=60).close()
    with site.car() as first, site.car() as second, site.car() as third:
        for car in (first, second):  # as far as anybody knows it is theirs
            car.one(t=t + 1)
            car.wait_ack(1)
            assert [reason for reason, _, _ in site.dead_letters(car.vin)] == ["store"]
        told = len(site.ingest.log_text())
        third.one(t=t + 1)
        away = lambda: [line for line in site.ingest.log_text()[told:].splitlines() if "event=store.away" in line]
        wait_until(lambda: away() and not site.ingest.is_ready(), why="/readyz to say that the store is of no use")
        assert len(away()) == 1 and "field type conflict" in away()[0]
        assert third.acks_so_far() == [] and site.dead_letters(third.vin) == []
        for shard in shards_of(site, t):
            site.influx.query(f"DROP SHARD {shard}")
        third.wait_ack(1)
        wait_until(site.ingest.is_ready)
        assert list(site.points(third.vin)) == [t + 1] and site.dead_letters(third.vin) == []
    assert "event=letter.store" in site.ingest.log_text()


def test_what_postgresql_refuses_of_everybody_is_not_acknowledged_and_stored_once_it_is_mended(site):
    def alert(car):
        car.event("low_battery", {}, leaf="alert", severity="warning")

    def facts(car):
        return site.sql(f"SELECT count(*) FROM fact WHERE vin = '{car.vin}'")

    with site.car() as first, site.car() as second, site.car() as third:
        site.sql("ALTER TABLE fact ADD CONSTRAINT nobody CHECK (false) NOT VALID")
        try:
            for car in (first, second):
                alert(car)
                car.wait_ack(1)
                assert [reason for reason, _, _ in site.dead_letters(car.vin)] == ["store"]
            alert(third)
            wait_until(lambda: not site.ingest.is_ready(), why="/readyz to say that the store is of no use")
            assert third.acks_so_far() == [] and site.dead_letters(third.vin) == []
        finally:
            site.sql("ALTER TABLE fact DROP CONSTRAINT nobody")
        third.wait_ack(1)
        wait_until(site.ingest.is_ready)
        assert (facts(first), facts(third)) == ("0", "1") and site.dead_letters(third.vin) == []


class Before(http.server.ThreadingHTTPServer):
    """Stands before InfluxDB and, while `says` is something, answers that to every write."""

    def __init__(self, behind, request=None):
        super().__init__(("127.0.0.1", 0), request or BeforeRequest)
        self.behind, self.most, self.cut, self.says, self.open = behind, 1 << 30, 0, None, threading.Event()
        self.open.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class BeforeRequest(NarrowRequest):
    def do_POST(self):
        if not self.server.says or "/write" not in self.path:
            self.pass_on()
            return
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            self.pieces()
        else:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(*self.server.says)


def test_what_stands_before_influxdb_and_refuses_every_write_loses_nothing(site):
    site.ingest.stop()
    with Before(site.influx.address) as before:
        behind = Ingest(site, "behind", influx=f"http://127.0.0.1:{before.server_port}").start()
        try:
            with site.car() as car:
                car.one()
                car.wait_ack(1)
                seq = 1
                proxy = "The plain HTTP request was sent to HTTPS port"
                for code, body, words in ((400, proxy, proxy), (400, "", "answers 400"), (413, "<html>too large</html>", "answers 413: <html>"),
                                          (413, '{"error":"Too Large"}', "Too Large"), (400, '{"error":"dropped=1"}', "400: dropped=1")):
                    before.says = code, body.encode()
                    for _ in range(3):
                        seq += 1
                        car.one(seq=seq)
                    wait_until(lambda: words in behind.log_text() and not behind.is_ready(), why=f"/readyz to say so: {code} {body}")
                    assert car.acks_so_far() == []
                    before.says = None
                    car.wait_ack(seq)
                    wait_until(behind.is_ready)
                assert len(site.points(car.vin)) == seq and site.dead_letters(car.vin) == []
        finally:
            before.says = None
            behind.stop()
            before.shutdown()
    assert behind.process.returncode == 0
    site.ingest.start()


def test_what_does_not_fit_is_dropped_counted_and_comes_again(site):
    site.ingest.stop()
    small = Ingest(site, "small", queue_slots=4).start()
    try:
        with site.car() as car:
            car.one()
            car.wait_ack(1)
            site.freeze(site.influx)
            car.one(seq=2)
            wait_until(lambda: small.metric("vigie_ingest_unacked_age_seconds") > 0, why="the writer to be busy")
            for seq in range(3, 41):
                car.one(seq=seq)
            wait_until(lambda: small.metric("vigie_ingest_ring_dropped_total") > 0, why="a full queue")
            assert car.acks_so_far() == []
            site.go_on(site.influx)

            def resent():
                for seq in range(2, 41):
                    car.one(seq=seq)
                    time.sleep(0.03)  # what a small queue takes, below the rate of a vehicle
                return site.watermark(car.vin, car.stream) == (40, "{}")
            wait_until(resent)
    finally:
        site.go_on(site.influx)
        small.stop()
    assert small.process.returncode == 0
    site.ingest.start()


# ---- kill -9


class Agent(threading.Thread):
    """A car with an outbox: makes `total` records, or fewer once it has `enough`, and sends what is not acknowledged, newest first,
    again and again until all of it is."""
    WINDOW, AGAIN_S = 30, 2.0

    def __init__(self, site, total, seed):
        super().__init__(daemon=True)
        self.site, self.vin, self.random = site, site.new_vin(), random.Random(seed)
        site.identity(self.vin, "vehicle")
        self.stream, self.began = str(uuid.uuid4()), now_ms() - 10 ** 6
        self.outbox = {seq: self.body(seq) for seq in range(1, total + 1)}
        self.journalled, self.sent_at, self.acknowledged, self.failure = 0, {}, set(), None
        self.car, self.ending, self.enough = None, threading.Event(), threading.Event()

    def body(self, seq):
        head = {"schema": "telemetry/1", "stream": self.stream, "seq": seq, "clock": "gps"}
        if seq % 7 == 0:
            return "event", {**head, "schema": "event/1", "id": str(uuid.uuid4()), "t": self.began + seq, "type": "idle", "data": {"seq": seq}}
        samples = [{"t": self.began + seq * 100 + k, "s": {SPEED: round(self.random.random() * 130, 1), RPM: seq + k / 4,
                                                           LAT: 48 + seq / 1000000}} for k in range(3)]
        return "telemetry", {**head, "samples": samples}

    def connect(self):
        self.car = Car(self.site, self.vin)
        self.car.client.timeout_s = 3
        self.car.online()
        self.sent_at.clear()

    def send_some(self):
        now = time.monotonic()
        open_ = [s for s in range(self.journalled, 0, -1) if s not in self.acknowledged]
        for seq in (open_[:1] + open_[:0:-1])[:self.WINDOW]:  # the newest, then the oldest
            if now - self.sent_at.get(seq, 0) > self.AGAIN_S:
                leaf, body = self.outbox[seq]
                self.sent_at[seq] = now
                self.car.publish(leaf, body, qos=1 if leaf == "event" else 0)

    def take_acks(self):
        for ack in self.car.acks_so_far():
            if ack["stream"] == self.stream:
                gaps = {n for first, last in ack["gaps"] for n in range(first, last + 1)}
                self.acknowledged |= set(range(1, ack["upto"] + 1)) - gaps

    def run(self):
        while not self.ending.is_set():
            try:
                if not self.car:
                    self.connect()
                if not self.enough.is_set():
                    self.journalled = min(self.journalled + 1, len(self.outbox))
                self.send_some()
                self.take_acks()
                if len(self.acknowledged) >= (self.journalled if self.enough.is_set() else len(self.outbox)):
                    break
                time.sleep(0.03)
            except (OSError, mqtt5.Disconnected, mqtt5.Refused, socket.timeout):
                if self.car:
                    self.car.client.drop()
                self.car = None
                time.sleep(0.2)
            except Exception as e:  # a test that hides its own mistakes proves nothing
                self.failure = e
                return
        self.outbox = {seq: self.outbox[seq] for seq in range(1, self.journalled + 1)}
        if self.car:
            self.car.client.close()

    # ---- the ledger
    def points(self, seqs):
        return {s["t"]: s["s"] for n in seqs for s in self.outbox[n][1].get("samples", [])}

    def facts(self, seqs):
        return {self.outbox[n][1]["id"] for n in seqs if self.outbox[n][0] == "event"}

    def stored_facts(self):
        return self.site.sql(f"SELECT id FROM fact WHERE vin = '{self.vin}'").split()

    def check_acknowledged(self):
        """What was acknowledged is there now, whatever died."""
        seqs = set(self.acknowledged)
        stored = self.site.points(self.vin)
        assert {t: stored.get(t) for t in self.points(seqs)} == self.points(seqs)
        assert self.facts(seqs) <= set(self.stored_facts())

    def check_all(self):
        assert self.site.points(self.vin) == self.points(self.outbox)
        facts = self.stored_facts()
        assert len(facts) == len(set(facts)) and set(facts) == self.facts(self.outbox)
        assert self.site.watermark(self.vin, self.stream) == (len(self.outbox), "{}")
        assert self.site.dead_letters(self.vin) == []


def restart(part):
    part.kill()
    part.start()


def test_whatever_is_killed_nothing_acknowledged_is_missing_and_nothing_is_there_twice(site):
    agents = [Agent(site, 260, seed) for seed in range(3)]
    progress = lambda: sum(len(a.acknowledged) for a in agents)
    for agent in agents:
        agent.start()
    try:
        for part in (site.ingest, site.influx, site.postgres, site.broker, site.ingest):
            before = progress()
            wait_until(lambda: progress() >= before + 25 or not any(a.is_alive() for a in agents), 120, "acknowledgements")
            restart(part)
            for agent in agents:
                agent.check_acknowledged()
        wait_until(lambda: not any(a.is_alive() for a in agents), 180, "the outboxes to be empty")
        assert [a.failure for a in agents] == [None] * len(agents)
        for agent in agents:
            agent.check_all()
    finally:
        for agent in agents:
            agent.ending.set()
            agent.join(10)


def progress_of_each(agents, by):
    then = [len(a.acknowledged) for a in agents]
    wait_until(lambda: all(len(a.acknowledged) >= n + by for a, n in zip(agents, then)), 120, "acknowledgements for every car")


def test_what_is_cut_off_from_the_broker_hands_its_shards_over_and_where_all_are_nothing_moves(site):
    gate, agents = Gate(site.broker.port_services, free_port()), []
    cut = Ingest(site, "cut", mqtt=f"mqtts://127.0.0.1:{gate.port}").start()
    owned = lambda: [int(i.metric("vigie_ingest_shards_owned")) for i in (site.ingest, cut)]
    told = lambda: cut.metric("vigie_ingest_messages_total", 'kind="telemetry"')
    moves = lambda: [i.log_text().count("event=shards.left") for i in (site.ingest, cut)]
    try:
        wait_until(lambda: owned() == [32, 32], why="fair shares")
        while len(agents) < 4 or (not told() and len(agents) < 20):  # whose shards are whose is chance
            agents.append(Agent(site, 5000, len(agents)))
            agents[-1].start()
            progress_of_each(agents[-1:], 1)
        assert told() > 0

        gate.cut()
        began = time.monotonic()
        wait_until(lambda: owned() == [64, 0], why="the shards to be taken over")
        print(f"taken over after {time.monotonic() - began:.1f} s")
        progress_of_each(agents, 10)
        assert moves() == [0, 1] and not cut.is_ready()
        wait_until(site.ingest.is_ready, why="the one that has all to be ready")

        gate.open()
        wait_until(lambda: owned() == [32, 32], why="fair shares again")
        before = told()
        wait_until(lambda: told() > before, why="its cars to be heard again")

        site.broker.kill()
        end = time.monotonic() + 4
        while time.monotonic() < end:
            assert owned() == [32, 32], "nobody could do better"
            time.sleep(0.1)
        assert moves() == [0, 1]
        site.broker.start()
        progress_of_each(agents, 10)
        wait_until(lambda: owned() == [32, 32] and cut.is_ready(), why="fair shares in the end")
        for agent in agents:
            agent.enough.set()
        wait_until(lambda: not any(a.is_alive() for a in agents), 90, "the outboxes to be empty")
        assert [a.failure for a in agents] == [None] * len(agents)
        for agent in agents:
            agent.check_all()
    finally:
        for agent in agents:
            agent.ending.set()
            agent.join(10)
        cut.kill()
    wait_until(lambda: site.ingest.metric("vigie_ingest_shards_owned") == 64, why="taking over")


def shards_of_each(site):
    """{pid of a backend: the shards whose history it holds}"""
    held = {}
    rows = site.sql("SELECT pid, objid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND classid::bigint = "
                    f"hashtext('vigie history {SITE}')::bigint & 4294967295")
    for pid, shard in (row.split("|") for row in rows.splitlines()):
        held.setdefault(pid, set()).add(int(shard))
    return held


def test_a_frozen_instance_loses_shards_and_rows_to_another_and_takes_its_part_back(site):
    wait_until(lambda: list(map(len, shards_of_each(site).values())) == [64], why="all shards")
    own, = shards_of_each(site)
    second = Ingest(site, "second", frozen_wait="5s").start()
    owned = lambda *all: [int(i.metric("vigie_ingest_shards_owned")) for i in all]
    waits = ("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'vigie-ingest-writer %' AND wait_event_type = 'Lock'")
    try:
        wait_until(lambda: owned(site.ingest, second) == [32, 32], why="fair shares")
        vins = iter(site.new_vin, None)
        car = Car(site, next(vin for vin in vins if int(topic(vin, "").split("/")[2], 16) in shards_of_each(site)[own]))
        car.one()
        car.wait_ack(1)
        t = now_ms()
        with rows_held(site, f"SELECT 1 FROM watermark WHERE vin = '{car.vin}' FOR UPDATE"):
            car.telemetry({t: {SPEED: 50.0}}, seq=2)
            wait_until(lambda: site.sql(waits) != "0", why="a transaction under way")
            site.freeze(site.ingest)  # so that it will have the rows, and say nothing more
        wait_until(lambda: owned(second) == [64], why="its shards to be the other's")
        assert "event=peer.frozen" in second.log_text()

        def acknowledged():
            car.telemetry({t: {SPEED: 50.0}}, seq=2)
            try:
                return car.next_ack(1).upto == 2
            except socket.timeout:
                return False
        wait_until(acknowledged, why="its cars to be served")
        site.go_on(site.ingest)
        wait_until(lambda: owned(site.ingest, second) == [32, 32], why="fair shares again")
        car.one(seq=3)
        car.wait_ack(3)
        assert site.watermark(car.vin, car.stream) == (3, "{}") and len(site.points(car.vin)) == 3
        assert "event=peer.frozen" not in site.ingest.log_text(), "who slept takes nobody else for dead"
        assert second.log_text().count("event=peer.frozen") == 1
    finally:
        site.go_on(site.ingest)
        second.stop()
    wait_until(lambda: owned(site.ingest) == [64], why="taking over")


def test_a_database_host_without_power_is_missed_by_ingest_as_ingest_is_by_it(site):
    """PostgreSQL gives what the one held, its shards and the rows of its transaction, to the other, which reaches it; alone, the one
    holds what it has until it is back."""
    gate, agents = Gate(site.postgres.port, free_port()), []
    far = Ingest(site, "far")
    far.env["VIGIE_PG"] = f"host=127.0.0.1 port={gate.port} user=vigie_ingest dbname={site.postgres.database}"
    far.start()
    owned = lambda *all: [int(i.metric("vigie_ingest_shards_owned")) for i in all]
    told = lambda: far.metric("vigie_ingest_messages_total", 'kind="telemetry"')
    try:
        wait_until(lambda: owned(site.ingest, far) == [32, 32], why="fair shares")
        while len(agents) < 3 or (not told() and len(agents) < 20):
            agents.append(Agent(site, 5000, len(agents)))
            agents[-1].start()
            progress_of_each(agents[-1:], 1)
        assert told() > 0

        vins = ", ".join(f"'{agent.vin}'" for agent in agents)
        at_work = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'vigie-ingest-writer %' AND client_port > 0 AND "
        with rows_held(site, f"SELECT 1 FROM watermark WHERE vin IN ({vins}) FOR UPDATE"):
            wait_until(lambda: site.sql(at_work + "wait_event_type = 'Lock'") != "0", why="a transaction of its own under way")
            gate.vanish()
        began = time.monotonic()
        wait_until(lambda: "event=shards.unknown" in far.log_text() and not far.is_ready(), why="it to miss the database")
        print(f"PostgreSQL missed after {time.monotonic() - began:.1f} s")
        wait_until(lambda: owned(site.ingest) == [64], why="its shards to be the other's")
        print(f"ingest missed after {time.monotonic() - began:.1f} s")
        progress_of_each(agents, 5)

        site.ingest.kill()
        before = far.metric("vigie_ingest_samples_total")
        wait_until(lambda: far.metric("vigie_ingest_samples_total") > before and far.metric("vigie_ingest_unacked_age_seconds") > 0,
                   why="what it takes in to wait")
        assert far.process.poll() is None and not far.is_ready()
        gate.cut()  # a host that is back knows of no connection
        gate.open()
        wait_until(lambda: owned(far) == [64] and far.is_ready(), why="all to be its own")
        progress_of_each(agents, 5)
        for agent in agents:
            agent.enough.set()
        wait_until(lambda: not any(a.is_alive() for a in agents), 90, "the outboxes to be empty")
        assert [a.failure for a in agents] == [None] * len(agents)
        for agent in agents:
            agent.check_all()
    finally:
        gate.open()
        for agent in agents:
            agent.ending.set()
            agent.join(10)
        far.kill()


def test_it_starts_without_stores_or_broker_and_waits_for_them(site):
    site.ingest.stop()
    with site.car() as car:
        car.online()
    site.influx.kill()
    site.postgres.kill()
    late = Ingest(site, "late")
    late.spawn()
    try:
        wait_until(lambda: "store.away" in late.log_text() and "shards.unknown" in late.log_text())
        assert not late.is_ready() and late.process.poll() is None
        assert "event=broker." not in late.log_text()  # whose name it has nobody can tell yet: it does not dial
        site.influx.start()
        site.postgres.start()
        late.wait_ready()
        with Car(site, site.new_vin()) as car:
            car.one()
            car.wait_ack(1)
    finally:
        late.stop()
    assert late.process.returncode == 0
    site.ingest.start()


def test_a_database_that_takes_nothing_is_told_of_once(site):
    """As one that failed over: it can be read all the same, and some of what is looked at goes."""
    def said(event):
        return site.ingest.log_text()[told:].count(f"event={event}")

    def turn(how):
        site.sql(f"ALTER ROLE vigie_ingest {how}")
        site.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'vigie_ingest'")

    told = len(site.ingest.log_text())
    turn("SET default_transaction_read_only = on")
    try:
        wait_until(lambda: said("again.away") and said("letters.unknown"), why="ingest to say so")
        refused = lambda: int(site.sql("SELECT xact_rollback FROM pg_stat_database WHERE datname = 'vigie'"))
        before = refused()
        wait_until(lambda: refused() >= before + 8, why="several rounds more")
        assert (said("again.away"), said("again.back"), said("letters.unknown")) == (1, 0, 1)
    finally:
        turn("RESET default_transaction_read_only")
    wait_until(lambda: said("again.back"), why="it to go on")
    wait_until(site.ingest.is_ready)
