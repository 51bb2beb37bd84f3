"""A car that has a certificate: its next one, and what it is to do.  Everything over mutual TLS."""
import json
import secrets

import pytest
from api_site import ApiSite
from test_api_enroll import enroll, key_and_request, new_car, new_token, openssl, refused_in_handshake


@pytest.fixture(scope="module")
def s(tmp_path_factory):
    own = ApiSite(tmp_path_factory.mktemp("renew"))
    yield own
    own.stop()


@pytest.fixture(autouse=True)
def unhurried(s):
    s.restart()  # enrolment is rate limited per address


class Car:
    def __init__(self, s, folder):
        self.s, self.folder, self.vin = s, folder, new_car(s)
        self.key, csr = key_and_request(folder, "first")
        self.keep("first", enroll(s, self.vin, new_token(s, self.vin), csr))

    def keep(self, name, answer):
        assert answer.code == 201, answer.body
        (self.folder / f"{name}.pem").write_text(answer.json["certificate"])
        return answer

    def pair(self, name="first"):
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def renew(self, csr, by="first", vin=None, **more):
        body = {"vin": self.vin, "csr": csr, "agent_version": "1.0.0", **more}
        return self.s.ask_car("POST", f"/api/embedded/{vin or self.vin}/renew", body, cert=by and self.pair(by))

    def config(self, by="first"):
        return self.s.ask_car("GET", f"/api/embedded/{self.vin}/config", cert=by and self.pair(by))

    def serials(self):
        return self.s.sql(f"SELECT serial FROM certificate WHERE vin = '{self.vin}' ORDER BY created_at").split()

    def audit(self, action):
        return self.s.sql(f"SELECT customer_id, detail FROM audit WHERE vin = '{self.vin}' AND action = '{action}'").splitlines()


@pytest.fixture
def car(s, tmp_path):
    return Car(s, tmp_path)


def fresh(car, name="next"):
    return key_and_request(car.folder, name)[1]


def test_a_fresh_key_gets_a_certificate_that_works_and_the_old_one_stays_good(s, car):
    answer = car.keep("next", car.renew(fresh(car)))
    assert set(answer.json) == {"certificate", "ca", "brokers", "config"}
    cert = car.folder / "next.pem"
    openssl("verify", "-purpose", "sslclient", "-CAfile", s.pki / "vehicle-root.pem", "-untrusted", cert, cert)
    assert openssl("x509", "-in", cert, "-noout", "-subject", "-nameopt", "RFC2253").strip() == f"subject=CN={car.vin}"
    assert car.config("next").code == 200 and car.config("first").code == 200
    assert len(car.serials()) == 2 and car.audit("renew") == [f'{s.customers[0]}|{{"serial": "{car.serials()[1]}"}}']
    assert car.renew(fresh(car, "third"), by="next").code == 201, "and it renews in its turn"


def test_an_answer_that_got_lost_is_given_again(s, car):
    csr = fresh(car)
    first, again = car.renew(csr), car.renew(csr)
    assert first.code == again.code == 201 and first.body == again.body and len(car.serials()) == 2


def test_a_key_is_not_kept_for_ever(s, car):
    csr = openssl("req", "-new", "-key", car.key, "-subj", "/CN=x")
    assert car.renew(csr).json["certificate"] == (car.folder / "first.pem").read_text(), "more than half of its life is left"
    s.sql(f"UPDATE certificate SET not_before = now() - interval '40 d', not_after = now() + interval '20 d' WHERE vin = '{car.vin}'")
    refused = car.renew(csr)
    assert refused.code == 422 and refused.json["errors"] == [{"pointer": "/csr", "code": "used"}]
    assert car.renew(fresh(car)).code == 201


def test_a_car_renews_for_itself_alone(s, car, tmp_path_factory):
    other = Car(s, tmp_path_factory.mktemp("other"))
    csr = fresh(car)
    for answer in (other.renew(csr, vin=car.vin), car.renew(csr, by=None)):
        assert answer.code == 403 and answer.type == "certificate"
    wrong = s.ask_car("POST", f"/api/embedded/{car.vin}/renew", {"vin": other.vin, "csr": csr}, cert=car.pair())
    assert wrong.code == 422 and wrong.json["errors"] == [{"pointer": "/vin", "code": "vin"}]
    assert len(car.serials()) == len(other.serials()) == 1
    assert s.ask("POST", f"/api/embedded/{car.vin}/renew", {"vin": car.vin, "csr": csr}).code == 404, "not on the people's side"


