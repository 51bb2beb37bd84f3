"""Signing in, staying in and being thrown out."""
import json
import time

import pytest
from api_site import PASSWORD, ApiSite, cookie_of, site, wait_until


@pytest.fixture(scope="module")
def s():
    return site()


def refresh(s, token, origin=None, **headers):
    headers = {"Cookie": f"vigie_refresh={token}", "Content-Type": "application/json", **headers}
    if origin != "":
        headers["Origin"] = origin or s.url
    return s.ask("PUT", "session", "{}", headers)


def test_a_sign_in_gives_a_token_and_a_cookie_no_script_can_read(s):
    answer = s.sign_in()
    assert answer.code == 200 and answer.json["expires_in"] == 600
    cookie = answer.headers["set-cookie"]
    assert "; Path=/api/frontend/session;" in cookie and "; HttpOnly" in cookie and "; SameSite=Strict" in cookie
    assert "Domain" not in cookie
    me = s.ask("GET", "me", token=answer.json["access_token"]).json
    assert me["username"] == "owner" and me["role"] == "owner" and me["customer"] == {"id": s.customers[0], "name": "Ours"}


def test_a_cookie_is_secure_where_the_dashboard_is_opened_over_https(s, tmp_path):
    assert "; Secure" not in s.sign_in().headers["set-cookie"]  # http on loopback
    s.restart(f"--origins=https://fleet.example,{s.url}")
    try:
        answer = s.sign_in()
        assert "; Secure" in answer.headers["set-cookie"]
        assert answer.headers["strict-transport-security"]
    finally:
        s.restart()


def test_a_one_time_code_may_come_with_it(s):
    answer = s.ask("POST", "session", {"username": "owner", "password": PASSWORD, "otp": "123456"})
    assert answer.code == 200


def test_a_name_is_taken_in_any_case(s):
    assert s.sign_in("OWNER").code == 200


def test_an_unknown_name_and_a_wrong_password_get_the_same_answer(s):
    wrong, unknown = s.sign_in(s.fresh_user(), "not the password"), s.sign_in("nobody", PASSWORD)
    assert wrong.code == unknown.code == 401 and wrong.type == unknown.type == "credentials"
    assert {k: v for k, v in wrong.json.items() if k != "instance"} == {
        k: v for k, v in unknown.json.items() if k != "instance"}
    assert wrong.headers["set-cookie"] is None


def test_a_disabled_user_is_nobody(s):
    user = s.fresh_user()
    token = s.token(user)
    cookie = cookie_of(s.sign_in(user))
    s.sql(f"UPDATE app_user SET disabled = true WHERE username = '{user}'")
    assert s.sign_in(user).code == 401
    assert s.ask("GET", "me", token=token).code == 401
    assert refresh(s, cookie).code == 401


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b'{"username":"a","username":"b","password":"c"}',
                                  b'{"username":"\xff","password":"x"}', b"{" * 40 + b"}" * 40])
def test_a_body_that_is_no_json_object_is_refused(s, body):
    answer = s.ask("POST", "session", body, {"Content-Type": "application/json"})
    assert answer.code == 400 and answer.type == "json"


@pytest.mark.parametrize("body,pointer,code", [
    ({"username": "a"}, "/password", "missing"), ({"password": "a"}, "/username", "missing"),
    ({"username": 1, "password": "a"}, "/username", "type"), ({"username": "a", "password": None}, "/password", "type"),
    ({"username": "a", "password": "x" * 300}, "/password", "length"),
    ({"username": "a", "password": "b", "admin": True}, "/admin", "unknown")])
def test_a_wrong_member_is_pointed_at(s, body, pointer, code):
    answer = s.ask("POST", "session", body)
    assert answer.code == 422 and answer.json["errors"] == [{"pointer": pointer, "code": code}]


