"""Dead letters that are decoded again, and losses that are announced: what an operator and a car may ask for."""
import json
import os
import subprocess
import threading
import time
import urllib.request
import uuid

import pytest

import mqtt5
from ingest_site import BUILD, DAY_MS, MISSING, ROOT, SPEED, Site, columnar, make, now_ms, wait_until

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
VERTICAL = "Vehicle.Acceleration.Vertical"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    make(BUILD, "bin/vigie-api")
    made = Site(tmp_path_factory.mktemp("ingest-letters"))
    try:
        yield made.start()
        assert "Sanitizer" not in made.ingest.log_text() and "runtime error" not in made.ingest.log_text()
    finally:
        made.stop()


def run(site, *argv):
    env = {**os.environ, "VIGIE_PG": site.postgres.conninfo()}
    return subprocess.run([ROOT / BUILD / "bin/vigie-api", *argv], env=env, capture_output=True, text=True, timeout=120)


def api(site, *argv, code=0):
    done = run(site, *argv)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def replay(site, *argv):
    """What became of each; the exit status says whether all of them are stored."""
    done = run(site, "dead-letter", "replay", *argv, "--wait=60s", "--json")
    rows = json.loads(done.stdout)
    left = [row["outcome"] for row in rows if row["outcome"] != "stored"]
    assert done.returncode == (1 if left else 0), done.stderr
    assert f"{len(rows)} asked for: {len(rows) - len(left)} stored, {left.count('refused')} refused" in done.stderr or not left
    return rows


def letters(site, car):
    return json.loads(api(site, "dead-letter", "list", "--vin", car.vin, "--json"))


# ---- replay


def test_a_sample_from_the_future_is_stored_once_its_time_has_come(site):
    with site.car() as car:
        now = now_ms()
        ahead = now + 600_000 + 6000
        car.telemetry({now: {SPEED: 1.0}, ahead: {SPEED: 2.0}})
        car.wait_ack(1)
        letter = letters(site, car)[0]
        assert letter["reason"] == "time" and "replayed_at" not in letter and list(site.points(car.vin)) == [now]
        if now_ms() < ahead - 600_000:  # on a slow machine its time has come already
            again = replay(site, letter["id"])[0]
            assert again["outcome"] in ("refused", "stored")
            assert again["outcome"] == "stored" or again["reason"] == "time"
        wait_until(lambda: now_ms() > ahead - 600_000)
        if "replayed_at" not in letters(site, car)[0]:
            assert replay(site, "--vin", car.vin)[0]["outcome"] == "stored"
        assert site.points(car.vin) == {now: {SPEED: 1.0}, ahead: {SPEED: 2.0}}
        assert site.watermark(car.vin, car.stream) == (1, "{}")
        assert "replayed_at" in letters(site, car)[0]
        assert "not" in api(site, "dead-letter", "replay", letter["id"], code=1)  # replayed before
        car.one(seq=2)
        car.wait_ack(2)


def test_what_influxdb_refused_comes_back_once_it_takes_it(site):
    t = now_ms() - 40 * DAY_MS  # a shard of its own, so that it can be repaired by dropping it
    with site.car() as car:
        text = f'telemetry,vin={car.vin} {VERTICAL}="x" {t}'.encode()
        urllib.request.urlopen(f"{site.influx.address}/write?db=fleet&precision=ms", text, timeout=60).close()
        samples = {t + k: {VERTICAL: 1.0 + k, SPEED: 2.0} for k in range(1, 4)}
        car.telemetry(samples)
        car.wait_ack(1)
        assert [(r, s) for r, s, _ in site.dead_letters(car.vin)] == [("store", "1")]
        refused = replay(site, "--reason", "store", "--vin", car.vin)
        assert [(r["outcome"], r["reason"]) for r in refused] == [("refused", "store")]
        shards = site.influx.query("SHOW SHARDS")
        start = time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(t / 1000))
        mine = [row["id"] for row in shards if row["database"] == "fleet" and row["start_time"] == start]
        assert len(mine) == 1
        site.influx.query(f"DROP SHARD {mine[0]}")
        assert [r["outcome"] for r in replay(site, "--vin", car.vin)] == ["stored"]
        assert site.points(car.vin) == samples
        assert site.watermark(car.vin, car.stream) == (1, "{}")
        counted = site.ingest.metric("vigie_ingest_replayed_total", 'outcome="stored"')
        assert counted >= 1


