"""pids.py - values to bytes: the inverse of the formulas of proto/obd_pids.csv.

Written by hand from SAE J1979, apart from the agent's decoder and sharing nothing with it; the
csv is read only to know names, lengths and the order of a PID's rows.  A value becomes
raw = lround((x - offset) / scale), clamped to its field (and counted), big-endian.
"""
import collections
import csv
import os
from dataclasses import dataclass
from fractions import Fraction as Ratio

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "proto",
                     "obd_pids.csv")


@dataclass(frozen=True)
class Field:
    """Where one value lives: `width` bytes from byte `at`, or `bits` bits of one byte from
    `shift`.  `valid` is the bit of byte A which says that the value means something."""
    at: int = 0
    width: int = 1
    scale: Ratio = Ratio(1)
    offset: Ratio = Ratio(0)
    signed: bool = False
    valid: int = None
    shift: int = 0
    bits: int = 0
    absent: int = 0          # what an absent value is sent as

    def limits(self):
        size = self.bits or 8 * self.width
        return (-(1 << size - 1), (1 << size - 1) - 1) if self.signed else (0, (1 << size) - 1)

    def raw(self, value):
        """(raw, clamped)"""
        exact = (Ratio(value) - self.offset) / self.scale
        half = Ratio(1, 2)
        raw = int(exact + half) if exact >= 0 else -int(-exact + half)
        low, high = self.limits()
        inside = min(max(raw, low), high)
        return inside, inside != raw

    def value(self, raw):
        return float(raw * self.scale + self.offset)


def _f(at=0, width=1, scale=1, offset=0, **more):
    return Field(at, width, Ratio(scale), Ratio(offset), **more)


PERCENT = Ratio(100, 255)
TRIM = {"scale": Ratio(100, 128), "offset": -100}
LAMBDA = Ratio(2, 65536)


def _fields():
    """PID -> (bytes, its fields in the order of the csv's rows)."""
    table = {
        0x01: (4, [_f(bits=1, shift=7), _f(bits=7), _f(1, bits=1, shift=3)]),
        0x03: (2, [_f()]),
        0x0A: (1, [_f(scale=3)]),
        0x0C: (2, [_f(0, 2, Ratio(1, 4))]),
        0x0E: (1, [_f(scale=Ratio(1, 2), offset=-64)]),
        0x10: (2, [_f(0, 2, Ratio(1, 100))]),
        0x1E: (1, [_f(bits=1)]),
        0x22: (2, [_f(0, 2, Ratio(79, 1000))]),
        0x32: (2, [_f(0, 2, Ratio(1, 4), signed=True)]),
        0x42: (2, [_f(0, 2, Ratio(1, 1000))]),
        0x43: (2, [_f(0, 2, PERCENT)]),
        0x44: (2, [_f(0, 2, LAMBDA)]),
        0x4F: (4, [_f(3, scale=10)]),
        0x50: (4, [_f(0, scale=10)]),
        0x53: (2, [_f(0, 2, Ratio(1, 200))]),
        0x5D: (2, [_f(0, 2, Ratio(1, 128), -210)]),
        0x5E: (2, [_f(0, 2, Ratio(1, 20))]),
        0x64: (5, [_f(offset=-125)]),
        0x66: (5, [_f(1, 2, Ratio(1, 32), valid=0), _f(3, 2, Ratio(1, 32), valid=1)]),
        0x67: (3, [_f(1, offset=-40, valid=0), _f(2, offset=-40, valid=1)]),
        0x68: (7, [_f(1, offset=-40, valid=0)]),
        0x70: (10, [_f(1, 2, Ratio(1, 32), valid=0), _f(3, 2, Ratio(1, 32), valid=1)]),
        0x78: (9, [_f(1, 2, Ratio(1, 10), -40, valid=0)]),
        0x7C: (9, [_f(1, 2, Ratio(1, 10), -40, valid=0), _f(3, 2, Ratio(1, 10), -40, valid=1)]),
        0x7F: (13, [_f(1, 4, valid=0), _f(5, 4, valid=1)]),
        0x9A: (6, [_f(2, 2, Ratio(1, 64)), _f(4, 2, Ratio(1, 10), signed=True)]),
        0x9D: (4, [_f(0, 2, Ratio(1, 50)), _f(2, 2, Ratio(1, 50))]),
        0x9E: (2, [_f(0, 2, Ratio(1, 5))]),
        0xA2: (2, [_f(0, 2, Ratio(1, 32))]),
        0xA6: (4, [_f(0, 4, Ratio(1, 10))]),
    }
    for pid in (0x04, 0x11, 0x2C, 0x2E, 0x2F, 0x45, 0x47, 0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x52,
                0x5A, 0x5B, 0xB2):
        table[pid] = (1, [_f(scale=PERCENT)])
    for pid in (0x05, 0x0F, 0x46, 0x5C, 0x84):
        table[pid] = (1, [_f(offset=-40)])
    for pid in (0x06, 0x07, 0x08, 0x09, 0x2D):
        table[pid] = (1, [_f(**TRIM)])
    for pid in (0x0B, 0x0D, 0x12, 0x13, 0x1C, 0x1D, 0x30, 0x33, 0x51):
        table[pid] = (1, [_f()])
    for pid in (0x1F, 0x21, 0x31, 0x4D, 0x4E, 0x63):
        table[pid] = (2, [_f(0, 2)])
    for pid in (0x23, 0x59):
        table[pid] = (2, [_f(0, 2, 10)])
    for pid in range(0x14, 0x1C):
        table[pid] = (2, [_f(scale=Ratio(1, 200)), _f(1, absent=0xFF, **TRIM)])
    for pid in range(0x24, 0x2C):
        table[pid] = (4, [_f(0, 2, LAMBDA), _f(2, 2, Ratio(8, 65536))])
    for pid in range(0x34, 0x3C):
        table[pid] = (4, [_f(0, 2, LAMBDA), _f(2, 2, Ratio(1, 256), -128)])
    for pid in range(0x3C, 0x40):
        table[pid] = (2, [_f(0, 2, Ratio(1, 10), -40)])
    for pid in range(0x55, 0x59):
        table[pid] = (2, [_f(**TRIM), _f(1, **TRIM)])
    for pid in (0x61, 0x62, 0x8E):
        table[pid] = (1, [_f(offset=-125)])
    return table