def test_each_refresh_spends_the_token_and_keeps_the_family(s):
    user = s.fresh_user()
    first = cookie_of(s.sign_in(user))
    answer = refresh(s, first)
    second = cookie_of(answer)
    assert answer.code == 200 and second != first and s.ask("GET", "me", token=answer.json["access_token"]).code == 200
    third = cookie_of(refresh(s, second))
    assert third not in (first, second)
    assert s.sql("SELECT count(DISTINCT family) FROM refresh_token t JOIN app_user u ON u.id = t.user_id"
                 f" WHERE u.username = '{user}'") == "1"


def test_two_tabs_get_the_very_same_successor(s):
    token = cookie_of(s.sign_in(s.fresh_user()))
    answers = [refresh(s, token) for _ in range(3)]
    assert [a.code for a in answers] == [200, 200, 200]
    assert len({cookie_of(a) for a in answers}) == 1


def test_a_spent_token_used_later_ends_the_family(s):
    user = s.fresh_user()
    stolen = cookie_of(s.sign_in(user))
    current = cookie_of(refresh(s, stolen))
    s.sql("UPDATE refresh_token SET spent_at = spent_at - interval '91 s' WHERE spent_at IS NOT NULL AND user_id ="
          f" (SELECT id FROM app_user WHERE username = '{user}')")
    late = refresh(s, stolen)
    assert late.code == 401 and late.type == "session" and "Max-Age=0" in late.headers["set-cookie"]
    assert refresh(s, current).code == 401, "whoever has the newest one is out as well"
    assert s.sql(f"SELECT count(*) FROM audit WHERE action = 'session.reuse' AND user_id ="
                 f" (SELECT id FROM app_user WHERE username = '{user}')") == "1"


def test_a_token_made_while_its_family_ended_is_void_too(s):
    user = s.fresh_user()
    first = cookie_of(s.sign_in(user))
    second = cookie_of(refresh(s, first))
    # as if the second had been written between the look for the family's members and their end
    s.sql("UPDATE refresh_token SET revoked_at = now() WHERE spent_at IS NOT NULL AND user_id ="
          f" (SELECT id FROM app_user WHERE username = '{user}')")
    assert refresh(s, second).code == 401


@pytest.mark.parametrize("column,age", [("issued_at", "7 days 1 s"), ("family_started_at", "30 days 1 s")])
def test_an_old_session_is_over(s, column, age):
    user = s.fresh_user()
    token = cookie_of(s.sign_in(user))
    s.sql(f"UPDATE refresh_token SET {column} = now() - interval '{age}' WHERE user_id ="
          f" (SELECT id FROM app_user WHERE username = '{user}')")
    assert refresh(s, token).code == 401


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "A" * 44, "A" * 42 + "'", "%00" * 10, "A" * 4000])
def test_what_is_no_refresh_token_is_no_session(s, token):
    assert refresh(s, token).code in (401, 431)


def test_no_cookie_is_no_session(s):
    assert s.ask("PUT", "session", "{}", {"Origin": s.url, "Content-Type": "application/json"}).code == 401


@pytest.mark.parametrize("origin", ["", "http://evil.example", "null", "https://127.0.0.1"])
def test_another_page_cannot_use_the_cookie(s, origin):
    token = cookie_of(s.sign_in(s.fresh_user()))
    answer = refresh(s, token, origin)
    assert answer.code == 403 and answer.type == "origin" and answer.headers["access-control-allow-origin"] is None
    headers = {"Cookie": f"vigie_refresh={token}", **({"Origin": origin} if origin else {})}
    assert s.ask("DELETE", "session", headers=headers).code == 403
    assert refresh(s, token).code == 200, "and it was not spent by trying"


def test_a_form_cannot_refresh(s):
    token = cookie_of(s.sign_in(s.fresh_user()))
    headers = {"Cookie": f"vigie_refresh={token}", "Origin": s.url, "Content-Type": "text/plain"}
    answer = s.ask("PUT", "session", "{}", headers)
    assert answer.code == 415 and answer.type == "media-type"


