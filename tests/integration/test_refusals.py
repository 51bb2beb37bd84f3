"""Bad input to a running system: refused with the contract's answer, counted, nothing stored but a dead letter."""
import json
import time
import urllib.error
import urllib.request

import mqtt5
import pytest
from stack.stack import Session
from system import Stores, wait_for

NOT_AUTHORIZED, PACKET_TOO_LARGE = 135, 149
FOREIGN = "WVWZZZ1KZAW000009"


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
    stack.api("vehicle", "add", vin, "--customer", customer)
    stack.api("issue", vin, "--out", str(out))
    return stack, vin, out / vin


def connect(gateway, vin=None):
    stack, own, home = gateway
    return mqtt5.Client(stack.ports.mqtt, stack.pki / "service-root.pem", home / "cert.pem", home / "key.pem",
                        client_id=vin or own)


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
