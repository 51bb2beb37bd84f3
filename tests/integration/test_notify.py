"""The live feed: what a dashboard gets from a real vigie-notify, and what it is refused."""
import contextlib
import shutil
import socket
import time
import uuid

import psycopg2
import pytest
import websocket
from notify_bench import ORIGIN, Bench, Dashboard, new_vin, wait_until

pytestmark = pytest.mark.skipif(not shutil.which("mosquitto", path="/usr/sbin:/usr/bin") or not shutil.which("pg_config"),
                                reason="mosquitto or PostgreSQL is not installed")


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("notify"))
    try:
        yield bench.start()
    finally:
        bench.stop()


def status_of(request, port):
    """The first line of what a raw request is answered with."""
    with socket.create_connection(("127.0.0.1", port), 60) as s:
        s.sendall(request.encode())
        return s.recv(4096).split(b"\r\n")[0].decode()


# ---- who comes in
def test_a_ticket_works_once(bench):
    ticket, before = bench.ticket(), bench.refused("ticket")
    with Dashboard(bench, ticket) as first:
        assert first.ws.getsubprotocol() == "fleet.v1"
        first.subscribe().snapshot()
        with Dashboard(bench, ticket) as second:
            assert second.close_code() == 4401
        first.subscribe().snapshot()
    assert bench.refused("ticket") == before + 1
    assert bench.sql("SELECT count(*) FROM ws_ticket") == "0"


def test_a_ticket_is_checked_although_the_page_speaks_first(bench):
    for _ in range(10):
        with bench.dashboard() as page:
            page.send(type="ping")
            page.subscribe().snapshot()


@pytest.mark.parametrize("ticket", ["expired", "of another page", "unknown"])
def test_a_ticket_that_is_not_good_is_refused_and_counted(bench, ticket):
    before = bench.refused("ticket")
    value = {"expired": lambda: bench.ticket(seconds=-1), "of another page": lambda: bench.ticket(origin="http://other.test"),
             "unknown": lambda: "A" * 43}[ticket]()
    with Dashboard(bench, value) as client:
        assert client.close_code() == 4401
    assert bench.refused("ticket") == before + 1