def test_signing_out_ends_cookie_and_access_token_at_once(s):
    user = s.fresh_user()
    answer = s.sign_in(user)
    token, cookie = answer.json["access_token"], cookie_of(answer)
    assert s.ask("GET", "me", token=token).code == 200
    out = s.ask("DELETE", "session", headers={"Cookie": f"vigie_refresh={cookie}", "Origin": s.url,
                                             "Content-Type": "application/json"})
    assert out.code == 204 and out.body == b"" and "Max-Age=0" in out.headers["set-cookie"]
    assert s.ask("GET", "me", token=token).code == 401
    assert refresh(s, cookie).code == 401
    again = s.ask("DELETE", "session", headers={"Cookie": f"vigie_refresh={cookie}", "Origin": s.url})
    assert again.code == 204, "who is out already is out"


def test_a_new_password_ends_every_session(s):
    user = s.fresh_user()
    answer = s.sign_in(user)
    s.run("user", "passwd", user, env={"VIGIE_PASSWORD": "a new long password"})
    assert s.ask("GET", "me", token=answer.json["access_token"]).code == 401
    assert refresh(s, cookie_of(answer)).code == 401
    assert s.sign_in(user).code == 401
    assert s.sign_in(user, "a new long password").code == 200


def test_an_account_is_held_back_after_wrong_passwords_but_never_locked(s):
    user = s.fresh_user()
    for _ in range(5):
        assert s.sign_in(user, "wrong").code == 401
    started = time.monotonic()
    assert s.sign_in(user).code == 200
    assert time.monotonic() - started >= 1, "the sixth attempt is held back a second"
    assert s.sign_in(user).code == 200
    s.restart()  # forgets what this address has done


def test_a_source_that_keeps_failing_is_refused(tmp_path):
    own = ApiSite(tmp_path)
    try:
        codes = []
        while 429 not in codes and len(codes) < 20:  # the first refusal lasts a second, each wrong one doubles it
            codes.append(own.sign_in(f"nobody{len(codes)}", "wrong").code)
        wrong = len(codes) - 1
        assert codes == [401] * wrong + [429] and wrong >= 10
        wait_until(lambda: own.metric('vigie_api_refused_total{reason="sign-in"}') == 1)
        wait_until(lambda: own.metric('vigie_api_refused_total{reason="credentials"}') == wrong)
        while (refused := own.sign_in("owner")).code != 429:  # somebody who knows the password is held back with them
            assert len(codes) < 20 and own.sign_in(f"nobody{len(codes)}", "wrong").code in (401, 429)
            codes.append(401)
        assert refused.type == "sign-in" and 1 <= int(refused.headers["retry-after"]) <= 300
    finally:
        own.stop()


@pytest.mark.parametrize("forge", ["none", "hs256", "expired", "kid", "cut", "scheme"])
def test_a_forged_token_is_refused_and_counted(s, forge):
    import base64
    import hashlib
    import hmac
    b64 = lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    good = s.token(s.fresh_user())
    header, payload, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    kid = json.loads(base64.urlsafe_b64decode(header + "=="))["kid"]
    pem = (s.pki / "jwt" / f"{kid}.pem").read_bytes()
    make = lambda h, p: b64(json.dumps(h).encode()) + "." + b64(json.dumps(p).encode())
    if forge == "none":
        token = make({"alg": "none"}, {**claims, "role": "owner"}) + "."
    elif forge == "hs256":
        text = make({"alg": "HS256", "typ": "JWT", "kid": kid}, claims)
        token = text + "." + b64(hmac.new(pem, text.encode(), hashlib.sha256).digest())
    elif forge == "expired":
        token = make({"alg": "ES256", "kid": kid}, {**claims, "exp": 1}) + "." + signature
    elif forge == "kid":
        token = make({"alg": "ES256", "kid": "0" * 16}, claims) + "." + signature
    elif forge == "cut":
        token = good[:-1]
    before = s.metric('vigie_api_refused_total{reason="token')
    if forge == "scheme":
        answer = s.ask("GET", "me", headers={"Authorization": f"Basic {good}"})
    else:
        answer = s.ask("GET", "me", token=token)
    assert answer.code == 401 and answer.type == "token" and answer.headers["www-authenticate"].startswith("Bearer")
    wait_until(lambda: s.metric('vigie_api_refused_total{reason="token') == before + 1)


