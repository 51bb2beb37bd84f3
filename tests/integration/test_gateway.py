"""A third-party gateway at a running system.  Bad input is refused with the contract's answer, counted, nothing stored but a dead
letter; what did not come, came twice or late is told to whoever asks; and where its car comes to harm somebody is called."""
import json
import time
import urllib.error
import urllib.request
import uuid

import drives
import mqtt5
import pytest
from ingest_site import Car, now_ms
from stack.stack import Session
from system import Stores, session, wait_for
from test_facts import HOUR_MS, send, settled
from test_spine import ms

NOT_AUTHORIZED, PACKET_TOO_LARGE = 135, 149
FOREIGN = "WVWZZZ1KZAW000009"
LEAKY, DETECTED, DETECTING = "WVWZZZ1KZAW000778", "WVWZZZ1KZAW000779", "WVWZZZ1KZAW000780"
PASSWORD = "a gateway's own secret"


def metric(stack, service, name):
    port = stack.ports.numbers[f"admin_{service}"]
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30).read().decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


@pytest.fixture(scope="module")
def gateway(fleet_of_three, tmp_path_factory):
    """A vehicle of ours with a certificate from `vigie-api issue`, as a third-party gateway has one."""
    stack, out, vin = fleet_of_three, tmp_path_factory.mktemp("gateway"), "WVWZZZ1KZAW000777"
    # Of another customer: those who look at the fleet of three see three.
    customer = json.loads(stack.api("customer", "add", "Gateway", "--json"))["id"]
    stack.api("vehicle", "add", vin, LEAKY, DETECTED, DETECTING, "--customer", customer)
    stack.api("user", "add", "gateway", "--role", "owner", "--customer", customer, env={"VIGIE_PASSWORD": PASSWORD})
    stack.api("issue", vin, LEAKY, DETECTED, DETECTING, "--out", str(out))
    return stack, vin, out / vin


def connect(gateway, vin=None):
    stack, own, home = gateway
    home = home.parent / (vin or own)
    return mqtt5.Client(stack.ports.mqtt, stack.pki / "service-root.pem", home / "cert.pem", home / "key.pem",
                        client_id=vin or own)


def sign_in(stack):
    return Session({**stack.env, "VIGIE_ADMIN_USER": "gateway", "VIGIE_ADMIN_PASSWORD": PASSWORD})


def topic(vin, leaf):
    import zlib
    return f"fleet/v1/{zlib.crc32(vin.encode()) % 64:02x}/{vin}/{leaf}"


def record(seq, samples, **more):
    return json.dumps({"schema": "telemetry/1", "stream": "0197f3c2-5f0e-7abc-8def-0123456789ab", "seq": seq,
                       "clock": "gps", "samples": samples, **more}).encode()


def test_a_gateway_with_an_issued_certificate_is_welcome_and_acknowledged(gateway):
    stack, vin, _ = gateway
    t = int(time.time() * 1000)
    with connect(gateway) as car:
        car.subscribe(topic(vin, "down/ack"))
        car.publish(topic(vin, "up/telemetry"), record(1, [{"t": t, "s": {"Vehicle.Speed": 50.5}}]))
        ack = json.loads(car.receive(60)[1])
    assert (ack["schema"], ack["upto"], ack["site"]) == ("ack/1", 1, stack.site)
    assert Stores(stack).readings(vin) == {(t, "Vehicle.Speed"): 50.5}


@pytest.mark.parametrize("where", [topic(FOREIGN, "up/telemetry"), "fleet/v1/00/WVWZZZ1KZAW000777/up/telemetry/x"])
def test_a_foreign_topic_is_refused_by_the_broker(gateway, where):
    with connect(gateway) as car:
        assert car.publish(where, b"{}") == NOT_AUTHORIZED


@pytest.mark.parametrize("what", ["#", topic(FOREIGN, "down/#"), "fleet/v1/+/+/up/#", "$share/x/fleet/v1/+/+/up/#"])
def test_a_foreign_subscription_is_refused_by_the_broker_and_logged(gateway, what):
    stack = gateway[0]
    with connect(gateway) as car:
        assert car.subscribe(what) == NOT_AUTHORIZED
    wait_for("a line in the broker's log", lambda: "guard.refused" in stack.broker.log_text())


def test_a_payload_of_40_kB_is_refused_by_the_broker(gateway):
    _, vin, _ = gateway
    with connect(gateway) as car:
        assert car.publish(topic(vin, "up/telemetry"), b"x" * 40000) == PACKET_TOO_LARGE


def test_a_certificate_of_another_authority_is_no_way_in(gateway, tmp_path):
    import bench_pki
    stack = gateway[0]
    stranger = bench_pki.BenchPki(tmp_path)
    cert, key = stranger.leaf("car", gateway[1], "vehicle")
    with pytest.raises(mqtt5.Refused):
        mqtt5.Client(stack.ports.mqtt, stack.pki / "service-root.pem", cert, key, client_id=gateway[1])


@pytest.mark.parametrize("garbage", [b"{", b"\xff\xfe", b'{"schema":"telemetry/1"}', b"[" * 2000,
                                     record(7, [{"t": 1, "s": {"Vehicle.Speed": "fast"}}])])