def test_a_fact_with_the_id_of_another_is_put_aside_and_the_same_one_again_is_not(site):
    identity, t = str(uuid.uuid4()), now_ms()
    with site.car() as car:
        car.event("idle", {"n": 1}, identity=identity, t=t)
        car.wait_ack(1)
        car.event("idle", {"n": 1}, identity=identity, t=t)  # sent under a new number, as after an outbox was set back
        car.wait_ack(2)
        assert site.dead_letters(car.vin) == []
        counted = site.ingest.metric("vigie_ingest_dead_letters_total", 'reason="conflict"') or 0
        car.event("harsh_braking", {"n": 2}, identity=identity, t=t)
        car.wait_ack(3)
        assert [(reason, seq) for reason, seq, _ in site.dead_letters(car.vin)] == [("conflict", "3")]
        wait_until(lambda: site.ingest.metric("vigie_ingest_dead_letters_total", 'reason="conflict"') == counted + 1)
        assert [(r["outcome"], r["reason"]) for r in replay(site, "--vin", car.vin)] == [("refused", "conflict")]
        assert site.sql(f"SELECT type FROM fact WHERE vin = '{car.vin}'") == "idle"


def test_garbage_is_bounded_per_vehicle_and_counted_but_not_what_a_database_refused(site):
    def count(reason):
        return int(site.sql(f"SELECT count(*) FROM dead_letter WHERE vin = '{car.vin}' AND reason = '{reason}'"))

    with site.car() as car:
        for reason, n in (("json", 1000), ("store", 1100)):
            site.sql("INSERT INTO dead_letter (id, site, vin, kind, reason, detail, payload, received_at) SELECT gen_random_uuid(), "
                     f"'illkirch', '{car.vin}', 'up/event', '{reason}', '', '', now() - k * interval '1 min' FROM generate_series(1, {n}) k")
        before = site.ingest.metric("vigie_ingest_dead_letters_dropped_total")
        for k in range(2):
            car.publish("telemetry", b"garbage %d" % k)
        wait_until(lambda: site.ingest.metric("vigie_ingest_dead_letters_dropped_total") == before + 2)
        assert (count("json"), count("store")) == (1000, 1100)


def test_a_fact_comes_back_exactly_once_and_its_car_does_not_look_seen_again(site):
    """A record of a kind the database did not take: its vehicle was away for a moment, so to say."""
    with site.car() as car:
        car.one()
        car.wait_ack(1)
        seen = site.state(car.vin, "last_seen")
        identity, letter = str(uuid.uuid4()), str(uuid.uuid4())
        body = {**car.head("event", seq=2), "id": identity, "t": now_ms() - 5000, "type": "idle", "data": {}}
        site.sql("INSERT INTO dead_letter (id, site, vin, kind, stream, seq, reason, detail, payload, received_at) VALUES "
                 f"('{letter}', 'illkirch', '{car.vin}', 'up/event', '{car.stream}', 2, 'store', 'it was away', "
                 f"convert_to('{json.dumps(body)}', 'UTF8'), now() - interval '1 hour')")
        asks = [threading.Thread(target=replay, args=(site, letter)) for _ in range(3)]
        for ask in asks:
            ask.start()
        for ask in asks:
            ask.join()
        assert site.sql(f"SELECT id, type FROM fact WHERE vin = '{car.vin}'") == f"{identity}|idle"
        assert site.state(car.vin, "last_seen") == seen
        assert site.watermark(car.vin, car.stream) == (1, "{}")  # it takes no number


