"""The operator's commands, as a shell sees them."""
import json
import os
import pty
import subprocess
import uuid

import pytest
from api_site import OURS, PROGRAM, ROOT, site


@pytest.fixture(scope="module")
def s():
    return site()


def as_json(s, *argv, **more):
    return json.loads(s.run(*argv, "--json", **more))


def test_migrate_twice_changes_nothing(s):
    assert s.run("migrate") == "nothing to apply\n" and as_json(s, "migrate") == {"applied": []}
    names = sorted(p.stem for p in (ROOT / "proto/sql").glob("*.sql"))
    assert s.sql("SELECT name FROM schema_migration ORDER BY name").splitlines() == names


def test_several_migrations_at_once_do_it_once(s):
    s.postgres.sql("CREATE DATABASE twin", database="postgres")
    env = s.env({"VIGIE_PG": s.postgres.conninfo().replace("dbname=vigie", "dbname=twin")})
    running = [subprocess.Popen([PROGRAM, "migrate", "--json"], env=env, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    applied = [json.loads(p.communicate(timeout=60)[0])["applied"] for p in running]
    assert [p.returncode for p in running] == [0] * 4 and sorted(map(bool, applied)) == [False, False, False, True]


def test_a_changed_or_unknown_migration_is_refused(s):
    s.postgres.sql("CREATE DATABASE changed", database="postgres")
    env = {"VIGIE_PG": s.postgres.conninfo().replace("dbname=vigie", "dbname=changed")}
    s.run("migrate", env=env)
    s.postgres.sql("UPDATE schema_migration SET sha256 = '\\x00' WHERE name = '001_init'", database="changed")
    assert "001_init was applied in another wording" in s.run("migrate", env=env, code=2)
    s.postgres.sql("DELETE FROM schema_migration; INSERT INTO schema_migration VALUES ('999_future', '\\x00')", database="changed")
    assert "999_future" in s.run("migrate", env=env, code=2)


def test_pki_init_makes_two_hierarchies_and_leaves_them_alone(s, tmp_path):
    env = {"VIGIE_PKI_DIR": str(tmp_path / "pki"), "VIGIE_PG": ""}
    written = as_json(s, "pki", "init", env=env)["written"]
    assert len(written) >= 20 and as_json(s, "pki", "init", env=env) == {"written": []}
    keys = list((tmp_path / "pki").rglob("*.key")) + [tmp_path / "pki/session.secret"]
    assert len(keys) >= 12 and all(k.stat().st_mode & 0o777 == 0o600 for k in keys)
    check = lambda root, leaf: subprocess.run(["openssl", "verify", "-CAfile", tmp_path / f"pki/{root}-chain.pem", tmp_path / f"pki/{leaf}"],
                                              capture_output=True).returncode
    assert check("service", "server.pem") == 0 and check("service", "services/svc-bridge.pem") == 0
    assert check("vehicle", "server.pem") != 0 and check("vehicle", "services/svc-ingest.pem") != 0
    names = subprocess.run(["openssl", "x509", "-in", tmp_path / "pki/server.pem", "-noout", "-ext", "subjectAltName"],
                           capture_output=True, text=True).stdout
    assert "DNS:localhost" in names and "IP Address:127.0.0.1" in names
    assert as_json(s, "pki", "init", "--hosts", "fleet.example,localhost", env=env)["written"] == [
        str(tmp_path / "pki/server.key"), str(tmp_path / "pki/server.pem")]
    assert "neither a name" in s.run("pki", "init", "--hosts", "a,email:x@y", env=env, code=2)


def test_people_are_added_listed_and_never_twice(s):
    name = "Zoë." + uuid.uuid4().hex[:6]
    id_ = as_json(s, "user", "add", name, "--role", "auditor", "--customer", s.customers[1], "--name", "Zoë")["id"]
    row = next(u for u in as_json(s, "user", "list") if u["id"] == id_)
    assert row == {"id": id_, "username": name.lower(), "name": "Zoë", "role": "auditor", "customer": "Theirs", "disabled": False}
    assert "already" in s.run("user", "add", name.upper(), "--customer", s.customers[1], code=1)
    assert "several customers" in s.run("user", "add", "x", code=2)
    assert "--role king" in s.run("user", "add", "x", "--role", "king", "--customer", s.customers[1], code=2)
    assert "12 characters" in s.run("user", "add", "x", "--customer", s.customers[1], code=2, env={"VIGIE_PASSWORD": "short"})
    assert "no user" in s.run("user", "passwd", "nobody-at-all", code=1)


def test_an_account_has_a_language_only_where_somebody_chose_one(s):
    for argv, wanted in ((["--locale", "en"], "en"), (["--locale", "fr"], "fr"), ([], None)):
        name = "l" + uuid.uuid4().hex[:8]
        s.run("user", "add", name, *argv, "--customer", s.customers[0])
        assert s.ask("GET", "me", token=s.token(name)).json.get("locale") == wanted
    assert "neither fr nor en" in s.run("user", "add", "x", "--locale", "de", "--customer", s.customers[0], code=2)


def test_a_password_comes_from_a_file_or_stdin_and_not_from_argv(s, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("from a file, long\n")
    name = "f" + uuid.uuid4().hex[:8]
    env = {k: v for k, v in s.env().items() if k != "VIGIE_PASSWORD"}
    argv = [PROGRAM, "user", "add", name, "--customer", s.customers[0]]
    assert subprocess.run(argv, env={**env, "VIGIE_PASSWORD_FILE": str(secret)}, capture_output=True).returncode == 0
    assert s.sign_in(name, "from a file, long").code == 200
    argv[3] = name + "2"
    assert subprocess.run(argv, env=env, input="typed in by hand\n", text=True, capture_output=True).returncode == 0
    assert s.sign_in(argv[3], "typed in by hand").code == 200
    assert subprocess.run([*argv, "--password=x"], env=env, capture_output=True).returncode == 2


def test_vehicles_belong_to_one_customer(s):
    assert as_json(s, "vehicle", "add", *OURS, "--customer", s.customers[0]) == OURS, "again changes nothing"
    assert "another customer" in s.run("vehicle", "add", OURS[0], "--customer", s.customers[1], code=1)
    assert "not a VIN" in s.run("vehicle", "add", "WVWZZZ1KZAW00000I", "--customer", s.customers[0], code=2)
    assert "no such customer" in s.run("vehicle", "add", OURS[0], "--customer", str(uuid.uuid4()), code=1)
    assert [c["name"] for c in as_json(s, "customer", "list")] == ["Ours", "Theirs"]


def test_enroll_tokens_are_kept_as_hashes_and_live_a_week_at_most(s):
    import hashlib
    answer = as_json(s, "enroll-token", OURS[1], "--hours", "168")
    digest = hashlib.sha256(answer["token"].encode()).hexdigest()
    assert len(answer["token"]) == 43
    assert s.sql(f"SELECT vin, round(extract(epoch FROM expires_at - created_at) / 3600) FROM enroll_token WHERE hash = '\\x{digest}'") \
        == f"{OURS[1]}|168"
    s.run("enroll-token", OURS[1], "--hours", "169", code=2)
    s.run("enroll-token", "ZZ000000000000000", code=1)


def test_dead_letters_are_listed_and_shown_byte_for_byte(s):
    id_ = str(uuid.uuid4())
    s.sql(f"INSERT INTO dead_letter (id, site, vin, kind, stream, seq, reason, detail, payload) VALUES ('{id_}', 'illkirch', '{OURS[0]}',"
          f" 'up/telemetry', gen_random_uuid(), 7, 'json', 'not JSON', '\\x7b22610aff')")
    row = next(d for d in as_json(s, "dead-letter", "list") if d["id"] == id_)
    assert (row["vin"], row["seq"], row["reason"], row["bytes"]) == (OURS[0], 7, "json", 5) and row["received_at"].endswith("Z")
    shown = as_json(s, "dead-letter", "show", id_)[0]
    assert shown["payload_hex"] == "7b22610aff" and shown["seq"] == 7 and "payload" not in shown
    assert id_ in s.run("dead-letter", "list")
    s.run("dead-letter", "show", str(uuid.uuid4()), code=1)
    s.run("dead-letter", "show", "7", code=2)
    assert as_json(s, "dead-letter", "list", "--limit", "1")[0]["id"] == id_


def show(s, payload, *argv, stdout=subprocess.PIPE):
    id_ = str(uuid.uuid4())
    s.sql("INSERT INTO dead_letter (id, site, vin, kind, reason, detail, payload) VALUES "
          f"('{id_}', 'illkirch', '{OURS[0]}', 'up/telemetry', 'json', 'it is not JSON', '\\x{payload.hex()}')")
    return subprocess.run([PROGRAM, "dead-letter", "show", id_, *argv], stdout=stdout, stderr=subprocess.PIPE, timeout=60, env=s.env())


@pytest.mark.parametrize("payload", [b'{"a":"\\u00e9 \\\\ \\"x\\"","b":"\xc3\xa9"}', bytes(range(256)) * 40, b"\xc1\x00\x01", b""])
def test_a_letter_shown_into_a_file_is_its_bytes_and_nothing_else(s, payload, tmp_path):
    with open(tmp_path / "letter", "wb") as file:
        done = show(s, payload, stdout=file)
    assert done.returncode == 0 and (tmp_path / "letter").read_bytes() == payload
    assert b"it is not JSON" in done.stderr, "what is known of it is said beside it"
    told = json.loads(show(s, payload, "--json").stdout)[0]
    assert (bytes.fromhex(told["payload_hex"]) if "payload_hex" in told else told["payload"].encode()) == payload


def read_on(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # nobody writes to it any more
        return b""


def test_a_letter_does_not_steer_a_terminal(s):
    ours, theirs = pty.openpty()
    try:
        done = show(s, b'{"a":"\\n"}\r\n\x1b[2J\xc2\x9b\xc3\xa9', stdout=theirs)
    finally:
        os.close(theirs)
    text = b"".join(iter(lambda: read_on(ours), b"")).decode()
    os.close(ours)
    assert done.returncode == 0 and "it is not JSON" in text and not done.stderr
    assert text.endswith('{"a":"\\n"}\\x0d\r\n\\x1b[2J\\xc2\\x9bé\r\n')


def test_an_answer_that_cannot_be_written_is_no_success(s):
    with open("/dev/full", "wb") as full:
        done = show(s, b"x", stdout=full)
    assert done.returncode == 1 and b"cannot write" in done.stderr


@pytest.mark.parametrize("argv", [["nonsense"], ["user"], ["user", "remove"], ["issue", OURS[0]], ["issue", "--out", "x"], ["vehicle", "add"],
                                  ["revoke"], ["customer", "add"], ["--nonsense"], ["serve", "more"], ["migrate", "more"], ["dead-letter", "show", "x"]])
def test_wrong_usage_is_exit_2_and_says_why(s, argv):
    assert "reason=" in s.run(*argv, code=2)


@pytest.mark.parametrize("argv,word", [(["customer", "add", ""], "1 to 200 characters"), (["customer", "add", " \t"], "1 to 200 characters"),
                                       (["customer", "add", "é" * 201], "1 to 200 characters"), (["customer", "add", b"\xff"], "not UTF-8"),
                                       (["customer", "add", "\u00a0"], "to be seen"), (["customer", "add", "a\x1b[2J"], "control character"),
                                       (["vehicle", "add", OURS[0], "--name", " "], "to be seen"), (["user", "add", "u", "--name", "\t"], "--name"),
                                       (["user", "add", ""], "1 to"), (["dead-letter", "show", "1"], "UUID")])
def test_what_the_database_would_refuse_is_said_in_words(s, argv, word):
    said = s.run(*argv, code=2)
    assert word in said and "constraint" not in said and "SQL" not in said


def test_help_and_version(s):
    text = s.run("--help")
    for word in ("migrate", "pki init", "enroll-token", "dead-letter", "--listen-vehicles", "VIGIE_PG", "--json"):
        assert word in text
    assert s.run("--version").startswith("vigie-api ")
    assert s.run("--check") == ""
    assert s.run("--check", "--admin=none", "--origins=https://fleet.example, http://[::1]:8080") == ""
    for wrong in ("--listen=here", "--listen-vehicles=8443", "--influx=localhost", "--origins=*", "--origins=fleet.example",
                  "--origins=https://fleet.example/", "--admin=nonsense", "--trusted-proxies=proxy"):
        assert "reason=" in s.run("--check", wrong, code=2), wrong


def test_a_missing_database_is_said_not_hung(s):
    done = subprocess.run([PROGRAM, "user", "list"], capture_output=True, text=True, timeout=60,
                          env={**s.env(), "VIGIE_PG": "host=/nonexistent dbname=x"})
    assert done.returncode == 1 and "nonexistent" in done.stderr
    done = subprocess.run([PROGRAM, "user", "list"], capture_output=True, text=True, timeout=60,
                          env={k: v for k, v in os.environ.items() if not k.startswith("VIGIE_")})
    assert done.returncode == 2 and "VIGIE_PG" in done.stderr


def test_what_is_done_from_a_shell_is_in_the_audit_log(s):
    s.run("enroll-token", OURS[1])
    done = set(s.sql("SELECT DISTINCT action FROM audit WHERE address = 'shell'").splitlines())
    assert {"customer.create", "user.create", "vehicle.create", "enroll-token.create"} <= done