@pytest.mark.parametrize("how", ["revoked", "retired", "one certificate", "unknown"])
def test_a_certificate_that_counts_no_more_renews_nothing(s, car, how):
    if how == "revoked":
        s.run("revoke", car.vin)
    elif how == "retired":
        s.sql(f"UPDATE vehicle SET status = 'retired' WHERE vin = '{car.vin}'")
    elif how == "one certificate":
        s.sql(f"UPDATE certificate SET revoked_at = now() WHERE vin = '{car.vin}'")
    else:  # signed by the same authority, yet not by us: a key that got out
        key, _ = key_and_request(car.folder, "forged", f"/CN={car.vin}")
        openssl("x509", "-req", "-in", car.folder / "forged.csr", "-CA", s.pki / "vehicle-intermediate.pem", "-CAkey",
                s.pki / "vehicle-intermediate.key", "-set_serial", "0x" + secrets.token_hex(15), "-days", "30", "-out", car.folder / "forged.pem")
    by = "forged" if how == "unknown" else "first"
    answer = car.renew(fresh(car), by=by)
    assert answer.code == 403 and answer.type == "certificate", answer.body
    assert car.config(by).code == 403 and len(car.serials()) == 1
    reasons = {json.loads(line.split("|", 1)[1])["reason"] for line in car.audit("certificate.refused")}
    assert reasons == {{"revoked": "vehicle not active", "retired": "vehicle not active", "one certificate": "certificate revoked",
                        "unknown": "not a certificate we know"}[how]}


def test_an_old_certificate_that_was_revoked_does_not_come_back_with_the_car(s, car):
    s.run("revoke", car.vin)
    s.run("vehicle", "restore", car.vin)
    s.run("issue", car.vin, "--out", str(car.folder))
    assert car.renew(fresh(car)).code == 403


def test_an_expired_certificate_is_refused_in_the_handshake(s, car):
    key_and_request(car.folder, "old", f"/CN={car.vin}")
    openssl("x509", "-req", "-in", car.folder / "old.csr", "-CA", s.pki / "vehicle-intermediate.pem", "-CAkey",
            s.pki / "vehicle-intermediate.key", "-set_serial", "1", "-days", "0", "-out", car.folder / "old.pem")
    refused_in_handshake(s, car.pair("old"))


@pytest.mark.parametrize("csr", ["", "x", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"])
def test_a_wrong_request_is_pointed_at(s, car, csr):
    answer = car.renew(csr)
    assert answer.code == 422 and answer.json["errors"][0]["pointer"] == "/csr"
    assert car.renew(fresh(car), token="x").json["errors"] == [{"pointer": "/token", "code": "unknown"}]


def test_a_car_gets_so_many_certificates_a_day_and_no_more(s, car):
    names = [f"k{i}" for i in range(5)]
    answers = [car.renew(fresh(car, name)) for name in names]
    assert [a.code for a in answers] == [201] * 4 + [429], "with the one of its enrolment they are five"
    assert answers[-1].type == "issued" and int(answers[-1].headers["retry-after"]) > 60
    assert len(car.audit("renew.refused")) == 1
    s.sql(f"UPDATE certificate SET created_at = created_at - interval '25 h' WHERE vin = '{car.vin}'")
    assert car.renew(fresh(car, "k4")).code == 201


# ---- what it is to do
def test_the_configuration_gets_a_new_revision_with_each_new_wording_only(s, car):
    config = car.config()
    assert config.code == 200 and config.json == {
        "schema": "config/1", "revision": 1, "required_sites": ["illkirch"], "detects": "agent",
        "brokers": ["mqtts://localhost:8883", "mqtts://other:8883"]}
    token = s.token(s.fresh_user())
    change = lambda body: s.ask("PATCH", f"vehicles/{car.vin}", body, {"If-Match": s.ask("GET", f"vehicles/{car.vin}", token=token).headers["etag"]},
                                token)
    assert change({"name": "x"}).code == 200 and car.config().json["revision"] == 1
    changed = change({"record_ms": 5000, "detects": "ingest"})
    assert (changed.json["record_ms"], changed.json["detects"]) == (5000, "ingest")
    now = car.config().json
    assert (now["revision"], now["rates"], now["detects"]) == (2, {"record_ms": 5000}, "ingest")
    assert "record_ms" not in change({"record_ms": None}).json
    now = car.config().json
    assert (now["revision"], now["detects"]) == (3, "ingest") and "rates" not in now
    hours = {"zone": "CET-1CEST,M3.5.0,M10.5.0/3", "work": [{"days": [1, 2, 3, 4, 5], "from": 480, "to": 1080}], "crash_place": True}
    assert change({"privacy": hours}).json["privacy"] == hours
    now = car.config().json
    assert (now["revision"], now["privacy"]) == (4, hours)
    assert change({"privacy": {"zone": "x y"}}).json["errors"] == [{"pointer": "/privacy", "code": "privacy"}]
    assert car.renew(fresh(car)).json["config"] == now
