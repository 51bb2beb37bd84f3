"""Vehicles that fall silent, and silence that is ours."""
import time
import uuid

import pytest

from ingest_site import LAT, LON, MISSING, SPEED, now_ms, running, wait_until
from test_facts import alerts, events

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from running(tmp_path_factory.mktemp("facts-silence"), start_quiet="1s")


def last_heard(site, vin, ago, driving=False):
    site.sql(f"UPDATE vehicle_state SET last_seen = now() - interval '{ago}', t_ms = ms(now() - interval '{ago}'), "
             f"ignition_on = {driving} WHERE vin = '{vin}'")


def speak(car):
    car.telemetry({now_ms(): {SPEED: 0.0}})
    car.wait_ack(car.seq)


def silent(site, vin):
    return [a for a in alerts(site, vin) if a.type == "vehicle_silent"]


def test_a_car_that_is_lost_is_a_case_until_its_first_record(site):
    with site.car() as parked, site.car() as driving, site.car() as asleep:
        speak(asleep)
        speak(parked)
        parked.seq += 3  # lost long before, and no part of what comes
        parked.telemetry({now_ms(): {SPEED: 0.0}})
        parked.wait_ack(parked.seq, gaps=[(2, 4)])
        driving.telemetry({now_ms(): {SPEED: 50.0, LAT: 48.5, LON: 7.7}})
        driving.wait_ack(driving.seq)
        last_heard(site, parked.vin, "15 min")  # late, not lost: its heart may beat every ten minutes
        last_heard(site, driving.vin, "4 min", driving=True)
        site.sql(f"UPDATE vehicle_state SET presence = 'sleeping', last_seen = now() - interval '3 h' WHERE vin = '{asleep.vin}'")
        (case,) = wait_until(lambda: silent(site, driving.vin), why="the silent car")
        assert (case.state, case.severity) == ("open", "minor")
        place = f"SELECT lat, lon FROM alert WHERE vin = '{driving.vin}'"
        assert site.sql(place).strip() == "48.5|7.7"  # where it was heard last
        assert silent(site, parked.vin) == [] and silent(site, asleep.vin) == []
        last_heard(site, parked.vin, "21 min")
        (case,) = wait_until(lambda: silent(site, parked.vin), why="the parked car")
        assert case.severity == "warning"
        parked.seq += 2  # it lost two on the way, so far
        parked.telemetry({now_ms(): {SPEED: 0.0}})
        (case,) = wait_until(lambda: [a for a in silent(site, parked.vin) if a.state == "cleared"], why="it to be heard")
        assert case.reason == "ended"
        (event,) = wait_until(lambda: [e for e in events(site, parked.vin) if "until" in e[3]], why="what became of it")
        assert event[0] == "vehicle_silent" and event[3]["missing"] == 2 and event[3]["until"] > event[2]
        speak(driving)
        wait_until(lambda: silent(site, driving.vin)[0].state == "cleared", why="the other one")
        assert site.sql(place).strip() == "48.5|7.7"


def test_a_person_who_clears_a_silence_clears_that_one_and_not_the_next(site):
    with site.car() as car:
        speak(car)
        last_heard(site, car.vin, "10 min", driving=True)
        (case,) = wait_until(lambda: silent(site, car.vin), why="the silent car")
        site.sql(f"SELECT FROM alert_clear('{case.id}', NULL)")
        last_heard(site, car.vin, "5 min", driving=True)  # it was heard after that
        both = wait_until(lambda: len(found := silent(site, car.vin)) > 1 and found, why="its next silence")
        assert [(a.state, a.reason) for a in both] == [("cleared", "person"), ("open", "")]
        site.sql(f"UPDATE vehicle SET status = 'revoked' WHERE vin = '{car.vin}'")  # nobody waits for it any more
        wait_until(lambda: [(a.state, a.reason) for a in silent(site, car.vin)][1:] == [("cleared", "ended")], why="the end of it")


def test_silent_cars_of_which_nothing_can_be_said_do_not_stand_before_the_others(site):
    """They are in a zone, as far as anybody knows, and nobody can tell that they dwell there."""
    zone, before = str(uuid.uuid4()), [site.new_vin() for _ in range(16)]
    site.sql(f"INSERT INTO geofence (id, customer_id, name, kind, radius_m, points, dwell_s) VALUES ('{zone}', '{site.customer}', 'Depot', "
             "'circle', 500, '[[7.7, 48.5]]', 60)")
    for vin in before:
        site.sql(f"INSERT INTO fact_state (vin) VALUES ('{vin}'); INSERT INTO vehicle_state (vin) VALUES ('{vin}'); "
                 "INSERT INTO event (vin, id, type, subject, source, occurred_at, detected_at) VALUES "
                 f"('{vin}', gen_random_uuid(), 'geofence_enter', '{zone}', 'ingest', now() - interval '30 min', now())")
        last_heard(site, vin, "1 min")
    with site.car() as car:
        assert car.vin > max(before)
        speak(car)
        site.sql(f"UPDATE fact_state SET shown_ms = 0 WHERE vin = '{car.vin}'")
        last_heard(site, car.vin, "1 min")
        wait_until(lambda: site.sql(f"SELECT shown_ms = t_ms FROM fact_state WHERE vin = '{car.vin}'") == "t", why="its turn")
    site.sql(f"DELETE FROM event WHERE subject = '{zone}'; DELETE FROM geofence WHERE id = '{zone}'")


def wait_for_a_look(site, car):
    """A case that is open ends with the first look after its car was heard, whoever's fault silence is."""
    speak(car)
    wait_until(lambda: {a.state for a in silent(site, car.vin)} == {"cleared"}, why="the next look")


def test_many_at_once_are_us_and_so_is_a_store_that_is_away(site):
    cars = [site.car() for _ in range(12)]  # a fifth of all here has to be among the first nine
    crowd, alone, other, witness = cars[:9], *cars[9:]
    for car in cars:
        speak(car)
    last_heard(site, witness.vin, "4 min", driving=True)
    wait_until(lambda: silent(site, witness.vin), why="a case to be open")
    for car in crowd:  # these are lost as soon as they are late: half a minute ago
        site.sql(f"UPDATE vehicle_state SET heartbeat_ms = 60000 WHERE vin = '{car.vin}'")
    site.sql("UPDATE vehicle_state SET last_seen = now() - interval '150 s', t_ms = ms(now() - interval '150 s'), ignition_on = false "
             f"WHERE vin IN ({', '.join(repr(car.vin) for car in crowd)})")  # at once
    wait_until(lambda: site.ingest.metric("vigie_ingest_own_silences_total") >= 1, why="the alarm of our own")
    last_heard(site, alone.vin, "4 min", driving=True)
    assert "silence.ours" in site.ingest.log_text()
    wait_for_a_look(site, witness)
    assert [car.vin for car in (*crowd, alone) if silent(site, car.vin)] == []
    for car in crowd:
        speak(car)
    wait_until(lambda: silent(site, alone.vin), why="the one that is silent after all")
    assert [car.vin for car in crowd if silent(site, car.vin)] == []
    site.freeze(site.influx)
    try:
        wait_until(lambda: site.ingest.metric("vigie_ingest_own_silences_total") >= 2, timeout_s=90, why="the store to be missed")
        last_heard(site, other.vin, "4 min", driving=True)
        time.sleep(12)  # two looks: nothing must come of them
        assert silent(site, other.vin) == []
    finally:
        site.go_on(site.influx)
    wait_until(lambda: silent(site, other.vin), timeout_s=90, why="the silent car, now that we hear")
    for car in cars:
        car.client.close()
