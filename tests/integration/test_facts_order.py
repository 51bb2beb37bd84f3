"""A day with everything in it, cut, shuffled, doubled, sent by several streams, with ingest killed in between: the same facts as in order."""
import json
import random
import signal
import uuid

import pytest

import drives
from ingest_site import MISSING, Ingest, now_ms, running, wait_until
from test_facts import HOUR_MS, alerts, events, is_partition, segments, settled

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
SETTINGS = {"rate": 100000, "burst": 100000, "late_wait": "1s"}
EVERY = ("trip", "stop", "gap", "idle", "lapse")
FULL = {"stored": "full", "pending": "full", "permanent": "full"}
LEVEL, STATE = "Vehicle.Powertrain.FuelSystem.RelativeLevel", "Vehicle.LowVoltageSystemState"
VOLTS = "Vehicle.LowVoltageBattery.CurrentVoltage"
BRAKING = [(1, 55), (1, 38), (1, 20)]
KINDS = {"harsh_braking", "overspeed", "geofence_enter", "geofence_exit", "geofence_dwell", "rule", "fuel_drop", "refuel", "overheating",
         "low_battery", "dtc_new", "dtc_cleared", "mil_on"}
SEEDS = range(1, 5)
QUARTERS = 4


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from running(tmp_path_factory.mktemp("facts-order"), **SETTINGS)


def made_car(site):
    car, customer = site.car(), str(uuid.uuid4())
    points = json.dumps([[7.7, 48.5 + 3000 * drives.METRE]])
    site.sql(f"INSERT INTO customer (id, name) VALUES ('{customer}', 'Of one car'); UPDATE vehicle SET customer_id = '{customer}', "
             f"detects = 'ingest', speed_limit_kmh = 60, fuel = 'petrol', displacement_l = 1.8, tank_l = 50 WHERE vin = '{car.vin}'; "
             "INSERT INTO geofence (id, customer_id, name, kind, radius_m, points, dwell_s) VALUES (gen_random_uuid(), "
             f"'{customer}', 'Zone', 'circle', 500, '{points}', 20); "
             "INSERT INTO rule (id, customer_id, name, signal, test, threshold, duration_s, repeat, repeat_s) VALUES (gen_random_uuid(), "
             f"'{customer}', 'Fast', 'Vehicle.Speed', 'above', 50, 30, 2, 1200)")
    return car


def night(start, seconds):
    return {start + s * 1000: {STATE: 2.0} for s in range(0, seconds, 60)}


def day(start):
    """Samples: two drives and two nights, a battery that does not charge, heat, fuel that is gone and fuel that is filled in."""
    drive = drives.north(start, [(60, 0), (250, 72), *BRAKING, (60, 20), (150, 72), (100, 0), (30, 50), (300, 0)],
                         **{LEVEL: 80.0, STATE: 4.0, VOLTS: 12.3, drives.MAP: 40.0, drives.INTAKE: 37.0})
    for n, sample in enumerate(drive.values()):
        if n % 7 == 0:
            sample[drives.COOLANT] = 112.0 if 200 <= n < 300 else 100.0
    end = max(drive)
    drive |= night(end + 60000, 1800)
    lat = list(s[drives.LAT] for s in drive.values() if drives.LAT in s)[-1]
    more = drives.north(end + 30 * 60000, [(200, 0), (120, 60), *BRAKING, (150, 0), (150, 60), (300, 0)], lat=lat,
                        **{LEVEL: 60.0, STATE: 4.0, VOLTS: 14.2})
    end = max(more)
    last = drives.north(end + 45 * 60000, [(200, 0)], lat=list(more.values())[-1][drives.LAT], **{LEVEL: 95.0, STATE: 4.0, VOLTS: 14.1})
    drive |= more | night(end + 60000, 1800) | last
    for began, ended in private(start):
        for t in drive:
            if began <= t < ended:
                drive[t] = {k: v for k, v in drive[t].items() if not k.startswith("Vehicle.CurrentLocation.")}
    return drive


def private(start):
    """Spans of private mode: from a stand into the next one, and from a stand into the drive after it."""
    return [(start + 580500, start + 800500), (start + 3150500, start + 3300500)]


def reports(start):
    """Trouble codes, as they are read now and then."""
    found = [(10, [], False), (150, ["P0301"], True), (400, ["P0301", "P0420"], True), (2400, ["P0420"], True), (2800, [], False)]
    return [(start + s * 1000, {"protocol": "6", "mil": mil, "lists": FULL, "readiness": {"catalyst": "complete"},
                                "dtcs": [{"code": c, "state": "stored", "ecu": "7E8"} for c in codes]}) for s, codes, mil in found]


