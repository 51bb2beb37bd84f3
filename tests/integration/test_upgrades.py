"""Upgrade: what is not spoken is ignored (RFC 9110 7.8), the request is answered as HTTP/1.1; and what libwebsockets refuses itself."""
import socket

import pytest
from api_site import site
from notify_bench import Bench

H2C = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"


@pytest.mark.parametrize("name", ["h2c", "H2C"])
@pytest.mark.parametrize("path,code", [("/api/frontend/health", 200), ("/api/frontend/nothing", 404)])
def test_the_api_answers_an_offer_of_http_2_as_http_1(path, code, name):
    answer = site().raw_answer(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{H2C.replace('h2c', name)}\r\n")
    assert answer.code == code and answer.headers["x-request-id"] and answer.json


def test_the_connection_lives_on_and_bodies_still_come():
    body = '{"username":"owner","password":"not this one"}'
    with socket.create_connection(("127.0.0.1", site().http), timeout=60) as s:
        for _ in range(3):
            s.sendall((f"POST /api/frontend/session HTTP/1.1\r\nHost: localhost\r\n{H2C}Content-Type: application/json\r\n"
                       f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
            got = b""
            while b"}" not in got:
                got += s.recv(65536) or pytest.fail(f"closed after {got}")
            assert got.startswith(b"HTTP/1.1 401"), got


def test_another_upgrade_does_no_harm():
    for name in ("TLS/1.0", "foo, h2c", "websocket"):
        site().raw(f"GET /api/frontend/health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: {name}\r\n\r\n")
    assert site().ask("GET", "health").code == 200


@pytest.mark.parametrize("line", ["BREW / HTTP/1.1", "TRACE / HTTP/1.1", "GET /%zz HTTP/1.1", "GET http://localhost/ HTTP/1.1", "OPTIONS * HTTP/1.1"])
def test_what_lws_refuses_by_itself_is_403_and_the_end(line):
    got = site().raw(f"{line}\r\nHost: localhost\r\n\r\n")
    head, body = got.split(b"\r\n\r\n", 1)
    assert head.split()[1] == b"403" and b"server: vigie\r\n" in head and b"libwebsockets" not in got and got.count(b"HTTP/1.") == 1
    assert site().ask("GET", "health").code == 200


def test_notify_answers_an_offer_of_http_2_as_http_1(tmp_path):
    bench = Bench(tmp_path)
    try:
        bench.start()
        with socket.create_connection(("127.0.0.1", bench.port), timeout=60) as s:
            s.sendall(f"GET /live HTTP/1.1\r\nHost: localhost\r\n{H2C}\r\n".encode())
            assert s.recv(65536).startswith(b"HTTP/1.1 404")
        with bench.dashboard() as client:
            client.subscribe().snapshot()
    finally:
        bench.stop()
