"""ingest between the real broker, InfluxDB and PostgreSQL: what is stored, what is acknowledged, what is refused."""
import json
import os
import re
import socket
import subprocess
import threading
import time
import urllib.request
import uuid
from pathlib import Path

import pytest

from ingest_site import (DAY_MS, HEADING, LAT, LON, MISSING, PROGRAM, RPM, SITE, SPEED, Ack, Ingest, columnar, now_ms,
                         running, topic, wait_until)
from stack.ports import free_port

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
RATE, BURST = 300, 400


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from running(tmp_path_factory.mktemp("ingest"), rate=RATE, burst=BURST)


class Counted:
    """How much a metric grew since."""

    def __init__(self, ingest, name, label=None):
        self.read = lambda: ingest.metric(f"vigie_ingest_{name}", label)
        self.before = self.read()

    def grown(self):
        return self.read() - self.before

    def wait(self, by):
        return wait_until(lambda: self.grown() >= by, why="a metric to grow") and self.grown()


# ---- a record on its way


def test_a_record_becomes_points_with_the_same_doubles_a_state_row_and_a_watermark(site):
    values = {SPEED: 63.4, RPM: 1850.25, LAT: 48.528601, LON: 7.711599, HEADING: 271.1,
              "Vehicle.LowVoltageBattery.CurrentVoltage": 0.1 + 0.2}
    t = now_ms()
    with site.car() as car:
        sent = Counted(site.ingest, "samples_total")
        stored = [Counted(site.ingest, "stored_samples_total", f'store="{s}"') for s in ("influx", "postgres")]
        car.telemetry({t - 1000: {SPEED: 62.0}, t: values})
        car.wait_ack(1)
        assert site.points(car.vin) == {t - 1000: {SPEED: 62.0}, t: values}
        assert site.watermark(car.vin, car.stream) == (1, "{}")
        assert sent.grown() == 2 and [s.grown() for s in stored] == [2, 2]
        state = site.state(car.vin, "t_ms, lat, lon, speed_kmh, heading_deg, ignition_on, last_seen > now() - '60 s'::interval")
        assert state == f"{t}|48.528601|7.711599|63.4|271.1||t"
        signals = json.loads(site.state(car.vin, "signals"))
        assert signals == {path: [value, t, "gps" if "Location" in path else "obd"] for path, value in values.items()}


def test_speed_comes_from_gps_where_no_engine_speed_is_beside_it(site):
    t = now_ms()
    with site.car() as car:
        car.telemetry({t - 1: {RPM: 900.0}, t: {SPEED: 12.0, LAT: 48.5, LON: 7.7}})
        car.wait_ack(1)
        assert json.loads(site.state(car.vin, "signals"))[SPEED] == [12.0, t, "gps"]


def test_late_samples_are_stored_but_do_not_move_the_state_back(site):
    t = now_ms()
    with site.car() as car:
        car.telemetry({t: {SPEED: 80.0}}, seq=2)
        car.wait_ack(2, [(1, 1)])
        car.telemetry({t - 60000: {SPEED: 10.0, RPM: 1000.0}}, seq=1)
        car.wait_ack(2)
        assert len(site.points(car.vin)) == 2
        assert site.state(car.vin, "t_ms, speed_kmh") == f"{t}|80"
        assert json.loads(site.state(car.vin, "signals")) == {SPEED: [80.0, t, "gps"], RPM: [1000.0, t - 60000, "obd"]}


def test_a_clock_that_is_ahead_keeps_its_times_but_does_not_hold_the_state_still(site):
    with site.car() as car:
        t = now_ms() + 300_000
        car.telemetry({t: {SPEED: 80.0}})
        car.wait_ack(1)
        value, shown, _, ahead = json.loads(site.state(car.vin, "signals"))[SPEED]
        assert (value, shown) == (80.0, t) and 0 < ahead <= 301_024  # its own time, as in the history
        assert t - ahead <= int(site.state(car.vin, "t_ms")) + 1024 <= now_ms() + 2024  # what the map goes by is when it came
        wait_until(lambda: now_ms() > t - ahead + 2024)
        right = now_ms()
        car.telemetry({right: {SPEED: 20.0}})
        car.wait_ack(2)
        assert json.loads(site.state(car.vin, "signals")) == {SPEED: [20.0, right, "gps"]}
        assert set(site.points(car.vin)) == {t, right}


def test_a_columnar_record_is_stored_as_its_json_would_be(site):
    t = now_ms()
    with site.car() as car:
        unlabelled = Counted(site.ingest, "mislabelled_total")
        unknown = Counted(site.ingest, "unknown_signals_total")
        record = columnar(car.stream, 1, {t - 7000: {1: 50.5, 2: 48.528601}, t: {3: 7.711599, 60000: 1.0}})
        car.publish("telemetry", record)
        car.wait_ack(1)
        assert site.points(car.vin) == {t - 7000: {SPEED: 50.5, LAT: 48.528601}, t: {LON: 7.711599}}
        assert site.dead_letters(car.vin) == []
        assert unlabelled.grown() == 1 and unknown.grown() == 1  # the first byte decides, the label is counted


def test_a_broken_columnar_record_is_a_dead_letter_and_acknowledged_where_its_head_is_readable(site):
    with site.car() as car:
        record = columnar(car.stream, 1, {now_ms(): {1: 50.5}})[:-1]
        car.publish("telemetry", record)
        car.wait_ack(1)
        assert site.dead_letters(car.vin) == [("columnar", "1", record)]