def test_garbage_becomes_a_counted_dead_letter_and_nothing_else(gateway, garbage):
    stack, vin, _ = gateway
    before, stored = metric(stack, "ingest", "vigie_ingest_dead_letters_total"), Stores(stack).readings(vin)
    with connect(gateway) as car:
        assert car.publish(topic(vin, "up/telemetry"), garbage) in (0, 16)
    wait_for("it to be counted", lambda: metric(stack, "ingest", "vigie_ingest_dead_letters_total") > before)
    assert Stores(stack).readings(vin) == stored
    wait_for("it to be kept", lambda: garbage.hex() in stack.postgres.sql(
        f"SELECT encode(payload, 'hex') FROM dead_letter WHERE vin = '{vin}'").splitlines())


def test_a_wrong_password_is_refused_and_counted(fleet_of_three):
    before = metric(fleet_of_three, "api", "vigie_api_refused_total")
    with pytest.raises(urllib.error.HTTPError) as refused:
        Session({**fleet_of_three.env, "VIGIE_ADMIN_PASSWORD": "not the password"})
    assert refused.value.code == 401
    wait_for("it to be counted", lambda: metric(fleet_of_three, "api", "vigie_api_refused_total") > before)


# ---- what did not come, came twice, came late


def test_what_was_lost_doubled_or_late_is_told_exactly(gateway):
    stack, stream, now = gateway[0], str(uuid.uuid4()), int(time.time() * 1000)
    head = {"schema": "telemetry/1", "stream": stream, "clock": "gps"}
    late = {1: 3600_000, 2: 3600_000}  # of ten the first two are an hour old
    with connect(gateway, LEAKY) as car:
        car.subscribe(topic(LEAKY, "down/ack"))

        def send(*numbers):
            for seq in numbers:
                sample = {"t": now - late.get(seq, 0) + seq, "s": {"Vehicle.Speed": 50.0}}
                car.publish(topic(LEAKY, "up/telemetry"), json.dumps({**head, "seq": seq, "samples": [sample]}).encode())

        def wait_ack(upto, *gaps):
            ack = {}
            while (ack.get("upto"), ack.get("gaps")) != (upto, [list(gap) for gap in gaps]):
                ack = json.loads(car.receive(60).payload)

        send(1, 2, 3, 6, 7, 9, 10)
        wait_ack(10, (4, 5), (8, 8))
        send(2, 7, 10)  # are stored, and come again
        send(5)         # on its way for longer than those behind it
        wait_ack(10, (4, 4), (8, 8))
        lost = {**head, "schema": "event/1", "seq": 11, "id": str(uuid.uuid4()), "t": now, "type": "outbox_lost",
                "data": {"stream": stream, "first": 4, "last": 4}}
        car.publish(topic(LEAKY, "up/event"), json.dumps(lost).encode())
        wait_ack(11, (8, 8))
    owner = sign_in(stack)
    wanted = {"records": 9, "samples": 8, "duplicates": 3, "skipped": 3, "recovered": 2, "lost": 1, "missing": 1}

    def told():
        told.sites = owner.get(f"vehicles/{LEAKY}/loss")["sites"]
        return [{key: site[key] for key in wanted} for site in told.sites] == [wanted]

    wait_for("exactly that", told, 60, 0.3)
    lag = told.sites[0]["lag_s"]
    assert told.sites[0]["site"] == stack.site
    assert 0 <= lag["p50"] < 600 and 3600 * 0.6 < lag["p95"] <= lag["p99"] < 4200 * 1.5, "as fine as a bucket is"


def test_of_what_real_agents_send_nothing_is_missing(fleet_of_three):
    stack, signed_in = fleet_of_three, session(fleet_of_three)
    for car in stack.cars:
        def whole(vin=car.vin):
            whole.told = signed_in.get(f"vehicles/{vin}/loss")["sites"]
            return len(whole.told) == 1 and whole.told[0]["records"] >= 5 and (
                whole.told[0]["missing"] == 0 and whole.told[0]["skipped"] == whole.told[0]["recovered"])
        wait_for(f"records of {car.vin}, all of them", whole, 90, 0.3)
        site = whole.told[0]
        assert site["site"] == stack.site and site["lost"] == 0
        assert site["samples"] > 0 and 0 <= site["lag_s"]["p50"] <= site["lag_s"]["p95"] <= site["lag_s"]["p99"]
        assert site["lag_s"]["p50"] < 600


# ---- a crash


class Running:
    """The running system as Car and the looks of test_facts want it."""

    def __init__(self, gateway):
        self.client = lambda vin, _: connect(gateway, vin)
        self.sql = gateway[0].postgres.sql


def crashes(owner, vin):
    """(events, alerts) as REST tells them."""
    return ([e for e in owner.get(f"vehicles/{vin}/events")["items"] if e["type"] == "crash"],
            owner.get(f"alerts?vin={vin}&type=crash")["items"])


