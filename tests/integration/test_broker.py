"""The broker: a real Mosquitto with the real configuration, ACL and guard, and what it lets whom do."""
import os
import re
import shutil
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/integration")]

import mqtt5  # noqa: E402
from bench_pki import BenchPki  # noqa: E402
from mqtt5 import (ADMINISTRATIVE, NO_SUBSCRIBERS, NOT_AUTHORIZED, PACKET_TOO_LARGE,  # noqa: E402
                   SUCCESS)
from stack.broker import Broker, LogFilter, fill  # noqa: E402
from stack.wait import wait_until  # noqa: E402

BUILD = os.environ.get("VIGIE_BUILD", "build")
PLAIN = "build" if BUILD.startswith("build-") else BUILD  # Mosquitto has no sanitizer: it cannot load a guard that has one
GUARD = ROOT / PLAIN / "lib/vigie_guard.so"
CAR, OTHER = "WVWZZZ1KZAW000001", "VF1RFB00866123456"
ROLES = ("ingest", "api", "notify", "video", "bridge")
ACCEPTED = (SUCCESS, NO_SUBSCRIBERS)

pytestmark = pytest.mark.skipif(not shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin"),
                                reason="mosquitto is not installed")


def tree(vin, rest, shard=None):
    return f"fleet/v1/{zlib.crc32(vin.encode()) % 64 if shard is None else shard:02x}/{vin}/{rest}"


