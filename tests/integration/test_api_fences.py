"""What libwebsockets lets through and we do not: each pitfall of its 4.1.6 has a case here."""
import http.client
import os
import socket
import subprocess
import threading
import time

import pytest
from api_site import ApiSite, site, wait_until

HEAD = "Host: localhost\r\n"
JSON = HEAD + "Content-Type: application/json\r\n"
SESSION = "POST /api/frontend/session HTTP/1.1\r\n" + JSON


@pytest.fixture(scope="module")
def s():
    return site()


LWS = tuple(int(n) for n in subprocess.run(["pkg-config", "--modversion", "libwebsockets"], capture_output=True, text=True,
                                           check=True).stdout.strip().split(".")[:2])


def cut_off(got):
    """libwebsockets 4.3 ends a connection on which bytes wait behind a request that is still worked on, without an answer:
    no two requests are ever taken for one, and nobody's answer for another's."""
    return LWS >= (4, 2) and got == b""


def still_well(s):
    assert s.ask("GET", "health").code == 200


# ---- lengths and bodies
@pytest.mark.parametrize("length", ["5, 6", "0x10", "-5", "+5", "5 5", "1e2", "99999999999999999999", "", "five"])
def test_a_length_that_is_none_ends_the_connection(s, length):
    got = s.raw(SESSION + f"Content-Length: {length}\r\n\r\n" + '{"a":1}')
    assert not got or got.startswith((b"HTTP/1.1 400", b"HTTP/1.1 415", b"HTTP/1.1 422")), got
    if length and not cut_off(got):
        assert got.startswith(b"HTTP/1.1 400") and b"connection: close" in got and b'"content-length"' in got
    still_well(s)


def test_two_lengths_end_the_connection(s):
    got = s.raw(SESSION + "Content-Length: 2\r\nContent-Length: 200\r\n\r\n{}")
    assert got.startswith(b"HTTP/1.1 400") and got.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("coding", ["chunked", "Chunked", "gzip, chunked", "identity", "x"])
@pytest.mark.parametrize("method,path", [("POST", "/api/frontend/session"), ("PUT", "/api/frontend/session"), ("GET", "/api/frontend/health"),
                                         ("DELETE", "/api/frontend/session")])
def test_a_transfer_coding_is_not_taken(s, method, path, coding):
    got = s.raw(f"{method} {path} HTTP/1.1\r\n{JSON}Transfer-Encoding: {coding}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\nGET /x HTTP/1.1\r\n{HEAD}\r\n")
    if not cut_off(got):
        assert got.startswith(b"HTTP/1.1 501") and b"connection: close" in got
        assert got.count(b"HTTP/1.1 ") == 1, "nothing after it is a request"
    still_well(s)


