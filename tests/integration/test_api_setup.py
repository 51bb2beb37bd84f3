"""What a customer sets up: the same five routes for each, held by one table of cases; then what is each one's own."""
import datetime
import uuid

import pytest
from api_site import OURS, THEIRS, site

CIRCLE = {"name": "Dépôt", "kind": "circle", "points": [[7.71, 48.53]], "radius_m": 200}
RULE = {"name": "Trop chaud", "signal": "Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature", "test": "above", "threshold": 105}
CONTRACT = {"vin": OURS[0], "starts_on": "2026-01-01", "ends_on": "2029-01-01", "cap_km": 60000, "price": 349.9}
PLAN = {"vin": OURS[0], "name": "Vidange", "every_km": 15000, "every_days": 365}
#         path          one to make   a change          what it says afterwards   who changes  who reads
CASES = {"geofences": (CIRCLE, {"dwell_s": 600}, {"dwell_s": 600, "muted": False}, "oad", "oadmu"),
         "rules": (RULE, {"enabled": False}, {"enabled": False, "place": "anywhere", "repeat": 1}, "oa", "oadmu"),
         "drivers": ({"name": "Élodie"}, {"phone": "+33 3"}, {"phone": "+33 3", "licence": ""}, "oa", "oadu"),
         "contracts": (CONTRACT, {"cap_km": 70000}, {"cap_km": 70000, "currency": "EUR", "stage": "fine"}, "oa", "oau"),
         "maintenance": (PLAN, {"every_h": 500}, {"every_h": 500, "stage": "fine"}, "oam", "oadmu")}
LETTERS = {"o": "owner", "a": "admin", "d": "dispatcher", "m": "mechanic", "r": "driver", "u": "auditor"}


@pytest.fixture(scope="module")
def s():
    return site()


@pytest.fixture
def token(s):
    s.sql("DELETE FROM rule")  # of the tests before: a vehicle may have so many
    return s.token(s.fresh_user())


def make(s, token, path, body, **headers):
    answer = s.ask("POST", path, body, headers, token)
    assert answer.code == 201, answer.body
    return answer


@pytest.mark.parametrize("path", CASES)
def test_made_read_changed_and_taken_away(s, token, path):
    body, change, after = CASES[path][:3]
    made = make(s, token, path, body)
    identity, tag = made.json["id"], made.headers["etag"]
    assert tag == '"v1"' and {k: made.json[k] for k in body} == body and made.json["created_at"].endswith("Z")
    one = f"{path}/{identity}"
    assert s.ask("GET", one, token=token).json == made.json and identity in [i["id"] for i in s.ask("GET", f"{path}?limit=500", token=token).json["items"]]
    for headers, code in (({}, 428), ({"If-Match": '"v2"'}, 412), ({"If-Match": "*"}, 400)):
        assert s.ask("PATCH", one, change, headers, token).code == code and s.ask("DELETE", one, headers=headers, token=token).code == code
    changed = s.ask("PATCH", one, change, {"If-Match": tag}, token)
    assert changed.code == 200 and changed.headers["etag"] == '"v2"' and {k: changed.json[k] for k in after} == after
    assert {k: changed.json[k] for k in body if k not in change} == {k: v for k, v in body.items() if k not in change}
    assert s.ask("DELETE", one, headers={"If-Match": '"v2"'}, token=token).code == 204 and s.ask("GET", one, token=token).code == 404
    table = {"maintenance": "maintenance"}.get(path, path[:-1])
    assert s.sql(f"SELECT action FROM audit WHERE detail ->> 'id' = '{identity}' ORDER BY id").split() == [f"{table}.{v}" for v in ("create", "change", "delete")]