def test_the_public_key_of_our_tokens_is_published(s):
    keys = s.ask("GET", "/.well-known/jwks.json").json["keys"]
    assert [k["alg"] for k in keys] == ["ES256"] and all("d" not in k for k in keys)


def test_a_ticket_is_kept_as_a_hash_bound_to_user_and_page(s):
    import hashlib
    answer = s.ask("POST", "ws-tickets", token=s.token(s.fresh_user()), headers={"Origin": s.url})
    assert answer.code == 201 and answer.json["expires_in"] == 30
    digest = hashlib.sha256(answer.json["ticket"].encode()).hexdigest()
    row = s.sql(f"SELECT origin, customer_id, expires_at BETWEEN now() AND now() + interval '30 s' FROM ws_ticket WHERE hash = '{digest}'")
    assert row == f"{s.url}|{s.customers[0]}|t"
    assert answer.json["ticket"] not in s.sql("SELECT string_agg(hash, ',') FROM ws_ticket")
    for role, kinds in ("dispatcher", "alert,event,trip,command,media"), ("mechanic", "alert,event,command"):
        ticket = s.ask("POST", "ws-tickets", token=s.token(s.fresh_user(role)), headers={"Origin": s.url}).json["ticket"]
        assert s.sql(f"SELECT kinds FROM ws_ticket WHERE hash = '{hashlib.sha256(ticket.encode()).hexdigest()}'") == kinds, role


def test_the_audit_chain_holds_and_an_altered_row_shows(s):
    s.token(s.fresh_user())
    check = ("WITH rows AS (SELECT *, lag(hash) OVER (PARTITION BY customer_id ORDER BY id) AS before, sha256("
             "coalesce(previous, ''::bytea) || convert_to(jsonb_build_array(extract(epoch FROM at)::text,"
             " customer_id, user_id, action, vin, detail, address)::text, 'UTF8')) AS wanted FROM audit)"
             " SELECT count(*) FILTER (WHERE hash = wanted AND (before IS NULL OR previous = before)), count(*) FROM rows")
    good, all_ = s.sql(check).split("|")  # a purge may have taken what was before the first
    assert good == all_ and int(all_) > 10
    assert json.loads(s.run("audit", "verify", "--json")) == {"rows": int(all_), "broken": []}
    for change, why in (("UPDATE audit SET address = 'elsewhere'", "altered"), ("UPDATE audit SET user_id = customer_id, customer_id = NULL", "altered"),
                        ("DELETE FROM audit", "one before it is missing")):
        rows = s.sql(f"BEGIN; {change} WHERE id = (SELECT id FROM audit WHERE customer_id = '{s.customers[0]}' ORDER BY id OFFSET 2 LIMIT 1);"
                     " SELECT why FROM audit_broken() WHERE id > 0; ROLLBACK").splitlines()
        assert why in rows, (change, rows)


def test_a_broken_chain_ends_the_command_with_its_place(s):
    s.token(s.fresh_user())
    spoiled = s.sql("UPDATE audit SET address = address || '.' WHERE id = (SELECT max(id) FROM audit) RETURNING id").split()[0]
    try:
        assert f"broken at row {spoiled}: altered" in s.run("audit", "verify", code=1)
    finally:
        s.sql(f"UPDATE audit SET address = left(address, -1) WHERE id = {spoiled}")
    assert "hold" in s.run("audit", "verify")