@pytest.mark.parametrize("reason, status, more", [
    ("origin", 403, {"origin": "http://dashboard.test.evil"}),
    ("origin", 403, {"origin": None}),
    ("ticket", 401, {"protocols": ["fleet.v1"]}),
    ("ticket", 401, {"protocols": ["fleet.v1", "ticket.no+good"]}),
    ("protocol", 400, {"protocols": []}),
    ("path", 404, {"path": "/other"}),
    ("path", 404, {"path": "/live/more"}),
], ids=["foreign origin", "no origin", "no ticket", "no base64url", "no sub-protocol", "other path", "longer path"])
def test_an_upgrade_is_refused_and_counted(bench, reason, status, more):
    before = bench.refused(reason)
    asked = {"origin": ORIGIN, "path": "/live", "protocols": ["fleet.v1", "ticket.AA"], **more}
    lines = [f"GET {asked['path']} HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade",
             "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    if asked["protocols"]:
        lines.append("Sec-WebSocket-Protocol: " + ", ".join(asked["protocols"]))
    if asked["origin"]:
        lines.append("Origin: " + asked["origin"])
    assert status_of("\r\n".join(lines + ["", ""]), bench.port).split()[1] == str(status)
    assert bench.refused(reason) == before + 1


@pytest.mark.parametrize("protocols", [["chat", "ticket.AA"], ["fleet.v1", "ticket." + "A" * 120], ["fleet.v1", "A" * 4000],
                                       ["fleet.v1"] + ["ticket.A"] * 2000], ids=["another", "long", "longer", "many"])
def test_a_sub_protocol_of_another_kind_or_length_is_refused(bench, protocols):
    with pytest.raises((websocket.WebSocketException, OSError)):
        Dashboard(bench, "", protocols=protocols).subscribe().frame()


@pytest.mark.parametrize("request_line", ["GET /live HTTP/1.1", "GET / HTTP/1.1", "POST /live HTTP/1.1"])
def test_plain_http_is_not_here(bench, request_line):
    before = bench.refused("http")
    assert status_of(f"{request_line}\r\nHost: x\r\nContent-Length: 0\r\n\r\n", bench.port).startswith("HTTP/1.1 404")
    assert bench.refused("http") == before + 1


def test_the_upgrade_to_http_2_leads_nowhere(bench):
    with socket.create_connection(("127.0.0.1", bench.port), 60) as s:
        s.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                  b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
        assert b"fleet" not in s.recv(4096)
    assert bench.is_ready()


def test_one_address_has_32_connections_and_no_more(bench):
    before = bench.refused("address")
    wait_until(lambda: bench.metric("vigie_notify_clients") == 0)
    held = [socket.create_connection(("127.0.0.1", bench.port), 60) for _ in range(40)]
    try:
        wait_until(lambda: bench.refused("address") >= before + 8)
    finally:
        for s in held:
            s.close()
    for _ in range(3):  # places are given back
        wait_until(lambda: connects(bench))


def connects(bench):
    try:
        with bench.dashboard() as client:
            return client.subscribe().snapshot() is not None
    except (websocket.WebSocketException, OSError):
        return False


# ---- what it sees
def test_a_snapshot_holds_the_vehicles_of_the_tenant_with_all_that_is_known(bench):
    ours, bare, foreign = bench.vehicle(), bench.vehicle(state=False, name=""), bench.vehicle(bench.theirs)
    with bench.dashboard() as client, bench.dashboard(bench.theirs) as other:
        seen = wait_until(lambda: (lambda found: found if {ours, bare} <= set(found) else None)(client.subscribe().snapshot()))
        assert foreign not in seen
        v = seen[ours]
        assert v.pop("t") > 0 and 0 < v.pop("age_ms") < 600000
        assert v == {"vin": ours, "name": 'Étoile "1"', "plate": "AB-123-CD", "lat": 48.5, "lon": 7.7, "speed": 12.5,
                     "heading": 90, "ignition": True, "connectivity": "online"}
        assert seen[bare] == {"vin": bare, "name": "", "plate": "AB-123-CD", "connectivity": "never"}
        theirs = wait_until(lambda: (lambda found: found if foreign in found else None)(other.subscribe().snapshot()))
        assert not {ours, bare} & set(theirs)


def test_live_reaches_the_tenant_and_no_other(bench):
    ours, foreign = bench.vehicle(), bench.vehicle(bench.theirs)
    with bench.dashboard() as client, bench.dashboard(bench.theirs) as other:
        wait_until(lambda: ours in client.subscribe().snapshot())
        wait_until(lambda: foreign in other.subscribe().snapshot())
        t = bench.live(ours, lat=48.25, lon=7.5, speed=51.5, heading=271, ignition=True)
        bench.live(foreign, speed=99)
        v = client.until(ours, t=t)
        assert 0 <= v.pop("age_ms") < 60000
        assert v == {"vin": ours, "t": t, "lat": 48.25, "lon": 7.5, "speed": 51.5, "heading": 271, "ignition": True,
                     "connectivity": "online"}
        seen = []
        while foreign not in seen:
            seen += [v["vin"] for v in other.frame().get("vehicles", [])]
        assert ours not in seen


def test_the_newest_value_arrives_and_at_most_four_frames_a_second(bench):
    vin = bench.vehicle()
    with bench.dashboard() as client:
        wait_until(lambda: vin in client.subscribe().snapshot())
        bench.live(vin, speed=0)
        client.until(vin, speed=0)
        began = time.monotonic()  # first: what is sent while the number is on its way is no faster for it
        sent = bench.metric("vigie_notify_sent_total", kind="live")
        for speed in range(1, 101):
            bench.live(vin, t=int(time.time() * 1000), speed=speed)
            time.sleep(0.015)
        client.until(vin, speed=100)
        frames = bench.metric("vigie_notify_sent_total", kind="live") - sent
        assert 1 <= frames <= 4 * (time.monotonic() - began) + 2


def test_older_and_foreign_and_broken_messages_change_nothing(bench):
    vin, other = bench.vehicle(), new_vin()
    before = bench.metric("vigie_notify_dropped_total", reason="message")
    with bench.dashboard() as client:
        wait_until(lambda: vin in client.subscribe().snapshot())
        t = bench.live(vin, speed=10)
        bench.live(vin, t=t - 1000, speed=11)
        bench.live(vin, t=t + 1, topic_vin=other, speed=12)
        bench.publish(vin, b"{")
        bench.live(vin, t=t + 2, speed=1, lat=1)
        wait_until(lambda: bench.metric("vigie_notify_dropped_total", reason="message") == before + 3)
        bench.live(vin, t=t + 3, speed=13)
        speeds = []
        while 13 not in speeds:
            speeds += [v["speed"] for v in client.frame().get("vehicles", []) if v["vin"] == vin]
        assert set(speeds) <= {12.5, 10, 13}


def test_a_list_of_vins_and_a_box_choose(bench):
    near, far = bench.vehicle(), bench.vehicle()
    with bench.dashboard() as client:
        wait_until(lambda: far in client.subscribe().snapshot())
        client.subscribe([near]).shows([near])
        client.subscribe([]).shows([])
        assert near in client.subscribe(bbox=[7, 48, 8, 49]).snapshot()
        client.subscribe([near, far], bbox=[170, -10, -170, 10]).shows([])
        bench.live(far, lat=0, lon=179.5)
        assert client.until(far)["lon"] == 179.5
        client.subscribe([near, far], bbox=[170, -10, -170, 10]).shows([far])
        client.subscribe([near, far], bbox=[7, 48, 8, 49]).shows([near])
        t = bench.live(far, lat=0, lon=-179.5)  # outside the box asked for last
        bench.live(near, t=t, lat=48.1, lon=7.1)
        frame = client.next("live")
        while near not in [v["vin"] for v in frame["vehicles"]]:
            assert far not in [v["vin"] for v in frame["vehicles"]]
            frame = client.next("live")


def test_a_ping_is_answered(bench):
    with bench.dashboard() as client:
        client.send(type="ping")
        assert client.frame() == {"type": "pong"}


def test_an_old_cursor_gets_resync_then_a_snapshot(bench):
    with bench.dashboard() as client:
        cursor = client.subscribe().next("snapshot")["cursor"]
        client.subscribe(resume=cursor)
        assert client.next("snapshot")["cursor"] == cursor
        client.subscribe(resume="0197f3c2")
        assert client.next("resync") == {"type": "resync"}
        assert client.frame()["type"] == "snapshot"


def test_a_cursor_from_beyond_the_database_gets_resync_and_one_of_its_present_goes_on(bench):
    with bench.dashboard() as client:
        cursor = client.subscribe().next("snapshot")["cursor"]
        xid, _, number = cursor.partition(".")
        client.subscribe(resume=f"{int(xid) + 10 ** 9}.{number}")  # given out before the database was put back
        assert client.next("resync") == {"type": "resync"}
        assert client.frame()["type"] == "snapshot"
        bench.sql("CREATE TABLE onwards (); DROP TABLE onwards")  # a transaction of which the feed has nothing
        present = bench.sql("SELECT change_now()").strip()
        assert present != cursor
        client.subscribe(resume=present)  # read elsewhere, by somebody who is ahead of the feed
        frame = client.frame()
        while frame["type"] == "live":
            frame = client.frame()
        assert (frame["type"], frame["cursor"]) == ("snapshot", present)


def test_a_vehicle_that_comes_is_renamed_or_retires_shows_to_who_watches(bench):
    with bench.watching() as client, bench.watching(owner=bench.theirs) as other:
        vin = bench.vehicle(name="First")
        assert client.until(vin, name="First")["plate"] == "AB-123-CD"
        bench.sql(f"UPDATE vehicle SET name = 'Second' WHERE vin = '{vin}'; NOTIFY fleet")
        client.until(vin, name="Second")
        bench.sql(f"UPDATE vehicle SET customer_id = '{bench.theirs[0]}' WHERE vin = '{vin}'; NOTIFY fleet")
        other.until(vin, name="Second")
        while vin in client.snapshot():
            pass
        bench.sql(f"UPDATE vehicle SET status = 'retired' WHERE vin = '{vin}'; NOTIFY fleet")
        while vin in other.snapshot():
            pass


def test_live_of_a_vin_nobody_knows_waits_until_it_is_known(bench):
    vin = new_vin()
    with bench.watching() as client:
        heard = bench.metric("vigie_notify_live_total")
        bench.live(vin, lat=1, lon=2, speed=33)
        wait_until(lambda: bench.metric("vigie_notify_live_total") > heard)  # it comes another way than what the database says
        client.send(type="ping")
        while (frame := client.frame())["type"] != "pong":
            assert vin not in [v["vin"] for v in frame.get("vehicles", [])]
        bench.sql(f"INSERT INTO vehicle (vin, customer_id) VALUES ('{vin}', '{bench.ours[0]}'); NOTIFY fleet")
        assert client.until(vin)["speed"] == 33


def test_freshness_changes_without_any_message(bench):
    vin = bench.vehicle()
    with bench.dashboard() as client:
        wait_until(lambda: client.subscribe().snapshot().get(vin, {}).get("connectivity") == "online")
        bench.sql(f"UPDATE vehicle_state SET last_seen = now() - interval '200 s' WHERE vin = '{vin}'; NOTIFY vehicle")
        assert client.until(vin, connectivity="lost")["speed"] == 12.5


def test_a_private_vehicle_shows_no_place_until_a_new_one_after_private_mode(bench):
    vin, place = bench.vehicle(), {"lat", "lon", "heading"}
    with bench.watching(vin) as client, bench.dashboard() as box:
        assert vin in box.subscribe(bbox=[7, 48, 8, 49]).snapshot()
        bench.live(vin, lat=48.25, lon=7.5, heading=271, speed=50)
        assert client.until(vin, speed=50)["lat"] == 48.25 and box.until(vin, speed=50)["lat"] == 48.25
        since = int(time.time() * 1000)
        bench.sql(f"UPDATE vehicle_state SET private_since = {since} WHERE vin = '{vin}'; NOTIFY vehicle, '{vin}'")
        assert not place & set(client.until(vin, private_since=since))
        assert not place & set(box.until(vin, private_since=since))  # it is in no box any more, and this one showed it
        assert vin not in box.subscribe(bbox=[7, 48, 8, 49]).snapshot()
        bench.live(vin, speed=51)
        told = client.until(vin, speed=51)
        assert told["private_since"] == since and not place & set(told)
        bench.live(vin, lat=48.26, lon=7.6, heading=90, speed=52)  # measured before, come late
        assert not place & set(client.until(vin, speed=52))
        with bench.dashboard() as new:
            seen = new.subscribe().snapshot()[vin]
            assert seen["private_since"] == since and seen["speed"] == 52 and not place & set(seen)
        bench.sql(f"UPDATE vehicle_state SET private_since = NULL WHERE vin = '{vin}'; NOTIFY vehicle, '{vin}'")
        assert not place & set(client.until(vin, private_since=None))
        bench.live(vin, speed=53)
        assert not place & set(client.until(vin, speed=53))
        bench.live(vin, lat=48.5, lon=7.75, heading=45, speed=54)
        told = client.until(vin, speed=54)
        assert (told["lat"], told["lon"], told["heading"]) == (48.5, 7.75, 45) and "private_since" not in told
        assert box.until(vin, speed=54)["lat"] == 48.5


# ---- what changed
def test_alerts_events_trips_and_commands_are_told_in_order_to_their_tenant_and_none_of_their_places(bench):
    ours, foreign = bench.vehicle(), bench.vehicle(bench.theirs)
    with bench.watching(ours) as client, bench.watching(foreign, owner=bench.theirs) as other:
        made = [("alert", bench.alert(ours)), ("event", bench.event(ours)), ("trip", bench.segment(ours)),
                ("command", bench.command(ours))]
        bench.segment(ours, "stop")  # in the feed of REST alone
        bench.sql(f"UPDATE alert SET state = 'acknowledged', version = 2 WHERE id = '{made[0][1]}'")
        frames = client.changes(5)
        assert [(f["type"], f["id"]) for f in frames] == [*made, made[0]]
        assert {f["vin"] for f in frames} == {ours}
        assert len({f["cursor"] for f in frames}) == 5
        first, last = frames[0], frames[4]
        assert first["data"] == {"type": "harsh_braking", "state": "open", "severity": "major", "count": 1, "version": 1}
        assert first["object"]["data"] == {"peak_g": 0.5} and (last["data"]["state"], last["data"]["version"]) == ("acknowledged", 2)
        assert " ".join(sorted(first["object"])) == ("count data detected_at ending held_down id last_at occurred_at reason severity state subject "
                                                     "type version vin"), "and nothing that we keep for ourselves"
        assert frames[2]["object"]["kind"] == "trip" and frames[3]["object"]["type"] == "diagnostics.read"
        assert not [f for f in frames if "48.5" in str(f["object"])]
        theirs = bench.alert(foreign)
        assert other.changes(1)[0]["id"] == theirs


def test_who_comes_back_with_a_cursor_misses_nothing_and_gets_nothing_twice(bench):
    vin, other = bench.vehicle(), bench.vehicle()
    with bench.watching(vin) as client:
        bench.alert(vin)
        (seen,) = client.changes(1)
    missed = [bench.alert(vin), bench.event(vin), bench.alert(other)]
    with bench.dashboard() as client:
        client.subscribe(resume=seen["cursor"])
        assert client.frame()["type"] == "snapshot"
        assert [f["id"] for f in client.changes(3)] == missed
        named = client.subscribe([vin]).next("snapshot")  # a box or a list later, the order goes on
        bench.alert(other)
        last = bench.alert(vin)
        assert [f["id"] for f in client.changes(1)] == [last] and named["cursor"]


def test_a_slow_transaction_is_waited_for(bench):
    vin = bench.vehicle()
    columns = "(id, vin, type, ending, state, severity, occurred_at, detected_at, last_at)"
    with bench.watching(vin) as client, contextlib.closing(psycopg2.connect(bench.postgres.conninfo())) as slow:
        slow.cursor().execute(f"INSERT INTO alert {columns} VALUES ('{uuid.UUID(int=1)}', '{vin}', 'tow', 'point', 'open', 'major', now(), "
                              "now(), now())")
        fast = bench.alert(vin)
        committed = bench.sql("SELECT clock_timestamp()")
        wait_until(lambda: bench.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'vigie_notify' AND state = 'idle' AND "
                                     f"query LIKE '%change_after(%' AND query_start > '{committed}'") != "0", why="notify to look, in vain")
        slow.commit()
        assert [f["id"] for f in client.changes(2)] == [str(uuid.UUID(int=1)), fast]


