"""A columnar record read by its specification (proto/columnar.h, docs of the contract): shares no code with the agent
and none with ingest, so that tests do not ask the one under test what it said."""
import json
import struct
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATHS = {int(row[0]): row[1] for row in (line.split(",") for line in
                                         (ROOT / "proto/signals.csv").read_text().splitlines()[1:])}
CLOCKS = ("none", "rtc", "ntp", "gps")


class Reader:
    def __init__(self, record):
        self.record, self.at = record, 0

    def take(self, n):
        part = self.record[self.at:self.at + n]
        assert len(part) == n, "the record ends too early"
        self.at += n
        return part

    def unsigned(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                assert byte or shift == 7, "not of minimal length"
                return value

    def signed(self):
        value = self.unsigned()
        return -(value + 1 >> 1) if value & 1 else value >> 1

    def times(self, n, regular):
        times, step = [self.unsigned()], self.unsigned()
        assert step >= 1
        for _ in range(n - 1):
            times.append(times[-1] + step + (0 if regular else self.signed()))
            assert times[-1] > times[-2], "times rise"
        return times

    def column(self, n):
        """(path, rows, values)"""
        signal = self.unsigned()
        path = PATHS[signal] if signal else self.take(self.unsigned()).decode()
        head = self.take(1)[0]
        mode, rows = head & 7, list(range(n))
        assert mode <= 3, f"mode {mode}"
        if head & 8:
            bits = self.take((n + 7) // 8)
            rows = [i for i in range(n) if bits[i // 8] >> i % 8 & 1]
            assert rows, "a column without values"
        return path, rows, self.values(mode, head >> 4, len(rows))

    def values(self, mode, exponent, m):
        if mode == 3:
            assert exponent == 0
            return list(struct.unpack(f"<{m}d", self.take(8 * m)))
        whole = [self.signed()]
        if mode == 0:
            steps = [0] * (m - 1)
        elif mode == 1:
            steps = [self.signed()] * (m - 1)
        else:
            steps = [self.signed() for _ in range(m - 1)]
        for step in steps:
            whole.append(whole[-1] + step)
        return [w / 10 ** exponent for w in whole]


def decode(record):
    """The telemetry/1 it stands for."""
    r = Reader(record)
    assert r.take(2) == b"\xc1\x01", "magic and version"
    flags = r.take(1)[0]
    assert flags < 8
    message = {"schema": "telemetry/1", "stream": str(uuid.UUID(bytes=r.take(16))), "seq": r.unsigned(),
               "clock": CLOCKS[flags & 3]}
    n = r.unsigned()
    times = r.times(n, flags & 4)
    samples = [{"t": t, "s": {}} for t in times]
    for _ in range(r.unsigned()):
        path, rows, values = r.column(n)
        for row, value in zip(rows, values):
            assert path not in samples[row]["s"], "a signal twice in a sample"
            samples[row]["s"][path] = value
    assert r.at == len(record), "bytes behind the end"
    message["samples"] = samples
    return message


def message(payload):
    """What the bytes of any up/ message say: the first one decides."""
    payload = payload.encode() if isinstance(payload, str) else bytes(payload)
    return decode(payload) if payload[:1] == b"\xc1" else json.loads(payload)
