"""Commands, from the person who asks to the car that answers and back: the real api, broker and ingest; the car is a few
packets of MQTT, so that it can be silent, late and wrong."""
import json
import time
import uuid

import mqtt5
import pytest
from api_site import BUILD, ROOT, THEIRS, ApiSite, free_ports, wait_until
from ingest_site import topic
from stack.broker import Broker
from stack.process import Process, answers


class Site(ApiSite):
    """With a broker and an ingest."""

    def __init__(self, folder):
        self.broker = self.ingest = None
        super().__init__(folder)
        self.broker = Broker(self.folder / "broker", self.pki, guard=ROOT / "build/lib/vigie_guard.so").start()
        self.start_ingest()
        self.restart()

    def identity(self, role):
        return [f"--mqtt=mqtts://127.0.0.1:{self.broker.port_services}", f"--ca={self.pki}/service-root.pem",
                f"--cert={self.pki}/services/svc-{role}.pem", f"--key={self.pki}/services/svc-{role}.key"]

    def serve(self, *more):
        super().serve(*(self.identity("api") if self.broker else ()), *more)

    def start_ingest(self):
        admin = free_ports(1)[0]
        self.ingest = Process("ingest", [ROOT / BUILD / "bin/vigie-ingest", *self.identity("ingest"), "--site=illkirch",
                                         f"--influx={self.influx.address}", f"--admin=127.0.0.1:{admin}"],
                              self.folder / "ingest.log", {"VIGIE_PG": self.postgres.conninfo("vigie_ingest")},
                              lambda: answers(f"http://127.0.0.1:{admin}/readyz") == 200)
        self.ingest.spawn()
        self.ingest.wait_ready()

    def stop(self):
        for part in (self.ingest, self.broker):
            if part:
                part.stop()
        super().stop()


class Car:
    def __init__(self, s, folder):
        self.s, self.seq, self.stream, self.out = s, 0, str(uuid.uuid4()), folder / "cars"
        self.vin = "ZZ" + uuid.uuid4().hex[:15].upper()
        s.run("vehicle", "add", self.vin, "--customer", s.customers[0])
        s.run("issue", self.vin, "--out", str(self.out))
        self.client = None

    def connect(self, tell=True):
        home = self.out / self.vin
        self.client = mqtt5.Client(self.s.broker.port_vehicles, home / "ca.pem", home / "cert.pem", home / "key.pem", self.vin)
        assert self.client.subscribe(topic(self.vin, "down/#")) == 1
        if tell:
            self.publish("state", {"schema": "state/1", "state": "online", "boot": str(uuid.uuid4()), "agent": "1", "t": 1795248000000,
                                   "config": 1, "sources": {"gps": "ok", "obd": "ok", "camera": "absent"}}, True)
        return self

    def publish(self, leaf, body, retained=False):
        assert self.client.publish(topic(self.vin, "up/" + leaf), json.dumps(body).encode(), 1, retained) in (0, 16)

    def result(self, command, state, **more):
        self.seq += 1
        self.publish("result", {"schema": "result/1", "stream": self.stream, "seq": self.seq, "clock": "gps", "command": command,
                                "state": state, **more})

    def next(self, leaf="command", timeout_s=90):
        while True:
            message = self.client.receive(timeout_s)
            if message.topic == topic(self.vin, "down/" + leaf):
                return message

    # ---- as a person sees it
    def ask(self, token, kind="photo", args=None, headers=None, **more):
        body = {"type": kind, **({"args": args} if args is not None else {}), **more}
        return self.s.ask("POST", f"vehicles/{self.vin}/commands", body, headers, token)

    def get(self, token, command):
        return self.s.ask("GET", f"vehicles/{self.vin}/commands/{command}", token=token).json

    def wait_state(self, token, command, state):
        # asked so often that a slow machine is told to slow down now and then: such an answer has no state
        return wait_until(lambda: (row := self.get(token, command)).get("state") == state and row, why=f"{command} to be {state}")


@pytest.fixture(scope="module")
def s(tmp_path_factory):
    own = Site(tmp_path_factory.mktemp("commands"))
    yield own
    own.stop()


@pytest.fixture
def car(s, tmp_path):
    car = Car(s, tmp_path)
    yield car
    if car.client:
        car.client.drop()