def test_equal_times_are_merged_and_the_later_value_wins(site):
    t = now_ms()
    with site.car() as car:
        record = car.head("telemetry")
        record["samples"] = [{"t": t, "s": {SPEED: 1.0, RPM: 800.0}}, {"t": t - 5, "s": {SPEED: 9.0}}, {"t": t, "s": {SPEED: 2.0}}]
        conflicts = Counted(site.ingest, "dead_letters_total", 'reason="conflict"')
        car.publish("telemetry", record)
        car.wait_ack(1)
        assert site.points(car.vin) == {t: {SPEED: 2.0, RPM: 800.0}, t - 5: {SPEED: 9.0}}
        conflicts.wait(1)
        ((reason, _, kept),) = site.dead_letters(car.vin)  # what was not stored is not gone
        assert reason == "conflict" and json.loads(kept) == record
        agreed = {**car.head("telemetry"), "samples": [{"t": t + 5, "s": {SPEED: 3.0}}, {"t": t + 5, "s": {LAT: 48.5, SPEED: 3.0}}]}
        car.publish("telemetry", agreed)  # no contradiction
        car.wait_ack(2)
        assert site.points(car.vin)[t + 5] == {SPEED: 3.0, LAT: 48.5}
        assert conflicts.grown() == 1 and len(site.dead_letters(car.vin)) == 1


def test_live_is_published_for_news_only(site):
    t = now_ms()
    with site.notify() as notify, site.car() as car:
        assert notify.subscribe(topic(car.vin, "live"), qos=0) == 0
        car.telemetry({t: {SPEED: 50.0, LAT: 48.5, LON: 7.7, HEADING: 90.0}}, seq=2)
        live = notify.receive(60)
        assert json.loads(live.payload) == {"schema": "live/1", "t": t, "vin": car.vin, "lat": 48.5, "lon": 7.7,
                                            "speed": 50, "heading": 90, "connectivity": "online"}
        car.telemetry({t - 5000: {SPEED: 40.0}}, seq=1)  # late: no news
        car.telemetry({t + 1: {SPEED: 51.0}}, seq=3)
        assert json.loads(notify.receive().payload)["t"] == t + 1
        car.online("sleeping")
        assert json.loads(notify.receive().payload)["connectivity"] == "sleeping"
        car.wait_ack(3)


def test_live_skips_what_nobody_could_look_at_and_ends_with_the_newest(site):
    t = now_ms()
    with site.notify() as notify, site.car() as car:
        assert notify.subscribe(topic(car.vin, "live"), qos=0) == 0
        for k in range(100):
            car.telemetry({t + k: {SPEED: float(k)}})
        told = [json.loads(notify.receive().payload)]
        while told[-1]["t"] != t + 99:
            told.append(json.loads(notify.receive().payload))
        assert told[-1]["speed"] == 99 and len(told) < 100
        assert [m["t"] for m in told] == sorted({m["t"] for m in told})


# ---- acks


def test_what_comes_again_is_counted_and_acknowledged_again(site):
    with site.car() as car:
        again = Counted(site.ingest, "duplicates_total")
        t = car.one(seq=1)
        car.wait_ack(1)
        for _ in range(3):
            car.one(seq=1, t=t)
            car.wait_ack(1)
        assert again.wait(3) == 3
        assert site.points(car.vin) == {t: {SPEED: 50.0}}


def test_what_comes_again_is_neither_decoded_nor_written_again(site):
    t = now_ms()
    with site.car() as car:
        record = columnar(car.stream, 2, {t: {1: 50.0}})
        car.publish("telemetry", record)
        car.wait_ack(2, [(1, 1)])
        again, decoded, written = (Counted(site.ingest, *what) for what in (
            ("duplicates_total",), ("samples_total",), ("stored_samples_total", 'store="influx"')))
        for _ in range(20):
            car.publish("telemetry", record)
        assert again.wait(20) == 20 and decoded.grown() == 0 and written.grown() == 0
        car.one(seq=1, t=t + 1)  # what lies in a gap is new
        car.wait_ack(2)
        assert decoded.grown() == 1 and len(site.points(car.vin)) == 2


def test_what_was_deleted_meanwhile_is_stored_again_whatever_we_remember(site):
    with site.car() as car:
        t = car.one(seq=1)
        car.wait_ack(1)
        site.sql(f"DELETE FROM watermark WHERE vin = '{car.vin}'")
        site.influx.query(f"DELETE FROM telemetry WHERE vin = '{car.vin}'", "fleet")
        assert site.points(car.vin) == {}
        car.one(seq=1, t=t)
        car.wait_ack(1)
        wait_until(lambda: site.watermark(car.vin, car.stream) == (1, "{}"))
        assert site.points(car.vin) == {t: {SPEED: 50.0}}


def test_gaps_are_told_and_filled_in_any_order(site):
    with site.car() as car:
        car.one(seq=5)  # the newest first
        car.wait_ack(5, [(1, 4)])
        car.one(seq=1)
        car.wait_ack(5, [(2, 4)])
        car.one(seq=3)
        car.wait_ack(5, [(2, 2), (4, 4)])
        assert site.watermark(car.vin, car.stream) == (5, "{[2,3),[4,5)}")
        car.one(seq=4)
        car.one(seq=2)
        car.wait_ack(5)
        assert len(site.points(car.vin)) == 5


