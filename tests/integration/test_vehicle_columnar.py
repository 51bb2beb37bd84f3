"""A car that sends columns: what the fleet stores are the doubles the car keeps in its outbox."""
import struct
import sys
import time
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from stack.ports import Ports  # noqa: E402
from stack.stack import Stack  # noqa: E402
from system import Outbox, Stores  # noqa: E402
from vehicle_bench import BUILD, GPSD, MOSQUITTO, ROOT, wait_for  # noqa: E402

SIGNALS = [line.split(",") for line in (ROOT / "proto/signals.csv").read_text().splitlines()[1:]]
PATHS = {int(row[0]): row[1] for row in SIGNALS}
DECIMALS = {row[1]: int(row[3]) for row in SIGNALS}


def columns(record):
    """{(t, path): value} of one record, by the layout in proto/columnar.h; shares no code with the agent."""
    at = 19

    def u():
        nonlocal at
        value = shift = 0
        while True:
            byte = record[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def s():
        value = u()
        return -(value + 1 >> 1) if value & 1 else value >> 1

    assert record[:2] == b"\xc1\x01"
    regular = record[2] & 4
    u()  # seq
    n, t, step = u(), u(), u()
    times = [t]
    for _ in range(n - 1):
        times.append(times[-1] + step + (0 if regular else s()))
    found = {}
    for _ in range(u()):
        path = PATHS[u()]
        head = record[at]
        at += 1
        rows = list(range(n))
        if head & 8:
            size = (n + 7) // 8
            rows = [i for i in range(n) if record[at + i // 8] >> i % 8 & 1]
            at += size
        m, mode, scale = len(rows), head & 7, 10 ** (head >> 4)
        if mode == 3:
            values = list(struct.unpack_from(f"<{m}d", record, at))
            at += 8 * m
        else:
            whole = [s()]
            steps = [0] * (m - 1) if mode == 0 else [s()] * (m - 1) if mode == 1 else [s() for _ in range(m - 1)]
            for one in steps:
                whole.append(whole[-1] + one)
            values = [w / scale for w in whole]
        for row, value in zip(rows, values):
            assert (times[row], path) not in found
            found[times[row], path] = value
    assert at == len(record)
    return found


@pytest.mark.skipif(not GPSD or not MOSQUITTO, reason="gpsd or mosquitto is not installed")
def test_columns_end_as_the_doubles_json_would_give(tmp_path):
    stack = Stack(tmp_path / "system", Ports.free(1), vehicles=1, build=BUILD, tell=print)
    plain = stack.agent_argv
    stack.agent_argv = lambda *which: [*plain(*which), "--encoding=columnar", "--record=4s"]
    outbox, vin = Outbox(stack.folder / "vehicle-1"), stack.cars[0].vin
    try:
        stack.start_servers()
        stack.start_services()
        stack.epoch = time.time()
        stack.start_vehicle(1)
        made = wait_for("records of a drive", lambda: (
            lambda rows: rows if len(rows) >= 6 else None)(telemetry(outbox)), 90)
        kept = {key: value for record in made for key, value in columns(record).items()}
        assert len({t for t, _ in kept}) >= 30 and len(made) < len({t for t, _ in kept}) / 4
        wait_for("all of it stored", lambda: stack_has(stack, vin, kept), 60)
        stored = Stores(stack).readings(vin)
        for (t, path), value in kept.items():
            assert stored[t, path] == value, (t, path)
            assert value == round(value, DECIMALS[path]), "a JSON record would say the same"
        assert stack.postgres.sql("SELECT count(*) FROM dead_letter") == "0"
    finally:
        stack.stop()


def telemetry(outbox):
    return [bytes(payload) for (payload,) in outbox.rows("SELECT payload FROM record WHERE leaf = 'up/telemetry' ORDER BY seq")]


def stack_has(stack, vin, kept):
    stored = Stores(stack).readings(vin)
    return all(key in stored for key in kept)