@pytest.fixture
def token(s):
    return s.token(s.fresh_user())


def test_a_command_goes_to_the_car_and_its_result_comes_back(s, car, token):
    car.connect()
    asked = car.ask(token, "clip", {"before_s": 20})
    assert asked.code == 201 and asked.headers["etag"] and asked.json["state"] == "queued"
    assert asked.json["args"] == {"before_s": 20, "after_s": 5} and asked.json["type"] == "clip"
    message = car.next()
    command = json.loads(message.payload)
    assert command["schema"] == "command/1" and command["id"] == asked.json["id"] and command["args"] == asked.json["args"]
    assert message.qos == 1 and not message.retained and 0 < message.expiry_s <= 300
    assert car.wait_state(token, command["id"], "sent")["sent_at"]
    car.result(command["id"], "delivered")
    assert car.wait_state(token, command["id"], "delivered")["delivered_at"]
    car.result(command["id"], "done", data={"media": "m1"})
    row = car.wait_state(token, command["id"], "done")
    assert row["data"] == {"media": "m1"} and row["ended_at"] and "reason" not in row
    assert row["created_by_name"] == s.sql(f"SELECT username FROM app_user WHERE id = '{row['created_by']}' AND name = ''")
    listed = s.ask("GET", f"vehicles/{car.vin}/commands", token=token).json
    assert listed["items"] == [row] and listed["next"] is None
    kinds = s.sql(f"SELECT data ->> 'state' FROM change WHERE ref = '{command['id']}' ORDER BY xid, id").split()
    assert kinds == ["queued", "sent", "delivered", "done"], "and each step is in the order of changes"
    assert s.sql(f"SELECT action FROM audit WHERE vin = '{car.vin}' AND user_id IS NOT NULL") == "command.create"


def test_results_of_one_packet_of_time_end_where_the_last_does(s, car, token):
    car.connect()
    command = car.ask(token, "diagnostics.read").json["id"]
    car.next()
    car.result(command, "failed", reason="no adapter", data={})
    car.result(command, "delivered")
    row = car.wait_state(token, command, "failed")
    assert row["reason"] == "no adapter"
    car.result(command, "done")
    fact = lambda: s.sql(f"SELECT count(*) FROM fact WHERE vin = '{car.vin}' AND kind = 'result'") == "3"
    wait_until(fact, why="all of them to be stored")
    assert car.get(token, command)["state"] == "failed", "what has ended stays so"


def test_a_car_moves_its_own_commands_alone(s, car, token, tmp_path):
    other = Car(s, tmp_path).connect()
    command = car.ask(token).json["id"]
    other.result(command, "done")
    other.result(str(uuid.uuid4()), "done")
    wait_until(lambda: s.sql(f"SELECT count(*) FROM fact WHERE vin = '{other.vin}'") == "2", why="the results to be stored")
    assert car.get(token, command)["state"] in ("queued", "sent")
    other.client.drop()


def test_commands_wait_for_the_broker_and_go_out_in_order(s, car, token):
    s.broker.stop()
    asked = [car.ask(token, "clip", {"before_s": n, "after_s": 1}).json["id"] for n in range(1, 9)]
    other = car.ask(token, "photo").json["id"]
    assert {car.get(token, c)["state"] for c in asked} == {"queued"}
    s.broker.start()
    for c in [*asked, other]:  # all, before anybody listens: a car that comes in between hears the last of them first
        car.wait_state(token, c, "sent")
    went = s.sql(f"SELECT ref FROM change WHERE vin = '{car.vin}' AND data ->> 'state' = 'sent' ORDER BY xid, id").split()
    assert went == [*asked, other]
    car.connect()
    heard = []
    while len(heard) < len(asked) + 1:
        identity = json.loads(car.next().payload)["id"]
        if identity not in heard:
            heard.append(identity)
    assert heard == [*asked, other]
    for c in heard:
        assert car.wait_state(token, c, "sent")["version"] == 2