def test_a_record_that_would_open_a_65th_gap_waits(site):
    with site.car() as car:
        refused, again = (Counted(site.ingest, *what) for what in (("rejected_total", 'reason="gaps"'), ("duplicates_total",)))
        for seq in range(2, 131, 2):  # 2, 4 .. 128: 64 gaps; 130 would be the 65th
            car.one(seq=seq)
        assert refused.wait(1) == 1
        car.wait_ack(128, [(n, n) for n in range(1, 128, 2)])
        car.one(seq=1)
        car.wait_ack(128, [(n, n) for n in range(3, 128, 2)])
        car.one(seq=130)
        car.wait_ack(130, [(n, n) for n in range(3, 130, 2)])
        assert again.grown() == 0
        car.one(seq=140)  # refused as well, but said already
        refused.wait(2)
        car.one(seq=3)
        car.one(seq=132)
        car.wait_ack(132, [(n, n) for n in range(5, 132, 2)])
        said = [line for line in site.ingest.log_text().splitlines() if car.vin in line]
        assert len(said) == 1 and " event=gaps.full " in said[0] and car.stream in said[0] and "seq=130 " in said[0]


def test_the_loss_that_makes_room_is_let_through_a_full_stream(site):
    with site.car() as car:
        refused = Counted(site.ingest, "rejected_total", 'reason="gaps"')
        for seq in range(2, 129, 2):  # 64 gaps
            car.one(seq=seq)
        car.wait_ack(128, [(n, n) for n in range(1, 128, 2)])
        far = car.event("outbox_lost", {"stream": car.stream, "first": 150, "last": 160}, seq=200)  # opens more than it closes
        refused.wait(1)
        assert site.sql(f"SELECT count(*) FROM fact WHERE vin = '{car.vin}'") == "0"
        car.event("outbox_lost", {"stream": car.stream, "first": 1, "last": 9}, seq=190)
        car.wait_ack(190, [(n, n) for n in range(11, 128, 2)] + [(129, 189)])
        car.publish("event", far)
        car.wait_ack(200, [(n, n) for n in range(11, 128, 2)] + [(129, 149), (161, 189), (191, 199)])
        car.event("outbox_lost", {"stream": car.stream, "first": 1, "last": 200}, seq=201)
        car.wait_ack(201)
        assert refused.grown() == 1 and site.dead_letters(car.vin) == []


def test_an_announced_loss_closes_its_gap(site):
    other = str(uuid.uuid4())
    with site.car() as car:
        car.one(seq=1, stream=other)
        car.one(seq=10, stream=other)
        car.wait_ack(10, [(2, 9)], stream=other)
        car.event("outbox_lost", {"stream": other, "first": 2, "last": 7})
        car.wait_ack(10, [(8, 9)], stream=other)
        car.event("outbox_lost", {"stream": car.stream, "first": 5, "last": 6}, seq=7)
        car.wait_ack(7, [(2, 4)])


def test_an_announced_loss_that_does_not_fit_yet_is_not_acknowledged(site):
    other = str(uuid.uuid4())
    with site.car() as car:
        for seq in range(2, 129, 2):  # 64 gaps
            car.one(seq=seq, stream=other)
        car.wait_ack(128, [(n, n) for n in range(1, 128, 2)], stream=other)
        refused = Counted(site.ingest, "rejected_total", 'reason="gaps"')
        loss = car.event("outbox_lost", {"stream": other, "first": 200, "last": 201}, seq=1)
        refused.wait(1)
        assert site.watermark(car.vin, car.stream) == (0, "{}")
        assert site.sql(f"SELECT count(*) FROM fact WHERE vin = '{car.vin}'") == "0"
        car.one(seq=1, stream=other)
        car.wait_ack(128, [(n, n) for n in range(3, 128, 2)], stream=other)
        car.publish("event", loss)
        car.wait_ack(1)
        assert site.watermark(car.vin, other)[0] == 201


def test_urgent_is_acknowledged_at_once_and_bulk_once_a_second(site):
    with site.car() as car:
        urgent = str(uuid.uuid4())
        car.one()
        car.wait_ack(1)
        began, acks = time.monotonic(), []
        for seq in range(1, 11):  # one after the other, each answered
            for _ in range(3):
                car.one()
            car.event("harsh_braking", {"peak_g": 0.5}, seq=seq, stream=urgent, leaf="alert", severity="major")
            acks.append(car.next_ack())
            while acks[-1] != (urgent, seq, []):
                acks.append(car.next_ack())
        while (car.stream, 31, []) not in acks:
            acks.append(car.next_ack())
        bulk = [a for a in acks if a.stream == car.stream]
        assert len(bulk) <= time.monotonic() - began + 2 and len(acks) == len(bulk) + 10


def test_a_vehicle_that_connects_is_told_every_stream_we_know(site):
    streams = sorted(str(uuid.uuid4()) for _ in range(3))
    with site.car() as car:
        for n, stream in enumerate(streams, 1):
            car.one(seq=n, stream=stream)
            car.wait_ack(n, [(1, n - 1)] if n > 1 else [], stream=stream)
        car.online()
        told = sorted(car.next_ack() for _ in streams)
        assert told == [Ack(s, n, [(1, n - 1)] if n > 1 else []) for n, s in enumerate(streams, 1)]


def test_a_car_that_made_up_thousands_of_streams_is_told_of_its_latest(site):
    with site.car() as car:
        car.one()
        car.wait_ack(1)
        site.sql("INSERT INTO watermark (site, vin, stream, upto, updated_at) SELECT s, '%s', gen_random_uuid(), 1, "
                 "now() - i * interval '1 minute' FROM generate_series(1, 12000) i, (VALUES ('%s'), ('')) AS v (s)" % (car.vin, SITE))
        car.online()
        told = [car.next_ack() for _ in range(64)]
        car.one(seq=2)
        assert car.next_ack() == Ack(car.stream, 2, [])  # and no other came before
        assert Ack(car.stream, 1, []) in told and len({ack.stream for ack in told}) == 64


