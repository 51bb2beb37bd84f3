"""A car becomes ours, and stops being it: enrolment, certificates, revocation."""
import contextlib
import json
import secrets
import socket
import sqlite3
import ssl
import subprocess
import threading

import pytest
from api_site import BUILD, OURS, ROOT, THEIRS, ApiSite, site, wait_until
from stack.postgres import rows_held

ENROLL = "/api/embedded/enroll"


@pytest.fixture(scope="module")
def s():
    return site()


@pytest.fixture(autouse=True)
def unhurried(s):
    s.restart()  # enrolment is rate limited per address, and all of these come from one


def openssl(*argv, stdin=None):
    done = subprocess.run(["openssl", *map(str, argv)], input=stdin, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def key_and_request(folder, name="k", subject="/CN=anything", *more):
    key, csr = folder / f"{name}.key", folder / f"{name}.csr"
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-subj", subject,
            "-out", csr, *more)
    return key, csr.read_text()


def new_car(s, customer=0):
    vin = "ZZ" + "".join(secrets.choice("ABCDEFGH0123456789") for _ in range(15))
    s.run("vehicle", "add", vin, "--customer", s.customers[customer])
    return vin


def new_token(s, vin, *more):
    return json.loads(s.run("enroll-token", vin, "--json", *more))["token"]


def enroll(s, vin, token, csr, **more):
    return s.ask_car("POST", ENROLL, {"vin": vin, "token": token, "csr": csr, "agent_version": "1.0.0", **more})


def test_a_car_with_a_token_gets_a_certificate_and_what_it_needs_to_know(s, tmp_path):
    vin = new_car(s)
    key, csr = key_and_request(tmp_path)
    answer = enroll(s, vin, new_token(s, vin), csr)
    assert answer.code == 201
    assert answer.json["brokers"] == ["mqtts://localhost:8883", "mqtts://other:8883"]
    assert answer.json["config"] == {"schema": "config/1", "revision": 1, "required_sites": ["illkirch"],
                                     "brokers": answer.json["brokers"], "detects": "agent"}
    assert answer.json["ca"] == (s.pki / "service-root.pem").read_text()
    cert = tmp_path / "cert.pem"
    cert.write_text(answer.json["certificate"])
    assert "CN=" + vin in openssl("x509", "-in", cert, "-noout", "-subject", "-nameopt", "RFC2253")
    openssl("verify", "-purpose", "sslclient", "-CAfile", s.pki / "vehicle-root.pem", "-untrusted", cert, cert)
    assert s.sql(f"SELECT status FROM vehicle WHERE vin = '{vin}'") == "active"
    assert s.sql(f"SELECT count(*) FROM certificate WHERE vin = '{vin}' AND revoked_at IS NULL") == "1"
    assert s.sql(f"SELECT action, customer_id FROM audit WHERE vin = '{vin}' ORDER BY id DESC LIMIT 1") \
        == f"enroll|{s.customers[0]}", "the owner sees it"
    # and it opens the door: a verified car finds nothing where a stranger is refused
    assert s.ask_car("GET", "/", cert=(cert, key)).code == 404


