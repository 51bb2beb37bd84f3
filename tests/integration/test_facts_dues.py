"""What is due and when: kilometres and hours as shown, maintenance, a contract's mileage."""
import datetime
import json
import uuid

import pytest

import drives
from ingest_site import DAY_MS, MISSING, now_ms, running, wait_until
from stack.postgres import rows_held
from test_facts import HOUR_MS, alerts, send

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
ODOMETER = "Vehicle.TraveledDistance"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from running(tmp_path_factory.mktemp("facts-dues"), rate=100000, burst=100000, start_quiet="1d")


def insert(site, table, **columns):
    columns = {"id": str(uuid.uuid4()), "customer_id": site.customer, **columns}
    site.sql(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(repr(v) for v in columns.values())})")
    return columns["id"]


def drive_to(site, car, km, ago_ms=HOUR_MS):
    """Its own odometer says so at the end of a short drive."""
    drive = drives.north(now_ms() - ago_ms, [(60, 50), (30, 0)])
    for n, sample in enumerate(drive.values()):
        sample[ODOMETER] = km * 1000.0 - 800 + min(n, 60) * 800 / 60
    send(car, drive)
    wait_until(lambda: meter(site, car.vin) == (km, "car"), why="the meter")


def meter(site, vin):
    row = site.sql(f"SELECT round(odometer_m / 1000), source FROM vehicle_meter WHERE vin = '{vin}'")
    return (int(row.split("|")[0] or 0), row.split("|")[1]) if row else None


def case(site, vin, kind):
    return [(a.state, a.severity, a.subject) for a in alerts(site, vin) if a.type == kind]