# ---- states


def test_presence_follows_what_the_vehicle_says_and_its_last_will(site):
    vin = site.new_vin()
    will = json.dumps({"schema": "state/1", "state": "offline", "boot": str(uuid.uuid4()), "agent": "1.0.0",
                       "t": now_ms(), "config": 3, "sources": {}}).encode()
    client = site.client(vin, "vehicle", will=(topic(vin, "up/state"), will, True))
    state = {"schema": "state/1", "state": "online", "boot": str(uuid.uuid4()), "agent": "1.0.0", "t": now_ms(),
             "config": 3, "sources": {"gps": "ok", "obd": "searching", "camera": "absent"}}
    client.publish(topic(vin, "up/state"), json.dumps(state).encode(), retained=True)
    wait_until(lambda: site.state(vin, "presence") == "online")
    row = site.state(vin, "boot, agent, config, presence_t, sources->>'obd', last_seen IS NOT NULL")
    assert row == f"{state['boot']}|1.0.0|3|{state['t']}|searching|t"
    seen = site.state(vin, "last_seen")
    client.drop()
    wait_until(lambda: site.state(vin, "presence") == "offline")
    assert site.state(vin, "last_seen") == seen  # a last will is not the vehicle speaking


def test_private_mode_is_what_the_vehicle_last_said_of_it_itself(site):
    since = now_ms() - 5000
    with site.car() as car:
        car.online()
        wait_until(lambda: site.state(car.vin, "presence, private_since") == "online|")
        car.online(private={"since": since})
        wait_until(lambda: site.state(car.vin, "private_since") == str(since))
        car.online("offline")  # as a last will, which cannot know
        wait_until(lambda: site.state(car.vin, "presence") == "offline")
        assert site.state(car.vin, "private_since") == str(since)
        car.online("sleeping", private={"since": since})
        wait_until(lambda: site.state(car.vin, "presence") == "sleeping")
        car.online()
        wait_until(lambda: site.state(car.vin, "presence, private_since") == "online|")
        said = site.sql(f"SELECT data->>'presence', data ? 'private_since' FROM change WHERE vin = '{car.vin}' AND kind = 'state' ORDER BY id")
        assert [tuple(line.split("|")) for line in said.split()] == [
            ("online", "f"), ("online", "t"), ("offline", "t"), ("sleeping", "t"), ("online", "f")]


def test_a_state_row_changed_by_others_or_made_anew_is_read_again(site):
    t = now_ms()
    with site.car() as car:
        car.telemetry({t: {SPEED: 80.0, RPM: 2000.0}})
        car.wait_ack(1)
        site.sql(f"""UPDATE vehicle_state SET signals = '{{"{SPEED}": [70, {t}, "gps"], "{RPM}": [2500, {t + 5}, "obd"]}}'
                     WHERE vin = '{car.vin}'""")
        car.telemetry({t + 10: {SPEED: 81.0}})
        car.wait_ack(2)
        assert json.loads(site.state(car.vin, "signals")) == {SPEED: [81.0, t + 10, "gps"], RPM: [2500.0, t + 5, "obd"]}
        row = site.sql(f"DELETE FROM vehicle WHERE vin = '{car.vin}' RETURNING customer_id")
        site.sql(f"INSERT INTO vehicle (vin, customer_id) VALUES ('{car.vin}', '{row}')")
        car.telemetry({t + 20: {LAT: 48.5, LON: 7.7}}, seq=1)
        car.wait_ack(1)
        assert set(json.loads(site.state(car.vin, "signals"))) == {LAT, LON}


def test_what_carries_no_telemetry_leaves_the_newest_values_alone(site):
    with site.car() as car:
        car.one()
        car.wait_ack(1)
        written, seen = site.state(car.vin, "signals_by, last_seen").split("|")
        car.event("harsh_braking", {"peak_g": 0.5}, leaf="alert", severity="major")
        car.wait_ack(2)
        assert site.state(car.vin, f"signals_by, last_seen > '{seen}'") == f"{written}|t"
        t = car.one()
        car.wait_ack(3)
        assert json.loads(site.state(car.vin, "signals")) == {SPEED: [50.0, t, "gps"]}
        assert site.state(car.vin, "signals_by") != written


# ---- facts


def test_facts_are_unique_by_their_id(site):
    identity = str(uuid.uuid4())
    with site.car() as car:
        for stream in (str(uuid.uuid4()), str(uuid.uuid4())):
            car.event("idle", {"minutes": 3}, seq=1, stream=stream, identity=identity)
            car.wait_ack(1, stream=stream)
        car.publish("diagnostics", {**car.head("diagnostics"), "t": now_ms(), "mil": True, "dtcs": [{"code": "P0301", "state": "stored"}]})
        car.wait_ack(1)
        car.publish("result", {**car.head("result"), "command": str(uuid.uuid4()), "state": "done", "data": {}})
        car.wait_ack(2)
        rows = site.sql(f"SELECT kind, type, seq, body->'data'->>'minutes' FROM fact WHERE vin = '{car.vin}' ORDER BY kind")
        assert rows.splitlines() == ["diagnostics||1|", "event|idle|1|3", "result||2|"]


# ---- dead letters