def messages(start, cut):
    """[(time, leaf, what)] of the day in order; `cut` gives the length of each record."""
    times, parts, drive = sorted(day(start)), [], day(start)
    while times:
        n = cut()
        parts.append((times[0], "telemetry", {t: drive[t] for t in times[:n]}))
        times = times[n:]
    parts += [(t, "event", {"type": "private_mode", "data": {"on": on, "by": "button"}})
              for span in private(start) for t, on in zip(span, (True, False))]
    return sorted(parts + [(t, "diagnostics", body) for t, body in reports(start)], key=lambda m: m[:2])


def publish(car, message, stream, seq):
    t, leaf, what = message
    if leaf == "telemetry":
        car.telemetry(what, seq=seq, stream=stream)
    elif leaf == "event":
        car.event(what["type"], what["data"], seq, stream, str(uuid.uuid5(uuid.NAMESPACE_URL, f"{car.vin} {t}")), t=t)
    else:
        car.publish("diagnostics", {**car.head("diagnostics", seq, stream), "t": t, "vin": car.vin, **what})


def plan(rng, start):
    """What a car sends: [(stream, seq, message)], overtaking each other, some by other streams, some twice."""
    spread, streams, sent = rng.choice([0.5, 3, 20, 1000]), [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(3)], []
    aside, seqs = rng.choice([0, 0.1, 0.3]), [0, 0, 0]
    for place, message in enumerate(messages(start, lambda: rng.choice([1, 7, 20, 50]))):
        which = rng.choice([1, 2]) if rng.random() < aside else 0
        seqs[which] += 1
        sent.append((place + rng.gauss(0, spread), streams[which], seqs[which], message))
        if rng.random() < 0.1:
            sent.append((place + abs(rng.gauss(0, 30)), streams[which], seqs[which], message))
    return [entry[1:] for entry in sorted(sent, key=lambda entry: entry[0])], dict(zip(streams, seqs))


def facts(site, car, start):
    rows = [r._replace(id="", version=0) for r in segments(site, car.vin, start, EVERY)]
    placed = site.sql("SELECT kind, start_lat IS NOT NULL, end_lat IS NOT NULL FROM segment "
                      f"WHERE vin = '{car.vin}' AND state <> 'superseded' ORDER BY start_at, kind, end_at").splitlines()
    assert is_partition([r for r in rows if r.kind in ("trip", "stop", "gap")])
    # codes that came up while a car was ahead of its samples are told where it was as far as was known then: places are not compared
    found = [(kind, subject if kind.startswith(("dtc", "low")) else "", at - start, {k: v for k, v in data.items() if k not in ("rule", "geofence")})
             for kind, subject, at, data in events(site, car.vin)]
    cases = sorted((a.type, a.subject if a.type.startswith(("dtc", "low")) else "", int(a.occurred) - start, a.severity, a.state, a.reason, a.count)
                   for a in alerts(site, car.vin) if a.reason != "corrected")
    meter = site.sql("SELECT round(odometer_m), source, round(engine_h * 100000), round(idle_h * 100000), ms(at) "
                     f"FROM vehicle_meter WHERE vin = '{car.vin}'")
    codes = site.sql(f"SELECT code, there, ms(first_at), ms(last_at), ms(gone_at), count FROM dtc WHERE vin = '{car.vin}' ORDER BY code").splitlines()
    return {"rows": rows, "placed": placed, "events": sorted(found, key=repr), "cases": cases, "meter": meter, "codes": codes}


def kill(site):
    site.ingest.process.send_signal(signal.SIGKILL)
    site.ingest.process.wait()
    site.ingest = Ingest(site, **SETTINGS).start()


