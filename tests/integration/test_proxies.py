"""Behind a proxy: whom a request counts for, and who is believed to say so."""
import http.client
import json
import uuid

import pytest
import websocket
from api_site import ApiSite
from notify_bench import ORIGIN, Bench
from stack.process import Process


@pytest.fixture(scope="module")
def s(tmp_path_factory):
    site = ApiSite(tmp_path_factory.mktemp("proxies"))
    site.restart("--trusted-proxies=127.0.0.0/8,::1")
    yield site
    site.stop()


def guess(s, client, times=1):
    """Wrong passwords, each for another account, so that only the address can be held back."""
    codes = []
    for _ in range(times):
        headers = {"X-Forwarded-For": client} if client else {}
        codes.append(s.ask("POST", "session", {"username": uuid.uuid4().hex, "password": "not this one"}, headers).code)
    return codes


def guess_with_two_headers(s, first, second):
    connection = http.client.HTTPConnection("127.0.0.1", s.http, timeout=60)
    connection.putrequest("POST", "/api/frontend/session")
    body = json.dumps({"username": "nobody", "password": "not this one"}).encode()
    for name, value in (("X-Forwarded-For", first), ("X-Forwarded-For", second),
                        ("Content-Type", "application/json"), ("Content-Length", str(len(body)))):
        connection.putheader(name, value)
    connection.endheaders(body)
    status = connection.getresponse().status
    connection.close()
    return status


def held_back(ask):
    """After ten wrong guesses, and a second is soon over: each one more doubles it."""
    return any(ask() == 429 for _ in range(20))


def is_refused(ask):
    """A refusal begins with one second, which a loaded machine may let pass; each wrong guess doubles it."""
    return any(ask() == 429 for _ in range(6))


def test_who_guesses_locks_out_nobody_else(s):
    assert held_back(lambda: guess(s, "198.51.100.7")[0])
    assert guess(s, "203.0.113.7") == [401]
    assert is_refused(lambda: guess(s, "203.0.113.8, 198.51.100.7")[0]), "what the client wrote in front is not looked at"
    assert guess(s, "nonsense\"'<>") == [401], "then it is the proxy"
    assert is_refused(lambda: guess_with_two_headers(s, "203.0.113.9", "198.51.100.7")), "two headers are one list"


def test_the_audit_log_names_the_client(s):
    answer = s.ask("POST", "session", {"username": "owner", "password": "correct horse battery"},
                   {"X-Forwarded-For": "2001:DB8::7, 127.0.0.9"})
    assert answer.code == 200
    assert "2001:db8::7" in s.sql("SELECT DISTINCT address FROM audit").splitlines()


def test_a_proxy_may_hold_many_connections_open(s):
    open_ones = []
    try:
        for i in range(48):
            c = http.client.HTTPConnection("127.0.0.1", s.http, timeout=60)
            c.request("GET", "/api/frontend/health", headers={"X-Forwarded-For": f"203.0.113.{i % 2}"})
            answer = c.getresponse()
            assert answer.status == 200 and answer.read()
            open_ones.append(c)
    finally:
        for c in open_ones:
            c.close()


def test_nobody_is_believed_unless_named(s):
    s.restart()
    try:
        assert held_back(lambda: guess(s, "198.51.100.17")[0])
        assert is_refused(lambda: guess(s, "203.0.113.17")[0])
    finally:
        s.restart("--trusted-proxies=127.0.0.0/8,::1")


def test_what_is_no_list_is_refused_at_start(s):
    for wrong in ("proxy.example", "10.0.0.0/33", "*"):
        assert "neither an address" in s.run("--check", f"--trusted-proxies={wrong}", code=2)


def test_notify_counts_connections_per_client(tmp_path):
    bench = Bench(tmp_path)
    try:
        bench.start()
        bench.process.stop()
        argv = [*bench.process.argv, "--trusted-proxies=127.0.0.1", "--clients-per-address=2"]
        bench.process = Process("notify", argv, tmp_path / "notify.log", {"VIGIE_PG": bench.postgres.conninfo("vigie_notify")},
                                bench.is_ready)
        bench.process.start()

        def connect(client):
            return websocket.create_connection(f"ws://127.0.0.1:{bench.port}/live", origin=ORIGIN, timeout=60,
                                               subprotocols=["fleet.v1", f"ticket.{bench.ticket()}"],
                                               header={"X-Forwarded-For": client})

        sockets = [connect(c) for c in ("198.51.100.1", "198.51.100.1", "198.51.100.2", "198.51.100.2", "198.51.100.3")]
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            connect("198.51.100.9, 198.51.100.1")
        assert refused.value.status_code == 429
        for ws in sockets:
            ws.shutdown()
    finally:
        bench.stop()
