"""Two sites in miniature: one is killed whole under load, comes back, and then the other is.  Acks name their site, a car
forgets a record only when both have it, what one acknowledged is there, the history of the one that was away fills, and what the
samples mean is what it is at one site."""
import json
import os
import re
import time
import urllib.request
import uuid

import mqtt5
import pytest
from ingest_site import make, now_ms, topic
from stack.load import Load
from stack.sites import FIRST, SECOND, Sites
from system import Outbox, Stores, wait_for

BUILD = os.environ.get("VIGIE_BUILD") or "build"


@pytest.fixture
def sites(tmp_path):
    make(BUILD, "sim/fleet")
    make(BUILD, "sim/ledger")
    both = Sites(tmp_path / "system", Sites.ports(vehicles=1), vehicles=1, build=BUILD, tell=print,
                 agent_args=["--outbox-keep=0ms"])
    loads = []
    both.load = lambda *args: loads.append(Load(both, *args)) or loads[-1]
    try:
        yield both.start()
    finally:
        for load in loads:
            load.stop()
        both.stop()


def listen(sites, site):
    pki = sites.pki
    client = mqtt5.Client(sites.port("mqtt_services", site), pki / "service-root.pem", pki / "services/svc-ingest.pem",
                          pki / "services/svc-ingest.key", client_id=f"svc-ingest-{site}-listener")
    client.subscribe("fleet/v1/+/+/up/#", 1)
    return client


def assert_the_bridge_carries_each_message_once(sites, load):
    """From a car at either broker to a listener at either: one copy, content type and all, and no more later."""
    ears = {site: listen(sites, site) for site in sites.sites}
    for site in sites.sites:
        vin = load.vins[0]
        car = mqtt5.Client(sites.port("mqtt", site), sites.pki / "service-root.pem", load.folder / "certs" / vin / "cert.pem",
                           load.folder / "certs" / vin / "key.pem")
        event = {"schema": "event/1", "stream": str(uuid.uuid4()), "seq": 1, "clock": "gps", "id": str(uuid.uuid4()),
                 "t": now_ms(), "type": "clock_set", "data": {}}
        car.publish(topic(vin, "up/event"), json.dumps(event).encode(), 1)
        heard = {name: [] for name in ears}

        def hear():
            for name, ear in ears.items():
                heard[name] += [m for m in ear.drain() if event["id"].encode() in m.payload]
            return all(heard.values())

        wait_for("both to hear it", hear, 90)
        time.sleep(1.5)  # a loop would go on
        hear()
        assert {name: len(copies) for name, copies in heard.items()} == {FIRST: 1, SECOND: 1}
        car.close()
    for ear in ears.values():
        ear.close()


def acks_of(load, site):
    return sum(1 for *_, of in load.lines() if of == site)


def wait_for_more(load, site, n=20):
    before = acks_of(load, site)
    there = lambda: load.runs[0].process.poll() is not None or acks_of(load, site) >= before + n
    wait_for(f"acknowledgements of {site}", there, 90)
    assert load.runs[0].process.poll() is None, load.runs[0].log.read_text()[-1000:]


def assert_one_site_is_not_enough(sites, cars, alive, dead, agents_too):
    """While a site is away the other goes on, and nothing is forgotten."""
    wait_for_more(cars, alive)
    gone = acks_of(cars, dead)
    outbox = Outbox(sites.folder / "vehicle-1")
    held = lambda: {row for row in outbox.rows("SELECT stream, seq FROM record")}
    if agents_too: # what both had is forgotten with the next commit
        newest = max(held(), key=lambda row: row[1], default=("bulk", 0))[1]
        wait_for("two commits", lambda: len([row for row in held() if row[1] > newest]) >= 2)
    before = held()
    wait_for_more(cars, alive)
    assert acks_of(cars, dead) == gone and cars.runs[0].said()["acked"] <= gone
    if agents_too:
        wait_for("the agent to make more", lambda: len(held()) > len(before) + 2)
        assert before <= held(), "forgotten although a site that is required has it not"


def both_have_the_agents(sites, vin):
    readings = []
    for site in sites.sites:
        there = Stores(sites)
        there.stack = type("Site", (), {"influx": sites.influx_of(site)})
        readings.append(there.readings(vin))
    return readings[0] and readings[0] == readings[1]


def bridge_is_up(sites):
    """As the ingest of the site that keeps the bridge says; None: it does not."""
    with urllib.request.urlopen(f"http://127.0.0.1:{sites.port('admin_ingest', FIRST)}/metrics", timeout=60) as answer:
        found = re.search(rf'^vigie_ingest_bridge_up{{site="{FIRST}"}} (\d)$', answer.read().decode(), re.M)
    return found and int(found[1])