def broken(head):
    """What goes wrong -> (reason, payload, may it be acknowledged?, seq where it is readable though)"""
    good = {**head, "samples": [{"t": now_ms(), "s": {SPEED: 50.0}}]}
    text = json.dumps(good)
    return {
        "garbage": ("json", b"\x00\xff{not json", False),
        "garbage behind a head": ("json", text[:-1].encode(), True),
        "a duplicate key": ("json", text.replace('"clock"', '"clock":"gps","clock"').encode(), True),
        "a second stream": ("json", text.replace('"seq"', f'"stream":"{uuid.uuid4()}","seq"').encode(), False, "1"),
        "NaN": ("json", text.replace("50.0", "NaN").encode(), True),
        "Infinity": ("json", text.replace("50.0", "Infinity").encode(), True),
        "a number beyond a double": ("range", text.replace("50.0", "1e999").encode(), True),
        "too deep": ("json", json.dumps({**good, "x": json.loads("[" * 20 + "]" * 20)}).encode(), True),
        "a value that is text": ("schema", text.replace("50.0", '"50"').encode(), True),
        "a value that is null": ("schema", text.replace("50.0", "null").encode(), True),
        "a time with a point": ("schema", json.dumps({**good, "samples": [{"t": 1.5, "s": {}}]}).encode(), True),
        "samples that are none": ("schema", json.dumps({**good, "samples": {}}).encode(), True),
        "another schema": ("schema", json.dumps({**good, "schema": "telemetry/2"}).encode(), True),
        "a seq of 0": ("schema", json.dumps({**good, "seq": 0}).encode(), False),
        "no stream": ("schema", json.dumps({k: v for k, v in good.items() if k != "stream"}).encode(), False, "1"),
        "a stream in capitals": ("schema", json.dumps({**good, "stream": good.get("stream", "").upper()}).encode(), False, "1"),
        "an array": ("json", b"[1]", False),
        "nothing": ("json", b"", False),
        "columnar": ("columnar", b"\xc1\x01\x07", False),
    }


BEYOND = [str(2 ** 63), str(-2 ** 70), "9" * 400, "1e999", "-1e200000", "1e-20000", "0." + "1" * 10000]


def test_a_number_of_any_size_under_a_key_nobody_knows_costs_nothing(site):
    t, odd = now_ms(), "8123456789"
    with site.car() as car:
        for n, number in enumerate(BEYOND):
            bodies = {
                "telemetry": {"x": {"y": [int(odd)]}, "samples": [{"t": t + n, "z": int(odd), "s": {SPEED: 50.0}}]},
                "event": {"id": str(uuid.uuid4()), "t": t + n, "type": "idle", "data": {"minutes": n, "x": int(odd)}, "y": int(odd)},
                "diagnostics": {"t": t + n, "x": int(odd), "dtcs": [{"code": f"P030{n}", "state": "stored", "y": int(odd)}]}}
            for leaf, body in bodies.items():
                car.publish(leaf, json.dumps({**car.head(leaf), **body}).replace(odd, number).encode())
        car.wait_ack(3 * len(BEYOND))
        assert site.points(car.vin) == {t + n: {SPEED: 50.0} for n in range(len(BEYOND))} and site.dead_letters(car.vin) == []
        told = site.sql(f"SELECT data ->> 'minutes' FROM event WHERE vin = '{car.vin}' AND type = 'idle' ORDER BY occurred_at")
        assert told.splitlines() == [str(n) for n in range(len(BEYOND))]
        codes = site.sql(f"SELECT code FROM dtc WHERE vin = '{car.vin}' ORDER BY code").splitlines()
        assert codes == [f"P030{n}" for n in range(len(BEYOND))]


def test_an_integer_beyond_64_bits_is_a_value_as_any_other(site):
    t = now_ms()
    with site.car() as car:
        text = json.dumps({**car.head("telemetry"), "samples": [{"t": t, "s": {SPEED: 50.0, RPM: 2 ** 64}}]}).encode()
        car.publish("telemetry", text)
        car.wait_ack(1)
        assert site.points(car.vin) == {t: {SPEED: 50.0}} and site.dead_letters(car.vin) == [("range", "1", text)]


@pytest.mark.parametrize("what", broken({}))
def test_what_cannot_be_read_becomes_a_dead_letter(site, what):
    with site.car() as car:
        reason, payload, numbered, *seq = broken(car.head("telemetry"))[what]
        counted = Counted(site.ingest, "dead_letters_total", f'reason="{reason}"')
        car.publish("telemetry", payload)
        if numbered:
            car.wait_ack(1)
        counted.wait(1)
        assert site.dead_letters(car.vin) == [(reason, *(seq or ["1" if numbered else ""]), payload)]
        car.publish("telemetry", payload)
        car.one(seq=2)
        wait_until(lambda: site.watermark(car.vin, car.stream) == (2, "{}" if numbered else "{[1,2)}"))
        assert len(site.dead_letters(car.vin)) == 1
        assert len(site.points(car.vin)) == 1


def test_samples_out_of_time_are_put_aside_and_the_good_ones_stored(site):
    now = now_ms()
    good = {now - 59 * DAY_MS: {SPEED: 1.0}, now: {SPEED: 2.0}, now + 5 * 60000: {SPEED: 3.0}}
    bad = {now - 61 * DAY_MS: {SPEED: 4.0}, now + 20 * 60000: {SPEED: 5.0}, 0: {SPEED: 6.0}}
    with site.car() as car:
        counted = Counted(site.ingest, "dead_letters_total", 'reason="time"')
        record = car.telemetry({**good, **bad})
        car.wait_ack(1)
        car.telemetry(bad)
        car.wait_ack(2)
        assert site.points(car.vin) == good
        assert counted.grown() == 2
        letters = site.dead_letters(car.vin)
        assert [(reason, seq) for reason, seq, _ in letters] == [("time", "1"), ("time", "2")]
        assert json.loads(letters[0][2]) == record


