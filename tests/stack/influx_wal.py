#!/usr/bin/python3
"""Cut what a crash or a full disk left half-written off the logs of an InfluxDB 1.x that is not running.

    influx_wal.py WAL_DIR

InfluxDB 1.6 ignores such an end when it starts, but goes on writing behind it: what it stores from then on is there until
the next start, which stops reading at the old scar and loses all of it, acknowledged or not.  So this belongs before every
start.  A log is entries of a type (1 write, 2 delete, 3 delete range), a length (4 bytes, big-endian) and that many bytes."""
import os
import struct
import sys
from pathlib import Path

HEAD = 5
TYPES = (1, 2, 3)


def good_bytes(log, size):
    """How many from the beginning are whole entries."""
    at = 0
    while at + HEAD <= size:
        log.seek(at)
        kind, length = struct.unpack(">BI", log.read(HEAD))
        if kind not in TYPES or at + HEAD + length > size:
            break
        at += HEAD + length
    return at


def trim(folder):
    """[(path, bytes cut off)]"""
    cut = []
    for path in sorted(Path(folder).glob("**/*.wal")):
        with open(path, "r+b") as log:
            size = os.fstat(log.fileno()).st_size
            good = good_bytes(log, size)
            if good < size:
                log.truncate(good)
                os.fsync(log.fileno())
                cut.append((path, size - good))
    return cut


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for path, n in trim(sys.argv[1]):
        print(f"{path}: {n} bytes cut off", file=sys.stderr)