def trips(sites, vin):
    """What its samples mean, once nothing waits any more and the open rows are as the newest sample left them; else nothing."""
    settled = sites.postgres.sql(f"SELECT wait_ms = 0 AND late_from_ms = 0 AND shown_ms = t_ms FROM fact_state WHERE vin = '{vin}'")
    return settled == "t" and sites.postgres.sql(
        "SELECT kind, state, ms(start_at), ms(end_at), round(distance_m), round(max_speed_kmh), covered_ms FROM segment "
        f"WHERE vin = '{vin}' AND state <> 'superseded' ORDER BY start_at, kind")


def assert_facts_are_as_in_order(sites, load, twins):
    """What the cars' samples mean, written by two sites of which each was killed, is what it is of cars that send all of it in order."""
    for vin, twin in zip(load.vins, twins.vins):
        rows = sites.influx_of(FIRST).query(f"SELECT * FROM telemetry WHERE vin = '{vin}'", "fleet")
        samples = [{"t": row["time"], "s": {k: v for k, v in row.items() if k not in ("time", "vin") and v is not None}} for row in rows]
        certs, stream = twins.folder / "certs" / twin, str(uuid.uuid4())
        car = mqtt5.Client(sites.port("mqtt", FIRST), sites.pki / "service-root.pem", certs / "cert.pem", certs / "key.pem")
        starts = range(0, len(samples), 20)
        for seq, at in enumerate(starts, 1):
            record = {"schema": "telemetry/1", "stream": stream, "seq": seq, "clock": "gps", "samples": samples[at:at + 20]}
            car.publish(topic(twin, "up/telemetry"), json.dumps(record).encode(), 1)
        wait_for("the facts of all", lambda: sites.postgres.sql(
            f"SELECT upto, gaps FROM watermark WHERE site = '' AND stream = '{stream}'") == f"{len(starts)}|{{}}", 120)
        car.close()
        expected = wait_for("the rows of the twin", lambda: trips(sites, twin), 120)
        found = wait_for("all that waited or came late", lambda: trips(sites, vin), 150)
        assert "trip|" in expected and found == expected, (vin, found, expected)


def test_a_site_dies_and_comes_back_and_then_the_other(sites):
    wait_for("the bridge", lambda: bridge_is_up(sites) == 1)
    cars, alerts = sites.load("cars", 10), sites.load("alerts", 4, "WVWZZZ1KZCW")
    assert_the_bridge_carries_each_message_once(sites, alerts)
    ports = {site: sites.port("mqtt", site) for site in sites.sites}
    common = ["--sites", f"{FIRST},{SECOND}", "--every", 500, "--ago", 0, "--records", 100000]
    cars.start(*common, "--samples", 5, "--step", 100, "--columnar", "--duplicate", 5, "--disorder", 5,
               brokers=[ports[SECOND], ports[FIRST]])
    alerts.start(*common, "--alerts", "--qos", 1, brokers=[ports[FIRST], ports[SECOND]])
    vin = sites.cars[0].vin
    for load in (cars, alerts):
        for site in sites.sites:
            wait_for_more(load, site)

    for dead, alive in ((SECOND, FIRST), (FIRST, SECOND)):
        sites.kill(dead)
        assert_one_site_is_not_enough(sites, cars, alive, dead, agents_too=dead == SECOND)
        if alive == FIRST:
            wait_for("the bridge to be told down", lambda: bridge_is_up(sites) == 0, 60)
        assert alerts.check_facts(sites.postgres)[1] == 0
        survivor = cars.check(sites.influx_of(alive), alive)
        assert survivor["missing"] == survivor["altered"] == survivor["extra"] == 0 and survivor["records"] > 40, survivor
        sites.bring_back(dead)
        wait_for_more(cars, dead)

    for load in (cars, alerts):
        load.runs[0].end(180)
    for site in sites.sites:
        found = cars.check(sites.influx_of(site), site)
        assert found["missing"] == found["altered"] == found["extra"] == 0, (site, found)
        print(f"{site}: {found}")
    assert_facts_are_as_in_order(sites, cars, sites.load("twins", 3, "WVWZZZ1KZDW"))
    assert {(v, s, q) for v, s, q, of in cars.lines() if of == FIRST} == {(v, s, q) for v, s, q, of in cars.lines() if of == SECOND}
    assert acks_of(alerts, FIRST) == acks_of(alerts, SECOND)
    many, missing, doubled = alerts.check_facts(sites.postgres)
    assert many > 40 and not missing and not doubled
    for name in ("car-1", "gpsd-1"):
        sites.supervisor.hold(sites.members[name])
        sites.members[name].stop()
    outbox = Outbox(sites.folder / "vehicle-1")
    wait_for("the agent to have nothing left that a site lacks", lambda: not outbox.rows("SELECT 1 FROM record"), 150, 1)
    assert both_have_the_agents(sites, vin)