def test_garbage_is_refused_with_its_reason_and_nobody_waits_for_ever(site):
    with site.car() as car:
        for n in range(3):
            car.publish("telemetry", b"garbage %d" % n)
        wait_until(lambda: len(letters(site, car)) == 3)
        again = replay(site, "--vin", car.vin, "--limit=2")
        assert [(r["outcome"], r["reason"]) for r in again] == [("refused", "json")] * 2
        assert all("asked_at" not in row for row in letters(site, car))
        done = run(site, "dead-letter", "replay", "--vin", car.vin, "--wait=60s")
        assert done.returncode == 1 and done.stdout.endswith("\n3 asked for: 0 stored, 3 refused, 0 waiting\n")
        assert {api(site, "dead-letter", "show", row["id"]) for row in again} < {"garbage 0", "garbage 1", "garbage 2"}


def test_what_was_taken_twice_and_settled_neither_time_is_let_alone(site):
    with site.car() as car:
        car.publish("telemetry", b"garbage")
        wait_until(lambda: len(letters(site, car)) == 1)
        site.sql("UPDATE dead_letter SET asked_at = now(), tries = 2, taken_at = now() - interval '2 min' "
                 f"WHERE vin = '{car.vin}'; NOTIFY dead_letter")
        wait_until(lambda: letters(site, car)[0]["reason"] == "poison")
        assert "asked_at" not in letters(site, car)[0]


def test_a_replay_says_which_and_finds_what_is_there(site):
    assert "--vin" in api(site, "dead-letter", "replay", code=2)
    assert "UUID" in api(site, "dead-letter", "replay", "x", code=2)
    assert "no VIN" in api(site, "dead-letter", "list", "--vin", "x", code=2)
    assert "there is no such" in api(site, "dead-letter", "replay", str(uuid.uuid4()), code=1)
    assert "--limit" in api(site, "dead-letter", "replay", "--reason=json", "--limit=0", code=2)


# ---- losses


def test_a_loss_a_car_cannot_have_had_is_put_aside_and_closes_nothing(site):
    other = str(uuid.uuid4())
    with site.car() as car:
        car.one(seq=1)
        car.event("outbox_lost", {"stream": car.stream, "first": 2, "last": 2 ** 53 - 1}, seq=5)
        car.wait_ack(5, [(2, 4)])
        car.event("outbox_lost", {"stream": car.stream, "first": 2, "last": 6}, seq=6)  # its own number
        car.wait_ack(6, [(2, 4)])
        car.event("outbox_lost", {"stream": other, "first": 1, "last": 10 ** 9}, seq=7)
        car.wait_ack(7, [(2, 4)])
        assert [(r, s) for r, s, _ in site.dead_letters(car.vin)] == [("loss", "5"), ("loss", "6"), ("loss", "7")]
        assert site.watermark(car.vin, other) in (None, (0, "{}"))
        t = car.one(seq=3)  # what it said was lost is stored all the same
        car.wait_ack(7, [(2, 2), (4, 4)])
        assert t in site.points(car.vin)


def test_a_truthful_car_is_believed_on_either_stream(site):
    urgent = str(uuid.uuid4())
    with site.car() as car:
        car.event("outbox_lost", {"stream": urgent, "first": 1, "last": 40_000}, seq=900_001)
        car.event("outbox_lost", {"stream": car.stream, "first": 1, "last": 900_000}, seq=900_002)
        car.wait_ack(900_002)
        assert site.watermark(car.vin, urgent) == (40_000, "{}")
        assert site.dead_letters(car.vin) == []


# ---- readiness


def test_it_is_not_ready_while_it_cannot_send_acks(site):
    wait_until(site.ingest.is_ready)
    thieves = []

    def stolen():
        """A second holder of a client id evicts the first: for a moment the acks have no way out."""
        try:
            thieves.append(site.client("svc-ingest", "service", client_id="svc-ingest-illkirch-0-out"))
        except (OSError, mqtt5.Disconnected, mqtt5.Refused):
            pass
        return not site.ingest.is_ready()
    wait_until(stolen, why="/readyz to say that acks cannot be sent")
    for thief in thieves:
        thief.drop()
    wait_until(site.ingest.is_ready)
    with site.car() as car:
        car.one()
        car.wait_ack(1)