@pytest.mark.parametrize("days", [-61, 1, 18000])
def test_facts_out_of_time_are_put_aside_and_hide_none_that_come_after(site, days):
    t = now_ms() + days * DAY_MS
    with site.car() as car:
        car.event("ignition_on", {}, t=t)
        car.event("low_battery", {}, leaf="alert", severity="warning", t=t)
        car.wait_ack(2)
        assert [(reason, seq) for reason, seq, _ in site.dead_letters(car.vin)] == [("time", "1"), ("time", "2")]
        assert site.sql(f"SELECT count(*) FROM alert WHERE vin = '{car.vin}'") == "0"
        car.event("low_battery", {}, leaf="alert", severity="warning")
        car.wait_ack(3)
        wait_until(lambda: site.sql(f"SELECT count(*) FROM alert WHERE vin = '{car.vin}'") == "1", why="the alert of today")


def test_an_unknown_signal_is_left_out_and_counted(site):
    t = now_ms()
    with site.car() as car:
        counted = Counted(site.ingest, "unknown_signals_total")
        car.telemetry({t: {SPEED: 1.0, "Vehicle.NoSuchThing": 2.0, "x,vin=VF1 y": 3}, t + 1: {"Vehicle.NoSuchThing": 3.0},
                       t + 2: {SPEED: 2.0, "Vehicle.NoSuchThing": "on", "Vehicle.NorThis": {"door": None}}})
        car.wait_ack(1)
        assert site.points(car.vin) == {t: {SPEED: 1.0}, t + 2: {SPEED: 2.0}}
        assert counted.grown() == 5 and site.dead_letters(car.vin) == []


def test_a_loss_that_does_not_say_what_is_a_dead_letter(site):
    with site.car() as car:
        car.event("outbox_lost", {"stream": "x", "first": 2, "last": 7})
        car.event("outbox_lost", {"stream": car.stream, "first": 3, "last": 2 ** 60})
        car.wait_ack(2)
        assert [r for r, _, _ in site.dead_letters(car.vin)] == ["schema", "schema"]


def test_a_record_influxdb_refuses_is_alone_put_aside(site):
    t = now_ms()
    with site.car() as poison, site.car() as other:
        # a field of another type within the same shard is what makes InfluxDB refuse a point
        field = "Vehicle.Acceleration.Vertical"
        text = f'telemetry,vin={poison.vin} {field}="x" {t}'.encode()
        urllib.request.urlopen(f"{site.influx.address}/write?db=fleet&precision=ms", text, timeout=60).close()
        for k in range(20):
            other.one(t=t + k, seq=k + 1)
            if k == 10:
                poison.telemetry({t + 100: {field: 1.0}, t + 101: {SPEED: 2.0}})
        other.wait_ack(20)
        poison.wait_ack(1)
        assert [(r, s) for r, s, _ in site.dead_letters(poison.vin)] == [("store", "1")]
        assert site.dead_letters(other.vin) == [] and len(site.points(other.vin)) == 20
        poison.one(t=t + 200)
        poison.wait_ack(2)


# ---- who may


@pytest.mark.parametrize("status", [None, "revoked", "retired"])
def test_a_vehicle_that_is_not_ours_is_not_stored_but_counted(site, status):
    with site.car(status=status) as car:
        counted = Counted(site.ingest, "rejected_total", 'reason="vehicle"')
        car.one()
        car.publish("telemetry", b"garbage")
        car.online(retained=False)
        counted.wait(3)
        assert site.points(car.vin) == {} and site.dead_letters(car.vin) == []
        assert site.watermark(car.vin, car.stream) is None and car.acks_so_far() == []


def test_a_change_in_the_fleet_is_noticed_without_waiting_for_what_is_remembered(site):
    def again(until):  # a notice takes its own way, a record may overtake it
        def sent():
            car.one(seq=2)
            time.sleep(0.1)
            return until()
        wait_until(sent, 50)  # what is remembered would last a minute

    with site.car() as car:
        car.one(seq=1)
        car.wait_ack(1)
        counted = Counted(site.ingest, "rejected_total", 'reason="vehicle"')
        site.sql(f"UPDATE vehicle SET status = 'revoked' WHERE vin = '{car.vin}'; NOTIFY fleet, '{car.vin}'")
        again(counted.grown)
        site.sql(f"UPDATE vehicle SET status = 'active' WHERE vin = '{car.vin}'; NOTIFY fleet, '{car.vin}'")
        again(lambda: site.watermark(car.vin, car.stream) == (2, "{}"))


def test_a_vehicle_deleted_meanwhile_does_not_wedge_the_writer(site):
    with site.car() as gone, site.car() as other:
        gone.one(seq=1)
        gone.wait_ack(1)
        counted = Counted(site.ingest, "rejected_total", 'reason="store"')
        site.sql(f"DELETE FROM vehicle WHERE vin = '{gone.vin}'")  # and nobody says so
        for seq in range(1, 9):
            gone.one(seq=seq + 1)
            other.one(seq=seq)
        gone.online(retained=False)
        other.wait_ack(8)
        counted.wait(8)
        wait_until(lambda: site.ingest.metric("vigie_ingest_queue_depth") == 0, why="the queue to be empty")
        assert gone.acks_so_far() == []