def test_a_length_and_a_coding_together_are_not_two_requests(s):
    smuggled = f"GET /api/frontend/config HTTP/1.1\r\n{HEAD}\r\n"
    got = s.raw(SESSION + f"Content-Length: {len(smuggled) + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled)
    assert got.startswith(b"HTTP/1.1 501") and got.count(b"HTTP/1.1 ") == 1


def test_a_body_over_64_kib_is_refused_unread(s):
    answer = s.raw_answer(SESSION + "Content-Length: 65537\r\n\r\n")
    assert answer.code == 413 and answer.type == "too-large"
    whole = s.ask("POST", "session", b" " * 70000, {"Content-Type": "application/json"})
    assert whole.code == 413
    assert s.ask("POST", "session", b" " * 65536, {"Content-Type": "application/json"}).code == 400
    still_well(s)


def test_a_connection_is_good_again_after_a_refused_body(s):
    connection = http.client.HTTPConnection("127.0.0.1", s.http, timeout=60)
    connection.request("POST", "/api/frontend/session", b" " * 70000, {"Content-Type": "application/json"})
    assert connection.getresponse().read() and True
    try:
        connection.request("GET", "/api/frontend/health")
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read()
    except ConnectionError:
        assert cut_off(b""), "only libwebsockets 4.3 ends it, when the rest of the body came late"
    connection.close()
    still_well(s)


def drip(s):
    """A body, a byte at a time; returns when the other side has had enough."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", s.http), timeout=40) as c:
        c.sendall((SESSION + "Content-Length: 60000\r\n\r\n").encode())
        try:
            while True:
                c.sendall(b" ")
                c.settimeout(0.5)
                try:
                    if c.recv(100) == b"":
                        break
                except TimeoutError:
                    assert time.monotonic() - started < 120, "still open"
        except (ConnectionResetError, BrokenPipeError):
            pass


def test_headers_that_never_end_and_a_body_that_drips_are_cut_off(s):
    """With them, a known flaw of lws: an unknown last header that begins like a known one hangs until it is cut off.  A proxy in
    front hides it, a single box lives with the time-out."""
    before = s.metric('vigie_api_refused_total{reason="slow-body"}')
    with socket.create_connection(("127.0.0.1", s.http), timeout=90) as endless, \
            socket.create_connection(("127.0.0.1", s.http), timeout=90) as unknown:
        endless.sendall(b"GET /api/frontend/health HTTP/1.1\r\nHost: x\r\nX-A: ")
        unknown.sendall(b"GET /api/frontend/health HTTP/1.1\r\nHost: x\r\nIf: 1\r\n\r\n")
        drip(s)
        wait_until(lambda: s.metric('vigie_api_refused_total{reason="slow-body"}') == before + 1)
        assert endless.recv(100) == b""
        assert unknown.recv(1000)[:12] in (b"HTTP/1.1 200", b"")
    still_well(s)


def test_a_post_without_a_length_is_answered_and_closed(s):
    token = s.token(s.fresh_user())
    got = s.raw(f"POST /api/frontend/ws-tickets HTTP/1.1\r\n{HEAD}Authorization: Bearer {token}\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 201") and b"connection: close" in got


def test_a_delete_with_a_body_is_answered_once(s):
    body = "{}"
    got = s.raw(f"DELETE /api/frontend/session HTTP/1.1\r\n{JSON}Origin: {s.url}\r\nContent-Length: {len(body)}\r\n"
                f"\r\n{body}GET /api/frontend/config HTTP/1.1\r\n{HEAD}Connection: close\r\n\r\n")
    assert cut_off(got) or [got.count(b"HTTP/1.1 " + code) for code in (b"204", b"200", b"")] == [1, 1, 2]


# ---- several requests on one connection
def test_pipelined_requests_do_not_mix(s):
    token = s.token(s.fresh_user())
    bearer = f"Authorization: Bearer {token}\r\n"
    got = s.raw(f"GET /api/frontend/me HTTP/1.1\r\n{HEAD}{bearer}\r\n"
                f"GET /api/frontend/me HTTP/1.1\r\n{HEAD}\r\n"  # no token: the one before it must not help
                f"POST /api/frontend/ws-tickets HTTP/1.1\r\n{HEAD}{bearer}Content-Length: 0\r\n\r\n"
                f"GET /api/frontend/nothing HTTP/1.1\r\n{HEAD}\r\n"
                f"GET /api/frontend/config HTTP/1.1\r\n{HEAD}Connection: close\r\n\r\n")
    codes = [int(part[:3]) for part in got.decode().split("HTTP/1.1 ")[1:]]
    assert cut_off(got) or codes == [200, 401, 201, 404, 200]


@pytest.mark.parametrize("token", [False, True])
def test_a_pipelined_body_with_more_behind_it_does_not_stop_the_loop(s, token):
    """lws 4.1.6 asks about the bytes behind such a body for ever; the connection is ended instead."""
    bearer = f"Authorization: Bearer {s.token(s.fresh_user())}\r\n" if token else ""
    got = s.raw(f"GET /api/frontend/config HTTP/1.1\r\n{HEAD}\r\n"
                f"PUT /api/frontend/vehicles/ZZ000000000000000 HTTP/1.1\r\n{JSON}{bearer}Content-Length: 2\r\n\r\n{{}}"
                f"GET /api/frontend/me HTTP/1.1\r\n{HEAD}\r\n" * 3)
    assert cut_off(got) or (got.startswith(b"HTTP/1.1 200") and got.count(b"HTTP/1.1 ") <= 9)
    still_well(s)


def test_a_client_that_leaves_while_we_work_hurts_nobody(s):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", s.http), timeout=60) as c:
            c.sendall(f"GET /api/frontend/health HTTP/1.1\r\n{HEAD}\r\n".encode())
    still_well(s)


# ---- other protocols
@pytest.mark.parametrize("text", [
    b"GET /api/frontend/health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: http\r\n\r\n",
    b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + b"\0" * 64, b"\0" * 100, b"\r\n" * 50, b"nonsense\r\n\r\n",
    b"GET http://evil/ HTTP/1.1\r\nHost: x\r\n\r\n", b"get / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"GET /\r\n\r\n", b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_what_is_not_http_1_1_gets_nothing_of_ours(s, text):
    got = s.raw(text)
    assert b"HTTP/1.1 200" not in got and b'"site"' not in got and b"101 Switching Protocols\r\nUpgrade: Web" not in got
    still_well(s)


def test_http_2_that_does_not_wait_for_its_upgrade_is_not_spoken(s):
    got = s.raw(b"GET /api/frontend/health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
    assert cut_off(got) or (got.startswith(b"HTTP/1.1 200") and got.count(b'"site"') == 1 and b" 101 " not in got)
    still_well(s)


def test_a_request_without_a_host_is_refused(s):
    assert s.raw("GET /api/frontend/health HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400")


# ---- sizes
def test_long_headers_are_refused_or_read_but_never_half(s):
    for size in (300, 1900, 2100, 5000, 9000):
        got = s.raw(f"GET /api/frontend/me HTTP/1.1\r\n{HEAD}Origin: http://{'x' * size}\r\nConnection: close\r\n\r\n")
        assert not got or got.startswith((b"HTTP/1.1 431", b"HTTP/1.1 403")), (size, got[:100])
        got = s.raw(f"GET /api/frontend/config HTTP/1.1\r\n{HEAD}X-Unknown: {'x' * size}\r\nConnection: close\r\n\r\n")
        assert not got or got.startswith(b"HTTP/1.1 200") or got.startswith(b"HTTP/1.1 4")
        got = s.raw(f"GET /{'x' * size} HTTP/1.1\r\n{HEAD}Connection: close\r\n\r\n")
        assert not got or got[:8] in (b"HTTP/1.0", b"HTTP/1.1") and got[9:10] in b"45", (size, got[:100])
    still_well(s)


def test_two_kilobytes_of_headers_are_well(s):
    headers = "".join(f"X-Header-{i}: {'x' * 180}\r\n" for i in range(12))
    assert s.raw(f"GET /api/frontend/config HTTP/1.1\r\n{headers}{HEAD}Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("path", ["/api/frontend/vehicles/%00", "/api/frontend/vehicles/..%2f..%2fetc", "/api/%2e%2e/%2e%2e/etc/passwd",
                                  "/../../../etc/passwd", "/assets/..%2f..%2fetc%2fpasswd", "//etc/passwd", "/%ff%fe", "/api/frontend/me%3f",
                                  "/api/frontend/health%00", "/api/frontend/vehicles?q=%00", "/api/frontend/health?%00=1",
                                  "/api/frontend/vehicles?" + "&".join(f"a{i}=1" for i in range(200))])
def test_odd_paths_find_nothing(s, path):
    got = s.raw(f"GET {path} HTTP/1.1\r\n{HEAD}Connection: close\r\n\r\n")
    assert b"root:" not in got and (not got or got.startswith((b"HTTP/1.1 4", b"HTTP/1.1 503"))), got[:200]


# ---- connections
def test_one_address_gets_32_connections_and_they_are_given_back(tmp_path):
    own = ApiSite(tmp_path)
    try:
        for _ in range(2):
            open_ones = []
            for _ in range(48):
                c = socket.create_connection(("127.0.0.1", own.http), timeout=60)
                open_ones.append(c)
            alive = 0
            for c in open_ones:
                try:
                    c.sendall(f"GET /api/frontend/config HTTP/1.1\r\n{HEAD}\r\n".encode())
                    alive += c.recv(100).startswith(b"HTTP/1.1 200")
                except (ConnectionResetError, BrokenPipeError):
                    pass
            assert alive == 32
            for c in open_ones:
                c.close()
            wait_until(lambda: any_answer(own), why="the places to be free again")
            wait_until(lambda: connections(own) == 0, why="closed connections to be counted down")
        assert own.metric('vigie_api_refused_total{reason="connections"}') >= 32
    finally:
        own.stop()


def any_answer(own):
    try:
        return own.ask("GET", "config").code == 200
    except OSError:
        return False


def connections(own):
    """Sockets the program holds towards clients, as the kernel knows them."""
    port = f":{own.http:04X}"
    lines = [line.split() for name in ("tcp", "tcp6") for line in open(f"/proc/{own.api.process.pid}/net/{name}").readlines()[1:]]
    return sum(fields[1].endswith(port) and fields[3] == "01" for fields in lines)


def test_slow_work_does_not_hold_up_the_rest(s):
    """Hashing takes 135 ms each, two at a time; whoever asks for something quick is not behind it."""
    done = []
    threads = [threading.Thread(target=lambda: done.append(s.sign_in(s.fresh_user()).code)) for _ in range(6)]
    for t in threads:
        t.start()
    quick = [s.ask("GET", "config").code for _ in range(20)]
    for t in threads:
        t.join()
    assert quick == [200] * 20 and len(done) == 6 and set(done) <= {200, 503}


def test_an_overfull_hashing_lane_says_so(tmp_path):
    own = ApiSite(tmp_path)
    try:
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(own.sign_in())) for _ in range(28)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        busy = [a for a in answers if a.code == 503 and a.type == "busy"]
        assert len(answers) == 28 and len(busy) <= 28 - 16 and all(a.headers["retry-after"] == "1" for a in busy)
        for a in answers:  # on a slow machine the last of the lane may have waited too long
            assert a in busy or a.code == 200 or (a.code == 503 and a.type == "slow")
        assert own.sign_in().code == 200
    finally:
        own.stop()


def test_a_rush_of_one_user_is_slowed_and_counted(s):
    token = s.token(s.fresh_user())
    lines, codes = [http.client.HTTPConnection("127.0.0.1", s.http, timeout=60) for _ in range(20)], []
    while 429 not in codes and len(codes) < 4000:  # twenty a second are let in: how many come before depends on the machine
        for line in lines:
            line.request("GET", "/api/frontend/me", headers={"Authorization": f"Bearer {token}"})
        for line in lines:
            answer = line.getresponse()
            codes.append(answer.status)
            answer.read()
    for line in lines:
        line.close()
    assert codes[:60] == [200] * 60 and set(codes[60:]) <= {200, 429} and 429 in codes
    assert s.ask("GET", "me", token=s.token(s.fresh_user())).code == 200


# ---- methods, origins, pages
def test_a_wrong_method_is_told_the_right_ones(s):
    answer = s.ask("POST", "vehicles")
    assert answer.code == 405 and answer.headers["allow"] == "GET, HEAD, OPTIONS" and answer.type == "method"


def test_head_is_get_without_a_body(s):
    token = s.token(s.fresh_user())
    head, get = s.ask("HEAD", "me", token=token), s.ask("GET", "me", token=token)
    assert head.code == 200 and head.body == b"" and head.headers["content-length"] == get.headers["content-length"]


def test_a_listed_origin_may_read_and_another_may_not(s):
    answer = s.ask("OPTIONS", "vehicles", headers={"Origin": s.url, "Access-Control-Request-Method": "GET"})
    assert answer.code == 204 and answer.headers["access-control-allow-origin"] == s.url
    assert answer.headers["access-control-allow-credentials"] == "true" and answer.headers["vary"] == "Origin"
    assert "idempotency-key" in answer.headers["access-control-allow-headers"] and answer.headers["access-control-max-age"] == "600"
    assert "*" not in str(answer.headers)
    for origin in ("http://evil.example", "null", s.url + ".evil"):
        answer = s.ask("GET", "config", headers={"Origin": origin})
        assert answer.headers["access-control-allow-origin"] is None


def test_the_dashboard_is_served_compressed_with_its_policy(tmp_path):
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<!doctype html><title>Vigie</title>")
    (dist / "assets/app-1.js").write_bytes(os.urandom(300000))
    (dist / "assets/app-1.js.gz").write_bytes(b"gz")
    s = site()
    s.restart(f"--assets={dist}", "--ws-url=ws://127.0.0.1:8081/live", "--media-url=http://127.0.0.1:8082/")
    try:
        assert s.ask("GET", "config").json["sites"][0]["media"] == "http://127.0.0.1:8082/"
        page = s.ask("GET", "/vehicles/WVWZZZ1KZAW000001", headers={"Accept": "text/html"})
        assert page.code == 200 and page.body.startswith(b"<!doctype") and page.headers["cache-control"] == "no-cache"
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy and "connect-src 'self' ws://127.0.0.1:8081 http://127.0.0.1:8082;" in policy
        assert "ws: " not in policy and "unsafe-eval" not in policy and page.headers["cross-origin-opener-policy"] == "same-origin"
        script = s.ask("GET", "/assets/app-1.js")
        assert script.body == (dist / "assets/app-1.js").read_bytes() and "immutable" in script.headers["cache-control"]
        assert s.ask("GET", "/assets/app-1.js", headers={"Accept-Encoding": "gzip"}).body == b"gz"
        part = s.ask("GET", "/assets/app-1.js", headers={"Range": "bytes=100000-199999"})
        assert part.code == 206 and part.body == script.body[100000:200000]
        again = s.ask("GET", "/", headers={"If-None-Match": s.ask("HEAD", "/").headers["etag"]})
        assert again.code == 304 and again.body == b""
        assert s.ask("GET", "/assets/gone.js", headers={"Accept": "text/html"}).code == 404
        assert s.ask("POST", "/").code == 405
    finally:
        s.restart()


def test_nobody_is_sent_to_a_service_that_is_not_there(s):
    assert set(s.ask("GET", "config").json["sites"][0]) == {"id", "label", "api", "ws"}


def test_without_a_dashboard_the_api_still_runs(s):
    answer = s.ask("GET", "/")
    assert answer.code == 503 and answer.json["detail"] == "dashboard not built: make dashboard"
    still_well(s)


def test_metrics_name_routes_and_no_vehicle(s):
    import urllib.request
    s.ask("GET", "config")
    with urllib.request.urlopen(f"http://127.0.0.1:{s.admin}/metrics") as answer:
        text = answer.read().decode()
    assert 'vigie_api_requests_total{route="config",code="200"}' in text and 'vigie_api_request_seconds_bucket{route="config",' in text
    assert "WVWZZZ" not in text


def test_nothing_secret_is_in_the_log(s):
    s.token()
    log = (s.folder / "api.log").read_text()
    assert "eyJ" not in log and "BEGIN" not in log and "vigie_refresh" not in log and "correct horse" not in log


def test_the_loop_sleeps_when_nothing_happens(s):
    """lws can be brought to spin; an idle process uses no processor time to speak of."""
    ticks = lambda: sum(int(x) for x in open(f"/proc/{s.api.process.pid}/stat").read().rsplit(")", 1)[1].split()[11:13])
    still_well(s)
    before = ticks()
    time.sleep(2)
    assert ticks() - before < 50, "half a second of processor time in two idle seconds"
