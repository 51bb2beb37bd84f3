"""Vehicles: reading, creating, changing, retiring; and that another customer's are not there."""
import re
import secrets

import pytest
from api_site import OURS, ROLES, ROOT, THEIRS, site

VIN_ALPHABET = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"


@pytest.fixture(scope="module")
def s():
    return site()


@pytest.fixture
def token(s):
    return s.token(s.fresh_user())


def new_vin():
    return "ZZ" + "".join(secrets.choice(VIN_ALPHABET) for _ in range(15))


def create(s, token, body=None, vin=None, **headers):
    vin = vin or new_vin()
    return vin, s.ask("PUT", f"vehicles/{vin}", body or {}, {"If-None-Match": "*", **headers}, token)


def test_the_list_has_ours_by_vin_and_nobody_elses(s, token):
    answer = s.ask("GET", "vehicles?limit=500", token=token)
    vins = [v["vin"] for v in answer.json["items"]]
    assert answer.code == 200 and set(OURS) <= set(vins) and not set(THEIRS) & set(vins) and vins == sorted(vins)
    one = next(v for v in answer.json["items"] if v["vin"] == OURS[2])
    assert one["customer"] == {"id": s.customers[0], "name": "Ours"} and one["connectivity"] == "never"
    assert not {"last_seen", "t", "lat", "lon", "speed", "heading", "ignition"} & set(one), "unmeasured is absent"