@pytest.mark.parametrize("subject,more", [
    ("/CN=svc-ingest", ()), ("/CN=#", ()), ("/CN=WVWZZZ1KZAW000001/CN=svc-api/O=Vigie", ()),
    ("/CN=x", ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign,cRLSign")),
    ("/CN=x", ("-addext", "subjectAltName=DNS:svc-ingest,IP:127.0.0.1", "-addext", "extendedKeyUsage=serverAuth"))])
def test_a_request_cannot_ask_for_more_than_a_key(s, tmp_path, subject, more):
    vin = new_car(s)
    _, csr = key_and_request(tmp_path, "k", subject, *more)
    cert = tmp_path / "cert.pem"
    cert.write_text(enroll(s, vin, new_token(s, vin), csr).json["certificate"])
    assert openssl("x509", "-in", cert, "-noout", "-subject", "-nameopt", "RFC2253").strip() == f"subject=CN={vin}"
    text = openssl("x509", "-in", cert, "-noout", "-text")
    assert "CA:FALSE" in text and "TLS Web Client Authentication" in text
    for wish in ("CA:TRUE", "Certificate Sign", "CRL Sign", "Subject Alternative Name", "Server Authentication"):
        assert wish not in text


def test_an_answer_that_got_lost_is_given_again_to_the_same_key_only(s, tmp_path):
    vin = new_car(s)
    token = new_token(s, vin)
    _, csr = key_and_request(tmp_path)
    first, again = enroll(s, vin, token, csr), enroll(s, vin, token, csr)
    assert first.code == again.code == 201 and first.body == again.body
    _, other = key_and_request(tmp_path, "other")
    thief = enroll(s, vin, token, other)
    assert thief.code == 403 and thief.type == "enroll-token"
    assert "enrol.replayed" in (s.folder / "api.log").read_text()
    s.sql(f"UPDATE enroll_token SET used_at = used_at - interval '11 min' WHERE vin = '{vin}'")
    assert enroll(s, vin, token, csr).code == 403, "after ten minutes not even to the same key"
    assert s.sql(f"SELECT count(*) FROM certificate WHERE vin = '{vin}'") == "1"


def test_the_fifth_wrong_token_ends_the_right_one(s, tmp_path):
    vin = new_car(s)
    token = new_token(s, vin)
    _, csr = key_and_request(tmp_path)
    answers = [enroll(s, vin, "wrong" + str(i), csr) for i in range(5)]
    assert [a.code for a in answers] == [403] * 5
    right = enroll(s, vin, token, csr)
    assert right.code == 403 and {**right.json, "instance": 0} == {**answers[0].json, "instance": 0}
    assert s.sql(f"SELECT count(*) FROM audit WHERE vin = '{vin}' AND action = 'enroll.refused'"
                 f" AND customer_id = '{s.customers[0]}'") == "6", "each refusal, in the owner's audit"
    assert s.sql(f"SELECT count(*) FROM certificate WHERE vin = '{vin}'") == "0"


def test_four_wrong_ones_do_not(s, tmp_path):
    vin = new_car(s)
    token = new_token(s, vin)
    _, csr = key_and_request(tmp_path)
    for i in range(4):
        assert enroll(s, vin, f"wrong{i}", csr).code == 403
    assert enroll(s, vin, token, csr).code == 201


def test_an_expired_token_is_no_token(s, tmp_path):
    vin = new_car(s)
    token = new_token(s, vin, "--hours", "1")
    s.sql(f"UPDATE enroll_token SET expires_at = now() - interval '1 s' WHERE vin = '{vin}'")
    assert enroll(s, vin, token, key_and_request(tmp_path)[1]).code == 403


def test_a_token_is_for_its_own_car(s, tmp_path):
    one, other = new_car(s), new_car(s)
    token = new_token(s, one)
    csr = key_and_request(tmp_path)[1]
    refused = enroll(s, other, token, csr)
    assert refused.code == 403 and enroll(s, "ZZ000000000000000", token, csr).code == 403
    assert enroll(s, one, token, csr).code == 201


@pytest.mark.parametrize("status", ["revoked", "retired"])
def test_a_car_that_is_not_awaited_is_not_enrolled(s, tmp_path, status):
    vin = new_car(s)
    token = new_token(s, vin)
    s.sql(f"UPDATE vehicle SET status = '{status}' WHERE vin = '{vin}'")
    assert enroll(s, vin, token, key_and_request(tmp_path)[1]).code == 403
    s.run("enroll-token", vin, code=1)


def test_two_at_once_with_one_token_get_one_certificate(s, tmp_path):
    vin = new_car(s)
    token = new_token(s, vin)
    requests = [key_and_request(tmp_path, f"k{i}")[1] for i in range(4)]
    codes = []
    threads = [threading.Thread(target=lambda csr=csr: codes.append(enroll(s, vin, token, csr).code)) for csr in requests]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(codes) == [201, 403, 403, 403]
    assert s.sql(f"SELECT count(*) FROM certificate WHERE vin = '{vin}'") == "1"


def rsa_request(folder):
    return openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "rsa.key", "-subj", "/CN=x")


def test_a_wrong_request_costs_no_try_and_no_token(s, tmp_path):
    vin = new_car(s)
    token = new_token(s, vin)
    good = key_and_request(tmp_path)[1]
    for csr in ("", "x", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", rsa_request(tmp_path),
                good.replace("M", "N", 1), good + good):
        answer = enroll(s, vin, token, csr)
        assert answer.code == 422 and answer.json["errors"] == [{"pointer": "/csr", "code": "csr"}]
    assert enroll(s, vin, token, good).code == 201


@pytest.mark.parametrize("body,code", [({"vin": "x"}, 422), ({}, 422), ([], 400)])
def test_a_wrong_body_is_pointed_at(s, body, code):
    assert s.ask_car("POST", ENROLL, body).code == code


def test_enrolment_is_rate_limited(s, tmp_path):
    csr = key_and_request(tmp_path)[1]
    codes = []
    while 429 not in codes and len(codes) < 200:  # one more is let in every second: how many come before depends on the machine
        codes.append(enroll(s, "ZZ000000000000000", "x", csr).code)
    assert codes[:10] == [403] * 10 and codes[-1] == 429


