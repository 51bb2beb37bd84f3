"""The next certificate and the configuration over HTTPS: the real agent, the real API, the real broker, one PKI."""
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from api_site import ApiSite  # noqa: E402
from bench_pki import CRL_CONFIG, LEAF_EXTENSIONS  # noqa: E402
from vehicle_bench import GPSD, MOSQUITTO, VIN, Service, VehicleBench, wait_for  # noqa: E402

pytestmark = pytest.mark.skipif(not GPSD or not MOSQUITTO, reason="gpsd or mosquitto is not installed")

QUICK = ["--obd-period=200ms", "--record=250ms", "--encoding=json"]


def openssl(*argv):
    done = subprocess.run(["openssl", *map(str, argv)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


class SitePki:
    """The API's own, and a certificate of the car that began and ends when we like."""

    def __init__(self, site, folder, age_days, left_days):
        self.site, self.folder, self.own = site, site.pki, Path(folder)
        self.age_days, self.left_days = age_days, left_days
        self.own.mkdir(parents=True, exist_ok=True)

    def path(self, name):
        return self.folder / name

    def leaf(self, name, cn, side):
        if side == "service":
            return self.folder / f"services/{cn}.pem", self.folder / f"services/{cn}.key"
        cert, key, csr = (self.own / f"{name}.{end}" for end in ("pem", "key", "csr"))
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-subj",
                f"/CN={cn}", "-out", csr)
        (self.own / "index.txt").write_text("")
        (self.own / "ca.cnf").write_text(CRL_CONFIG.format(folder=self.own) + "rand_serial = yes\npolicy = any\nemail_in_dn = no\n"
                                         "[any]\ncommonName = supplied\n")
        for file in ("vehicle-intermediate.pem", "vehicle-intermediate.key"):
            shutil.copy(self.folder / file, self.own / file)
        (self.own / "leaf.ext").write_text(LEAF_EXTENSIONS + "extendedKeyUsage=clientAuth\n")

        def day(n):
            return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + n * 86400))

        openssl("ca", "-batch", "-notext", "-config", self.own / "ca.cnf", "-in", csr, "-out", cert, "-outdir", self.own,
                "-startdate", day(-self.age_days), "-enddate", day(self.left_days), "-extfile", self.own / "leaf.ext")
        self.register(cn, cert)
        cert.write_text(cert.read_text() + (self.folder / "vehicle-intermediate.pem").read_text())
        key.chmod(0o600)
        return cert, key

    def register(self, vin, cert):
        """As if the API had issued it then."""
        der = subprocess.run(["openssl", "x509", "-in", str(cert), "-outform", "DER"], capture_output=True, timeout=60).stdout
        serial = openssl("x509", "-in", cert, "-noout", "-serial").strip().split("=")[1].lower()
        self.site.sql("INSERT INTO certificate (serial, vin, sha256, key_sha256, not_before, not_after, pem, created_at) VALUES"
                      f" ('{serial}', '{vin}', '\\x{hashlib.sha256(der).hexdigest()}', '\\x{'0' * 64}',"
                      f" now() - interval '{self.age_days} d', now() + interval '{self.left_days} d', 'x',"
                      f" now() - interval '{self.age_days} d')")
        self.site.sql(f"UPDATE vehicle SET status = 'active' WHERE vin = '{vin}'")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    own = ApiSite(tmp_path_factory.mktemp("api"))
    if VIN not in own.sql("SELECT vin FROM vehicle").split():
        own.run("vehicle", "add", VIN, "--customer", own.customers[0])
    yield own
    own.stop()


@pytest.fixture
def car(site, tmp_path):
    """car(age, left): a bench whose car's certificate began `age` days ago and has `left` days to live."""
    made = []

    def make(age_days, left_days, **more):
        site.sql(f"DELETE FROM certificate WHERE vin = '{VIN}'")
        b = VehicleBench(tmp_path / "bench", agent_args=QUICK, gps=False,
                         pki=SitePki(site, tmp_path / "pki", age_days, left_days), **more)
        b.agent_args.append(f"--api=https://localhost:{site.https}")
        made.append(b)
        return b, Service(b)

    yield make
    for one in made:
        one.stop()


def serial(path):
    return openssl("x509", "-in", path, "-noout", "-serial").strip().split("=")[1].lower().lstrip("0")


def serials(site):
    found = site.sql(f"SELECT serial FROM certificate WHERE vin = '{VIN}' AND revoked_at IS NULL ORDER BY created_at").split()
    return [one.lstrip("0") for one in found]


def assert_pair(b):
    assert openssl("x509", "-in", b.cert, "-noout", "-pubkey") == openssl("pkey", "-in", b.key, "-pubout")
    assert stat.S_IMODE(os.stat(b.key).st_mode) == 0o600
    assert not Path(f"{b.cert}.next").exists() and not Path(f"{b.key}.next").exists()


def calls(b, outcome):
    return b.metric(f'vigie_vehicle_api_calls_total{{outcome="{outcome}"}}')