def test_pages_meet_without_gap_or_overlap(s, token):
    whole = [v["vin"] for v in s.ask("GET", "vehicles?limit=500", token=token).json["items"]]
    paged, cursor = [], ""
    while True:
        page = s.ask("GET", f"vehicles?limit=7{cursor}", token=token).json
        paged += [v["vin"] for v in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert paged == whole


def test_the_list_is_searched_and_filtered(s, token):
    vin, answer = create(s, token, {"name": "Camionnette bleue 100%_", "plate": "AB-123-CD"})
    assert answer.code == 201
    found = lambda query: [v["vin"] for v in s.ask("GET", f"vehicles?limit=500&{query}", token=token).json["items"]]
    assert found("q=BLEUE") == [vin] and found("q=ab-123") == [vin] and found(f"q={vin[3:12].lower()}") == [vin]
    assert found("q=100%25_") == [vin] and found("q=100x") == [] and found("q=%25%25%25") == []
    assert vin in found("connectivity=never") and vin not in found("connectivity=online,late")
    s.sql(f"INSERT INTO vehicle_state (vin, last_seen) VALUES ('{vin}', now())")
    assert vin in found("connectivity=online") and vin in found("connectivity=late,online")


@pytest.mark.parametrize("query,at", [("limit=0", "limit"), ("limit=501", "limit"), ("limit=-1", "limit"),
                                      ("limit=x", "limit"), ("cursor=x", "cursor"), ("cursor=%27", "cursor"),
                                      ("connectivity=never,", "connectivity"), ("connectivity=up", "connectivity"),
                                      ("q=" + "x" * 101, "q")])
def test_a_wrong_argument_is_pointed_at(s, token, query, at):
    answer = s.ask("GET", f"vehicles?{query}", token=token)
    assert answer.code == 422 and answer.json["errors"][0]["pointer"] == at


@pytest.mark.parametrize("query", ["q=%ff", "cursor=%c3%28", "connectivity=%ed%a0%80"])
def test_a_query_that_is_no_text_is_refused(s, token, query):
    answer = s.ask("GET", f"vehicles?{query}", token=token)
    assert answer.code == 400 and answer.type == "encoding"


def test_an_idempotency_key_that_is_no_text_is_refused(s, token):
    answer = s.ask("PATCH", f"vehicles/{OURS[0]}", {"name": "x"}, {"If-Match": '"v1"', "Idempotency-Key": "k\xff"}, token)
    assert answer.code == 400 and answer.type == "encoding"


def test_a_vehicle_is_created_once(s, token):
    vin, answer = create(s, token, {"name": "Eins", "make": "VW", "class": "van", "fuel": "diesel"})
    assert answer.code == 201 and answer.headers["etag"] == '"v1"' and answer.json["name"] == "Eins"
    assert answer.json["status"] == "awaiting" and answer.json["class"] == "van" and "created_at" in answer.json
    again = create(s, token, {}, vin)[1]
    assert again.code == 412 and again.type == "exists"
    read = s.ask("GET", f"vehicles/{vin}", token=token)
    assert read.json == answer.json and read.headers["etag"] == '"v1"'
    assert s.sql(f"SELECT count(*) FROM audit WHERE vin = '{vin}' AND action = 'vehicle.create'") == "1"


def test_creating_another_customers_vin_says_no_more_than_creating_ours_again(s, token):
    foreign, own = create(s, token, {}, THEIRS[0])[1], create(s, token, {}, OURS[0])[1]
    strip = lambda answer: {k: v for k, v in answer.json.items() if k != "instance"}
    assert foreign.code == own.code == 412 and strip(foreign) == strip(own)


@pytest.mark.parametrize("headers", [{}, {"If-None-Match": '"v1"'}, {"If-Match": '"v1"'}, {"If-None-Match": ""}])
def test_creating_needs_its_condition(s, token, headers):
    answer = s.ask("PUT", f"vehicles/{new_vin()}", {}, headers, token)
    assert answer.code == 428 and answer.type == "precondition-required"


def test_a_change_keeps_what_it_does_not_name(s, token):
    vin, _ = create(s, token, {"name": "Eins", "plate": "A"})
    answer = s.ask("PATCH", f"vehicles/{vin}", {"plate": "B"}, {"If-Match": '"v1"'}, token)
    assert answer.code == 200 and answer.headers["etag"] == '"v2"' and answer.json["version"] == 2
    assert (answer.json["name"], answer.json["plate"]) == ("Eins", "B")
    empty = s.ask("PATCH", f"vehicles/{vin}", {"name": ""}, {"If-Match": '"v2"'}, token)
    assert empty.json["name"] == ""


@pytest.mark.parametrize("tag,code", [(None, 428), ('"v2"', 412), ('"v0"', 412), ('"x"', 412), ("*", 400),
                                      ('W/"v1"', 400), ('"v1", "v2"', 400), ("v1", 400)])
def test_a_change_needs_the_version_it_is_based_on(s, token, tag, code):
    vin, _ = create(s, token)
    headers = {"If-Match": tag} if tag else {}
    refused = s.ask("PATCH", f"vehicles/{vin}", {"name": "x"}, headers, token)
    assert refused.code == code and refused.type == {400: "if-match", 412: "changed", 428: "precondition-required"}[code]
    assert s.ask("DELETE", f"vehicles/{vin}", headers=headers, token=token).code == code
    assert s.ask("GET", f"vehicles/{vin}", token=token).json["name"] == ""


@pytest.mark.parametrize("body,pointer", [({"name": "x" * 201}, "/name"), ({"name": "\u0001"}, "/name"), ({"name": " "}, "/name"), ({"group_name": "\u3000 "}, "/group_name"), ({"name": 1}, "/name"),
                                          ({"name": None}, "/name"), ({"plate": "x" * 33}, "/plate"), ({"make": "é" * 81}, "/make"),
                                          ({"class": "tank"}, "/class"), ({"a" + "é" * 60: 1}, "/a" + "é" * 49), ({"fuel": "rum"}, "/fuel"), ({"class": ""}, "/class"),
                                          ({"vin": OURS[0]}, "/vin"), ({"customer_id": "x"}, "/customer_id"),
                                          ({"detects": ""}, "/detects"), ({"detects": "me"}, "/detects"), ({"record_ms": 249}, "/record_ms"),
                                          ({"record_ms": "250"}, "/record_ms"), ({"record_ms": 250.0}, "/record_ms"), ({"status": "active"}, "/status"), ({"version": 9}, "/version")])
def test_what_the_schema_would_refuse_is_refused_by_field(s, token, body, pointer):
    for method, headers in (("PUT", {"If-None-Match": "*"}), ("PATCH", {"If-Match": '"v1"'})):
        answer = s.ask(method, f"vehicles/{new_vin()}", body, headers, token)
        assert answer.code == 422 and answer.json["errors"][0]["pointer"] == pointer, (method, answer.body)


@pytest.mark.parametrize("body,words", [('{"name":"a","name":"b"}', ['"name"', "twice", "byte 18"]),
                                        ('{"privacy":{"zone":"CET-1","z\\"é":1,"z\\"é":2}}', ['"z\\"é"', "twice"]),
                                        ('{"record_ms":9223372036854775808}', ["64 bits", "byte 32"]), ('{"tank_l":1e999}', ["too large"]),
                                        ('{"name":"a"', ["not JSON", "byte 11"]), ('["name"]', ["not one JSON object"]), ("[" * 17 + "]" * 17, ["deeper than 16"])])
def test_a_body_that_cannot_be_read_is_told_why(s, token, body, words):
    answer = s.ask("PATCH", f"vehicles/{OURS[0]}", body.encode(), {"If-Match": '"v1"', "Content-Type": "application/json"}, token)
    assert answer.code == 400 and answer.type == "json" and all(word in answer.json["detail"] for word in words), answer.body


def test_any_text_of_people_goes_in_and_comes_out(s, token):
    name = "L'été d'«Élodie» \\ \" < & \U0001F697 \u2028 ';--"
    vin, answer = create(s, token, {"name": name, "plate": "é" * 32, "make": "é" * 80})
    assert answer.code == 201 and answer.json["name"] == name
    assert s.ask("GET", f"vehicles/{vin}", token=token).json["name"] == name


def test_a_retired_vehicle_leaves_the_list_and_keeps_its_page(s, token):
    vin, _ = create(s, token)
    answer = s.ask("DELETE", f"vehicles/{vin}", headers={"If-Match": '"v1"'}, token=token)
    assert answer.code == 204 and answer.body == b""
    assert s.ask("GET", f"vehicles/{vin}", token=token).json["status"] == "retired"
    assert vin not in [v["vin"] for v in s.ask("GET", "vehicles?limit=500", token=token).json["items"]]


def test_the_same_change_sent_twice_happens_once(s, token):
    vin, first = create(s, token, {"name": "Eins"}, None, **{"Idempotency-Key": "k-create"})
    again = create(s, token, {"name": "Eins"}, vin, **{"Idempotency-Key": "k-create"})[1]
    assert (again.code, again.json, again.headers["etag"]) == (201, first.json, '"v1"')
    change = lambda body, key: s.ask("PATCH", f"vehicles/{vin}", body, {"If-Match": '"v1"', "Idempotency-Key": key}, token)
    assert change({"name": "Zwei"}, "k1").json["version"] == 2
    assert change({"name": "Zwei"}, "k1").json["version"] == 2
    assert s.ask("GET", f"vehicles/{vin}", token=token).json["version"] == 2
    other = change({"name": "Drei"}, "k1")
    assert other.code == 422 and other.type == "idempotency-key"
    retire = lambda: s.ask("DELETE", f"vehicles/{vin}", headers={"If-Match": '"v2"', "Idempotency-Key": "k2"}, token=token)
    assert [retire().code, retire().code] == [204, 204]
    assert s.sql(f"SELECT count(*) FROM audit WHERE vin = '{vin}'") == "3"


def test_a_refused_change_does_not_use_up_its_key(s, token):
    vin, _ = create(s, token)
    change = lambda tag: s.ask("PATCH", f"vehicles/{vin}", {"name": "x"}, {"If-Match": tag, "Idempotency-Key": "k"}, token)
    assert change('"v9"').code == 412 and change('"v1"').code == 200


def test_keys_are_each_users_own_and_forgotten_after_a_day(s):
    ada, bob = s.token(s.fresh_user()), s.token(s.fresh_user())
    assert create(s, ada, {}, None, **{"Idempotency-Key": "same"})[1].code == 201
    assert create(s, bob, {}, None, **{"Idempotency-Key": "same"})[1].code == 201
    s.sql("UPDATE idempotency SET created_at = now() - interval '25 h' WHERE key = 'same'")
    assert create(s, ada, {}, None, **{"Idempotency-Key": "same"})[1].code == 201


def test_a_change_is_announced(s, token):
    import psycopg2
    db = psycopg2.connect(s.postgres.conninfo())
    db.autocommit = True
    db.cursor().execute("LISTEN fleet")
    vin, _ = create(s, token)
    s.ask("PATCH", f"vehicles/{vin}", {"name": "x"}, {"If-Match": '"v1"'}, token)
    import select
    heard = []
    while len(heard) < 2 and select.select([db], [], [], 60)[0]:
        db.poll()
        while db.notifies:
            heard += [vin] * (db.notifies.pop(0).payload == vin)
    db.close()
    assert heard == [vin, vin]


# ---- whose is it?  A generator over the routes: what is added to the table is tried here too.
def routes():
    """(method, path, needs a token) of every people's route in the document, which a unit test holds equal to the code."""
    paths = (ROOT / "proto/openapi.yaml").read_text().split("\ncomponents:")[0]
    for path, item in re.findall(r"^  (/\S+):\n((?:    .*\n|\n)+)", paths, re.M):
        for method, operation in re.findall(r"^    (get|put|post|patch|delete):\n((?:      .*\n|\n)+)", item, re.M):
            if path.startswith("/api/frontend/"):
                yield pytest.param(method.upper(), path, "\n      security:" not in operation, id=f"{method} {path[14:]}")


def fill(path, vin):
    path = path.replace("{vin}", vin).replace("{id}", "01900000-0000-7000-8000-000000000000")
    return path + ("?signals=Vehicle.Speed" if path.endswith("/history") else "")


def test_the_generator_finds_the_routes():
    assert len(list(routes())) >= 15 and sum(p.values[2] for p in routes()) >= 10


@pytest.mark.parametrize("method,path,closed", routes())
def test_no_route_but_the_open_ones_answers_without_a_token(s, method, path, closed):
    for token in (None, "a.b.c"):
        answer = s.ask(method, fill(path, OURS[0]), {} if method in ("PUT", "PATCH", "POST") else None, token=token)
        assert (answer.code == 401 and answer.type == "token") == closed, answer.body


@pytest.mark.parametrize("method,path,closed", [p for p in routes() if "{vin}" in p.values[1]])
def test_another_customers_vehicle_is_not_there(s, token, method, path, closed):
    if method == "PUT":
        return  # creating it: see above
    headers = {"If-Match": '"v1"'}
    bodies = {"commands": {"type": "photo"}, "meter": {"engine_h": 1}}
    body = {} if method == "PATCH" else bodies[path.rsplit("/", 1)[1]] if method == "POST" else None
    foreign = s.ask(method, fill(path, THEIRS[0]), body, headers, token)
    missing = s.ask(method, fill(path, new_vin()), body, headers, token)
    assert foreign.code == missing.code == 404 and foreign.type == missing.type == "not-found"
    assert {k: v for k, v in foreign.json.items() if k != "instance"} == {k: v for k, v in missing.json.items() if k != "instance"}
    assert s.sql(f"SELECT version, status FROM vehicle WHERE vin = '{THEIRS[0]}'") == "1|awaiting"


MAY = {"owner": "RCDHT", "admin": "RCDHT", "dispatcher": "RCHT", "mechanic": "RH", "driver": "", "auditor": "RHT"}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_what_its_row_says(s, role):
    token = s.token(s.fresh_user(role))
    vin = new_vin()
    asks = {"R": ("GET", f"vehicles/{OURS[0]}", None, {}), "C": ("PUT", f"vehicles/{vin}", {}, {"If-None-Match": "*"}),
            "D": ("DELETE", f"vehicles/{vin}", None, {"If-Match": '"v1"'}),
            "H": ("GET", f"vehicles/{OURS[0]}/history?signals=Vehicle.Speed", None, {}),
            "T": ("GET", f"vehicles/{OURS[0]}/track", None, {})}
    may = "".join(k for k, (m, p, b, h) in asks.items() if s.ask(m, p, b, h, token).code != 403)
    assert may == MAY[role]
    assert s.ask("GET", "me", token=token).json["role"] == role


def test_who_may_not_read_tracks_may_not_read_positions_as_history(s):
    token = s.token(s.fresh_user("mechanic"))
    ask = lambda signals: s.ask("GET", f"vehicles/{OURS[0]}/history?signals={signals}", token=token)
    assert ask("Vehicle.Speed").code == 200
    assert ask("Vehicle.Speed,Vehicle.CurrentLocation.Latitude").code == 403


def test_a_role_taken_away_is_gone_with_the_next_epoch(s):
    user = s.fresh_user("owner")
    token = s.token(user)
    s.sql(f"UPDATE app_user SET role = 'driver', epoch = epoch + 1 WHERE username = '{user}'")
    assert s.ask("GET", "vehicles", token=token).code == 401
    assert s.ask("GET", "vehicles", token=s.token(user)).code == 403


def test_every_answer_names_its_request_and_its_site(s, token):
    ids = set()
    for path in ("health", "me", "vehicles", "nothing", f"vehicles/{OURS[0]}"):
        answer = s.ask("GET", path, token=token)
        assert answer.headers["x-site"] == "illkirch" and answer.headers["cache-control"] == "no-store"
        assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"])
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["date"]
        if answer.code >= 400:
            assert answer.json["instance"] == answer.headers["x-request-id"] and answer.json["status"] == answer.code
        ids.add(answer.headers["x-request-id"])
    assert len(ids) == 5