def test_a_car_that_was_away_is_told_again_when_it_is_online(s, car, token):
    command = car.ask(token).json["id"]
    car.wait_state(token, command, "sent")
    s.sql(f"UPDATE command SET sent_at = now() + interval '1 h' WHERE id = '{command}'")  # what is not answered waits for 30 s of its own
    car.connect()
    assert json.loads(car.next().payload)["id"] == command
    wait_until(lambda: s.sql(f"SELECT sent_at < now() FROM command WHERE id = '{command}'") == "t", why="the second sending to be written down")


def test_what_nobody_answers_expires(s, car, token):
    command = car.ask(token, expires_in_s=10).json["id"]
    car.wait_state(token, command, "sent")
    s.sql(f"UPDATE command SET expires_at = now() WHERE id = '{command}'")
    row = car.wait_state(token, command, "expired")
    assert row["reason"] == "no-answer" and row["ended_at"]
    car.connect().result(command, "done", data={"late": True})
    assert car.wait_state(token, command, "done")["data"] == {"late": True}, "the car's word stands above our guess"


def test_what_could_not_be_sent_says_so(s, car, token):
    s.broker.stop()
    command = car.ask(token).json["id"]
    s.sql(f"UPDATE command SET expires_at = now() WHERE id = '{command}'")
    row = car.wait_state(token, command, "expired")
    s.broker.start()
    assert row["reason"] == "not-sent" and "sent_at" not in row
    car.connect(tell=False)
    with pytest.raises(OSError):
        car.next(timeout_s=3)


def test_a_queued_one_can_be_called_back(s, car, token):
    s.broker.stop()
    asked = car.ask(token)
    path = f"vehicles/{car.vin}/commands/{asked.json['id']}"
    assert s.ask("DELETE", path, token=token).code == 428
    assert s.ask("DELETE", path, headers={"If-Match": '"v9"'}, token=token).code == 412
    gone = s.ask("DELETE", path, headers={"If-Match": asked.headers["etag"]}, token=token)
    assert gone.code == 200 and gone.json["state"] == "refused" and gone.json["reason"] == "cancelled"
    s.broker.start()
    car.connect()
    later = car.ask(token)
    assert json.loads(car.next().payload)["id"] == later.json["id"]
    tag = s.ask("GET", f"vehicles/{car.vin}/commands/{later.json['id']}", token=token)
    sent = wait_until(lambda: (t := s.ask("GET", f"vehicles/{car.vin}/commands/{later.json['id']}", token=token)).json.get("state") == "sent" and t)
    refused = s.ask("DELETE", f"vehicles/{car.vin}/commands/{later.json['id']}", headers={"If-Match": sent.headers["etag"]}, token=token)
    assert refused.code == 409 and refused.type == "sent" and tag.code == 200


def test_two_instances_send_each_once_a_time(s, car, token, tmp_path):
    ports = free_ports(3)
    argv = [a for a in map(str, s.api.argv)]
    swap = {str(s.http): ports[0], str(s.https): ports[1], str(s.admin): ports[2]}
    argv = [next((a.replace(old, str(new)) for old, new in swap.items() if a.endswith(":" + old) and a.startswith(("--listen", "--admin"))), a)
            for a in argv]
    second = Process("api-2", argv, tmp_path / "api-2.log", s.api.env, lambda: answers(f"http://127.0.0.1:{ports[2]}/readyz") == 200)
    second.spawn()
    second.wait_ready()
    try:
        car.connect(tell=False)  # a car that comes online is told again by either of them
        asked = [car.ask(token, "clip", {"before_s": n, "after_s": 1}).json["id"] for n in range(1, 21)]
        heard = [json.loads(car.next().payload)["id"] for _ in asked]
        for c in asked:
            car.wait_state(token, c, "sent")
        assert heard == asked and not [m for m in car.client.drain() if m.topic.endswith("command")]
    finally:
        second.stop()


def test_after_the_database_was_away_it_goes_on(s, car, token):
    car.connect()
    s.postgres.stop()
    wait_until(lambda: s.ready() != 200, why="the api to notice")
    s.postgres.spawn()
    s.postgres.wait_ready()
    wait_until(lambda: s.ready() == 200, why="the api to come back")
    command = car.ask(token).json["id"]
    assert json.loads(car.next().payload)["id"] == command
    car.result(command, "done")

    def done():  # ingest may be back later than the api; a car tells again what is not acknowledged
        car.seq -= 1
        car.result(command, "done")
        time.sleep(0.5)
        return car.get(token, command).get("state") == "done"
    wait_until(done, why="the result to be taken")


