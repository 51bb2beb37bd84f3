"""--decode from outside: the standards' vectors, every row of the PID table, and the simulated car in every form its
adapter can print."""
import csv
import json
import math
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "sim")]

from vehicle_bench import BUILD, CAPTURES, ROOT, VIN  # noqa: E402

import pids  # noqa: E402
import simbench  # noqa: E402

TRANSCRIPTS = sorted((CAPTURES / "transcripts").glob("*.txt"))
ENGINE = "Vehicle.Powertrain.CombustionEngine."


def decode(text, *args):
    done = subprocess.run([ROOT / BUILD / "bin/vigie-vehicle", "--decode", *map(str, args)],
                          input=text if isinstance(text, bytes) else text.encode(), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda p: p.stem)
@pytest.mark.parametrize("end", ("\n", "\r", "\r\n"), ids=("lf", "cr", "crlf"))
def test_a_transcript_says_what_stands_beside_it(path, end):
    told = decode(path.read_text().replace("\n", end))
    expected = [json.loads(line) for line in path.with_suffix(".jsonl").read_text().splitlines()]
    for have, want in zip(told, expected):
        assert have == want
    assert len(told) == len(expected)


# ---- every row, by formulas evaluated here
def rows():
    with open(ROOT / "proto/obd_pids.csv", newline="") as file:
        return [r for r in csv.DictReader(file) if not re.match(r"bitmap|DTC", r["formula"])]