def test_whatever_happens_to_its_records_a_day_is_the_same_day(site):
    start = now_ms() - 3 * HOUR_MS
    car, *others = cars = [made_car(site) for _ in range(len(SEEDS) + 1)]
    for c in cars:
        site.sql("INSERT INTO meter_entry (id, customer_id, vin, at, odometer_m) SELECT gen_random_uuid(), customer_id, vin, "
                 f"to_timestamp({start / 1000 - 1}), 80000000 FROM vehicle WHERE vin = '{c.vin}'")
    wait_until(lambda: site.sql("SELECT count(*) FROM meter_entry WHERE taken_at IS NULL") == "0", why="the entries")
    with car:
        for seq, message in enumerate(messages(start, lambda: 20), 1):
            publish(car, message, None, seq)
        car.wait_ack(seq)
        wait_until(lambda: settled(site, car.vin), why="the day in order")
        expected = facts(site, car, start)
    assert KINDS - {kind for kind, *_ in expected["events"]} == set()
    assert [r.kind for r in expected["rows"]].count("trip") == 2 and "idle" in [r.kind for r in expected["rows"]] and expected["cases"]
    plans = {other: plan(random.Random(seed), start) for seed, other in zip(SEEDS, others)}
    for quarter in range(QUARTERS):
        parts = {car: sent[len(sent) * quarter // QUARTERS:len(sent) * (quarter + 1) // QUARTERS] for car, (sent, _) in plans.items()}
        for _ in range(2 if quarter < QUARTERS - 1 else 1):  # what was not acknowledged comes again
            for car, part in parts.items():
                for stream, seq, message in part:
                    publish(car, message, stream, seq)
            if quarter < QUARTERS - 1 and _ == 0:
                kill(site)
    for seed, (car, (_, streams)) in zip(SEEDS, plans.items()):
        for stream, seq in streams.items():
            wait_until(lambda c=car, s=stream, n=seq: n == 0 or site.watermark(c.vin, s) == (n, "{}"), why=f"all of stream {stream} of {seed}")
        wait_until(lambda c=car: settled(site, c.vin), why=f"the facts of {seed}")
        got = facts(site, car, start)
        for part, value in expected.items():
            assert got[part] == value, f"{part} of {seed}"
        car.client.close()


# ---- how much is read for it


def test_a_case_or_event_is_found_by_its_key_however_many_its_car_has_had(site):
    """The statements' plans are older than the rows, and nobody has counted them."""
    start = now_ms() - 60000

    def report(n, found):
        car.publish("diagnostics", {**car.head("diagnostics"), "t": start + n, "lists": {"stored": "full"},
                                    "dtcs": [{"code": f"P{c:04X}", "state": "stored", "ecu": "7E8"} for c in range(found)]})
        car.wait_ack(car.seq)

    def looks(table, column):
        return int(site.sql(f"SELECT coalesce(sum({column}), 0) FROM pg_stat_user_indexes WHERE relname = '{table}'"))

    def told():
        car.one()  # statistics are told with a later transaction
        car.wait_ack(car.seq)
        return looks("alert", "idx_scan") >= scans + 600

    with site.car() as car:
        for n, found in ((1, 1), (3, 0), (2, 0)):  # the last is late, and the end at 3 never was
            report(n, found)
        site.sql("INSERT INTO alert (id, vin, type, subject, ending, state, reason, severity, occurred_at, detected_at, last_at) SELECT "
                 f"gen_random_uuid(), '{car.vin}', 'dtc_new', 'B' || n, 'condition', 'cleared', 'ended', 'minor', now(), now(), now() "
                 "FROM generate_series(1, 4000) n; INSERT INTO event (vin, id, type, source, occurred_at, detected_at) SELECT "
                 f"'{car.vin}', gen_random_uuid(), 'tow', 'ingest', now(), now() FROM generate_series(1, 4000) n")
        scans, cases, facts = looks("alert", "idx_scan"), looks("alert", "idx_tup_read"), looks("event", "idx_tup_read")
        for n, found in ((11, 300), (13, 0), (12, 0)):
            report(n, found)
        assert site.sql(f"SELECT count(*) FROM event WHERE vin = '{car.vin}' AND withdrawn") == "301"
        wait_until(told, why="the statistics")
        assert looks("alert", "idx_tup_read") - cases < 300 * 400
        assert looks("event", "idx_tup_read") - facts < 300 * 400


def test_a_case_is_found_however_many_of_its_key_there_were(site):
    start = now_ms() - 60000

    def report(n, found):
        car.publish("diagnostics", {**car.head("diagnostics"), "t": start + n, "lists": {"stored": "full"},
                                    "dtcs": [{"code": "P0301", "state": "stored", "ecu": "7E8"}] if found else []})
        car.wait_ack(car.seq)

    def read():
        return int(site.sql("SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'alert'"))

    def scanned():
        return int(site.sql("SELECT sum(idx_scan) FROM pg_stat_user_indexes WHERE indexrelname = 'alert_going'"))

    with site.car() as car:
        report(1, False)
        site.sql("INSERT INTO alert (id, vin, type, subject, ending, state, reason, severity, occurred_at, detected_at, last_at, "
                 f"cleared_at) SELECT gen_random_uuid(), '{car.vin}', 'dtc_new', 'P0301', 'condition', 'cleared', "
                 "CASE WHEN n < 10 THEN 'corrected' ELSE 'ended' END, 'minor', t, t, t, t FROM generate_series(1, 5000) n, "
                 "LATERAL (SELECT now() - n * interval '1 h') AS x (t)")
        before, scans = read(), scanned()
        for n in range(2, 22):
            report(n, n % 2 == 0)
        wait_until(lambda: car.one() or car.wait_ack(car.seq) or scanned() >= scans + 20, why="the statistics")
        assert read() - before < 5000
    assert site.sql(f"SELECT count(*) FILTER (WHERE state <> 'cleared'), count(*) FROM alert WHERE vin = '{car.vin}' "
                    "AND type = 'dtc_new' AND last_at > now() - interval '50 min'") == "0|1"
