"""Tables of makes: every row is proved by its capture, a wrong one is refused by line, and the agent asks for them."""
import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from test_vehicle_decode import decode  # noqa: E402
from test_vehicle_agent import rounds  # noqa: E402
from vehicle_bench import BUILD, CAPTURES, GPSD, MOSQUITTO, ROOT, VIN, Service, VehicleBench  # noqa: E402

SYNTHETIC = CAPTURES / "makes"
TABLES = [*sorted((ROOT / "vehicle/makes").glob("*.csv")), *sorted(SYNTHETIC.glob("*.csv"))]
HEADER = "wmi,ecu,did,bytes,formula,signal,capture\n"
GOOD = "ZZ9,7E8,1001,2,A*256+B,Vehicle.Speed,x.txt\n"


def rows(table):
    lines = [line for line in table.read_text().splitlines() if line and not line.startswith("#")]
    return list(csv.DictReader(lines))


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.stem)
def test_every_row_is_proved_by_its_capture(table):
    assert rows(table)
    for capture in {row["capture"] for row in rows(table)}:
        path = table.parent / capture
        told = {(o["request"], a.get("ecu")): a for o in decode(path.read_text(), "--makes", table.parent) for a in o["answers"]}
        proved = [json.loads(line) for line in path.with_suffix(".jsonl").read_text().splitlines()]
        for one in proved:
            assert told[(one["request"], one["ecu"])]["s"] == one["s"], one
        for row in (r for r in rows(table) if r["capture"] == capture):
            assert any(one["request"] == "22" + row["did"] and one["ecu"] == row["ecu"] and row["signal"] in one["s"]
                       for one in proved), f"{table.name}: {capture} does not prove {row}"


def told_bytes(capture):
    text = (ROOT / "vehicle/makes/captures" / capture).read_text()
    return {o["request"]: bytes.fromhex(o["answers"][0]["bytes"])[3:] for o in decode(text)}


def test_the_captures_bear_themselves_out():
    ioniq, zoe = told_bytes("hyundai-ioniq5.txt"), told_bytes("renault-zoe.txt")
    battery = ioniq["220101"]
    pack, highest, lowest = int.from_bytes(battery[12:14], "big") / 10, battery[23] / 50, battery[25] / 50
    assert 179.5 < pack / highest and pack / lowest < 181, "180 cells in a row"
    assert all(battery[15] <= module <= battery[14] for module in battery[16:21])
    voltages = [int.from_bytes(zoe[did], "big") / 10 for did in ("2220FE", "229005")]
    assert voltages[0] == voltages[1], "two units, one battery"
    assert abs(voltages[0] / (int.from_bytes(zoe["229021"], "big") / 1024) - 96) < 0.5, "96 cells in a row"


def test_without_the_table_the_bytes_are_told():
    text = (SYNTHETIC / "captures/synthetic-11bit.txt").read_text()
    told = {o["request"]: o["answers"] for o in decode(text)}
    assert told["221001"] == [{"ecu": "7E8", "bytes": "621001FF9C"}]


def test_a_row_is_for_its_make_alone():
    text = (SYNTHETIC / "captures/synthetic-11bit.txt").read_text().split(">221001", 1)[1]
    assert "s" in decode(">221001" + text, "--makes", SYNTHETIC)[0]["answers"][0]
    assert "s" in decode(">221001" + text, "--makes", SYNTHETIC, "--vin", "ZZ9ZZZZZZZZ000001")[0]["answers"][0]
    assert "s" not in decode(">221001" + text, "--makes", SYNTHETIC, "--vin", "WVWZZZ1KZAW000001")[0]["answers"][0]


@pytest.mark.parametrize("line", (
    "ZZ,7E8,1001,2,A,Vehicle.Speed,x", "zz9,7E8,1001,2,A,Vehicle.Speed,x", ",7E8,1001,2,A,Vehicle.Speed,x",
    "ZZ9,7E0,1001,2,A,Vehicle.Speed,x", "ZZ9,18DB33F1,1001,2,A,Vehicle.Speed,x", "ZZ9,7E8,101,2,A,Vehicle.Speed,x",
    "ZZ9,7E8,10010,2,A,Vehicle.Speed,x", "ZZ9,7E8,1001,0,A,Vehicle.Speed,x", "ZZ9,7E8,1001,1,B,Vehicle.Speed,x",
    "ZZ9,7E8,1001,2,A+,Vehicle.Speed,x", "ZZ9,7E8,1001,2,(A,Vehicle.Speed,x", "ZZ9,7E8,1001,2,a,Vehicle.Speed,x",
    "ZZ9,7E8,1001,2,__import__,Vehicle.Speed,x", "ZZ9,7E8,1001,2,A,Vehicle.Spead,x", "ZZ9,7E8,1001,2,A,Vehicle.Speed,",
    "ZZ9,7E8,1001,2,A,Vehicle.Speed", "ZZ9,7E8,1001,2,A,Vehicle.Speed,x,y", "ZZ9,7E8,1001,2," + "(" * 40 + "A" + ")" * 40 +
    ",Vehicle.Speed,x", "x" * 1000))