# ---- who may ask what
MAY = {"owner": "photo clip diagnostics.read diagnostics.clear config.apply privacy.set agent.restart",
       "admin": "photo clip diagnostics.read diagnostics.clear config.apply privacy.set agent.restart",
       "dispatcher": "photo clip diagnostics.read privacy.set", "mechanic": "diagnostics.read diagnostics.clear", "driver": "", "auditor": ""}


@pytest.mark.parametrize("role", MAY)
def test_a_role_may_ask_what_its_row_says(s, car, role):
    user = s.fresh_user(role)
    token = s.token(user)
    args = {"diagnostics.clear": {"confirmed_by": user}, "agent.restart": {"confirmed_by": user}, "config.apply": {"revision": 1},
            "privacy.set": {"on": True}}
    codes = {kind: car.ask(token, kind, args.get(kind)).code for kind in MAY["owner"].split()}
    assert codes == {kind: 201 if kind in MAY[role].split() else 403 for kind in codes}
    assert s.ask("GET", f"vehicles/{car.vin}/commands", token=token).code == (403 if role == "driver" else 200)


def test_what_changes_the_car_needs_the_person_s_own_confirmation(s, car, token):
    for kind in ("diagnostics.clear", "agent.restart"):
        for args, code in (({}, "missing"), ({"confirmed_by": "somebody"}, "not-you"), ({"confirmed_by": ""}, None), ({"confirmed_by": 1}, None)):
            answer = car.ask(token, kind, args)
            assert answer.code == 422 and answer.json["errors"][0]["pointer"] == "/args/confirmed_by", (kind, args, answer.body)
            assert kind == "diagnostics.clear" or not code or answer.json["errors"][0]["code"] == code
    me = s.ask("GET", "me", token=token).json
    assert car.ask(token, "diagnostics.clear", {"confirmed_by": me["id"]}).json["args"] == {"confirmed_by": me["id"]}
    late = car.ask(token, "diagnostics.clear", {"confirmed_by": me["username"]}, expires_in_s=3601)
    assert late.code == 422 and late.json["errors"][0]["pointer"] == "/expires_in_s"


@pytest.mark.parametrize("body,pointer", [
    ({}, "/type"), ({"type": "engine.stop"}, "/type"), ({"type": 1}, "/type"), ({"type": "stream.start"}, "/type"),
    ({"type": "stream.start", "args": {"session": "s", "url": "rtsp://x/y"}}, "/type"), ({"type": "photo", "args": []}, "/args"),
    ({"type": "clip", "args": {"before_s": -1}}, "/args/before_s"), ({"type": "clip", "args": {"before_s": "1"}}, "/args/before_s"),
    ({"type": "config.apply"}, "/args/revision"), ({"type": "privacy.set", "args": {"on": 1}}, "/args/on"),
    ({"type": "photo", "expires_in_s": 9}, "/expires_in_s"), ({"type": "photo", "expires_in_s": 86401}, "/expires_in_s"),
    ({"type": "photo", "id": "x"}, "/id")])
def test_a_wrong_order_is_pointed_at(s, car, token, body, pointer):
    answer = s.ask("POST", f"vehicles/{car.vin}/commands", body, token=token)
    assert answer.code == 422 and answer.json["errors"][0]["pointer"] == pointer, answer.body
    assert s.ask("GET", f"vehicles/{car.vin}/commands", token=token).json["items"] == []


def test_the_same_order_sent_twice_is_one(s, car, token):
    key = {"Idempotency-Key": "k"}
    first, again = car.ask(token, headers=key), car.ask(token, headers=key)
    assert first.json == again.json and again.code == 201
    assert car.ask(token, "diagnostics.read", headers=key).code == 422
    assert len(s.ask("GET", f"vehicles/{car.vin}/commands", token=token).json["items"]) == 1


def test_so_many_may_wait_and_no_more(s, car, token):
    s.sql(f"INSERT INTO command (id, vin, type, expires_at) SELECT gen_random_uuid(), '{car.vin}', 'photo', now() + interval '1 h'"
          " FROM generate_series(1, 31)")
    assert [car.ask(token).code for _ in range(2)] == [201, 409]


