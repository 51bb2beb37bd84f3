"""What whole-system tests share: waiting, reading an agent's outbox, reading both stores."""
import json
import sqlite3
import time
import urllib.error

import columnar
import control
from stack.stack import Session
from stack.wait import wait_for


def patient(call, *args):
    """None while a service is away, as a script would treat it."""
    try:
        return call(*args)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def one_that_drives(stack, api, for_s=60):
    """The VIN of a car that drives, tells so and will for a while: the recordings begin anew after five minutes with the
    ignition off, and when that is depends on what ran before."""
    engine = "Vehicle.Powertrain.CombustionEngine.Speed"

    def runs(n, t):
        moment = json.loads(control.ask(str(stack.folder / f"vehicle-{n}" / "control"), f"at {t}"))
        return moment["values"].get("0C", 0) > 300

    def look():
        now = time.time()
        for n, car in enumerate(stack.cars, 1):
            if all(runs(n, now + s) for s in range(0, for_s, 5)):
                told = api.get(f"vehicles/{car.vin}/state")["signals"].get(engine)
                if told and told["value"] > 300 and told["age_ms"] < 30_000:
                    return car.vin
        return None

    return wait_for("a car that drives", look, 400, 0.5)  # three questions a turn, and a person may ask 20 a second


class Outbox:
    """An agent's outbox, read while it runs (see vehicle/README.md for its tables)."""

    def __init__(self, home):
        self.path = home / "outbox" / "outbox.db"

    def rows(self, statement):
        db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=60)
        try:
            return db.execute(statement).fetchall()
        finally:
            db.close()

    def streams(self):
        """{stream id: highest number given}"""
        return {id_: next_seq - 1 for id_, next_seq in self.rows("SELECT id, next_seq FROM stream")}

    def readings(self):
        """{(t, path): value} of every telemetry record ever made here."""
        found = {}
        for (payload,) in self.rows("SELECT payload FROM record WHERE leaf = 'up/telemetry' ORDER BY stream, seq"):
            for sample in columnar.message(payload)["samples"]:
                for path, value in sample["s"].items():
                    key = (sample["t"], path)
                    assert key not in found, f"two readings of {key}"
                    found[key] = float(value)
        return found

    def facts(self):
        rows = self.rows("SELECT payload FROM record WHERE leaf NOT IN ('up/telemetry')")
        return [json.loads(payload) for (payload,) in rows]


class Stores:
    def __init__(self, stack):
        self.stack = stack

    def readings(self, vin):
        """{(t, path): value} of everything InfluxDB holds of a vehicle."""
        found = {}
        for row in self.stack.influx.query(f"SELECT * FROM telemetry WHERE vin = '{vin}'", "fleet"):
            for path, value in row.items():
                if path not in ("time", "vin") and value is not None:
                    found[(row["time"], path)] = float(value)
        return found

    def watermarks(self, vin, site=None):
        """{stream: (upto, gaps)} of this site; site='': of the facts, which all sites share."""
        site = self.stack.site if site is None else site
        rows = self.stack.postgres.sql(
            f"SELECT stream, upto, gaps FROM watermark WHERE vin = '{vin}' AND site = '{site}'").splitlines()
        return {s: (int(u), g) for s, u, g in (row.split("|") for row in rows)}

    def facts(self, vin):
        """How many rows per (stream, seq)."""
        rows = self.stack.postgres.sql(
            f"SELECT stream || ' ' || seq, count(*) FROM fact WHERE vin = '{vin}' GROUP BY 1").splitlines()
        return {key: int(n) for key, n in (row.split("|") for row in rows)}

    def drained(self, vin, outbox):
        """Does the watermark cover every number the agent has given?"""
        try:
            marks = self.watermarks(vin)
        except RuntimeError:  # the database is just coming back
            return False
        return all(marks.get(stream, (0, "{}")) == (given, "{}") for stream, given in outbox.streams().items() if given)


def session(stack):
    return wait_for("a sign-in", lambda: patient(Session, stack.env))