def acknowledge(owner, vin):
    """What anybody sees of the one crash, once somebody has taken it."""
    (event,), (alert,) = wait_for("a case", lambda: all(found := crashes(owner, vin)) and found)
    assert (alert["severity"], alert["state"], alert["count"], alert["vin"]) == ("critical", "open", 1, vin)
    taken = owner.call("POST", f"alerts/{alert['id']}/acknowledge", {"comment": "I call them"})
    assert taken["state"] == "acknowledged" and taken["id"] == alert["id"]
    told = crashes(owner, vin)
    assert [a["state"] for a in told[1]] == ["acknowledged"] and told[0] == [event]
    return told


def hard_drive(start):
    """(samples by time, when it stands after the second fall).  It brakes hard and stands with its engine running, drives on, is
    stopped as hard, and 2 s later its engine is."""
    drive = drives.north(start, [(5, 25), (60, 50), (0.5, 20), (30, 0), (5, 25), (60, 50), (0.5, 20), (90, 0)], step_ms=500)
    crash = start + 161000
    assert [drive[crash + ms][drives.SPEED] for ms in (-1000, -500, 0, 500)] == [50, 20, 0, 0]
    return {t: {**s, drives.RPM: 0.0} if t >= crash + 2000 else s for t, s in drive.items()}, crash


def test_a_fall_of_speed_whose_engine_stops_is_one_crash_however_often_and_late_it_comes(gateway):
    stack, here, owner = gateway[0], Running(gateway), sign_in(gateway[0])
    version = owner.get(f"vehicles/{DETECTED}")["version"]
    owner.call("PATCH", f"vehicles/{DETECTED}", {"detects": "ingest"}, {"If-Match": f'"v{version}"'})
    drive, crash = hard_drive(now_ms() - HOUR_MS)
    records = drives.records(drive, 20)
    with Car(here, DETECTED) as car:
        for samples in records[:3] + records[5:]:
            car.telemetry(samples)
        car.wait_ack(car.seq)
        told = acknowledge(owner, DETECTED)
        (event,), _ = told
        assert event["occurred_at"] == told[1][0]["occurred_at"] and abs(ms(event["occurred_at"]) - crash) <= 500
        assert event["data"]["speed_before_kmh"] == 50 and event["data"]["peak_g"] >= 0.8
        late = {"stream": str(uuid.uuid4())}
        for seq, samples in enumerate(records[3:5], 1):  # from before it: all since is looked at again
            car.telemetry(samples, seq=seq, **late)
        car.wait_ack(2, **late)
        wait_for("it to be computed again", lambda: settled(here, DETECTED))
        assert crashes(owner, DETECTED) == told
        car.stream, car.seq = str(uuid.uuid4()), 0  # as from an outbox that was an old copy
        send(car, drive)
        wait_for("all of it", lambda: settled(here, DETECTED))
        assert crashes(owner, DETECTED) == told
        assert stack.postgres.sql(f"SELECT count(*) FROM alert WHERE vin = '{DETECTED}' AND type = 'crash'") == "1"


def test_a_crash_the_car_tells_is_one_case_however_often_it_tells_it(gateway):
    owner = sign_in(gateway[0])
    with Car(Running(gateway), DETECTING) as car:
        body = car.event("crash", {"peak_g": 3.1, "speed_before_kmh": 48}, leaf="alert", severity="critical", t=now_ms() - HOUR_MS)
        car.wait_ack(1)
        told = acknowledge(owner, DETECTING)
        assert told[0][0]["id"] == body["id"] and told[1][0]["data"] == body["data"] == told[0][0]["data"]
        car.publish("alert", body)  # its acknowledgement was lost
        car.wait_ack(1)
        other = str(uuid.uuid4())
        car.publish("alert", {**body, "stream": other})  # an outbox that was an old copy
        car.wait_ack(1, stream=other)
        send(car, drives.north(body["t"] - 60000, [(60, 48), (120, 0)]))  # what it drove comes after the alert
        there = lambda row: "lat" in row and abs((row["lat"] - 48.5) / drives.METRE - 800) < 30
        (event,), (alert,) = wait_for("both to be where it was then", lambda: (
            lambda found: found if all(there(row) for rows in found for row in rows) else None)(crashes(owner, DETECTING)))
        unmoved = lambda row: {k: v for k, v in row.items() if k not in ("lat", "lon", "version")}
        assert (unmoved(event), unmoved(alert)) == (unmoved(told[0][0]), unmoved(told[1][0]))
        owner.call("POST", f"alerts/{alert['id']}/clear", {})
        other = str(uuid.uuid4())
        car.publish("alert", {**body, "stream": other})  # a copy that comes after that opens nothing
        car.wait_ack(1, stream=other)
        second = car.event("crash", {"peak_g": 4.0}, leaf="alert", severity="critical", t=body["t"] + 1000)
        car.wait_ack(car.seq)
        cases = wait_for("the next crash to be a case of its own", lambda: len(found := crashes(owner, DETECTING)[1]) > 1 and found)
        assert [(a["state"], a["count"], a["data"]) for a in cases] == [("open", 1, second["data"]), ("cleared", 1, body["data"])]
