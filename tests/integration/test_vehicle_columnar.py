"""A car that sends columns: what the fleet stores are the doubles the car keeps in its outbox."""
import sys
import time
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

import columnar  # noqa: E402
from stack.ports import Ports  # noqa: E402
from stack.stack import Stack  # noqa: E402
from system import Outbox, Stores  # noqa: E402
from vehicle_bench import BUILD, GPSD, MOSQUITTO, ROOT, wait_for  # noqa: E402

SIGNALS = [line.split(",") for line in (ROOT / "proto/signals.csv").read_text().splitlines()[1:]]
DECIMALS = {row[1]: int(row[3]) for row in SIGNALS}


def columns(record):
    """{(t, path): value} of one record; that it is one in columns is asserted."""
    assert record[:1] == b"\xc1"
    return {(sample["t"], path): value for sample in columnar.decode(record)["samples"] for path, value in sample["s"].items()}


@pytest.mark.skipif(not GPSD or not MOSQUITTO, reason="gpsd or mosquitto is not installed")
def test_columns_end_as_the_doubles_json_would_give(tmp_path):
    stack = Stack(tmp_path / "system", Ports.free(1), vehicles=1, build=BUILD, tell=print)
    plain = stack.agent_argv
    stack.agent_argv = lambda *which: [*plain(*which), "--record=4s"]
    outbox, vin = Outbox(stack.folder / "vehicle-1"), stack.cars[0].vin
    try:
        stack.start_servers()
        stack.start_services()
        stack.epoch = time.time()
        stack.start_vehicle(1)
        made, kept = wait_for("records of a drive", lambda: (
            lambda rows, kept: (rows, kept) if len(rows) >= 6 and len({t for t, _ in kept}) >= 30 else None)(*telemetry(outbox)))
        assert len(made) < len({t for t, _ in kept}) / 4
        wait_for("all of it stored", lambda: stack_has(stack, vin, kept), 90)
        stored = Stores(stack).readings(vin)
        for (t, path), value in kept.items():
            assert stored[t, path] == value, (t, path)
            assert value == round(value, DECIMALS[path]), "a JSON record would say the same"
        assert stack.postgres.sql("SELECT count(*) FROM dead_letter") == "0"
    finally:
        stack.stop()


def telemetry(outbox):
    """The records, and all that is in them."""
    rows = [bytes(payload) for (payload,) in outbox.rows("SELECT payload FROM record WHERE leaf = 'up/telemetry' ORDER BY seq")]
    return rows, {key: value for record in rows for key, value in columns(record).items()}


def stack_has(stack, vin, kept):
    stored = Stores(stack).readings(vin)
    return all(key in stored for key in kept)
