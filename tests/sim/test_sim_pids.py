"""Bytes against the formula column of proto/obd_pids.csv, evaluated here on its own."""
import math
import re

import pytest
from simbench import drive

import pids

ROWS = pids.table_rows()
STRUCTURES = {0x02, 0x41} | set(range(0x00, 0x100, 0x20))      # bitmaps and codes, not values


def s16(number):
    return number - 65536 if number >= 32768 else number


def formula_value(formula, data):
    """What the csv says these bytes mean."""
    expression = formula
    if formula.startswith(("enum(A)", "bitmap: A0")):
        expression = "A"
    names = {letter: data[i] for i, letter in enumerate("ABCDEFGHIJKLM"[:len(data)])}
    return eval(expression, {"s16": s16, "__builtins__": {}}, names)


def arithmetic_rows():
    seen = {}
    for row in ROWS:
        index = seen.get(row["pid"], 0)
        seen[row["pid"]] = index + 1
        if row["pid"] not in STRUCTURES:
            yield pytest.param(row, index, id=f"{row['pid']:02X}-{row['name']}")


def letters_of(row):
    formula = row["formula"].split(":")[0] if "enum" in row["formula"] else row["formula"]
    if formula.startswith("bitmap"):
        return ["A"]
    return sorted(set(re.findall(r"\b[A-M]\b", formula)))


@pytest.mark.parametrize("row,index", list(arithmetic_rows()))
def test_every_row_encodes_what_its_formula_decodes(row, index):
    letters = letters_of(row)
    size, fields = pids.FIELDS[row["pid"]]
    assert size == row["bytes"]
    field = fields[index]
    top = (1 << (field.bits or 8 * len(letters))) - 1
    for raw in (0, 1, top // 2, top // 2 + 1, top):
        data = bytearray(size)
        if field.bits:
            data["ABCD".index(letters[0])] = raw << field.shift
        else:
            for letter, byte in zip(letters, raw.to_bytes(len(letters), "big")):
                data["ABCDEFGHIJKLM".index(letter)] = byte
        value = formula_value(row["formula"], data)
        values = [None] * len(fields)
        values[index] = value
        encoder = pids.Encoder()
        made = encoder.encode(row["pid"], *values)
        where = "ABCDEFGHIJKLM".index(letters[0])
        width = 1 if field.bits else len(letters)
        assert made[where:where + width] == data[where:where + width], (raw, value)
        assert not encoder.clamped.total()
        if "if A&" in row["name"]:
            assert made[0] & int(re.search(r"if A&(\d)", row["name"])[1])


@pytest.mark.parametrize("row,index", list(arithmetic_rows()))
def test_a_value_beyond_the_field_is_clamped_and_counted(row, index):
    encoder = pids.Encoder()
    values = [None] * len(pids.FIELDS[row["pid"]][1])
    values[index] = 1e12
    data = encoder.encode(row["pid"], *values)
    assert encoder.clamped[row["pid"]] == 1
    if row["formula"][0] in "A(s" and row["max"] and not row["pid"] in (0x01, 0x1E):
        assert formula_value(row["formula"], data) == pytest.approx(float(row["max"]), rel=1e-4)


def test_every_pid_of_the_table_is_known():
    assert {row["pid"] for row in ROWS} - STRUCTURES == set(pids.FIELDS)


def test_every_raw_of_one_and_two_bytes_survives_decode_and_encode():
    encoder = pids.Encoder()
    for pid, formula, size in ((0x0D, "A", 1), (0x04, "A*100/255", 1), (0x06, "A*100/128-100", 1),
                               (0x0C, "(A*256+B)/4", 2), (0x10, "(A*256+B)/100", 2),
                               (0x22, "(A*256+B)*0.079", 2), (0x43, "(A*256+B)*100/255", 2),
                               (0x32, "s16(A*256+B)/4", 2), (0x5D, "(A*256+B)/128-210", 2)):
        code = compile(formula, pid.__str__(), "eval")
        for raw in range(1 << 8 * size):
            data = raw.to_bytes(size, "big")
            value = eval(code, {"s16": s16}, dict(zip("AB", data)))
            assert encoder.encode(pid, value) == data
    assert not encoder.clamped.total()


@pytest.mark.parametrize("part", ["2017", "2018", "caliber"])
def test_every_recorded_value_comes_back_within_one_step(part):
    formulas = {row["pid"]: row["formula"] for row in ROWS}
    encoder = pids.Encoder()
    worst = {}
    for pid, series in drive(part).pids.items():
        data_max = bytes([255] * pids.FIELDS[pid][0])
        step = formula_value(formulas[pid], bytes(len(data_max) - 1) + b"\1") - \
            formula_value(formulas[pid], bytes(len(data_max)))
        for value in series.values:
            if value is not None:
                back = formula_value(formulas[pid], encoder.encode(pid, value))
                worst[pid] = max(worst.get(pid, 0), abs(back - value) / step)
    assert not encoder.clamped.total()
    limit = 0.5 + 1e-6 if part == "caliber" else 0.13
    assert all(error <= limit for error in worst.values()), worst
    if part != "caliber":                # only the percentages had been rounded
        assert all(worst[pid] < 1e-9 for pid in worst if pid not in (0x11, 0x49, 0x4A)), worst


def test_rounding_is_to_the_nearest_and_away_from_zero():
    encoder = pids.Encoder()
    assert encoder.encode(0x0C, 715.12) == (2860).to_bytes(2, "big")
    assert encoder.encode(0x32, -0.125) == b"\xff\xff"
    assert encoder.encode(0x0D, 0.5) == b"\1"
    assert encoder.encode(0x05, math.nextafter(-40.5, 0)) == b"\0"


def test_an_unused_trim_is_ff_and_an_invalid_value_has_its_bit_clear():
    encoder = pids.Encoder()
    assert encoder.encode(0x14, 0.45, None) == b"\x5a\xff"
    assert encoder.encode(0x66, 10.0, None) == bytes([1, 1, 0x40, 0, 0])
    assert encoder.encode(0x66, None, 10.0) == bytes([2, 0, 0, 1, 0x40])


def test_all_trouble_codes_survive_and_the_known_ones_are_right():
    for number in range(65536):
        pair = number.to_bytes(2, "big")
        assert pids.dtc_bytes(pids.dtc_name(pair)) == pair
    for digits, code in (("0104", "P0104"), ("0301", "P0301"), ("0420", "P0420"),
                         ("3FFF", "P3FFF"), ("38AB", "P38AB"), ("4123", "C0123"),
                         ("57DE", "C17DE"), ("8003", "B0003"), ("C100", "U0100"),
                         ("D000", "U1000"), ("E0FC", "U20FC"), ("FFFF", "U3FFF")):
        assert pids.dtc_bytes(code).hex().upper() == digits


@pytest.mark.parametrize("code", ["P030", "X0301", "P4301", "P03G1", "p0301", ""])
def test_what_is_not_a_code_is_refused(code):
    with pytest.raises(ValueError):
        pids.dtc_bytes(code)


def test_a_bitmap_announces_the_next_one():
    assert pids.bitmap(0, {0x01, 0x20}).hex() == "80000001"
    assert pids.bitmap(0, {0x01, 0x46}).hex() == "80000001"
    assert pids.bitmap(0, {0x01}).hex() == "80000000"
    assert pids.bitmap_bases({0x01, 0x46}) == [0, 0x20, 0x40]
    assert pids.bitmap_bases({0x20}) == [0]