def test_more_than_the_rate_is_dropped_unread_and_comes_again(site):
    with site.car() as car:
        counted = Counted(site.ingest, "rejected_total", 'reason="rate"')
        t, n = now_ms() - 10000, BURST + 200
        bodies = [{**car.head("telemetry", seq), "samples": [{"t": t + seq, "s": {SPEED: 1.0}}]} for seq in range(1, n + 1)]
        sent = 0
        while not counted.grown():
            for body in bodies:
                car.publish("telemetry", body, qos=0)
            sent += 1
            assert sent < 20
        end = time.monotonic() + 180
        while site.watermark(car.vin, car.stream) != (n, "{}"):
            assert time.monotonic() < end
            for body in bodies:
                if body["seq"] % 40 == 0:
                    time.sleep(0.15)
                car.publish("telemetry", body, qos=0)
        assert len(site.points(car.vin)) == n


def test_a_long_report_takes_more_of_its_cars_rate_than_a_sample(site):
    with site.car() as car:
        counted = Counted(site.ingest, "rejected_total", 'reason="rate"')

        def report(seq):
            car.publish("diagnostics", {**car.head("diagnostics", seq=seq), "t": now_ms(), "dtcs": [], "padding": "x" * 30000})

        sent = 0
        while not counted.grown():
            sent += 1
            report(sent)
            assert sent < 100
        end = time.monotonic() + 60
        while site.watermark(car.vin, car.stream) != (sent, "{}"):  # what was dropped comes again
            assert time.monotonic() < end
            for seq in range(1, sent + 1):
                report(seq)
                time.sleep(0.8)


# ---- the process


def test_the_admin_pages_say_what_the_contract_lists(site):
    assert site.ingest.page("/healthz") and site.ingest.is_ready()
    assert "1.0.0" in site.ingest.page("/version")
    metrics = site.ingest.page("/metrics")
    for name in ("messages_total", "samples_total", "stored_samples_total", "duplicates_total", "rejected_total",
                 "dead_letters_total", "ring_dropped_total", "ring_depth", "ring_slots", "queue_depth",
                 "unacked_age_seconds", "unknown_signals_total", "lag_seconds", "commit_seconds", "shards_owned"):
        assert f"# TYPE vigie_ingest_{name} " in metrics, name
    assert "vigie_build_info{" in metrics and "process_resident_memory_bytes" in metrics
    assert site.ingest.metric("vigie_ingest_shards_owned") == 64
    assert "WVWZZZ" not in metrics  # no vehicle in a label


def run(*arguments, **environment):
    env = {k: v for k, v in os.environ.items() if not k.startswith("VIGIE_")}
    return subprocess.run([PROGRAM, *arguments], env={**env, **environment}, capture_output=True, text=True, timeout=60)


FILES = ("--ca", "/etc/hostname", "--cert", "/etc/hostname", "--key", "/etc/hostname")


def test_help_version_and_check_say_so_and_end_well():
    shown = run("--help")
    assert shown.returncode == 0
    for word in ("--mqtt", "--influx", "--instance", "--queue-slots", "--batch-wait", "--rate", "--burst", "VIGIE_PG"):
        assert word in shown.stdout
    assert re.search(r"vigie-ingest 1\.", run("--version").stdout)
    assert run("--check", *FILES, VIGIE_PG="host=/nowhere").returncode == 0


@pytest.mark.parametrize("wrong", ["--rate=many", "--no-such=1", "--queue-slots=0", "--ring-bytes=1k", "--site=", "--site=A b",
                                   "--instance=" + "x" * 40, "--log-level=loud", "--influx=ftp://x", "--influx=http://h:99999", "--queue-bytes=1", "--burst=0", "--frozen-wait=1s", "word",
                                   "--pg=host=x", "--mqtt=localhost", "--admin=127.0.0.1:99999"])
def test_a_wrong_setting_ends_with_2_and_names_it(wrong):
    for check in ([], ["--check"]):
        done = run(*check, *FILES, f"--admin=127.0.0.1:{free_port()}", wrong, VIGIE_PG="host=/nowhere")
        assert done.returncode == 2, done.stderr
        assert wrong.split("=")[0].lstrip("-").split("-")[0] in done.stderr.lower()


def test_required_settings_and_a_bad_connection_string_end_with_2():
    assert run(*FILES).returncode == 2
    assert run("--check", VIGIE_PG="host=x").returncode == 2
    done = run("--check", *FILES, VIGIE_PG="password=secret nonsense")
    assert done.returncode == 2 and "secret" not in done.stderr


def test_two_instances_share_the_shards_and_take_over_at_once(site):
    second = Ingest(site, "1", rate=RATE, burst=BURST).start()
    try:
        owned = lambda: [i.metric("vigie_ingest_shards_owned") for i in (site.ingest, second)]
        wait_until(lambda: owned() == [32, 32], why="fair shares")
        cars = [site.car() for _ in range(6)]
        for car in cars:
            car.one()
            car.wait_ack(1)
        told = lambda: second.metric("vigie_ingest_messages_total", 'kind="telemetry"')
        while not told() and len(cars) < 60:  # which half of the shards it has is chance
            cars.append(site.car())
            cars[-1].one()
            cars[-1].wait_ack(1)
        assert told()
        second.kill()
        wait_until(lambda: site.ingest.metric("vigie_ingest_shards_owned") == 64, why="taking over")
        for car in cars:
            with car:
                def acknowledged():
                    car.one(seq=2)
                    try:
                        return car.next_ack(1).upto == 2
                    except socket.timeout:
                        return False
                wait_until(acknowledged)
                assert site.watermark(car.vin, car.stream) == (2, "{}")
    finally:
        second.stop()


