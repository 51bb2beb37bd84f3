"""Asked for over REST, done by a real agent in a car that drives, ended over REST; and what the drive means, over REST too."""
import pytest
from system import one_that_drives, session, wait_for


@pytest.fixture
def drive(fleet_of_three):
    api = session(fleet_of_three)
    return api, one_that_drives(fleet_of_three, api), fleet_of_three


def ask(api, vin, kind, args=None, **more):
    return api.call("POST", f"vehicles/{vin}/commands", {"type": kind, "args": args or {}, **more})["id"]


def end(api, vin, command):
    """The command once it has ended."""
    def look():
        row = api.get(f"vehicles/{vin}/commands/{command}")
        return row if row["state"] in ("done", "failed", "refused", "expired") else None
    return wait_for(f"the end of {command}", look, 90)


def test_the_car_does_what_it_is_asked_and_says_so(drive):
    api, vin, _ = drive
    read = end(api, vin, ask(api, vin, "diagnostics.read"))
    assert read["state"] == "done" and read["sent_at"] <= read["ended_at"] and read["delivered_at"]
    report = wait_for("the report", lambda: api.get(f"vehicles/{vin}/diagnostics").get("report"))
    assert report["lists"]["stored"] in ("full", "partial")
    listed = api.get(f"vehicles/{vin}/commands?state=done")["items"]
    assert read in listed


def test_what_it_cannot_or_must_not_do_it_refuses_with_a_reason(drive):
    api, vin, stack = drive
    photo = end(api, vin, ask(api, vin, "photo"))
    assert photo["state"] in ("failed", "refused") and photo["reason"], "there is no camera"
    me = api.get("me")["username"]
    clear = end(api, vin, ask(api, vin, "diagnostics.clear", {"confirmed_by": me}))
    assert clear["state"] == "refused" and clear["reason"], "the engine runs"


def test_private_mode_is_set_and_taken_back(drive):
    api, vin, _ = drive
    for on in (True, False):
        assert end(api, vin, ask(api, vin, "privacy.set", {"on": on}))["state"] == "done"
        shown = wait_for("what is shown of it", lambda on=on: (
            lambda row: row if ("private_since" in row) == on else None)(api.get(f"vehicles/{vin}")))
        if on:
            assert "lat" not in shown and "lon" not in shown
            assert not [path for path in api.get(f"vehicles/{vin}/state")["signals"] if "CurrentLocation" in path]
    wait_for("its place", lambda: "lat" in api.get(f"vehicles/{vin}"))


def test_a_new_configuration_reaches_the_car(drive):
    api, vin, stack = drive
    row = api.get(f"vehicles/{vin}")
    changed = api.call("PATCH", f"vehicles/{vin}", {"record_ms": 1500}, {"If-Match": f'"v{row["version"]}"'})
    revision = int(stack.postgres.sql(f"SELECT revision FROM vehicle_config WHERE vin = '{vin}'"))
    assert changed["record_ms"] == 1500 and revision > 1
    wait_for("the car to say that it has it", lambda: stack.postgres.sql(
        f"SELECT config FROM vehicle_state WHERE vin = '{vin}'") == str(revision), 90)