def test_a_car_that_is_not_active_is_asked_nothing(s, token):
    vin = "ZZ" + uuid.uuid4().hex[:15].upper()
    s.run("vehicle", "add", vin, "--customer", s.customers[0])
    answer = s.ask("POST", f"vehicles/{vin}/commands", {"type": "photo"}, token=token)
    assert answer.code == 409 and answer.type == "not-active"


def test_pages_and_states(s, car, token):
    s.sql(f"INSERT INTO command (id, vin, type, state, expires_at) SELECT gen_random_uuid(), '{car.vin}', 'photo',"
          " CASE n % 2 WHEN 0 THEN 'done' ELSE 'failed' END, now() + interval '1 h' FROM generate_series(1, 7) n")
    page = lambda query: s.ask("GET", f"vehicles/{car.vin}/commands?{query}", token=token).json
    whole, paged, cursor = page("limit=500")["items"], [], ""
    while cursor is not None:
        one = page(f"limit=3&cursor={cursor}" if cursor else "limit=3")
        paged, cursor = paged + one["items"], one["next"]
    assert paged == whole and len(whole) == 7
    assert len(page("state=failed")["items"]) == 4 and len(page("state=failed,done")["items"]) == 7
    for query in ("state=x", "cursor=x", "cursor=-1", "limit=0", "state=done,"):
        assert s.ask("GET", f"vehicles/{car.vin}/commands?{query}", token=token).code == 422, query


def test_another_customer_s_commands_are_not_there(s, car, token):
    s.sql(f"INSERT INTO command (id, vin, type, expires_at) VALUES (gen_random_uuid(), '{THEIRS[0]}', 'photo', now() + interval '1 h')")
    foreign = s.sql(f"SELECT id FROM command WHERE vin = '{THEIRS[0]}' LIMIT 1")
    for vin in (THEIRS[0], car.vin):
        assert s.ask("GET", f"vehicles/{vin}/commands/{foreign}", token=token).code == 404
        assert s.ask("DELETE", f"vehicles/{vin}/commands/{foreign}", headers={"If-Match": '"v1"'}, token=token).code == 404
    assert s.ask("POST", f"vehicles/{THEIRS[0]}/commands", {"type": "photo"}, token=token).code == 404


# ---- configuration
def test_a_new_configuration_is_retained_for_the_car(s, car, token):
    published = lambda: s.sql(f"SELECT revision FROM vehicle_config WHERE vin = '{car.vin}' AND published_at IS NOT NULL")
    change = lambda body: s.ask("PATCH", f"vehicles/{car.vin}", body, {"If-Match": s.ask("GET", f"vehicles/{car.vin}", token=token).headers["etag"]}, token)
    wait_until(lambda: published() == "1", why="the first to be published")
    assert change({"record_ms": 4000}).code == 200
    wait_until(lambda: published() == "2", why="the next to be published")
    car.connect()
    first = car.next("config")
    body = json.loads(first.payload)
    assert first.retained and (body["revision"], body["rates"], body["schema"]) == (2, {"record_ms": 4000}, "config/1")
    assert body["required_sites"] == ["illkirch"] and body["detects"] == "agent"
    change({"record_ms": None})
    body = json.loads(car.next("config").payload)
    assert body["revision"] == 3 and "rates" not in body


def test_a_car_that_was_issued_a_certificate_by_hand_is_told_as_well(s, car):
    revision = lambda: s.sql(f"SELECT revision FROM vehicle_config WHERE vin = '{car.vin}' AND published_at IS NOT NULL")
    wait_until(lambda: revision() == "1", why="its configuration")
    assert json.loads(car.connect().next("config").payload)["revision"] == 1


def test_other_settings_of_the_site_reach_every_car(s, car):
    before = int(s.sql("SELECT count(*) FROM vehicle_config"))
    s.restart("--required-sites=illkirch,esplanade")
    try:
        car.connect()
        body = json.loads(car.next("config").payload)
        while body["required_sites"] != ["illkirch", "esplanade"]:
            body = json.loads(car.next("config").payload)
        assert int(s.sql("SELECT count(*) FROM vehicle_config")) >= before
    finally:
        s.restart()