@pytest.mark.parametrize("path", CASES)
def test_the_same_twice_is_one_and_pages_meet(s, token, path):
    body, key = CASES[path][0], {"Idempotency-Key": "k" + path}
    both = [make(s, token, path, body, **key) for _ in range(2)]
    assert both[0].body == both[1].body and both[1].headers["etag"] == '"v1"'
    make(s, token, path, body)
    whole = [i["id"] for i in s.ask("GET", f"{path}?limit=500", token=token).json["items"]]
    paged, cursor = [], None
    while True:
        page = s.ask("GET", f"{path}?limit=1" + (f"&cursor={cursor}" if cursor else ""), token=token).json
        paged += [i["id"] for i in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert paged == whole and len(whole) >= 2
    for query in ("limit=0", "cursor=x"):
        assert s.ask("GET", f"{path}?{query}", token=token).code == 422


@pytest.mark.parametrize("path", CASES)
def test_what_is_another_s_is_not_there(s, token, path):
    stranger, identity = s.token("stranger"), make(s, token, path, CASES[path][0]).json["id"]
    for missing in (identity, str(uuid.uuid4())):
        one = f"{path}/{missing}"
        answers = [s.ask("GET", one, token=stranger), s.ask("PATCH", one, CASES[path][1], {"If-Match": '"v1"'}, stranger),
                   s.ask("DELETE", one, headers={"If-Match": '"v1"'}, token=stranger)]
        assert [a.code for a in answers] == [404] * 3 and len({a.json["detail"] for a in answers}) == 1
    assert identity not in [i["id"] for i in s.ask("GET", f"{path}?limit=500", token=stranger).json["items"]]
    if "vin" in CASES[path][0]:
        answer = s.ask("POST", path, {**CASES[path][0], "vin": THEIRS[0]}, token=token)
        assert answer.code == 422 and answer.json["errors"] == [{"pointer": "/vin", "code": "unknown"}]


@pytest.mark.parametrize("letter", LETTERS)
def test_a_role_may_what_its_row_says(s, letter):
    token = s.token(s.fresh_user(LETTERS[letter]))
    for path, (body, _, _, changes, reads) in CASES.items():
        assert s.ask("GET", path, token=token).code == (200 if letter in reads else 403), path
        assert s.ask("POST", path, body, token=token).code == (201 if letter in changes else 403), path


@pytest.mark.parametrize("path,change,pointer,code", [
    ("geofences", {"points": [[7.7, 48.5], [7.8, 48.6]]}, "/points", "count"), ("geofences", {"kind": "polygon"}, "/points", "count"),
    ("geofences", {"kind": "corridor"}, "/points", "count"), ("geofences", {"radius_m": None}, "/radius_m", "missing"),
    ("geofences", {"radius_m": 29}, "/radius_m", "range"), ("geofences", {"kind": "square"}, "/kind", "unknown"),
    ("geofences", {"points": [[181, 0]]}, "/points", "points"), ("geofences", {"dwell_s": 3601}, "/dwell_s", "range"),
    ("geofences", {"schedule": {"spans": [{"days": [8], "from": "08:00", "to": "09:00"}]}}, "/schedule", "schedule"),
    ("geofences", {"kind": "polygon", "points": [[7.7, 48.5]] * 3}, "/points", "area"),
    ("geofences", {"kind": "polygon", "points": [[7.7, 48.5], [7.8, 48.6], [7.9, 48.7]]}, "/points", "area"),
    ("geofences", {"kind": "polygon", "points": [[7.7, 48.5], [7.8, 48.6], [7.8, 48.5], [7.7, 48.6]]}, "/points", "crossed"),
    ("geofences", {"kind": "corridor", "points": [[7.7, 48.5]] * 2}, "/points", "line"),
    ("geofences", {"name": " "}, "/name", "blank"), ("geofences", {"group_name": "\u00a0"}, "/group_name", "blank"),
    ("geofences", {"schedule": {"spans": []}}, "/schedule", "empty"),
    ("rules", {"schedule": {"spans": [], "except": True}}, "/schedule", "empty"), ("rules", {"name": "\u2003"}, "/name", "blank"),
    ("rules", {"schedule": {"spans": [{"days": list(range(1, 8)), "from": "00:00", "to": "24:00"}], "except": True}}, "/schedule", "never"),
    ("drivers", {"name": "  "}, "/name", "blank"), ("drivers", {"name": "\u200b"}, "/name", "blank"), ("drivers", {"name": "\n"}, "/name", "length"),
    ("maintenance", {"name": " "}, "/name", "blank"), ("contracts", {"price": 12.345}, "/price", "decimals"),
    ("rules", {"signal": "Vehicle.Nothing"}, "/signal", "unknown"), ("rules", {"signal": "Vehicle.CurrentLocation.Latitude"}, "/signal", "place"),
    ("rules", {"place": "inside"}, "/geofence_id", "missing"),
    ("rules", {"place": "inside", "geofence_id": "01900000-0000-7000-8000-000000000000"}, "/geofence_id", "unknown"),
    ("rules", {"repeat": 3}, "/repeat_s", "missing"), ("rules", {"test": "near"}, "/test", "unknown"), ("rules", {"threshold": "105"}, "/threshold", "type"),
    ("drivers", {"name": ""}, "/name", "length"), ("drivers", {"user_id": "01900000-0000-7000-8000-000000000000"}, "/user_id", "unknown"),
    ("contracts", {"ends_on": "2026-01-01"}, "/ends_on", "range"), ("contracts", {"currency": "eur"}, "/currency", "unknown"),
    ("contracts", {"starts_on": "2026-02-30"}, "/starts_on", "date"), ("contracts", {"stage": "fine"}, "/stage", "unknown"),
    ("maintenance", {"every_km": None, "every_days": None}, "/every_km", "missing"), ("maintenance", {"every_km": 0}, "/every_km", "range"),
    ("maintenance", {"id": "x"}, "/id", "unknown")])
def test_what_does_not_fit_is_pointed_at_when_made_and_when_changed(s, token, path, change, pointer, code):
    answer = s.ask("POST", path, {**CASES[path][0], **change}, token=token)
    assert answer.code == 422 and answer.json["errors"] == [{"pointer": pointer, "code": code}], answer.body
    assert answer.json["detail"].startswith(pointer + ": ")
    identity = make(s, token, path, CASES[path][0]).json["id"]
    changed = s.ask("PATCH", f"{path}/{identity}", change, {"If-Match": '"v1"'}, token)
    assert changed.code == 422 and changed.json["errors"] == [{"pointer": pointer, "code": code}], changed.body
    assert s.ask("GET", f"{path}/{identity}", token=token).json["version"] == 1


@pytest.mark.parametrize("path,needed", [("geofences", "name"), ("geofences", "kind"), ("geofences", "points"), ("rules", "signal"), ("rules", "threshold"),
                                         ("drivers", "name"), ("contracts", "vin"), ("maintenance", "vin")])
def test_what_is_needed_must_be_there(s, token, path, needed):
    answer = s.ask("POST", path, {k: v for k, v in CASES[path][0].items() if k != needed}, token=token)
    assert answer.code == 422 and answer.json["errors"] == [{"pointer": "/" + needed, "code": "missing"}]


def test_shapes_and_hours_go_in_and_come_out(s, token):
    square = {"name": "Cour", "kind": "polygon", "points": [[7.7, 48.5], [7.8, 48.5], [7.8, 48.6], [7.7, 48.6]],
              "schedule": {"spans": [{"days": [1, 2, 3, 4, 5], "from": "08:00", "to": "18:00"}], "except": True}, "speed_limit_kmh": 30}
    road = {"name": "A35", "kind": "corridor", "points": [[7.7, 48.5], [7.8, 48.6]], "radius_m": 50}
    for body in (square, road):
        assert {k: v for k, v in make(s, token, "geofences", body).json.items() if k in body} == body
    zone = make(s, token, "geofences", square).json["id"]
    rule = make(s, token, "rules", {**RULE, "place": "inside", "geofence_id": zone, "vin": OURS[1]}).json
    assert rule["geofence_id"] == zone and rule["vin"] == OURS[1]
    assert [r["id"] for r in s.ask("GET", f"rules?vin={OURS[1]}", token=token).json["items"]] == [rule["id"]]
    off = s.ask("PATCH", f"rules/{rule['id']}", {"vin": None, "place": "anywhere", "geofence_id": None}, {"If-Match": '"v1"'}, token).json
    assert "vin" not in off and "geofence_id" not in off
    foreign = make(s, s.token("stranger"), "geofences", CIRCLE).json["id"]
    refused = s.ask("PATCH", f"rules/{rule['id']}", {"geofence_id": foreign}, {"If-Match": '"v2"'}, token)
    assert refused.code == 422 and refused.json["errors"] == [{"pointer": "/geofence_id", "code": "unknown"}]


class Placed:
    """The first vehicle among the vans, a geofence of the vans, and who may be refused what about them."""

    def __init__(self, s, token):
        self.s, self.token = s, token
        assert self.move("vans").code == 200
        self.zone = make(s, token, "geofences", {**CIRCLE, "name": "Zone 3", "group_name": "vans"}).json["id"]
        self.rule = {**RULE, "name": "Quai 7", "place": "inside", "geofence_id": self.zone}

    def change(self, path, change):
        tag = self.s.ask("GET", path, token=self.token).headers["etag"]
        return self.s.ask("PATCH" if change else "DELETE", path, change, {"If-Match": tag}, self.token)

    def move(self, group):
        return self.change(f"vehicles/{OURS[0]}", {"group_name": group})

    def geofence(self, change=None):
        return self.change(f"geofences/{self.zone}", change)


def names(answer, *names):
    return "\n" not in answer.json["detail"] and all(f'"{name}"' in answer.json["detail"] for name in names)


def is_astray(answer):
    return answer.code == 422 and names(answer, "Quai 7", "Zone 3", "vans") and answer.json["errors"] == [{"pointer": "/geofence_id", "code": "group"}]


def is_used(answer):
    return answer.code == 409 and answer.json["type"] == "in-use" and names(answer, "Quai 7", "Zone 3")


def test_a_rule_has_no_place_that_is_not_one_of_its_vehicles(s, token):
    placed = Placed(s, token)
    for scope in ({}, {"group_name": "trucks"}, {"vin": OURS[1]}, {"group_name": "trucks", "vin": OURS[0]}, {"place": "outside"}):
        assert is_astray(s.ask("POST", "rules", {**placed.rule, **scope}, token=token)), scope
    for scope in ({"group_name": "vans"}, {"vin": OURS[0]}, {"place": "anywhere"}, {"enabled": False}):
        one = f"rules/{make(s, token, 'rules', {**placed.rule, **scope}).json['id']}"
        for change in ({"group_name": "trucks", "place": "inside", "enabled": True},
                       {"vin": OURS[1], "group_name": "", "place": "outside", "geofence_id": placed.zone, "enabled": True}):
            assert is_astray(placed.change(one, change)), (scope, change)
        assert placed.change(one, {"threshold": 99}).code == 200


@pytest.mark.parametrize("scope", [{"group_name": "vans"}, {"vin": OURS[0]}, {"place": "anywhere"}, {"enabled": False}], ids=str)
def test_a_place_goes_to_no_other_group_while_a_rule_that_is_on_is_about_it(s, token, scope):
    placed = Placed(s, token)
    make(s, token, "rules", {**placed.rule, **scope})
    moves = [placed.geofence({"group_name": group}) for group in ("trucks", "", "depots", "vans")]
    if {"place", "enabled"} & set(scope):
        assert [m.code for m in moves] == [200] * 4
    else:
        assert is_used(moves[0]) and is_used(moves[2]) and (moves[1].code, moves[3].code) == (200, 200)
    assert is_used(placed.geofence()) and placed.geofence({"dwell_s": 60}).code == 200
    away = placed.move("")
    assert is_used(away) if "vin" in scope else away.code == 200
    s.sql("DELETE FROM rule")
    assert placed.geofence().code == 204 and placed.move("").code == 200


def test_a_vehicle_has_as_many_rules_as_are_followed_and_no_more(s, token):
    def refused(answer, vin):
        return answer.code == 422 and answer.json["type"].endswith("too-many") and vin in answer.json["detail"]

    def of_vehicle(vin):
        return s.ask("GET", f"vehicles/{vin}", token=token).headers["etag"]

    s.sql(f"UPDATE vehicle SET group_name = '' WHERE vin IN ('{OURS[0]}', '{OURS[1]}')")
    for _ in range(14):
        make(s, token, "rules", RULE)
    for body in ({"group_name": "trucks"}, {"group_name": "trucks"}, {"vin": OURS[1]}):
        make(s, token, "rules", {**RULE, **body})
    off = make(s, token, "rules", {**RULE, "enabled": False, "vin": OURS[1], "group_name": "vans"}).json["id"]
    last = make(s, token, "rules", {**RULE, "vin": OURS[1]}).json["id"]  # the sixteenth of this one
    assert refused(s.ask("POST", "rules", {**RULE, "vin": OURS[1]}, token=token), OURS[1])
    assert refused(s.ask("POST", "rules", RULE, token=token), OURS[1])
    assert s.sql("SELECT count(*) FROM rule") == "19"
    make(s, token, "rules", {**RULE, "vin": OURS[0]})  # another has room
    switch = s.ask("PATCH", f"rules/{off}", {"enabled": True, "group_name": ""}, {"If-Match": '"v1"'}, token)
    assert refused(switch, OURS[1]) and s.ask("GET", f"rules/{off}", token=token).json["version"] == 1
    assert s.ask("PATCH", f"rules/{last}", {"name": "x", "threshold": 90}, {"If-Match": '"v1"'}, token).code == 200
    moved = s.ask("PATCH", f"vehicles/{OURS[1]}", {"group_name": "trucks"}, {"If-Match": of_vehicle(OURS[1])}, token)
    assert refused(moved, OURS[1])
    assert s.ask("PATCH", f"rules/{last}", {"enabled": False}, {"If-Match": '"v2"'}, token).code == 200
    assert s.ask("PATCH", f"rules/{off}", {"enabled": True, "group_name": ""}, {"If-Match": '"v1"'}, token).code == 200
    s.sql("DELETE FROM rule")


def test_who_drives_what(s, token):
    driver = make(s, token, "drivers", {"name": "Ada"}).json["id"]
    body = {"vin": OURS[1], "driver_id": driver, "from_at": "2026-11-01T08:00:00+01:00"}
    made = make(s, token, "assignments", body)
    assert (made.json["driver"], made.json["from_at"]) == ("Ada", "2026-11-01T07:00:00.000Z") and "to_at" not in made.json
    one = f"assignments/{made.json['id']}"
    early = s.ask("PATCH", one, {"to_at": "2026-11-01T06:59:00Z"}, {"If-Match": '"v1"'}, token)
    assert early.code == 422 and early.json["errors"] == [{"pointer": "/to_at", "code": "range"}]
    assert s.ask("PATCH", one, {"vin": OURS[0]}, {"If-Match": '"v1"'}, token).json["errors"] == [{"pointer": "/vin", "code": "fixed"}]
    assert s.ask("PATCH", one, {"to_at": "2026-11-02T00:00:00Z"}, {"If-Match": '"v1"'}, token).json["to_at"] == "2026-11-02T00:00:00.000Z"
    assert [a["id"] for a in s.ask("GET", f"assignments?vin={OURS[1]}", token=token).json["items"]] == [made.json["id"]]
    dispatcher = s.token(s.fresh_user("dispatcher"))
    assert s.ask("POST", "assignments", {**body, "from_at": "2026-12-01T08:00:00Z"}, token=dispatcher).code == 201


def test_who_drove_is_written_down_after_the_drive_too(s, token):
    ann, bob = (make(s, token, "drivers", {"name": n}).json["id"] for n in ("Ann", "Bob"))
    for vin in OURS[:2]:
        s.sql("INSERT INTO segment (id, vin, kind, state, settled, start_at, end_at) SELECT gen_random_uuid(), "
              f"'{vin}', k, 'closed', true, at::timestamptz, at::timestamptz + interval '1 h' FROM unnest(ARRAY['trip', 'stop']) k, "
              "unnest(ARRAY['2026-03-01T08:00Z', '2026-03-02T08:00Z', '2026-03-03T08:00Z']) at")

    def drivers(vin=OURS[0]):
        trips = s.ask("GET", f"vehicles/{vin}/trips?from=2026-03-01T00:00:00Z&to=2026-03-04T00:00:00Z", token=token).json["items"]
        return [(t.get("driver"), t["version"]) for t in sorted(trips, key=lambda t: t["start"])]

    nobody = (None, 1)
    first = make(s, token, "assignments", {"vin": OURS[0], "driver_id": ann, "from_at": "2026-03-01T00:00:00Z", "to_at": "2026-03-03T00:00:00Z"})
    assert drivers() == [("Ann", 2), ("Ann", 2), nobody] and drivers(OURS[1]) == [nobody] * 3
    assert s.sql("SELECT count(*) FROM segment WHERE driver_id IS NOT NULL AND kind <> 'trip'") == "0"
    assert s.sql(f"SELECT count(*) FROM change WHERE vin = '{OURS[0]}' AND kind = 'trip' AND data ->> 'version' = '2'") == "2", "news"
    later = make(s, token, "assignments", {"vin": OURS[0], "driver_id": bob, "from_at": "2026-03-02T00:00:00Z"})
    assert drivers() == [("Ann", 2), ("Bob", 3), ("Bob", 2)], "the later beginning counts"
    one = f"assignments/{first.json['id']}"
    assert s.ask("PATCH", one, {"from_at": "2026-03-01T09:00:00Z"}, {"If-Match": '"v1"'}, token).code == 200
    assert drivers() == [(None, 3), ("Bob", 3), ("Bob", 2)]
    assert s.ask("DELETE", f"assignments/{later.json['id']}", None, {"If-Match": '"v1"'}, token).code == 204
    assert drivers() == [(None, 3), ("Ann", 4), (None, 3)]
    s.sql(f"DELETE FROM driver WHERE id = '{ann}'")
    assert drivers() == [(None, 3), (None, 5), (None, 3)]
    s.sql(f"DELETE FROM segment WHERE vin IN ('{OURS[0]}', '{OURS[1]}')")


def test_a_service_moves_its_plan_on(s, token):
    plan = make(s, token, "maintenance", PLAN).json["id"]
    done = make(s, token, f"maintenance/{plan}/services", {"done_at": "2026-10-01T10:00:00Z", "km": 30000, "cost": 189.5, "note": "huile 5W30"})
    assert done.json["currency"] == "EUR" and done.json["cost"] == 189.5
    now = s.ask("GET", f"maintenance/{plan}", token=token).json
    assert (now["last_at"], now["last_km"], now["version"]) == ("2026-10-01T10:00:00.000Z", 30000, 2)
    make(s, token, f"maintenance/{plan}/services", {"done_at": "2025-10-01T10:00:00Z", "km": 15000})
    assert s.ask("GET", f"maintenance/{plan}", token=token).json["last_km"] == 30000, "an older one found later"
    listed = s.ask("GET", f"maintenance/{plan}/services", token=token).json["items"]
    assert [i["km"] for i in listed] == [30000, 15000]
    stranger = s.token("stranger")
    assert s.ask("GET", f"maintenance/{plan}/services", token=stranger).code == 404
    assert s.ask("POST", f"maintenance/{plan}/services", {"done_at": "2026-10-01T10:00:00Z"}, token=stranger).code == 404
    odd = s.ask("POST", f"maintenance/{plan}/services", {"done_at": "2026-10-01T10:00:00Z", "cost": 12.345}, token=token)
    assert (odd.code, odd.json["errors"]) == (422, [{"pointer": "/cost", "code": "decimals"}]) and "two decimals" in odd.json["detail"]
    for cost, kept in ((0.29, 0.29), (0.28999999, 0.29), (0.1 + 0.2, 0.3), (64.35, 64.35)):
        assert make(s, token, f"maintenance/{plan}/services", {"done_at": "2025-09-01T10:00:00Z", "cost": cost}).json["cost"] == kept
    for currency in ("ab", "€", "eur"):
        refused = s.ask("POST", f"maintenance/{plan}/services", {"done_at": "2026-10-01T10:00:00Z", "currency": currency}, token=token)
        assert (refused.code, refused.json["errors"]) == (422, [{"pointer": "/currency", "code": "unknown"}])
    assert s.ask("POST", f"maintenance/{plan}/services", {}, token=token).json["errors"] == [{"pointer": "/done_at", "code": "missing"}]


def ahead(**by):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**by)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_meter_that_somebody_read_waits_for_ingest(s, token):
    before = s.ask("GET", f"vehicles/{OURS[2]}/meter", token=token).json
    assert before["vin"] == OURS[2] and "odometer_km" not in before
    entered = make(s, token, f"vehicles/{OURS[2]}/meter", {"odometer_m": 123456789, "at": ahead(minutes=5)})
    assert entered.json["waiting"] == before["waiting"] + 1
    assert s.sql(f"SELECT odometer_m FROM meter_entry WHERE vin = '{OURS[2]}' ORDER BY id DESC LIMIT 1") == "123456789"
    assert s.ask("POST", f"vehicles/{OURS[2]}/meter", {}, token=token).code == 422
    tomorrow = s.ask("POST", f"vehicles/{OURS[2]}/meter", {"odometer_m": 123456790, "at": ahead(days=1)}, token=token)
    assert (tomorrow.code, tomorrow.json["errors"]) == (422, [{"pointer": "/at", "code": "range"}])