def test_a_ticket_names_the_kinds_of_changes_its_holder_may_read(bench):
    vin, ticket = bench.vehicle(), bench.ticket()
    bench.sql("UPDATE ws_ticket SET kinds = 'alert,command'")
    with Dashboard(bench, ticket) as client:
        client.subscribe().next("snapshot")
        bench.segment(vin), bench.event(vin)
        alert, command = bench.alert(vin), bench.command(vin)
        assert [f["id"] for f in client.changes(2)] == [alert, command]


# ---- what it may not say
@pytest.mark.parametrize("nonsense", ["", "{", "[]", '"ping"', '{"type":"subscribe"}', '{"type":"shout"}', '{"type":1}',
                                      '{"type":"ping","type":"ping"}', '{"type":"subscribe","vehicles":["x"]}',
                                      '{"type":"subscribe","vehicles":["*"],"bbox":[1,2,3]}', "[" * 40])
def test_nonsense_closes_and_is_counted(bench, nonsense):
    before = bench.refused("message")
    with bench.dashboard() as client:
        client.ws.send(nonsense)
        assert client.close_code() == 4400
    assert bench.refused("message") == before + 1


def test_what_is_binary_too_long_not_utf_8_or_too_much_closes_and_is_counted(bench):
    before = bench.refused("message")
    with bench.watching() as client:
        client.ws.send_binary(b'{"type":"ping"}')
        assert client.close_code() == 4400
    with bench.watching() as client:
        client.ws.send('{"type":"ping","pad":"' + "x" * 40000 + '"}')
        assert client.close_code() in (4400, None)  # None: our unread bytes made it a reset
    with bench.watching() as client:
        client.ws.send(b'{"type":"ping","pad":"\xff"}', websocket.ABNF.OPCODE_TEXT)
        assert client.close_code() == 4400
    with bench.watching() as client:
        for _ in range(200):  # more than 20 in whichever second
            try:
                client.send(type="ping")
            except OSError:
                break
        assert client.close_code() in (4400, None)
    assert bench.refused("message") == before + 4