# ---- the door itself
def test_without_a_certificate_only_enrolment_is_there(s):
    for method, path in (("GET", "/"), ("GET", "/api/frontend/health"), ("POST", "/api/frontend/session"), ("GET", "/metrics"),
                         ("GET", "/api/embedded/x"), ("GET", "/.well-known/jwks.json")):
        answer = s.ask_car(method, path)
        assert answer.code == 403 and answer.type == "certificate", path
    assert s.ask_car("GET", ENROLL).code == 405
    assert s.ask("POST", ENROLL, {}).code == 404, "and not on the people's side"


def test_a_person_s_token_opens_nothing_there(s):
    token = s.token()
    assert s.ask_car("GET", "/api/frontend/vehicles", headers={"Authorization": f"Bearer {token}"}).code == 403


def refused_in_handshake(s, cert):
    with pytest.raises((ssl.SSLError, ConnectionResetError, BrokenPipeError)):
        context = s.tls(cert)
        with socket.create_connection(("localhost", s.https), timeout=60) as raw, context.wrap_socket(
                raw, server_hostname="localhost") as tls:
            tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if tls.recv(100) == b"":
                raise ConnectionResetError


def test_a_certificate_of_another_root_is_refused_in_the_handshake(s, tmp_path):
    refused_in_handshake(s, (s.pki / "services/svc-ingest.pem", s.pki / "services/svc-ingest.key"))
    refused_in_handshake(s, (s.pki / "server.pem", s.pki / "server.key"))
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", tmp_path / "self.key",
            "-out", tmp_path / "self.pem", "-subj", f"/CN={OURS[0]}", "-days", "2")
    refused_in_handshake(s, (tmp_path / "self.pem", tmp_path / "self.key"))


def test_old_protocols_and_http2_are_not_offered(s):
    context = s.tls()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("localhost", s.https), timeout=60) as raw, context.wrap_socket(
            raw, server_hostname="localhost") as tls:
        assert tls.selected_alpn_protocol() == "http/1.1" and tls.version() in ("TLSv1.2", "TLSv1.3")
    old = subprocess.run(["openssl", "s_client", "-connect", f"localhost:{s.https}", "-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"],
                         input="", capture_output=True, text=True, timeout=60)
    assert old.returncode != 0


def test_the_certificate_is_read_again_on_sighup(s):
    import signal
    seen = lambda: ssl.get_server_certificate(("localhost", s.https))
    before = seen()
    for name in ("server.pem", "server.key"):
        (s.pki / name).unlink()
    s.run("pki", "init")
    s.api.process.send_signal(signal.SIGHUP)
    wait_until(lambda: seen() != before, why="the new certificate")
    assert s.ask_car("GET", "/").code == 403


# ---- issue and revoke
def test_issue_writes_what_a_bench_needs(s, tmp_path):
    vin = new_car(s)
    done = json.loads(s.run("issue", vin, "--out", str(tmp_path / "out"), "--json"))
    folder = tmp_path / "out" / vin
    assert done[0]["vin"] == vin and (folder / "key.pem").stat().st_mode & 0o777 == 0o600
    assert s.ask_car("GET", "/", cert=(folder / "cert.pem", folder / "key.pem")).code == 404
    assert (folder / "ca.pem").read_text() == (s.pki / "service-root.pem").read_text()
    s.run("issue", "ZZ000000000000000", "--out", str(tmp_path / "out"), code=1)


def test_revoke_is_in_the_table_the_deny_file_and_the_list(s, tmp_path):
    vin, other = new_car(s), new_car(s)
    s.run("issue", vin, other, "--out", str(tmp_path))
    s.sql(f"INSERT INTO vehicle_state (vin, presence) VALUES ('{vin}', 'online')")
    inode = (s.pki / "revoked.vins").stat().st_ino
    s.run("revoke", vin)
    assert vin in (s.pki / "revoked.vins").read_text().split() and other not in (s.pki / "revoked.vins").read_text()
    assert (s.pki / "revoked.vins").stat().st_ino != inode, "replaced, never half written"
    assert s.sql(f"SELECT status FROM vehicle WHERE vin = '{vin}'") == "revoked"
    assert s.sql(f"SELECT presence FROM vehicle_state WHERE vin = '{vin}'") == "offline"
    serial = s.sql(f"SELECT serial FROM certificate WHERE vin = '{vin}' AND revoked_at IS NOT NULL")
    listed = openssl("crl", "-in", s.pki / "vehicle.crl", "-noout", "-text", "-CAfile", s.pki / "vehicle-chain.pem")
    assert serial.upper() in listed
    s.run("revoke", vin)
    assert (s.pki / "revoked.vins").read_text().split().count(vin) == 1
    s.run("revoke", "ZZ000000000000000", code=1)
    s.run("issue", vin, "--out", str(tmp_path), code=1)