def test_past_half_of_its_life_the_certificate_is_renewed_and_nothing_is_lost(site, car):
    b, service = car(40, 20)
    before, old_key = serial(b.cert), b.key.read_bytes()
    b.start_agent()
    wait_for("the next certificate", lambda: calls(b, "renew_ok") == 1)
    assert serial(b.cert) != before and serials(site) == [before, serial(b.cert)]
    assert b.key.read_bytes() != old_key
    assert_pair(b)
    openssl("verify", "-CAfile", b.pki.path("vehicle-root.pem"), "-untrusted", b.cert, b.cert)
    wait_for("its end to be told", lambda: b.metric("vigie_vehicle_certificate_expiry_timestamp_seconds") > time.time() + 21 * 86400)
    # the connection is a new one, and the broker saw the new certificate: the old one is of no use any more
    service.wait("another connection", lambda s: b.log("agent").count("broker.connected") >= 2)
    site.sql(f"UPDATE certificate SET revoked_at = now() WHERE serial LIKE '%{before}'")
    count = len(service.poll().samples())
    service.wait("samples over it", lambda s: len(s.samples()) >= count + 10)
    for stream, seqs in service.seqs().items():
        assert seqs == list(range(1, seqs[-1] + 1)), f"numbers missing in {stream}: {seqs}"
    assert calls(b, "renew_ok") == 1, "the new one is not due"


def test_a_young_certificate_is_left_alone(site, car):
    b, service = car(10, 50)
    before = serial(b.cert)
    b.start_agent()
    service.wait("samples", lambda s: len(s.samples()) >= 10)
    assert serial(b.cert) == before and serials(site) == [before]
    assert 'outcome="renew' not in b.get("/metrics")[1]


def test_while_the_api_is_away_it_goes_on_with_the_old_one_and_asks_again(site, car):
    b, service = car(40, 20)
    before = serial(b.cert)
    site.api.stop()
    try:
        b.start_agent()
        wait_for("a try that found nobody", lambda: calls(b, "renew_away") >= 1)
        service.wait("samples all the same", lambda s: len(s.samples()) >= 10)
        assert serial(b.cert) == before
    finally:
        site.serve()
    wait_for("the next certificate", lambda: calls(b, "renew_ok") == 1)
    assert_pair(b)


def test_a_renewal_that_is_refused_changes_nothing(site, car):
    b, service = car(40, 20)
    before, old_key = serial(b.cert), b.key.read_bytes()
    site.sql(f"UPDATE certificate SET revoked_at = now() WHERE vin = '{VIN}'")
    b.start_agent()
    wait_for("the refusal", lambda: calls(b, "renew_refused") >= 1)
    wait_for("the log to say so", lambda: "does not speak for the vehicle" in b.log("agent"))
    assert serial(b.cert) == before and b.key.read_bytes() == old_key
    assert_pair(b)
    service.wait("samples all the same", lambda s: len(s.samples()) >= 10)


def test_a_crash_between_the_two_files_is_put_right_at_the_next_start(site, car):
    b, service = car(10, 50)
    old_key = b.key.read_bytes()
    fresh, fresh_key = b.pki.leaf("fresh", VIN, "vehicle")
    Path(f"{b.cert}.next").write_bytes(fresh.read_bytes())
    b.key.write_bytes(fresh_key.read_bytes())
    assert b.key.read_bytes() != old_key
    b.start_agent()
    service.wait("samples", lambda s: len(s.samples()) >= 5)
    assert serial(b.cert) == serial(fresh)
    assert_pair(b)


def test_the_configuration_is_fetched_when_a_command_names_one(site, car):
    b, service = car(10, 50)
    b.start_agent()
    service.wait("online", lambda s: s.of("up/state") and s.of("up/state")[-1]["state"] == "online")

    def told(ident):
        once = {r["seq"]: r for r in service.poll().of("up/result") if r["command"] == ident}  # nobody acknowledges: it comes again
        return [(r["state"], r.get("reason", "")) for _, r in sorted(once.items())]

    ident = b.command("config.apply", {"revision": 1})
    wait_for("the answer", lambda: len(told(ident)) >= 2)
    assert told(ident)[:2] == [("delivered", ""), ("done", "")]
    service.wait("the revision in its state", lambda s: s.of("up/state")[-1]["config"] >= 1)
    ident = b.command("config.apply", {"revision": 1000})
    wait_for("the answer", lambda: len(told(ident)) >= 2)
    assert told(ident)[1][0] == "failed" and told(ident)[1][1].startswith("the API has revision ")


def test_a_configuration_that_was_fetched_and_is_on_trial_is_answered_when_the_trial_is_over(site, car):
    """The API names brokers nobody finds from here."""
    b, service = car(10, 50)
    b.start_agent()
    service.wait("online", lambda s: "online" in [m["state"] for m in s.of("up/state")])
    b.command("config.apply", {"revision": 1})
    service.wait("the API's first", lambda s: s.of("up/state") and s.of("up/state")[-1]["config"] == 1)
    b.configure(2, required_sites=["illkirch"], brokers=[f"mqtts://localhost:{b.broker.port_vehicles}"])
    wait_for("the next to be kept", lambda: b.rows("SELECT 1 FROM note WHERE name = 'config' AND value LIKE '%\"revision\": 2%'"))
    b.end("agent")
    b.agent_args += ["--brokers=", "--config-trial=3s"]
    site.sql(f"UPDATE vehicle_config SET revision = 5 WHERE vin = '{VIN}'")
    count = len(service.poll().of("up/state"))
    b.start_agent()
    service.wait("online", lambda s: "online" in [m["state"] for m in s.of("up/state")[count:]])
    ident = b.command("config.apply", {"revision": 5})
    service.wait("the answer", lambda s: [r for r in s.of("up/result") if r["command"] == ident and r["state"] != "delivered"], 60)
    answer = [r for r in service.of("up/result") if r["command"] == ident][-1]
    assert (answer["state"], answer["reason"]) == ("failed", "none of its brokers answered within 3 s")
    assert calls(b, "config_ok") == 1
