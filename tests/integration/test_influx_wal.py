"""InfluxDB 1.6 loses what it stored after a half-written end of its log; cut off before the start it does not."""
import urllib.request

import pytest
from ingest_site import free_port
from stack import influx, influx_wal


def write(db, n):
    body = "".join(f"telemetry,vin=A v={i}.0 {i}\n" for i in range(n, n + 100)).encode()
    urllib.request.urlopen(urllib.request.Request(f"{db.address}/write?db=fleet&precision=ms", data=body), timeout=60).close()


@pytest.mark.parametrize("tail", [b"\x01", b"\x01\x00\x00\x10\x00half of it", b"\x00" * 300], ids=["head", "entry", "zeros"])
def test_what_is_stored_after_a_torn_end_is_there_after_two_starts(tmp_path, tail):
    db = influx.Influx(tmp_path / "influx", free_port()).start()
    try:
        db.query("CREATE DATABASE fleet")
        write(db, 1)
        db.kill()
        log, = (tmp_path / "influx/wal").glob("fleet/**/*.wal")
        with open(log, "ab") as torn:
            torn.write(tail)
        assert influx_wal.good_bytes(open(log, "rb"), log.stat().st_size) == log.stat().st_size - len(tail)
        for n in (1001, 2001):
            db.start()
            write(db, n)
            db.kill()
        db.start()
        assert db.query("SELECT count(v) FROM telemetry", "fleet")[0]["count"] == 300
    finally:
        db.stop()


def test_a_whole_log_stays_as_it_is(tmp_path):
    (tmp_path / "a.wal").write_bytes(b"\x01\x00\x00\x00\x02ab\x03\x00\x00\x00\x00")
    assert influx_wal.trim(tmp_path) == []
    assert (tmp_path / "a.wal").stat().st_size == 12