def test_maintenance_is_soon_due_and_done(site):
    with site.car() as car:
        drive_to(site, car, 114500, ago_ms=5 * HOUR_MS)
        plan = insert(site, "maintenance", vin=car.vin, name="Oil", every_km=15000, last_km=100000)  # looked at once: it is there now
        assert wait_until(lambda: case(site, car.vin, "maintenance_due"), why="the case") == [("open", "info", plan)]
        stage, by, left = site.sql(f"SELECT stage, due_by, round(due_left) FROM maintenance WHERE id = '{plan}'").split("|")
        assert (stage, by, left) == ("soon", "km", "500")
        drive_to(site, car, 115100, ago_ms=HOUR_MS // 2)
        site.sql(f"UPDATE maintenance SET name = 'Oil and filter', version = version + 1 WHERE id = '{plan}'")  # looked at anew
        wait_until(lambda: case(site, car.vin, "maintenance_due") == [("open", "minor", plan)], why="it to be due")
        site.sql(f"UPDATE maintenance SET last_km = 115100, version = version + 1 WHERE id = '{plan}'")
        wait_until(lambda: case(site, car.vin, "maintenance_due") == [("cleared", "minor", plan)], why="the service to count")
        assert site.sql(f"SELECT stage FROM maintenance WHERE id = '{plan}'") == "fine"


def test_a_meter_somebody_read_is_not_held_up_by_what_is_due(site):
    """What waits is the writing of a plan of the same vehicle, once its entry was taken."""
    with site.car() as car:
        car.one()  # no kilometres: what is due is not known before the entry, and asked again and again
        car.wait_ack(1)
        site.sql("CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN IF EXISTS (SELECT FROM meter_entry "
                 "WHERE vin = NEW.vin AND taken_at IS NOT NULL) THEN PERFORM pg_advisory_xact_lock_shared(4711); END IF; RETURN NEW; END $$; "
                 "CREATE TRIGGER held BEFORE UPDATE ON maintenance FOR EACH ROW EXECUTE FUNCTION held()")
        try:
            with rows_held(site, "SELECT pg_advisory_xact_lock(4711)"):
                site.sql("BEGIN; INSERT INTO meter_entry (id, customer_id, vin, odometer_m) VALUES (gen_random_uuid(), "
                         f"'{site.customer}', '{car.vin}', 2000000); INSERT INTO maintenance (id, customer_id, vin, name, every_km, last_km) "
                         f"VALUES (gen_random_uuid(), '{site.customer}', '{car.vin}', 'Oil', 15000, 0); COMMIT")
                wait_until(lambda: site.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted") == "1",
                           why="what is due to be written")
                assert meter(site, car.vin)[0] == 2000
                site.sql(f"SELECT FROM fact_state WHERE vin = '{car.vin}' FOR UPDATE NOWAIT")
            wait_until(lambda: site.sql(f"SELECT due_left FROM maintenance WHERE vin = '{car.vin}'") == "13000", why="what is due")
        finally:
            site.sql("DROP FUNCTION held CASCADE")


def test_a_contract_that_will_not_last_is_a_warning(site):
    today = datetime.date.today()
    with site.car() as car:
        insert_trips(site, car.vin, days=60, km=80)
        drive_to(site, car, 58000)
        contract = insert(site, "contract", vin=car.vin, starts_on=str(today - datetime.timedelta(days=100)),
                          ends_on=str(today + datetime.timedelta(days=265)), start_km=50000, cap_km=20000)
        fine = insert(site, "contract", vin=car.vin, starts_on=str(today), ends_on=str(today + datetime.timedelta(days=100)),
                      start_km=0, cap_km=900000)
        assert wait_until(lambda: case(site, car.vin, "contract_mileage"), why="the warning") == [("open", "warning", contract)]
        used, end = site.sql(f"SELECT round(used_km), end_km > 20400 FROM contract WHERE id = '{contract}'").split("|")
        assert (used, end) == ("8000", "t") and site.sql(f"SELECT stage FROM contract WHERE id = '{fine}'") == "fine"
        site.sql(f"UPDATE contract SET cap_km = 60000, version = version + 1 WHERE id = '{contract}'")
        wait_until(lambda: case(site, car.vin, "contract_mileage") == [("cleared", "warning", contract)], why="the new cap")


def test_a_swapped_cluster_takes_nothing_off_what_was_driven(site):
    today = datetime.date.today()
    with site.car() as car:
        plan = insert(site, "maintenance", vin=car.vin, name="Oil", every_km=10000, last_km=45000)
        dated = insert(site, "maintenance", vin=car.vin, name="Belt", every_km=10000, last_km=45000, last_at=str(today - datetime.timedelta(days=90)))
        contract = insert(site, "contract", vin=car.vin, starts_on=str(today - datetime.timedelta(days=100)),
                          ends_on=str(today + datetime.timedelta(days=265)), start_km=40000, cap_km=50000)
        drive_to(site, car, 50000, ago_ms=HOUR_MS)
        drive_to(site, car, 5, ago_ms=HOUR_MS // 2)
        after = insert(site, "maintenance", vin=car.vin, name="Brakes", every_km=10000, last_km=0, last_at=str(today))  # read off the new one

        def left():
            site.sql(f"UPDATE maintenance SET computed_at = NULL WHERE vin = '{car.vin}'; UPDATE contract SET computed_at = NULL WHERE vin = '{car.vin}'")
            wait_until(lambda: site.sql("SELECT count(*) FROM maintenance WHERE computed_at IS NULL") == "0" and
                       site.sql("SELECT count(*) FROM contract WHERE computed_at IS NULL") == "0", why="a look")
            return [float(site.sql(f"SELECT due_left FROM maintenance WHERE id = '{p}'")) for p in (plan, dated, after)] + \
                   [float(site.sql(f"SELECT used_km FROM contract WHERE id = '{contract}'"))]

        assert left() == [pytest.approx(x, abs=2) for x in (4999, 4999, 9995, 10001)]


def test_what_a_deleted_plan_or_a_contract_that_is_over_warned_of_is_over(site):
    today = datetime.date.today()

    def days(n):
        return str(today + datetime.timedelta(days=n))

    with site.car() as car:
        insert_trips(site, car.vin, days=20, km=80)
        drive_to(site, car, 58000)
        plan, kept = (insert(site, "maintenance", vin=car.vin, name="Oil", every_km=15000, last_km=40000) for _ in range(2))
        gone, over = (insert(site, "contract", vin=car.vin, starts_on=days(-100), ends_on=days(265), start_km=50000, cap_km=20000)
                      for _ in range(2))

        def cases():
            return {a.subject: (a.type, a.state, a.reason) for a in alerts(site, car.vin)}

        due, used = ("maintenance_due", "open", ""), ("contract_mileage", "open", "")
        wait_until(lambda: cases() == {plan: due, kept: due, gone: used, over: used}, why="the four cases")
        site.sql(f"DELETE FROM maintenance WHERE id = '{plan}'; DELETE FROM contract WHERE id = '{gone}'; "
                 f"UPDATE contract SET ends_on = '{days(-3)}', version = version + 1 WHERE id = '{over}'")
        ended = {k: (v[0], "cleared", "ended") for k, v in ((plan, due), (gone, used), (over, used))}
        wait_until(lambda: cases() == {**ended, kept: due}, why="what is gone to be over, and nothing else")
        assert site.sql(f"SELECT stage FROM contract WHERE id = '{over}'") == "fine"
        site.sql(f"UPDATE contract SET ends_on = '{days(265)}', version = version + 1 WHERE id = '{over}'")
        wait_until(lambda: cases() == {**ended, kept: due, over: used}, why="the warning of what is prolonged")


def insert_trips(site, vin, days, km):
    """Trips of past days, as they would be there."""
    now = now_ms()
    for day in range(1, days):
        at = (now - day * DAY_MS) / 1000
        site.sql("INSERT INTO segment (id, vin, kind, state, settled, start_at, end_at, distance_m) VALUES (gen_random_uuid(), "
                 f"'{vin}', 'trip', 'closed', true, to_timestamp({at}), to_timestamp({at + 3600}), {km * 1000})")


def test_a_retired_vehicle_leaves_nothing_open(site):
    ago = str(datetime.date.today() - datetime.timedelta(days=30))
    who = insert(site, "recipient", channel="email", target="{}", min_severity="info")
    with site.car() as car, site.car() as other:
        for one in (car, other):
            insert(site, "maintenance", vin=one.vin, name="Oil", every_days=10, last_at=ago)
            send(one, drives.north(now_ms() - 120000, [(10, 0), (100, 60)]))

        def left(vin):
            return ([(a.state, a.reason) for a in alerts(site, vin) if a.type == "maintenance_due"],
                    site.sql(f"SELECT state, provisional FROM segment WHERE vin = '{vin}' AND kind = 'trip' AND state <> 'superseded'"))

        def told():
            return site.sql(f"SELECT DISTINCT n.transition FROM notification n JOIN alert a ON a.id = n.alert_id WHERE a.vin = '{car.vin}' "
                            f"AND n.recipient_id = '{who}' AND a.type = 'maintenance_due' ORDER BY 1").split()

        going = ([("open", "")], "open|f")
        wait_until(lambda: left(car.vin) == going == left(other.vin), why="the open case and trip")
        site.sql(f"UPDATE vehicle SET status = 'retired' WHERE vin = '{car.vin}'")
        wait_until(lambda: left(car.vin) == ([("cleared", "retired")], "closed|t"), why="the case and the trip to be over")
        assert told() == ["cleared", "opened"] and left(other.vin) == going
        site.sql(f"UPDATE vehicle SET status = 'active' WHERE vin = '{car.vin}'")
        wait_until(lambda: left(car.vin)[0] == [("cleared", "retired"), ("open", "")], why="what is due of one that is restored")


def test_where_the_car_tells_no_odometer_somebody_reads_it(site):
    start = now_ms() - HOUR_MS
    with site.car() as car:
        send(car, drives.north(start, [(60, 72), (30, 0)]))
        at = datetime.datetime.fromtimestamp(start / 1000 + 800, datetime.timezone.utc).isoformat()
        insert(site, "meter_entry", vin=car.vin, at=at, odometer_m=80000000, engine_h=1200)
        wait_until(lambda: meter(site, car.vin) == (80000, "estimated"), why="the entry")
        send(car, drives.north(start + 300000, [(300, 72), (30, 0)], lat=48.52))  # kept by the car until now: in what was read
        send(car, drives.north(start + 900000, [(600, 72), (30, 0)], lat=48.52 + 6000 * drives.METRE))
        wait_until(lambda: meter(site, car.vin) == (80012, "estimated"), why="the way since")
        assert site.sql(f"SELECT engine_h BETWEEN 1200.16 AND 1200.20 FROM vehicle_meter WHERE vin = '{car.vin}'") == "t"
        assert json.loads(site.sql("SELECT to_json(count(*)) FROM meter_entry WHERE taken_at IS NULL")) == 0


# ---- scores


def score(site, vin):
    row = site.sql(f"SELECT score, score_terms FROM segment WHERE vin = '{vin}' AND kind = 'trip' AND state = 'closed' "
                   "AND score_terms IS NOT NULL")
    return (float(row.split("|")[0] or "nan"), json.loads(row.split("|")[1])) if row else None


def test_a_trip_is_scored_by_what_was_measured_and_again_when_an_event_comes_late(site):
    start = now_ms() - HOUR_MS
    more = {"Vehicle.OBD.EngineLoad": 80.0, drives.COOLANT: 40.0}
    with site.car() as car, site.car() as slow:
        site.sql(f"UPDATE vehicle SET detects = 'ingest', speed_limit_kmh = 130 WHERE vin = '{slow.vin}'")
        positions = drives.north(start, [(60, 0), (600, 72), (240, 0)])
        send(slow, {t: {k: v for k, v in s.items() if k != drives.RPM} for n, (t, s) in enumerate(positions.items()) if n % 10 == 0})
        site.sql(f"UPDATE vehicle SET fuel = 'petrol', redline_rpm = 4000 WHERE vin = '{car.vin}'")
        drive = drives.north(start, [(10, 0), (600, 60), (240, 0)], **more)
        for n, sample in enumerate(drive.values()):
            if n < 70:
                sample[drives.RPM] = 3500.0 if n > 10 else 800.0
            if n > 310:
                sample[drives.COOLANT] = 90.0
        car.event("overspeed", {"above_ms": "a while"}, leaf="alert", severity="minor", t=start + 100 * 1000)  # no measure of ours
        send(car, drive)
        value, terms = wait_until(lambda: score(site, car.vin), why="the score")
        # 60 s of 600 above 3,000 rpm, 300 cold and hard: 50 x 0.1 and 50 x 0.5, at most 10; no limit is known
        assert terms["harsh"] == 0 and abs(terms["high_rpm"] - 5) < 0.5 and terms["cold_load"] == 10 and "overspeed" not in terms
        assert abs(value - 100 * (1 - sum(terms.values()) / 80)) < 0.1
        car.event("harsh_braking", {"band": 3}, leaf="alert", severity="major", t=start + 300 * 1000)
        again, terms = wait_until(lambda: [s for s in [score(site, car.vin)] if s and s[1]["harsh"] > 0], why="the new score")[0]
        assert terms["harsh"] == 40 and again < value - 40  # 4 x 100 / 10 km, the cap
        _, terms = wait_until(lambda: score(site, slow.vin), why="what is known of one that told a position every 10 s")
        assert terms == {"overspeed": 0}  # it may have braked as it liked: no points for that