def test_cars_sent_away_are_locked_in_the_order_in_which_ingest_locks_them(s):
    first, second = sorted([new_car(s), new_car(s)])
    for vin in (second, first):  # as they lie
        s.sql(f"INSERT INTO vehicle_state (vin, presence) VALUES ('{vin}', 'online')")
    waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'vigie-api%' AND wait_event_type = 'Lock'"
    with rows_held(s, f"SELECT 1 FROM vehicle_state WHERE vin = '{first}' FOR UPDATE"):
        s.sql(f"UPDATE vehicle SET status = 'retired' WHERE vin IN ('{first}', '{second}'); NOTIFY fleet, '{first}'")
        wait_until(lambda: s.sql(waits) != "0", why="the api to wait for the first")
        s.sql(f"SELECT 1 FROM vehicle_state WHERE vin = '{second}' FOR UPDATE NOWAIT")  # nobody has that one
    wait_until(lambda: s.sql(f"SELECT count(*) FROM vehicle_state WHERE vin IN ('{first}', '{second}') AND presence = 'offline'") == "2",
               why="both to be offline")


@pytest.mark.parametrize("status", ["revoked", "retired"])
def test_a_car_sent_away_comes_back_by_restore_alone(s, tmp_path, status):
    vin = new_car(s)
    s.run("issue", vin, "--out", str(tmp_path))
    old = s.sql(f"SELECT serial FROM certificate WHERE vin = '{vin}'")
    token = new_token(s, vin)
    if status == "revoked":
        s.run("revoke", vin)
    else:
        s.sql(f"UPDATE vehicle SET status = 'retired' WHERE vin = '{vin}'")
    for command in (["vehicle", "add", vin, "--customer", s.customers[0]], ["enroll-token", vin], ["issue", vin, "--out", str(tmp_path)]):
        assert f"{vin} is {status}: vigie-api vehicle restore {vin}" in s.run(*command, code=1)
    assert "whose trips it has" in s.run("vehicle", "restore", vin, "--customer", s.customers[1], code=2), "it is not sold like this"
    assert json.loads(s.run("vehicle", "restore", vin, "--json")) == {"vin": vin, "status": "awaiting"}
    assert s.sql(f"SELECT status FROM vehicle WHERE vin = '{vin}'") == "awaiting"
    assert vin not in (s.pki / "revoked.vins").read_text().split()
    assert s.sql(f"SELECT count(*) FROM certificate WHERE vin = '{vin}' AND revoked_at IS NULL") == "0"
    assert old.upper() in openssl("crl", "-in", s.pki / "vehicle.crl", "-noout", "-text")
    assert s.sql(f"SELECT count(*) FROM enroll_token WHERE vin = '{vin}' AND expires_at > now()") == "0", token
    assert s.sql(f"SELECT address FROM audit WHERE action = 'vehicle.restore' AND vin = '{vin}'") == "shell"
    assert "no revoked or retired" in s.run("vehicle", "restore", vin, code=1), "once"
    s.run("vehicle", "restore", code=2)
    listed = next(v for v in json.loads(s.run("vehicle", "list", "--json")) if v["vin"] == vin)
    assert (listed["status"], listed["customer"]) == ("awaiting", "Ours") and vin in s.run("vehicle", "list")
    s.run("issue", vin, "--out", str(tmp_path))


def test_an_agent_cut_off_between_answer_and_certificate_enrols_again(s, tmp_path):
    vin, certs = new_car(s), tmp_path / "certs"  # not there yet: the certificate cannot be kept
    token = tmp_path / "token"
    token.write_text(new_token(s, vin) + "\n")
    argv = [ROOT / BUILD / "bin/vigie-vehicle", f"--vin={vin}", f"--api=https://localhost:{s.https}", f"--token-file={token}",
            f"--ca={s.pki / 'service-root.pem'}", f"--cert={certs / 'car.pem'}", f"--key={tmp_path / 'car.key'}", "--obd=none",
            "--gps=none", f"--outbox={tmp_path / 'outbox'}", "--admin=127.0.0.1:0"]
    assert subprocess.run(argv, capture_output=True, timeout=60).returncode != 0
    with contextlib.closing(sqlite3.connect(tmp_path / "outbox/outbox.db")) as db:
        config, = db.execute("SELECT value FROM note WHERE name = 'config'").fetchone()
    assert json.loads(config)["brokers"], "what it was told is kept before the certificate that ends enrolment"
    certs.mkdir()
    log = tmp_path / "agent.log"
    with open(log, "w") as out:
        agent = subprocess.Popen(argv, stderr=out)
    try:
        wait_until(lambda: "event=started" in log.read_text(), why="the agent to start without being told brokers")
    finally:
        agent.terminate()
    assert agent.wait(60) == 0 and s.sql(f"SELECT count(*) FROM certificate WHERE vin = '{vin}'") == "1"