FIELDS = _fields()


class Encoder:
    """encode() for one car; `clamped` counts, by PID, the values that did not fit."""

    def __init__(self):
        self.clamped = collections.Counter()

    def encode(self, pid, *values):
        """Data bytes of a PID (without the PID itself).  `values` in the order of the csv's
        rows and in its units (mA, km, s: the car's, not VSS's); None: absent."""
        size, fields = FIELDS[pid]
        data = bytearray(size)
        for field, value in zip(fields, values):
            if value is None:
                raw, clamped = field.absent, False
            else:
                raw, clamped = field.raw(value)
                if field.valid is not None:
                    data[0] |= 1 << field.valid
            self.clamped[pid] += clamped
            if field.bits:
                data[field.at] |= raw << field.shift
            else:
                data[field.at:field.at + field.width] = raw.to_bytes(field.width, "big",
                                                                     signed=raw < 0)
        return bytes(data)


def table_rows(path=TABLE):
    """The rows of the csv as dictionaries, in order, with `pid` and `bytes` as integers."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["pid"] = int(row["pid"], 16)
        row["bytes"] = int(row["bytes"])
    return rows


def bitmap(base, supported):
    """Four bytes: bit 31 = PID base + 1 .. bit 0 = PID base + 32, which announces the next
    bitmap and so is set when anything lies beyond it."""
    bits = 0
    for pid in supported:
        if base < pid <= base + 32:
            bits |= 1 << (32 - (pid - base))
        elif pid > base + 32:
            bits |= 1
    return bits.to_bytes(4, "big")


def bitmap_bases(supported):
    """The bitmap PIDs that exist for a set: 00, then 20 if there is anything from 21 on, ..."""
    top = max(supported, default=0)
    return [base for base in range(0, 0x100, 0x20) if base == 0 or top > base]


def dtc_bytes(code):
    """'P0301' -> b'\\x03\\x01'; ValueError for anything that is not a code."""
    if len(code) != 5 or code[0] not in "PCBU" or code[1] not in "0123":
        raise ValueError(f"{code!r} is not a trouble code")
    number = "PCBU".index(code[0]) << 14 | int(code[1]) << 12 | int(code[2:], 16)
    return number.to_bytes(2, "big")


def dtc_name(pair):
    number = int.from_bytes(pair, "big")
    return f"{'PCBU'[number >> 14]}{number >> 12 & 3}{number & 0xFFF:03X}"