def test_somebody_who_looks_makes_one_configuration_a_minute(s, car, token):
    row = lambda what: s.sql(f"SELECT {what} FROM vehicle_config WHERE vin = '{car.vin}'")
    look = lambda vin=car.vin: s.ask("PUT", f"vehicles/{vin}/watch", token=token).code
    wait_until(lambda: row("published_at IS NOT NULL") == "t", why="the first to be published")
    before = s.sql("SELECT count(*) FROM audit")
    assert look() == 204 and row("watch_until BETWEEN now() + interval '60 s' AND now() + interval '120 s'") == "t"
    car.connect()
    body = json.loads(car.next("config").payload)
    while "rates" not in body:
        body = json.loads(car.next("config").payload)
    assert body["revision"] == 2 and body["rates"] == {"watch": {"until": int(row("(extract(epoch FROM watch_until) * 1000)::bigint"))}}
    assert look() == 204 and row("revision") == "2", "more than a minute is left"
    s.sql(f"UPDATE vehicle_config SET watch_until = now() + interval '59 s' WHERE vin = '{car.vin}'")
    assert look() == 204
    again = json.loads(car.next("config").payload)
    assert again["revision"] == 3 and again["rates"]["watch"]["until"] >= body["rates"]["watch"]["until"]
    assert look(THEIRS[0]) == 404 and s.sql(f"SELECT count(*) FROM vehicle_config WHERE vin = '{THEIRS[0]}' AND watch_until IS NOT NULL") == "0"
    assert s.sql("SELECT count(*) FROM audit") == before, "looking is no change"


def test_a_change_keeps_a_watch_that_runs_and_forgets_one_that_is_over(s, car, token):
    change = lambda ms: s.ask("PATCH", f"vehicles/{car.vin}", {"record_ms": ms}, {"If-Match": s.ask("GET", f"vehicles/{car.vin}", token=token).headers["etag"]}, token)
    config = lambda: s.sql(f"SELECT config_told(c) -> 'rates' FROM vehicle_config c WHERE vin = '{car.vin}'")
    assert s.ask("PUT", f"vehicles/{car.vin}/watch", token=token).code == 204
    assert change(4000).code == 200
    assert sorted(json.loads(config())) == ["record_ms", "watch"]
    s.sql(f"UPDATE vehicle_config SET watch_until = now() - interval '1 s' WHERE vin = '{car.vin}'")
    assert change(5000).code == 200
    assert json.loads(config()) == {"record_ms": 5000}


# ---- a car that is sent away
def test_a_vehicle_that_is_deleted_is_disconnected_at_once_and_comes_back_by_restore_alone(s, car, token):
    car.connect()
    wait_until(lambda: s.sql(f"SELECT presence FROM vehicle_state WHERE vin = '{car.vin}'") == "online", why="it to be seen")
    neighbour, other = Car(s, car.out.parent).connect(), Car(s, car.out.parent).connect()

    def delete(vin):
        tag = s.ask("GET", f"vehicles/{vin}", token=token).headers["etag"]
        assert s.ask("DELETE", f"vehicles/{vin}", headers={"If-Match": tag}, token=token).code == 204

    def denied():
        return (s.pki / "revoked.vins").read_text().split()

    delete(car.vin)
    assert car.client.wait_disconnected() == 152
    assert denied().count(car.vin) == 1 and neighbour.vin not in denied()
    wait_until(lambda: s.sql(f"SELECT presence FROM vehicle_state WHERE vin = '{car.vin}'") == "offline", why="it to be said")
    s.run("vehicle", "restore", car.vin)
    assert car.vin not in denied()
    delete(other.vin)  # the file is written again
    assert other.client.wait_disconnected() == 152
    assert car.vin not in denied() and denied().count(other.vin) == 1
    with open(s.pki / "revoked.vins", "a") as f:
        f.write(car.vin + "\n")  # as the api of another site has it in its own folder
    assert json.loads(s.run("vehicle", "restore", car.vin, "--json")) == {"vin": car.vin, "status": "awaiting"}
    assert car.vin not in denied() and denied().count(other.vin) == 1
    assert "no revoked or retired" in s.run("vehicle", "restore", car.vin, code=1)
    neighbour.publish("event", {"schema": "event/1"})
    neighbour.client.drop()