def evaluate(formula, data):
    if formula.startswith("enum"):
        return data[0]
    names = {letter: byte for letter, byte in zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", data)}
    return eval(formula, {"s16": lambda n: n - 65536 if n >= 32768 else n}, names)


def in_vss_unit(row, value):
    if (row["unit"], row["vss_unit"]) in (("mA", "A"), ("km", "m"), ("s", "h")):
        return value * {"A": 1 / 1000, "m": 1000, "h": 1 / 3600}[row["vss_unit"]]
    return value


@pytest.mark.parametrize("row", rows(), ids=lambda r: r["pid"] + " " + r["name"][:30])
def test_every_row_of_the_table_is_its_formula(row):
    dice = random.Random(row["pid"] + row["name"])
    size = int(row["bytes"])
    patterns = [bytes(size), b"\0" * (size - 1) + b"\1", bytes([0x80] * size), bytes([0xFF] * size),
                *(dice.randbytes(size) for _ in range(8))]
    text = ""
    for data in patterns:
        message = bytes([0x41, int(row["pid"], 16)]) + data
        frames = [bytes([len(message)]) + message] if len(message) < 8 else [
            bytes([0x10, len(message)]) + message[:6],
            *(bytes([0x21 + i]) + message[6 + 7 * i:13 + 7 * i] for i in range((len(message) - 6 + 6) // 7))]
        text += f">01{row['pid']}\n" + "".join(f"7E8{frame.hex().upper()}\n" for frame in frames)
    told = decode(text)
    assert len(told) == len(patterns)
    valid = re.search(r"\(if A&(\d+)\)", row["name"])
    for data, object in zip(patterns, told):
        (answer,) = object["answers"]
        want = in_vss_unit(row, evaluate(row["formula"], data))
        if (valid and not data[0] & int(valid.group(1))) or ("0xFF=not used" in row["name"] and data[1] == 0xFF):
            assert row["vss_path"] == "" or row["vss_path"] not in answer["s"], (data.hex(), answer)
        elif row["vss_path"]:
            assert math.isclose(answer["s"][row["vss_path"]], want, rel_tol=1e-12, abs_tol=1e-12), (data.hex(), answer)
        else:
            assert any(math.isclose(value, want, rel_tol=1e-12, abs_tol=1e-12) for value in answer["s"].values()), \
                (data.hex(), want, answer)


# ---- the simulated car, in every form
def transcript(bench, commands):
    text = ""
    for command in commands:
        text += f">{command}\r" + bench.ask(command)
    return text


QUESTIONS = ("0100", "010C", "010D", "0105", "0111", "0902", "03", "07", "0101")


@pytest.mark.parametrize("known", (True, False), ids=("with-ATDPN", "inferred"))
@pytest.mark.parametrize("headers", ("ATH0", "ATH1"))
@pytest.mark.parametrize("spaces", ("ATS0", "ATS1"))
@pytest.mark.parametrize("protocol", "123456789")
def test_the_simulated_car_is_read_in_every_form(protocol, spaces, headers, known):
    bench = simbench.Bench(protocol=protocol, t=20, ecus=2)
    bench.car.set_code("P0301", "stored", 0)
    bench.car.set_code("U0100", "pending", 1)
    for command in ("ATE0", spaces, headers, "ATSP0", "0100"):
        bench.ask(command)
    text = transcript(bench, (("ATDPN",) if known else ()) + QUESTIONS)
    told = {o["request"]: o for o in decode(text)}
    encoder = pids.Encoder()
    engine = {"6": "7E8", "8": "7E8", "7": "18DAF110", "9": "18DAF110"}.get(protocol, "10")
    for pid, path, scale in ((0x0C, ENGINE + "Speed", lambda d: (d[0] * 256 + d[1]) / 4), (0x0D, "Vehicle.Speed", lambda d: d[0]),
                             (0x05, ENGINE + "EngineCoolant.Temperature", lambda d: d[0] - 40),
                             (0x11, ENGINE + "TPS", lambda d: d[0] * 100 / 255)):
        answers = told[f"01{pid:02X}"]["answers"]
        possible = {scale(encoder.encode(pid, v)) for v in bench.replay.values_between(pid, bench.now - 40, bench.now + 1)}
        if headers == "ATH1":
            assert answers[0]["ecu"] == engine, told
        assert any(math.isclose(answers[0]["s"][path], one, rel_tol=1e-12) for one in possible), (answers, possible)
    if headers == "ATH1":
        assert told["03"]["answers"] == [{"ecu": engine, "dtcs": ["P0301"]}, {"ecu": told["03"]["answers"][1]["ecu"], "dtcs": []}]
        assert told["07"]["answers"][1]["dtcs"] == ["U0100"]
    else:
        assert told["03"]["answers"][0]["dtcs"] == ["P0301"] and told["07"]["answers"][0]["dtcs"] == ["U0100"]
    assert told["0902"]["answers"][0]["vin"] == VIN
    assert told["0101"]["answers"][0]["mil"] is True


def test_rubbish_is_no_value_and_no_crash():
    dice = random.Random(7)
    for size in (0, 1, 100, 20000):
        decode(dice.randbytes(size))
    told = decode(b">010C\n" + b"\xff" * 1000000 + b"\n>010D\n41 0D 32\n")
    assert told[0]["answers"] == [] and told[1]["answers"] == [{"s": {"Vehicle.Speed": 50}}]
    assert decode(b"41 0C 0C 08\n") == [], "an answer to nothing"


def test_what_is_no_request_is_told_so():
    assert decode(">hello\nworld\n") == [{"request": "HELLO", "answers": [], "text": "world"}]


@pytest.mark.parametrize("end", ("\n", "\r", "\r\n"), ids=("lf", "cr", "crlf"))
def test_lines_behind_no_request_are_named(end):
    text = end.join(["# a car", "", "010C", "41 0C 0C 08", ">", "010D", ">010D", "41 0D 32", "", "and more", ">"] + ["x"] * 9)
    done = subprocess.run([ROOT / BUILD / "bin/vigie-vehicle", "--decode"], input=text.encode(), capture_output=True, timeout=60)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 1
    told = done.stderr.decode()
    assert re.findall(r"event=decode.ignored line=(\d+)", told) == "1 3 4 6 12 13 14 15".split(), told
    assert re.findall(r"event=decode.ignored more=(\d+)", told) == ["5"], told
