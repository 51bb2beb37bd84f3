"""The same drive, whatever happens to its records on the way: lost and sent again, shuffled, doubled, late, ingest killed."""
import os
import random
import signal
import subprocess
import threading
import time
import uuid

import pytest

import drives
from ingest_site import BUILD, DAY_MS, MISSING, ROOT, Ingest, make, now_ms, running, wait_until
from test_facts import HOUR_MS, alerts, events, is_partition, metres, places, segments, send, settled
from test_ingest_faults import Before, BeforeRequest

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
SETTINGS = {"rate": 100000, "burst": 100000, "late_wait": "1s"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    make(BUILD, "bin/vigie-api")
    yield from running(tmp_path_factory.mktemp("facts-late"), **SETTINGS)


def what(rows):
    """Rows without their names and versions."""
    return [r._replace(id="", version=0) for r in rows]


@pytest.fixture(scope="module")
def in_order(site):
    """(start, rows, all kinds) of the drive as it should be."""
    start = now_ms() - 2 * HOUR_MS
    with site.car() as car:
        send(car, drives.b08(start))
        rows = wait_until(lambda: settled(site, car.vin) and segments(site, car.vin, start, EVERY), why="the last rows")
    assert [r.kind for r in rows if r.kind in ("trip", "stop")] == ["stop", "trip", "stop", "trip", "stop"]
    return start, rows


OTHER = "0197f3c2-5f0e-7abc-8def-0123456789ab"


def named(text):
    """The id that a text comes to: version 8 of FNV-1a 128."""
    value = 0x6c62272e07bb014262b821756295c58d
    for byte in text.encode():
        value = (value ^ byte) * ((1 << 88) + 0x13b) % (1 << 128)
    value = value & ~(0xf << 76) | 8 << 76
    return str(uuid.UUID(int=value & ~(3 << 62) | 2 << 62))


def name_of(vin, kind, at_ms):
    """The id of a row that was found in order."""
    return named(f"{vin} {kind} {at_ms} 0")


def named_in_order(rows, vin, start):
    return [r.id for r in rows] == [name_of(vin, r.kind, start + round(r.start * 1000)) for r in rows]


EVERY = ("trip", "stop", "gap", "idle", "lapse")


def check(site, car, start, expected):
    wait_until(lambda: settled(site, car.vin), why="facts to be complete")
    rows = segments(site, car.vin, start, EVERY)
    assert what(rows) == what(expected) and is_partition([r for r in rows if r.kind in ("trip", "stop", "gap")])
    return rows


def test_records_that_overtake_each_other_wait_for_those_before(site, in_order):
    start, expected = in_order
    with site.car() as car:
        records = list(enumerate(drives.records(drives.b08(start), 20), 1))
        random.Random(1).shuffle(records)
        for seq, samples in records[:40] + records[30:]:  # and some come twice
            car.telemetry(samples, seq=seq)
        car.wait_ack(len(records))
        rows = check(site, car, start, expected)
        assert named_in_order(rows, car.vin, start)  # never told wrongly, never corrected
        assert site.sql(f"SELECT count(*) FROM segment WHERE vin = '{car.vin}' AND state = 'superseded'") == "0"


def test_a_drive_that_comes_again_in_a_new_stream_changes_nothing(site, in_order):
    """As from a car whose outbox was an old copy."""
    start, expected = in_order
    with site.car() as car:
        send(car, drives.b08(start))
        rows = check(site, car, start, expected)
        car.stream, car.seq = str(uuid.uuid4()), 0
        send(car, drives.b08(start))
        assert [r.id for r in check(site, car, start, expected)] == [r.id for r in rows]


def test_a_record_that_comes_late_corrects_the_rows_around_it(site, in_order):
    """Without an order of its own (each record another stream) what is older than the newest is late."""
    start, expected = in_order
    with site.car() as car:
        records = drives.records(drives.b08(start), 20)
        hidden = records[20:40] + records[70:75]
        for samples in [r for r in records if r not in hidden]:
            car.telemetry(samples)
        car.wait_ack(car.seq)
        wait_until(lambda: settled(site, car.vin), why="the rows without them")
        assert what(segments(site, car.vin, start, EVERY)) != what(expected)
        random.Random(2).shuffle(hidden)
        for seq, samples in enumerate(hidden, 1):
            car.telemetry(samples, seq=seq, stream=OTHER)
        car.wait_ack(len(hidden), stream=OTHER)
        check(site, car, start, expected)
        wait_until(lambda: site.ingest.metric("vigie_ingest_recomputed_total", 'cause="late"') >= 1, why="it to be counted")


def test_a_hole_in_the_trip_before_the_late_samples_stays(site):
    """Stepping begins where the trip before, which has a hole of its own, has just ended."""
    start = now_ms() - 2 * HOUR_MS
    whole = drives.north(start, [(120, 0), (1200, 72), (600, 0), (1500, 72), (300, 0)])
    way = {t: s for t, s in whole.items() if not start + 500000 < t < start + 900000}
    late = {t: s for t, s in way.items() if start + 2500000 < t < start + 2900000}
    with site.car() as twin, site.car() as car:
        send(twin, way)
        send(car, {t: s for t, s in way.items() if t not in late})
        expected = wait_until(lambda: settled(site, twin.vin) and segments(site, twin.vin, start, EVERY), why="its twin")
        assert [r.kind for r in expected].count("lapse") == 1, expected
        wait_until(lambda: settled(site, car.vin) and len(segments(site, car.vin, start, ("lapse",))) == 2, why="both holes")
        for seq, samples in enumerate(drives.records(late, 20), 1):
            car.telemetry(samples, seq=seq, stream=OTHER)
        car.wait_ack(seq, stream=OTHER)
        wait_until(lambda: len(segments(site, car.vin, start, ("lapse",))) < 2, why="the filled hole to go")
        check(site, car, start, expected)


def test_a_meter_falls_by_what_was_guessed_of_a_hole_in_which_the_car_was_on_a_ferry(site):
    """Kilometres that were none, and with them hours that were: all or nothing of a meter is taken over."""
    start = now_ms() - HOUR_MS
    before, after = drives.north(start, [(60, 0), (60, 72)]), drives.north(start + 400000, [(60, 72), (60, 0)], lat=48.5 + 3400 * drives.METRE)
    lat = max(s[drives.LAT] for s in before.values())
    ferry = {t: {drives.LAT: lat + (48.5 + 3400 * drives.METRE - lat) * (t - start - 120000) / 280000, drives.LON: 7.7, drives.SPEED: 0.0,
                 drives.RPM: 800.0} for t in range(start + 121000, start + 400000, 1000)}
    meters = []
    for is_late in (False, True):
        with site.car() as car:
            site.sql("INSERT INTO meter_entry (id, customer_id, vin, at, odometer_m) SELECT gen_random_uuid(), customer_id, vin, "
                     f"to_timestamp({start / 1000 - 1}), 80000000 FROM vehicle WHERE vin = '{car.vin}'")
            wait_until(lambda: site.sql("SELECT count(*) FROM meter_entry WHERE taken_at IS NULL") == "0", why="the entry")
            send(car, before | after if is_late else before | ferry | after)
            wait_until(lambda: settled(site, car.vin), why="the rows")
            for seq, samples in enumerate(drives.records(ferry if is_late else {}, 20), 1):
                car.telemetry(samples, seq=seq, stream=OTHER)
                car.wait_ack(seq, stream=OTHER)
            wait_until(lambda: settled(site, car.vin), why="what came late")
            meters.append(site.sql("SELECT round(odometer_m), round(engine_h * 100000), round(idle_h * 100000) FROM vehicle_meter "
                                   f"WHERE vin = '{car.vin}'"))
    assert meters[0] == meters[1]


def test_a_drive_sent_backwards_ends_as_the_same_rows(site, in_order):
    start, expected = in_order
    with site.car() as car:
        for seq, samples in enumerate(reversed(drives.records(drives.b08(start), 60)), 1):
            car.telemetry(samples, seq=seq)
        car.wait_ack(seq)
        check(site, car, start, expected)


def test_kill_minus_9_in_between_changes_nothing(site, in_order):
    start, expected = in_order
    with site.car() as car:
        records = drives.records(drives.b08(start), 20)
        for n in (0, 30, 60, 90):
            seqs = list(range(n + 1, min(n + 30, len(records)) + 1))
            for seq in seqs:
                car.telemetry(records[seq - 1], seq=seq)
            site.ingest.process.send_signal(signal.SIGKILL)
            site.ingest.process.wait()
            site.ingest = Ingest(site, **SETTINGS).start()
            for seq in seqs:  # no ack came: once more
                car.telemetry(records[seq - 1], seq=seq)
            car.wait_ack(seqs[-1])
        rows = check(site, car, start, expected)
    assert named_in_order(rows, car.vin, start)


def operate(site, *argv):
    env = {**os.environ, "VIGIE_PG": site.postgres.conninfo(), "VIGIE_INFLUX": site.influx.address}
    subprocess.run([ROOT / BUILD / "bin/vigie-api", *argv], env=env, stdout=subprocess.DEVNULL, check=True, timeout=120)


def customer_of_its_own(site, vin):
    customer = str(uuid.uuid4())
    site.sql(f"INSERT INTO customer (id, name) VALUES ('{customer}', 'Keeps little'); "
             f"UPDATE vehicle SET customer_id = '{customer}' WHERE vin = '{vin}'")
    return customer


def test_samples_that_were_purged_take_nothing_away_and_later_ones_are_still_corrected(site):
    """A customer who keeps samples for 7 days, and then for 60 again; what comes late is 9 days old, or of yesterday."""
    now = now_ms()
    start, fast = now - 10 * DAY_MS, [(60, 0), (60, 70), (30, 100), (60, 70), (300, 0)]
    with site.car() as car:
        site.sql(f"UPDATE vehicle SET speed_limit_kmh = 80 WHERE vin = '{car.vin}'")
        customer = customer_of_its_own(site, car.vin)
        operate(site, "customer", "keep", "7", "--customer", customer)
        for days in (9, 8, 2):
            send(car, drives.north(now - days * DAY_MS, fast))
        drive = drives.north(now - DAY_MS, fast)
        hidden = {t: s for t, s in drive.items() if 110000 < t - now + DAY_MS < 160000}
        send(car, {t: s for t, s in drive.items() if t not in hidden})
        wait_until(lambda: settled(site, car.vin), why="the rows")
        before, told = segments(site, car.vin, start, EVERY), events(site, car.vin)
        assert [r.kind for r in before].count("trip") == 4 and [e[0] for e in told] == ["overspeed"] * 3
        wait_until(lambda: site.sql(f"SELECT count(*) FROM segment WHERE vin = '{car.vin}' AND kind = 'trip' AND score_terms IS NULL")
                   == "0", why="scores: a trip without one is not final")
        operate(site, "purge")
        assert min(site.points(car.vin)) > now - 7 * DAY_MS - HOUR_MS
        over = [r for r in before if start + r.end * 1000 < now - 7 * DAY_MS - HOUR_MS]
        before = [r._replace(state="final") if r in over else r for r in before]
        assert [r.kind for r in over].count("trip") == 2 and segments(site, car.vin, start, EVERY) == before
        car.telemetry({now - 9 * DAY_MS - 3 * HOUR_MS: {drives.SPEED: 0.0}}, seq=1, stream=OTHER)
        car.wait_ack(1, stream=OTHER)
        wait_until(lambda: settled(site, car.vin), why="the late one to be looked at")
        assert segments(site, car.vin, start, EVERY) == before and events(site, car.vin) == told
        car.telemetry({now - 9 * DAY_MS - 2 * HOUR_MS: {drives.SPEED: 0.0}, **hidden}, seq=2, stream=OTHER)
        car.wait_ack(2, stream=OTHER)
        wait_until(lambda: settled(site, car.vin), why="both to be looked at")
        after = segments(site, car.vin, start, EVERY)
        old = [r for r in before if r.start * 1000 < 8.5 * DAY_MS]
        assert after[:len(old)] == old and is_partition([r for r in after if r.kind in ("trip", "stop", "gap")])
        assert [r.kind for r in after].count("trip") == 4 and events(site, car.vin)[:3] == told and len(events(site, car.vin)) == 4
        told = events(site, car.vin)
        operate(site, "customer", "keep", "60", "--customer", customer)  # what was deleted does not come back by that
        operate(site, "purge")
        site.ingest.stop()
        site.ingest = Ingest(site, **SETTINGS).start()  # else it knows of the 60 days some seconds later
        car.telemetry({now - 9 * DAY_MS - HOUR_MS: {drives.SPEED: 0.0}}, seq=3, stream=OTHER)
        car.wait_ack(3, stream=OTHER)
        wait_until(lambda: settled(site, car.vin), why="the one from before the purge to be looked at")
        assert segments(site, car.vin, start, EVERY) == after and events(site, car.vin) == told


def test_a_switch_of_private_mode_a_year_ago_withdraws_nothing(site):
    now = now_ms()
    past = f"now() - interval '100 d', now() - interval '100 d', {now - 100 * DAY_MS}"
    withdrawn = "SELECT withdrawn FROM event WHERE vin = '{}' AND type = 'overspeed'"
    with site.car() as car:
        send(car, drives.north(now - DAY_MS, [(60, 0), (60, 50), (300, 0)]))
        wait_until(lambda: settled(site, car.vin), why="the rows")
        site.sql("INSERT INTO event (id, vin, type, source, severity, occurred_at, detected_at, told_ms, data) VALUES "
                 f"(gen_random_uuid(), '{car.vin}', 'overspeed', 'ingest', 'minor', {past}, '{{}}')")
        car.event("private_mode", {"on": False, "by": "button"}, t=now - 400 * DAY_MS)
        car.wait_ack(car.seq)
        wait_until(lambda: settled(site, car.vin), why="it to be looked at")
        assert site.sql(withdrawn.format(car.vin)) == "f"
        car.event("private_mode", {"on": False, "by": "button"}, t=now - 300 * DAY_MS)
        car.telemetry({now - DAY_MS + 30500: {drives.SPEED: 0.0}}, seq=1, stream=OTHER)  # and of yesterday
        car.wait_ack(1, stream=OTHER)
        wait_until(lambda: settled(site, car.vin), why="both to be looked at")
        assert site.sql(withdrawn.format(car.vin)) == "f"


def test_a_history_that_was_lost_takes_nothing_away(site, in_order):
    start, expected = in_order
    with site.car() as car:
        send(car, drives.b08(start))
        wait_until(lambda: settled(site, car.vin), why="the rows")
        site.influx.query(f"DELETE FROM telemetry WHERE vin = '{car.vin}'", "fleet")
        car.telemetry({start - 60000: {drives.SPEED: 0.0}}, seq=1, stream=OTHER)
        car.wait_ack(1, stream=OTHER)
        wait_until(lambda: settled(site, car.vin), why="the late record to be looked at")
        assert what(segments(site, car.vin, start, EVERY)) == what(expected)
        wait_until(lambda: "the history lacks samples" in site.ingest.log_text(), why="it to be said")


def test_a_history_of_which_a_part_was_lost_takes_nothing_away(site, in_order):
    start, expected = in_order
    with site.car() as car:
        records = drives.records(drives.b08(start), 20)
        half, late = len(records) // 2, records.pop(len(records) // 2 - 3)
        for samples in records[:half]:
            car.telemetry(samples)
        car.wait_ack(car.seq)
        site.influx.query(f"DELETE FROM telemetry WHERE vin = '{car.vin}'", "fleet")
        for samples in records[half:]:  # it drives on, and what is newest is there
            car.telemetry(samples)
        car.wait_ack(car.seq)
        wait_until(lambda: settled(site, car.vin), why="the rows")
        before = segments(site, car.vin, start, EVERY)
        assert [r.kind for r in before] == [r.kind for r in expected]
        car.telemetry(late, seq=1, stream=OTHER)
        car.wait_ack(1, stream=OTHER)
        wait_until(lambda: settled(site, car.vin), why="the late record to be looked at")
        assert segments(site, car.vin, start, EVERY) == before
        wait_until(lambda: f"vehicle={car.vin} reason=\"the history lacks samples" in site.ingest.log_text(), why="it to be said")


def forget_layout(site, vin):
    """As after an upgrade: what was stored is another build's."""
    site.sql(f"UPDATE fact_state SET layout = layout + 1 WHERE vin = '{vin}'; "
             f"UPDATE fact_checkpoint SET layout = layout + 1 WHERE vin = '{vin}'")


def test_a_build_that_cannot_read_the_states_ends_with_the_same_rows(site, in_order):
    start, expected = in_order
    with site.car() as car:
        records = drives.records(drives.b08(start), 20)
        for samples in records[:25]:
            car.telemetry(samples)
        car.wait_ack(car.seq)
        wait_until(lambda: settled(site, car.vin), why="the first trip as far as it got")
        forget_layout(site, car.vin)
        for samples in records[25:]:
            car.telemetry(samples)
        car.wait_ack(car.seq)
        check(site, car, start, expected)


def test_a_build_that_cannot_read_the_states_goes_on_with_kilometres_and_hours(site):
    start = now_ms() - HOUR_MS
    meter = "SELECT round(odometer_m / 1000), source, round(engine_h::numeric, 1) FROM vehicle_meter WHERE vin = '{}'"
    with site.car() as car, site.car() as other:
        for c in (car, other):
            send(c, drives.north(start, [(60, 72), (30, 0)]))
        at = f"to_timestamp({start / 1000 + 100})"
        site.sql(f"INSERT INTO meter_entry (id, customer_id, vin, at, odometer_m, engine_h) VALUES (gen_random_uuid(), '{site.customer}', "
                 f"'{car.vin}', {at}, 80000000, 1200), (gen_random_uuid(), '{site.customer}', '{other.vin}', {at}, NULL, 700)")
        wait_until(lambda: site.sql(meter.format(car.vin)) == "80000|estimated|1200.0", why="the entry")
        wait_until(lambda: site.sql(meter.format(other.vin)) == "||700.0", why="the hours")
        for c in (car, other):
            send(c, drives.north(start + 200000, [(300, 72), (60, 0)], lat=48.5 + 1200 * drives.METRE))
        wait_until(lambda: site.sql(meter.format(car.vin)) == "80006|estimated|1200.1", why="the way since")
        for c in (car, other):
            forget_layout(site, c.vin)
            send(c, drives.north(start + 1800000, [(300, 72), (60, 0)], lat=48.6))
        wait_until(lambda: settled(site, car.vin) and settled(site, other.vin), why="it to be computed again")
        wait_until(lambda: site.sql(meter.format(car.vin)) == "80012|estimated|1200.2", why="kilometres to go on")
        assert site.sql(meter.format(other.vin)) == "||700.2"
        for c in (car, other):  # late, and there is no checkpoint to begin at
            c.telemetry({start - HOUR_MS: {drives.SPEED: 0.0}}, seq=1, stream=OTHER)
            c.wait_ack(1, stream=OTHER)
        wait_until(lambda: settled(site, car.vin) and settled(site, other.vin), why="the late one to be looked at")
        assert site.sql(meter.format(car.vin)) == "80012|estimated|1200.2" and site.sql(meter.format(other.vin)) == "||700.2"


def refuse_once_more(site, vin, column="late_from_ms", code="40001"):
    """Whoever clears what is late of this vehicle is told to come again."""
    site.sql("CREATE FUNCTION refuse_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
             f"RAISE EXCEPTION 'not now' USING ERRCODE = '{code}'; END $$; "
             "CREATE TRIGGER refuse_late BEFORE UPDATE ON fact_state FOR EACH ROW "
             f"WHEN (OLD.vin = '{vin}' AND OLD.{column} > 0 AND NEW.{column} = 0) EXECUTE FUNCTION refuse_late()")


def test_a_vehicle_that_cannot_be_computed_again_holds_up_nobody(site):
    start = now_ms() - HOUR_MS
    drive = drives.north(start, [(60, 0), (60, 50), (30, 0)])
    with site.car() as one, site.car() as car:
        one, car = sorted((one, car), key=lambda c: c.vin)
        for c in (one, car):
            send(c, drive)
        wait_until(lambda: settled(site, one.vin) and settled(site, car.vin), why="the rows")
        failed = site.ingest.metric("vigie_ingest_recomputes_failed_total")
        refuse_once_more(site, one.vin)
        try:
            one.telemetry({start + 30500: {drives.SPEED: 0.0}}, seq=1, stream=OTHER)
            wait_until(lambda: site.ingest.metric("vigie_ingest_recomputes_failed_total") > failed, why="the first try")
            car.telemetry({start + 30500: {drives.SPEED: 0.0}}, seq=1, stream=OTHER)
            car.wait_ack(1, stream=OTHER)
            send(car, drives.north(start + 600000, [(10, 0)], lat=48.52))  # its rows are shown once it has fallen silent
            wait_until(lambda: settled(site, car.vin), why="the other car")
            assert not settled(site, one.vin)
            assert site.ingest.log_text().count(f"again.later vehicle={one.vin}") == 1
        finally:
            site.sql("DROP TRIGGER refuse_late ON fact_state; DROP FUNCTION refuse_late")
        wait_until(lambda: settled(site, one.vin), why="its turn to come")


@pytest.mark.parametrize("refused, other", (("wait_ms", "late_from_ms"), ("late_from_ms", "wait_ms")))
def test_of_what_waited_and_what_came_late_one_that_is_refused_does_not_hold_up_the_other(site, refused, other):
    start = now_ms() - HOUR_MS
    records = drives.records(drives.north(start, [(60, 0), (60, 50), (30, 0)]), 25)

    def come(car, column):
        if column == "wait_ms":
            car.telemetry(records[-1], seq=len(records) + 1)  # the one before never comes
            car.wait_ack(len(records) + 1, [(len(records), len(records))])
            since = "wait_since = wait_since - interval '600 s'"
            assert site.sql(f"UPDATE fact_state SET {since} WHERE vin = '{car.vin}' AND wait_ms > 0 RETURNING 1") == "1"
        else:
            car.telemetry({start + 30500: {drives.SPEED: 0.0}}, seq=1, stream=OTHER)
            car.wait_ack(1, stream=OTHER)
            assert site.sql(f"SELECT late_at IS NOT NULL FROM fact_state WHERE vin = '{car.vin}'") == "t"

    with site.car() as car:
        for samples in records[:-1]:
            car.telemetry(samples)
        car.wait_ack(car.seq)
        failed = site.ingest.metric("vigie_ingest_recomputes_failed_total")
        refuse_once_more(site, car.vin, refused, "23514")
        try:
            come(car, refused)
            wait_until(lambda: site.ingest.metric("vigie_ingest_recomputes_failed_total") > failed, why="the first try")
            come(car, other)
            wait_until(lambda: site.sql(f"SELECT {other} FROM fact_state WHERE vin = '{car.vin}'") == "0", why="the other to be computed")
            assert site.sql(f"SELECT {refused} > 0 FROM fact_state WHERE vin = '{car.vin}'") == "t"
        finally:
            site.sql("DROP TRIGGER refuse_late ON fact_state; DROP FUNCTION refuse_late")


def test_late_data_of_a_car_with_very_many_facts_changes_none_of_them(site):
    """To write them would hold up everybody's records, with each late one again."""
    start = now_ms() - HOUR_MS
    drive = drives.north(start, [(60, 0), (60, 50), (1200, 0)])
    with site.car() as car:
        send(car, drive)
        wait_until(lambda: settled(site, car.vin), why="the rows")
        site.sql("INSERT INTO event (vin, id, type, subject, source, severity, occurred_at, detected_at, data, told_ms) SELECT "
                 f"'{car.vin}', gen_random_uuid(), 'overspeed', '', 'ingest', 'minor', to_timestamp((t) / 1000.0), now(), '{{}}', t "
                 f"FROM generate_series({start + 300001}, {start + 1300000}, 50) t")
        assert len(events(site, car.vin)) == 20000
        site.sql("INSERT INTO event (vin, id, type, subject, source, severity, occurred_at, detected_at, data, told_ms) SELECT vin, "
                 f"gen_random_uuid(), type, 's', source, severity, occurred_at, detected_at, data, told_ms FROM event WHERE vin = '{car.vin}' LIMIT 1")
        car.telemetry({start + 30500: {drives.SPEED: 0.0}}, seq=1, stream=OTHER)
        car.wait_ack(1, stream=OTHER)
        wait_until(lambda: settled(site, car.vin), why="the late one to be looked at")
        assert len(events(site, car.vin)) == 20001 and f"again.refused vehicle={car.vin}" in site.ingest.log_text()
        site.sql(f"DELETE FROM event WHERE vin = '{car.vin}' AND subject = 's'")
        site.ingest.stop()  # it would wait a minute by now
        site.ingest.start()
        car.telemetry({start + 31500: {drives.SPEED: 0.0}}, seq=2, stream=OTHER)
        wait_until(lambda: events(site, car.vin) == [], why="those that are not so")


def test_private_mode_that_is_told_late_takes_the_places_away(site):
    start = now_ms() - HOUR_MS
    drive = drives.north(start, [(60, 0), (120, 60), (300, 0)])
    with site.car() as car:
        send(car, drive)
        wait_until(lambda: settled(site, car.vin), why="the rows")
        assert places(site, car.vin) == [("stop", "closed", "t", "t", "0"), ("trip", "closed", "t", "t", "2"), ("stop", "open", "t", "t", "0")]
        car.event("private_mode", {"on": True, "by": "command"}, t=start + 120500, seq=1, stream=OTHER)
        car.wait_ack(1, stream=OTHER)
        wait_until(lambda: settled(site, car.vin), why="the rows to be found again")
        assert places(site, car.vin) == [("stop", "closed", "t", "t", "0"), ("trip", "closed", "t", "f", "2"), ("stop", "open", "f", "f", "0")]


def test_an_alert_gets_the_place_that_late_samples_tell(site):
    start = now_ms() - HOUR_MS
    drive = drives.north(start, [(60, 0), (120, 72)])
    with site.car() as car:
        send(car, {t: {drives.SPEED: s[drives.SPEED], drives.RPM: s[drives.RPM]} for t, s in drive.items()})
        car.event("overheating", {}, leaf="alert", severity="major", t=start + 110000)
        car.wait_ack(car.seq)
        assert metres(site, car.vin, "alert", "overheating") is None
        car.telemetry({t + 500: {k: v for k, v in s.items() if k.startswith("Vehicle.CurrentLocation.")} for t, s in drive.items()},
                      seq=1, stream=OTHER)
        wait_until(lambda: metres(site, car.vin, "alert", "overheating") is not None, why="its place")
        assert abs(metres(site, car.vin, "alert", "overheating") - 50 * 20) <= 25


def test_a_braking_that_comes_late_is_found_and_one_that_late_data_disproves_is_withdrawn(site):
    start = now_ms() - HOUR_MS
    drive = drives.braking(start)
    with site.car() as car:
        site.sql(f"UPDATE vehicle SET detects = 'ingest' WHERE vin = '{car.vin}'")
        records = drives.records(drive, 100)
        late = [r for r in records if min(r) <= start + 138297 + 4000 and max(r) >= start + 138297 - 4000]
        for samples in [r for r in records if r not in late]:
            car.telemetry(samples)
        car.wait_ack(car.seq)
        assert events(site, car.vin) == []
        for seq, samples in enumerate(late, 1):
            car.telemetry(samples, seq=seq, stream=OTHER)
        car.wait_ack(len(late), stream=OTHER)
        wait_until(lambda: settled(site, car.vin), why="all of it to be looked at")
        (event,) = [e for e in events(site, car.vin) if e[0] == "harsh_braking"]
        lag = site.sql(f"SELECT detected_at - occurred_at > interval '50 min' FROM event WHERE vin = '{car.vin}'")
        assert event[3]["band"] == 3 and lag == "t"
        # it was no braking: between its steps the car went on at 77 km/h, says what comes now
        steady = {t + 7: {drives.SPEED: 77.0, drives.RPM: 2000.0} for t in range(start + 137000, start + 143000, 400)}
        car.telemetry(steady, seq=len(late) + 1, stream=OTHER)
        wait_until(lambda: events(site, car.vin) == [], why="the event to be withdrawn")
        assert site.sql(f"SELECT state, reason FROM alert WHERE vin = '{car.vin}' AND type = 'harsh_braking'") == "cleared|corrected"


def test_a_gap_without_progress_for_ten_minutes_is_passed_over(site, in_order):
    """The record in between never comes and is never called lost."""
    start, _ = in_order
    records = drives.records(drives.b08(start), 20)
    with site.car() as car:
        for seq, samples in enumerate(records, 1):
            if seq != 11:
                car.telemetry(samples, seq=seq)
        car.wait_ack(len(records), [(11, 11)])
        waits = f"SELECT wait_ms > 0 FROM fact_state WHERE vin = '{car.vin}'"
        assert site.sql(waits).strip() == "t"
        older = f"UPDATE fact_state SET wait_since = wait_since - interval '{{}} s' WHERE vin = '{car.vin}'"
        site.sql(older.format(500))
        time.sleep(3)  # it looks every second
        assert site.sql(waits).strip() == "t"
        site.sql(older.format(100))
        wait_until(lambda: settled(site, car.vin), why="facts to go on")
        rows = segments(site, car.vin, start)
    assert [r.kind for r in rows if r.kind == "trip"] == ["trip", "trip"]


class Asked(Before):
    """Stands before InfluxDB and keeps questions to itself unless it `answers`."""

    def __init__(self, behind):
        self.asked, self.answers = threading.Event(), threading.Event()
        self.answers.set()
        super().__init__(behind, AskedRequest)


class AskedRequest(BeforeRequest):
    def pass_on(self):
        if "/query" in self.path and not self.server.answers.is_set():
            self.server.asked.set()
            self.server.answers.wait(60)
        super().pass_on()

    do_GET = do_HEAD = pass_on


def test_what_is_found_by_settings_that_changed_while_late_data_is_computed_stays(site):
    """And is over when it is over: the car goes on with what those settings began."""
    start = now_ms() - 2 * HOUR_MS
    drive = drives.north(start, [(60, 0), (4800, 50), (300, 0)])
    hidden = {t for t in drive if 20000 < t - start < 30000}
    site.ingest.stop()
    with Asked(site.influx.address) as before, site.car() as car:
        behind = Ingest(site, "behind", influx=f"http://127.0.0.1:{before.server_port}", **SETTINGS).start()
        try:
            site.sql(f"UPDATE vehicle SET speed_limit_kmh = 60 WHERE vin = '{car.vin}'")
            send(car, {t: s for t, s in drive.items() if t < start + 120000 and t not in hidden})
            time.sleep(4)  # so that the writer asks for settings soon, and whoever computes has asked just then
            before.answers.clear()
            car.telemetry({t: drive[t] for t in hidden}, seq=1, stream=OTHER)
            assert before.asked.wait(60)
            site.sql(f"UPDATE vehicle SET speed_limit_kmh = 30 WHERE vin = '{car.vin}'")
            at = start + 120000
            while not events(site, car.vin):  # what ingest has of settings is five seconds old at most
                car.telemetry({t: s for t, s in drive.items() if at <= t < at + 10000})
                at += 10000
            car.wait_ack(car.seq)
            found = events(site, car.vin), alerts(site, car.vin)
            before.answers.set()
            wait_until(lambda: settled(site, car.vin), why="what came late")
            assert (events(site, car.vin), alerts(site, car.vin)) == found
            send(car, {t: s for t, s in drive.items() if t >= at})
            ((kind, _, occurred, data),) = events(site, car.vin)
            assert (kind, occurred) == ("overspeed", found[0][0][2]) and data["above_ms"] > start + 4840000 - occurred
            assert [(a.type, a.state) for a in alerts(site, car.vin)] == [("overspeed", "cleared")]
        finally:
            before.answers.set()
            behind.stop()
            before.shutdown()
    assert behind.process.returncode == 0
    site.ingest.start()