def make(target):
    done = subprocess.run(["make", "-s", f"B={PLAIN}", "SAN=", f"{PLAIN}/{target}"], cwd=ROOT, timeout=300,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


class Site:
    """A broker with its PKI, and clients for it."""

    def __init__(self, folder):
        self.pki = BenchPki(folder / "pki")
        self.identities = {}
        self.broker = Broker(folder / "broker", self.pki.folder, GUARD).start()

    def identity(self, cn, side):
        if (cn, side) not in self.identities:
            name = f"leaf-{len(self.identities)}"
            self.identities[cn, side] = self.pki.leaf(name, cn, side)
        return self.identities[cn, side]

    def client(self, port, cert_key, **more):
        return mqtt5.Client(port, self.pki.path("service-root.pem"), *cert_key, **more)

    def car(self, vin, **more):
        return self.client(self.broker.port_vehicles, self.identity(vin, "vehicle"), **more)

    def service(self, role, **more):
        more.setdefault("client_id", f"svc-{role}-bench-{time.monotonic_ns()}")
        return self.client(self.broker.port_services, self.identity(f"svc-{role}", "service"), **more)

    def refusals(self, name, **fields):
        """How many refusals the log has of `name`, with these fields."""
        total = 0
        for line in self.broker.log_text().splitlines():
            found = re.search(r'event=guard\.refused name="([^"]*)" .* count=(\d+)', line)
            if found and found[1] == name and all(f" {k}={v}" in line for k, v in fields.items()):
                total += int(found[2])
        return total


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    make("lib/vigie_guard.so")
    made = Site(tmp_path_factory.mktemp("broker"))
    yield made
    made.broker.stop()
    if made.broker.process.returncode not in (0, -15):
        print(made.broker.log_text())
    assert made.broker.process.returncode in (0, -15)


# ---- a car in its own tree


def test_a_car_publishes_below_its_own_up_and_ingest_receives_it(site):
    with site.service("ingest") as ingest, site.car(CAR) as car:
        assert ingest.subscribe("fleet/v1/+/+/up/#") == 1
        for leaf in ("telemetry", "event", "alert", "diagnostics", "media", "result", "state"):
            assert car.publish(tree(CAR, f"up/{leaf}"), leaf.encode()) == SUCCESS
            assert ingest.receive()[:4] == (tree(CAR, f"up/{leaf}"), leaf.encode(), 1, False)
        car.publish(tree(CAR, "up/telemetry"), b"at most once", qos=0)
        assert ingest.receive().payload == b"at most once"


def test_a_car_receives_its_own_down_and_its_retained_configuration(site):
    with site.service("api") as api, site.service("ingest") as ingest:
        assert api.publish(tree(CAR, "down/config"), b"config", retained=True) in ACCEPTED
        assert api.publish(tree(OTHER, "down/config"), b"other", retained=True) in ACCEPTED
        with site.car(CAR) as car:
            assert car.subscribe(tree(CAR, "down/#")) == 1
            assert car.receive()[:4] == (tree(CAR, "down/config"), b"config", 1, True)
            assert ingest.publish(tree(OTHER, "down/ack"), b"other") in ACCEPTED
            assert ingest.publish(tree(CAR, "down/ack"), b"ack") == SUCCESS
            assert api.publish(tree(CAR, "down/command"), b"command") == SUCCESS
            assert [m.payload for m in car.drain()] == [b"ack", b"command"]
            assert car.unsubscribe(tree(CAR, "down/#")) == SUCCESS


def foreign_topics():
    right = zlib.crc32(CAR.encode()) % 64
    return {
        "the up of another VIN": tree(OTHER, "up/telemetry"),
        "the up of another VIN in one's own shard": tree(OTHER, "up/telemetry", right),
        "one's own up in a wrong shard": tree(CAR, "up/telemetry", (right + 1) % 64),
        "one's own ack": tree(CAR, "down/ack"),
        "the command of another VIN": tree(OTHER, "down/command"),
        "live": tree(CAR, "live"),
        "the alert of ingest": tree(CAR, "alert"),
        "the tree itself": tree(CAR, "")[:-1],
        "another version": tree(CAR, "up/telemetry").replace("v1", "v2"),
        "another topic altogether": "site/illkirch/bridge",
        "$SYS": "$SYS/broker/version",
        "$CONTROL": "$CONTROL/dynamic-security/v1",
        "a shared name": "$share/g/" + tree(CAR, "up/telemetry"),
    }


@pytest.mark.parametrize("what", foreign_topics())
def test_a_car_may_not_publish_to(site, what):
    with site.service("bridge") as everything, site.car(CAR) as car:
        assert everything.subscribe("#") == 1
        everything.drain()  # what is retained
        assert car.publish(foreign_topics()[what]) == NOT_AUTHORIZED
        car.publish(foreign_topics()[what], qos=0)
        car.ping()  # still connected, and the QoS 0 message has been dealt with
        assert everything.drain() == []


def foreign_filters():
    return ["#", "+", "+/#", "$SYS/#", "$CONTROL/#", "fleet/#", "fleet/v1/+/+/up/#",
            "$share/g/fleet/v1/+/+/up/#", "$share/g/" + tree(CAR, "down/#"), tree(OTHER, "down/#"),
            f"fleet/v1/+/{CAR}/down/#", tree("+", "down/#", zlib.crc32(CAR.encode()) % 64),
            tree(CAR, "#"), tree(CAR, "up/#"), tree(CAR, "+/ack"), tree(CAR, "live"),
            tree(CAR, "down/#", (zlib.crc32(CAR.encode()) + 1) % 64)]


@pytest.mark.parametrize("topic_filter", foreign_filters())
def test_a_car_may_not_subscribe_to(site, topic_filter):
    with site.service("bridge") as everything, site.car(CAR) as car:
        assert car.subscribe(topic_filter) == NOT_AUTHORIZED
        for rest in ("down/ack", "up/event", "live"):
            assert everything.publish(tree(OTHER, rest)) in ACCEPTED
            assert everything.publish(tree(CAR, rest)) in ACCEPTED
        assert car.drain() == []


def test_a_car_may_not_unsubscribe_others(site):
    with site.car(CAR) as car:
        assert car.unsubscribe(tree(OTHER, "down/#")) == NOT_AUTHORIZED
        assert car.unsubscribe("$share/g/fleet/v1/+/+/up/#") == NOT_AUTHORIZED


def test_a_payload_over_32_kib_is_refused_with_149_and_one_of_32_kib_is_not(site):
    with site.service("ingest") as ingest, site.car(CAR) as car:
        ingest.subscribe("fleet/v1/+/+/up/#")
        ingest.drain()
        assert car.publish(tree(CAR, "up/telemetry"), b"x" * 40_000) == PACKET_TOO_LARGE
        assert car.publish(tree(CAR, "up/telemetry"), b"x" * 32_769) == PACKET_TOO_LARGE
        assert car.publish(tree(CAR, "up/telemetry"), b"x" * 32_768) == SUCCESS
        assert [len(m.payload) for m in ingest.drain()] == [32_768]
        with pytest.raises(mqtt5.Disconnected) as gone:
            car.publish(tree(CAR, "up/telemetry"), b"x" * 70_000)
        assert gone.value.reason in (PACKET_TOO_LARGE, None)
    wait_until(lambda: f"Dropped too large PUBLISH from {CAR}" in site.broker.log_text())


def test_only_up_state_may_be_retained(site):
    vin = "ZZRETA1NED0000001".replace("I", "1")
    with site.car(vin) as car:
        assert car.publish(tree(vin, "up/telemetry"), b"x", retained=True) == NOT_AUTHORIZED
        assert car.publish(tree(vin, "up/state/x"), b"x", retained=True) == NOT_AUTHORIZED
        assert car.publish(tree(vin, "up/state"), b"online", retained=True) in ACCEPTED
    with site.service("ingest") as ingest:
        ingest.subscribe(f"fleet/v1/+/{vin}/up/#")
        assert [(m.topic, m.payload, m.retained) for m in ingest.drain()] == [
            (tree(vin, "up/state"), b"online", True)]


def test_the_last_will_of_a_car_is_its_retained_state(site):
    vin = "ZZWVWZZZ1KZ000001"
    will = (tree(vin, "up/state"), b"offline", True)
    with site.service("ingest") as ingest:
        ingest.subscribe(f"fleet/v1/+/{vin}/up/#")
        car = site.car(vin, will=will)
        assert car.publish(tree(vin, "up/state"), b"online", retained=True) == SUCCESS
        assert ingest.receive().payload == b"online"
        car.drop()
        assert ingest.receive().payload == b"offline"
    with site.service("ingest") as later:
        later.subscribe(f"fleet/v1/+/{vin}/up/#")
        assert later.receive()[:4] == (tree(vin, "up/state"), b"offline", 1, True)


def test_a_foreign_last_will_is_never_published(site):
    vin = "ZZWVWZZZ1KZ000002"
    with site.service("bridge") as everything:
        everything.subscribe("fleet/v1/+/+/up/#")
        car = site.car(vin, will=(tree(OTHER, "up/state"), b"stolen", True))
        car.drop()
        wait_until(lambda: site.refusals(vin, access="publish", reason="foreign_topic"))
        assert [m for m in everything.drain() if m.payload == b"stolen"] == []


def test_a_car_cannot_take_the_client_id_of_another(site):
    with site.car(CAR) as car, site.car(OTHER, client_id=CAR) as other:
        assert other.publish(tree(OTHER, "up/event")) in ACCEPTED
        assert car.publish(tree(CAR, "up/event")) in ACCEPTED


# ---- names and certificates


@pytest.mark.parametrize("cn", ["#", "+", CAR + "/x", CAR.lower(), CAR[:-1], "WVWZZZ1KZAW00000I", "admin"])
def test_a_name_that_is_no_vin_may_do_nothing(site, cn):
    try:
        client = site.client(site.broker.port_vehicles, site.identity(cn, "vehicle"))
    except mqtt5.Refused:
        return  # some of these no broker takes as a client id
    with client:
        for topic in (f"fleet/v1/00/{cn}/up/state", tree(CAR, "up/state"), "x"):
            if not set(topic) & set("#+"):  # a wildcard in a topic ends the connection anyway
                assert client.publish(topic) == NOT_AUTHORIZED
        if "#" not in cn:  # within a filter that is malformed
            assert client.subscribe(f"fleet/v1/+/{cn}/down/#") == NOT_AUTHORIZED
        assert client.subscribe(tree(CAR, "down/#")) == NOT_AUTHORIZED


@pytest.mark.parametrize("role", ROLES)
def test_a_service_name_signed_by_the_vehicles_ca_may_do_nothing(site, role):
    with site.client(site.broker.port_vehicles, site.identity(f"svc-{role}", "vehicle")) as forger:
        for rest in ("up/event", "down/ack", "down/command", "live", "alert"):
            assert forger.publish(tree(CAR, rest)) == NOT_AUTHORIZED
        assert forger.subscribe("fleet/v1/+/+/up/#") == NOT_AUTHORIZED
        assert forger.subscribe("#") == NOT_AUTHORIZED
    wait_until(lambda: site.refusals(f"svc-{role}", access="subscribe", reason="wrong_ca"))


def test_a_certificate_of_the_other_root_is_refused_by_tls(site):
    def told():
        return site.broker.log_text().count("certificate verify failed")

    before = told()
    with pytest.raises(mqtt5.Refused):
        site.client(site.broker.port_services, site.identity(CAR, "vehicle"))
    with pytest.raises(mqtt5.Refused):
        site.client(site.broker.port_vehicles, site.identity("svc-ingest", "service"))
    wait_until(lambda: told() >= before + 2)


def test_no_certificate_a_stranger_s_and_an_expired_one_are_refused_by_tls(site, tmp_path):
    stranger = BenchPki(tmp_path / "pki").leaf("car", CAR, "vehicle")
    expired = site.pki.leaf("expired", CAR, "vehicle", days=0)
    time.sleep(1.5)  # OpenSSL 3.5 makes none that has ended already
    for port in (site.broker.port_vehicles, site.broker.port_services):
        for cert_key in ((), stranger, expired):
            with pytest.raises(mqtt5.Refused):
                site.client(port, cert_key)


def test_a_car_trusts_no_other_broker(site, tmp_path):
    other = BenchPki(tmp_path / "pki")
    with pytest.raises(mqtt5.Refused):
        mqtt5.Client(site.broker.port_vehicles, other.path("service-root.pem"),
                     *site.identity(CAR, "vehicle"))


# ---- services

LEAVES = ("up/telemetry", "up/state", "down/ack", "down/command", "down/config", "live", "alert")
WRITES = {
    "ingest": {"down/ack", "live", "alert"},
    "api": {"down/command", "down/config"},
    "video": {"down/command"},
    "notify": set(),
    "bridge": set(LEAVES),
}
READS = {
    "ingest": {"up/telemetry", "up/state"},
    "api": set(),
    "video": set(),
    "notify": {"live", "alert"},
    "bridge": set(LEAVES),
}


@pytest.mark.parametrize("role", ROLES)
def test_a_service_publishes_exactly_what_the_acl_says(site, role):
    with site.service(role) as service:
        done = {leaf for leaf in LEAVES if service.publish(tree(CAR, leaf)) in ACCEPTED}
        assert done == WRITES[role]
        assert service.publish("elsewhere") == NOT_AUTHORIZED
        assert service.publish("$SYS/broker/version") == NOT_AUTHORIZED


@pytest.mark.parametrize("role", ROLES)
def test_a_service_receives_exactly_what_the_acl_says(site, role):
    with site.service(role) as service, site.service("bridge") as everything:
        service.subscribe("#")
        service.drain()
        for leaf in LEAVES:
            assert everything.publish(tree(CAR, leaf)) in ACCEPTED
        assert {m.topic for m in service.drain()} == {tree(CAR, leaf) for leaf in READS[role]}


def test_a_service_that_is_away_gets_what_was_published_meanwhile(site):
    session = {"client_id": "svc-ingest-bench-away", "expiry_s": 3600}
    ingest = site.service("ingest", **session)
    ingest.subscribe("fleet/v1/+/+/up/#")
    ingest.drop()
    with site.car(CAR) as car:
        assert car.publish(tree(CAR, "up/event"), b"meanwhile") in ACCEPTED
    with site.service("ingest", **session, clean_start=False) as back:
        assert b"meanwhile" in [m.payload for m in back.drain()]


# ---- revocation


def assert_granted_nothing(site, vin):
    """CONNECT cannot be refused, but nothing after it is granted; the kick comes within a second, perhaps before both are asked."""
    def asked():
        with site.car(vin) as car:
            try:
                assert car.subscribe(tree(vin, "down/#")) == NOT_AUTHORIZED
                assert car.publish(tree(vin, "up/event"), b"after") == NOT_AUTHORIZED
                return car.wait_disconnected() == ADMINISTRATIVE
            except mqtt5.Disconnected as gone:
                assert gone.reason in (ADMINISTRATIVE, None)
                return False
    wait_until(asked)


def test_a_revoked_car_is_disconnected_and_refused_and_may_come_back_when_forgiven(site):
    vin, will = "ZZREV0KED00000001", b"will of a revoked car"
    with site.service("ingest") as ingest, site.car(CAR) as neighbour:
        ingest.subscribe(f"fleet/v1/+/{vin}/up/#")
        car = site.car(vin, will=(tree(vin, "up/state"), will, True))
        assert car.publish(tree(vin, "up/event"), b"before") == SUCCESS
        site.broker.revoke([vin, OTHER])
        assert car.wait_disconnected() == ADMINISTRATIVE
        assert_granted_nothing(site, vin)
        assert neighbour.publish(tree(CAR, "up/event")) in ACCEPTED
        wait_until(lambda: site.refusals(vin, reason="revoked", access="subscribe"))
        site.broker.revoke([])

        def forgiven():
            try:
                with site.car(vin) as car:
                    return car.publish(tree(vin, "up/event"), b"forgiven") in ACCEPTED
            except mqtt5.Disconnected:
                return False

        wait_until(forgiven)
        assert [m.payload for m in ingest.drain()] == [b"before", b"forgiven"]


def test_a_missing_deny_file_keeps_the_revoked_out(site):
    vin = "ZZREV0KED00000002"
    car = site.car(vin)
    site.broker.revoke([vin])
    assert car.wait_disconnected() == ADMINISTRATIVE
    lines = site.broker.log_text().count("event=guard.deny_file")
    site.broker.deny_file.unlink()
    wait_until(lambda: site.broker.log_text().count("event=guard.deny_file") == lines + 1)
    assert_granted_nothing(site, vin)
    site.broker.reload()  # neither does SIGHUP forget it
    wait_until(lambda: "Reloading config" in site.broker.log_text())
    assert_granted_nothing(site, vin)
    assert site.broker.log_text().count("event=guard.deny_file") == lines + 1  # said once
    site.broker.revoke([])


def test_the_crl_refuses_a_revoked_certificate_after_sighup_and_leaves_the_others_connected(site):
    vin = "ZZREV0KED00000003"
    site.car(vin).close()
    with site.car(CAR) as neighbour, site.service("ingest") as ingest:
        site.pki.revoke(site.identity(vin, "vehicle")[0])
        site.broker.reload()

        def refused():
            try:
                site.car(vin).close()
            except mqtt5.Refused:
                return True

        wait_until(refused)
        assert neighbour.publish(tree(CAR, "up/event")) in ACCEPTED
        assert ingest.publish(tree(CAR, "down/ack")) in ACCEPTED  # the CA of the services is known still
        assert "event=guard.ca_kept" not in site.broker.log_text()
        assert neighbour.subscribe("#") == NOT_AUTHORIZED
    site.car(CAR).close()


# ---- log, start, restart


def test_a_flood_of_refusals_is_a_few_lines_that_tell_the_number(site):
    vin, n = "ZZFL00D0000000001", 2000
    with site.car(vin) as car:
        for _ in range(n):
            car.publish(tree(OTHER, "up/event"), qos=0)
        car.ping()
    wait_until(lambda: site.refusals(vin, access="publish", reason="foreign_topic") == n)
    lines = [x for x in site.broker.log_text().splitlines() if "guard.refused" in x and vin in x]
    assert len(lines) < n / 10
    assert f'topic="{tree(OTHER, "up/event")}"' in lines[0] and " from=127.0.0.1 " in lines[0]


def test_a_client_that_asks_for_five_minutes_of_keep_alive_is_kept_while_it_speaks(site):
    """Mosquitto 2.0.21 drops the one that asks for as much as it may, whenever a look at its clock comes late."""
    clients = [site.car(f"WVWZZZ1KZAW1000{n:02}") for n in range(5)]
    until = time.monotonic() + 3  # the hands of its clock are seconds
    while time.monotonic() < until:
        for client in clients:
            client.ping()
    for client in clients:
        client.close()


def test_another_client_sees_135_too(site):
    if not shutil.which("mosquitto_pub"):
        pytest.skip("mosquitto_pub is not installed")
    cert, key = site.identity(CAR, "vehicle")
    base = ["-V", "mqttv5", "-h", "127.0.0.1", "-p", str(site.broker.port_vehicles), "-q", "1", "-d",
            "--cafile", str(site.pki.path("service-root.pem")), "--cert", str(cert), "--key", str(key)]
    pub = subprocess.run(["mosquitto_pub", *base, "-t", tree(OTHER, "up/event"), "-m", "{}"],
                         capture_output=True, text=True, timeout=60)
    assert "RC:135" in pub.stdout + pub.stderr
    sub = subprocess.run(["mosquitto_sub", *base, "-t", "#", "-W", "50"],
                         capture_output=True, text=True, timeout=60)
    assert "135" in sub.stdout or "not authorised" in (sub.stdout + sub.stderr).lower()


def test_retained_state_outlives_a_restart_and_guard_is_back(site):
    vin = "ZZRESTART00000001"
    with site.car(vin) as car:
        assert car.publish(tree(vin, "up/state"), b"kept", retained=True) in ACCEPTED
    site.broker.stop()
    site.broker.start()
    with site.service("ingest") as ingest, site.car(vin) as car:
        ingest.subscribe(f"fleet/v1/+/{vin}/up/#")
        assert ingest.receive().payload == b"kept"
        assert car.subscribe("#") == NOT_AUTHORIZED


@pytest.mark.parametrize("spoil", [
    ("plugin_opt_deny_file", "# plugin_opt_deny_file"),
    ("plugin_opt_service_ca", "# plugin_opt_service_ca"),
    ("service-intermediate.pem", "missing.pem"),
    ("plugin_opt_service_ca", "plugin_opt_service_ca {pki}/vehicle-intermediate.pem\n#"),
])
def test_a_broker_whose_guard_cannot_start_does_not_start(site, tmp_path, spoil):
    broker = Broker(tmp_path / "broker", site.pki.folder, GUARD)
    broker.prepare()
    old, new = spoil
    text = broker.conf.read_text()
    assert f"\n{old}" in text or old in text
    broker.conf.write_text(text.replace(old, new.format(pki=site.pki.folder)))
    try:
        assert broker.spawn().wait(60) != 0
    finally:
        broker.stop()
    wait_until(lambda: "event=guard.failed" in broker.log_text())


def test_of_mosquittos_own_lines_the_refusals_are_kept_and_a_flood_of_them_is_counted(tmp_path):
    log = LogFilter(tmp_path / "log")
    chatter = ["Received PUBLISH from a (d0, q0, r0, m0, 't', ... (2 bytes))", "Sending PUBACK to a (m1, rc0)",
               "\tt (QoS 1)", "No will message specified."]
    denied = "Denied PUBLISH from {} (d0, q1, r0, m1, 't', ... (2 bytes))"
    with open(log.sink, "w") as broker:
        for text in [*chatter, "mosquitto version 2 running", *[denied.format("flood")] * 1000,
                     denied.format("a"), "Dropped too large PUBLISH from flood (d0, q1, r0, m1, 't')"]:
            broker.write(f"2026-01-31T09:00:00+0000: {text}\n")
    log.thread.join(60)
    kept = (tmp_path / "log").read_text()
    assert "running" in kept and "from a (" in kept and "too large PUBLISH from flood" in kept
    assert not any(text in kept for text in chatter)
    flood = kept.count("Denied PUBLISH from flood")
    counted = sum(map(int, re.findall(r"^(\d+) more refusals", kept, re.M)))
    assert flood < 100 and flood + counted == 1000


def test_the_template_is_filled_whole_or_not_at_all():
    template = "# about @A@\nx @A@\ny @B@/z\n"
    assert fill(template, A="1", B="2") == "# about 1\nx 1\ny 2/z\n"
    with pytest.raises(ValueError):
        fill(template, A="1")
    with pytest.raises(ValueError):
        fill(template, A="1", B="2", C="3")