def test_of_two_instances_with_one_name_one_works_and_the_other_says_so_and_stands_by(site):
    twin = Ingest(site, "0", rate=RATE, burst=BURST)
    twin.log = site.folder / "ingest-twin.log"
    wait_until(lambda: site.ingest.metric("vigie_ingest_shards_owned") == 64, why="all shards")
    lost = site.ingest.log_text().count("event=broker.lost")
    try:
        twin.spawn()
        wait_until(lambda: "event=instance.twice" in twin.log_text(), why="it to say so")
        with site.car() as car:
            for seq in range(1, 5):
                car.one()
                car.wait_ack(seq)  # a second each, all in all
            assert site.ingest.metric("vigie_ingest_shards_owned") == 64
            assert "event=broker." not in twin.log_text()  # it never dialled
            assert site.ingest.log_text().count("event=broker.lost") == lost
            assert site.ingest.is_ready() and not twin.is_ready()
            assert twin.log_text().count("event=instance.twice") == 1
            site.ingest.stop()
            twin.wait_ready()
            car.one()
            car.wait_ack(5)
            wait_until(lambda: twin.metric("vigie_ingest_shards_owned") == 64, why="all shards")
            assert "event=instance.alone" in twin.log_text()
    finally:
        twin.stop()
        if site.ingest.process.poll() is not None:
            site.ingest.start()
    assert twin.process.returncode == 0


def test_a_session_of_its_own_that_the_server_still_has_is_no_twin(site):
    name = site.sql("SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'vigie-ingest-shards %'")
    postgres, twice = site.postgres, site.ingest.log_text().count("event=instance.twice")
    argv = [postgres.bin + "/psql", "-XAtq", "-h", postgres.sockets, "-p", str(postgres.port), "-U", "vigie_ingest", "-d", postgres.database]
    held = ("SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE locktype = 'advisory' AND classid::bigint = "
            f"hashtext('vigie %s {SITE}')::bigint & 4294967295 AND application_name = '{name}' AND pid %s {{pid}} AND %s").format
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/",
                          env={**os.environ, "PGAPPNAME": name}) as stale:
        stale.stdin.write(f"SELECT pg_backend_pid();\nSELECT pg_advisory_lock(hashtext('vigie name {SITE}'), hashtext('0'));\n")
        stale.stdin.flush()
        pid = stale.stdout.readline().strip()
        wait_until(lambda: site.sql(held(pid=pid) % ("name", "=", "NOT granted")) == "1", why="it to wait for the name")
        site.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}' AND pid <> {pid}")
        wait_until(lambda: site.sql(held(pid=pid) % ("history", "<>", "granted")) == "64", why="all shards under a new session")
        assert site.sql(held(pid=pid) % ("name", "=", "granted")) == "1"
        with site.car() as car:
            car.one()
            car.wait_ack(1)
        stale.communicate("", timeout=60)
    wait_until(lambda: site.sql(held(pid=pid) % ("name", "<>", "granted")) == "1", why="the name")
    assert site.ingest.log_text().count("event=instance.twice") == twice


def test_three_instances_share_to_within_one_whoever_comes_and_goes(site):
    one, two = (Ingest(site, name, rate=RATE, burst=BURST).start() for name in "12")
    owned = lambda *all: sorted(i.metric("vigie_ingest_shards_owned") for i in all)
    try:
        wait_until(lambda: owned(site.ingest, one, two) == [21, 21, 22], why="fair shares")
        one.kill()  # the order of those who are left may become another
        one.start()
        wait_until(lambda: owned(site.ingest, one, two) == [21, 21, 22], why="fair shares again")
        two.kill()
        wait_until(lambda: owned(site.ingest, one) == [32, 32], why="the share of two")
    finally:
        one.kill()
        two.kill()
    wait_until(lambda: owned(site.ingest) == [64], why="taking over")


def send_at_qos_0(cars, until):
    """Each car a record every 50 ms, none twice."""
    while not until.is_set():
        for car in cars:
            car.ticks = max(car.ticks + 1, now_ms())
            record = car.head("telemetry")
            record["samples"] = [{"t": car.ticks, "s": {SPEED: 50.0}}]
            car.publish("telemetry", record, qos=0)
        until.wait(0.05)


def test_no_record_is_lost_on_the_way_while_shards_change_hands_in_an_orderly_way(site):
    second = Ingest(site, "1", rate=RATE, burst=BURST)
    owned = lambda *all: [i.metric("vigie_ingest_shards_owned") for i in all]
    told = lambda ingest: ingest.metric("vigie_ingest_messages_total", 'kind="telemetry"')
    wait_until(lambda: owned(site.ingest) == [64], why="all shards")
    cars, enough = [site.car() for _ in range(12)], threading.Event()
    sender = threading.Thread(target=send_at_qos_0, args=(cars, enough))
    sender.start()
    try:
        second.start()
        wait_until(lambda: owned(site.ingest, second) == [32, 32], why="fair shares")
        wait_until(lambda: told(second) > 0, why="the second to receive")
        then = cars[0].seq
        wait_until(lambda: cars[0].seq > then + 160, why="the first to leave off what it gave up")
        second.stop()
        assert second.process.returncode == 0
        wait_until(lambda: owned(site.ingest) == [64], why="taking over")
    finally:
        enough.set()
        sender.join()
        second.stop()
    for car in cars:
        with car:
            car.wait_ack(car.seq)
            assert len(site.points(car.vin)) == car.seq
            assert [site.sql(f"SELECT upto, gaps FROM watermark WHERE vin = '{car.vin}' AND stream = '{car.stream}' "
                             f"AND site = '{s}'") for s in (SITE, "")] == [f"{car.seq}|{{}}"] * 2