def test_the_sheet_of_a_vehicle(s, token):
    vin = "ZZ" + uuid.uuid4().hex[:15].upper()
    sheet = {"model": "Caliber", "displacement_l": 1.798, "tank_l": 51, "redline_rpm": 6500, "nominal_v": 12, "group_name": "Nord",
             "timezone": "Europe/Paris", "speed_limit_kmh": 110}
    made = s.ask("PUT", f"vehicles/{vin}", sheet, {"If-None-Match": "*"}, token)
    assert made.code == 201 and {k: made.json[k] for k in sheet} == sheet
    less = s.ask("PATCH", f"vehicles/{vin}", {"tank_l": None, "muted_until": "2026-12-01T00:00:00Z"}, {"If-Match": '"v1"'}, token).json
    assert "tank_l" not in less and less["muted_until"] == "2026-12-01T00:00:00.000Z" and less["model"] == "Caliber"
    for body, pointer in (({"nominal_v": 13}, "/nominal_v"), ({"timezone": "Europe/Illkirch"}, "/timezone"), ({"timezone": "';--"}, "/timezone"),
                          ({"displacement_l": 31}, "/displacement_l"), ({"model": None}, "/model")):
        answer = s.ask("PATCH", f"vehicles/{vin}", body, {"If-Match": '"v2"'}, token)
        assert answer.code == 422 and answer.json["errors"][0]["pointer"] == pointer, body