def test_a_message_may_come_in_fragments(bench):
    with bench.dashboard() as client:
        frames = [(b'{"type":"subscribe",', websocket.ABNF.OPCODE_TEXT, 0), (b'"vehicles"', websocket.ABNF.OPCODE_CONT, 0),
                  (b':["*"]}', websocket.ABNF.OPCODE_CONT, 1)]
        for data, opcode, last in frames:
            client.ws.send_frame(websocket.ABNF(last, 0, 0, 0, opcode, 1, data))
        client.snapshot()


def test_the_largest_subscription_is_taken(bench):
    vin = bench.vehicle()
    with bench.dashboard() as client:
        wait_until(lambda: vin in client.subscribe().snapshot())
        client.subscribe([new_vin() for _ in range(999)] + [vin]).shows([vin])


# ---- how it looks from outside
def test_the_metrics_have_their_names(bench):
    with Dashboard(bench, "A" * 43) as client:
        assert client.close_code() == 4401
    with bench.watching():
        wait_until(lambda: bench.metric("vigie_notify_clients") == 1)  # those before it have been seen to go
        text = bench.metrics()
    for name in ("vigie_build_info", "vigie_notify_clients 1", 'vigie_notify_sent_total{kind="snapshot"}',
                 "vigie_notify_conflated_total", 'vigie_notify_refused_total{reason="ticket"}',
                 "vigie_notify_live_total", "process_resident_memory_bytes"):
        assert name in text
    wait_until(lambda: bench.metric("vigie_notify_clients") == 0)


def test_no_ticket_and_no_vehicle_is_in_the_log(bench):
    vin, ticket = bench.vehicle(), bench.ticket()
    with Dashboard(bench, ticket, origin=ORIGIN) as client:
        wait_until(lambda: vin in client.subscribe().snapshot())
    log = (bench.folder / "notify.log").read_text()
    assert "event=started" in log and vin not in log and ticket not in log