def test_a_wrong_row_is_refused_with_its_line(tmp_path, line):
    (tmp_path / "bad.csv").write_text("# a remark\n" + HEADER + GOOD + line + "\n")
    done = subprocess.run([ROOT / BUILD / "bin/vigie-vehicle", "--decode", f"--makes={tmp_path}"], input="", capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 2 and "bad.csv:4" in done.stderr, done.stderr


@pytest.mark.parametrize("formula, data, value", (
    ("A+B*2-C/4", "0A0308", 14), ("(A+B)*2", "0102", 6), ("A-B-C", "0A0302", 5), ("s8(A)", "FF", -1), ("s16(A*256+B)", "8000", -32768),
    ("s32(((A*256+B)*256+C)*256+D)", "FFFFFFFE", -2), ("A>>4&3", "F0", 3), ("A<<8&[1]<<8", "0301", 256), ("[2]/0.5", "000007", 14),
    ("A/B", "0100", None), ("A<<B", "01FF", None), ("s8(A+B)", "FFFF", None)))
def test_formulas(tmp_path, formula, data, value):
    size = len(data) // 2
    (tmp_path / "one.csv").write_text(HEADER + f"ZZ9,7E8,1001,{size},{formula},Vehicle.Speed,x\n")
    (answer,) = decode(f">221001\n7E8 {3 + size:02X} 62 10 01 {data}\n", "--makes", tmp_path)[0]["answers"]
    assert answer.get("s") == (None if value is None else {"Vehicle.Speed": value})


@pytest.mark.skipif(not GPSD or not MOSQUITTO, reason="gpsd or mosquitto is not installed")
@pytest.mark.parametrize("link, args", (("elm327", []), ("slcan", ["--adapter", "slcan"]), ("elm327", ["--protocol", "7"])))
def test_the_agent_asks_what_the_table_has_for_its_car(tmp_path, link, args):
    b = VehicleBench(tmp_path / "bench", gps=False, car_args=["--ecus", "2", "--baud", "115200", *args])
    first, second = ("18DAF110", "18DAF118") if "7" in args else ("7E8", "7E9")
    table = (f"{VIN[:3]},{first},1001,2,s16(A*256+B)/10,Vehicle.Powertrain.TractionBattery.CurrentCurrent,x",
             f"{VIN[:3]},{second},1002,12,[11]/2,Vehicle.Powertrain.TractionBattery.StateOfHealth,x",
             f"{VIN[:3]},{first},1003,1,A,Vehicle.OBD.FuelRate,x", f"XX9,{first},1004,1,A,Vehicle.OBD.EthanolPercent,x")
    (tmp_path / "own.csv").write_text(HEADER + "\n".join(table) + "\n")
    b.agent_args += [f"--obd={link}:{b.tty}", f"--makes={tmp_path}", "--obd-period=200ms", "--record=250ms"]
    b.order("did 1001 FF9C")
    b.order("did 1002 0000000000000000000000C8 1")
    b.order("did 1004 32")
    try:
        service = Service(b)
        b.start_agent()

        def seen(service):
            return {path: value for sample in rounds(service).values() for path, value in sample.items()}

        service.wait("both identifiers", lambda s: "Vehicle.Powertrain.TractionBattery.StateOfHealth" in seen(s) and
                     "Vehicle.Powertrain.TractionBattery.CurrentCurrent" in seen(s), 60)
        assert seen(service)["Vehicle.Powertrain.TractionBattery.CurrentCurrent"] == -10
        assert seen(service)["Vehicle.Powertrain.TractionBattery.StateOfHealth"] == 100
        assert "Vehicle.OBD.FuelRate" not in seen(service) and "Vehicle.OBD.EthanolPercent" not in seen(service)
    finally:
        b.stop()