def test_the_customer_sets_its_own_limit_and_hours(s, token):
    items = s.ask("GET", "customers", token=token).json["items"]
    assert [c["id"] for c in items] == [s.customers[0]] and items[0]["timezone"] == "Europe/Paris"
    one = f"customers/{s.customers[0]}"
    tag = s.ask("GET", one, token=token).headers["etag"]
    changed = s.ask("PATCH", one, {"speed_limit_kmh": 130, "timezone": "Indian/Reunion"}, {"If-Match": tag}, token)
    assert changed.code == 200 and (changed.json["speed_limit_kmh"], changed.json["timezone"], changed.json["name"]) == (130, "Indian/Reunion", "Ours")
    back = s.ask("PATCH", one, {"speed_limit_kmh": None, "timezone": "Europe/Paris"}, {"If-Match": changed.headers["etag"]}, token)
    assert "speed_limit_kmh" not in back.json
    for body, pointer in (({"timezone": "Mars/Base"}, "/timezone"), ({"timezone": "right/Europe/Paris"}, "/timezone"), ({"timezone": None}, "/timezone"), ({"speed_limit_kmh": 301}, "/speed_limit_kmh"),
                          ({"name": ""}, "/name"), ({"name": " "}, "/name"), ({"id": "x"}, "/id")):
        answer = s.ask("PATCH", one, body, {"If-Match": back.headers["etag"]}, token)
        assert answer.code == 422 and answer.json["errors"][0]["pointer"] == pointer, body
    foreign = f"customers/{s.customers[1]}"
    assert s.ask("GET", foreign, token=token).code == 404
    assert s.ask("PATCH", foreign, {"name": "x"}, {"If-Match": '"v1"'}, token).code == 404
    assert s.ask("PATCH", one, {"name": "x"}, {"If-Match": back.headers["etag"]}, s.token(s.fresh_user("dispatcher"))).code == 403
    assert s.ask("POST", "customers", {"name": "x"}, token=token).code == 405


def test_the_people_of_a_customer_without_their_secrets(s, token):
    me = s.ask("GET", "me", token=token).json
    one = s.ask("GET", f"users/{me['id']}", token=token).json
    assert (one["username"], one["role"], one["disabled"]) == (me["username"], "owner", False)
    assert set(one) <= {"id", "username", "name", "role", "locale", "disabled", "created_at", "version"}
    names = [u["username"] for u in s.ask("GET", "users?limit=500", token=token).json["items"]]
    assert me["username"] in names and "dispatcher" in names and "stranger" not in names
    stranger = s.sql("SELECT id FROM app_user WHERE username = 'stranger'")
    assert s.ask("GET", f"users/{stranger}", token=token).code == 404
    assert s.ask("PATCH", f"users/{me['id']}", {"role": "owner"}, {"If-Match": '"v1"'}, token).code == 405
