"""The receiver's sentences."""
import calendar
import time

import pytest
from simbench import Bench

import nmea


def fields(text):
    """{sentence name: its fields}, checksums verified."""
    out = {}
    for line in text.split("\r\n")[:-1]:
        body, check = line[1:].split("*")
        total = 0
        for byte in body.encode():
            total ^= byte
        assert line[0] == "$" and int(check, 16) == total and len(line) < 100
        out.setdefault(body.split(",")[0][2:], body.split(","))
    return out


def degrees(number, letter, digits):
    value = int(number[:digits]) + float(number[digits:]) / 60
    return -value if letter in "SW" else value


def test_a_fix_says_where_the_car_is_and_when():
    bench = Bench("caliber", t=300)
    bench.replay.epoch = bench.now = float(int(time.time()))
    here = bench.replay.at(bench.now + 300)
    said = fields(nmea.fix(here))
    rmc = said["RMC"]
    stamp = time.strptime(rmc[9] + rmc[1][:6], "%d%m%y%H%M%S")
    assert calendar.timegm(stamp) == here.time
    assert degrees(rmc[3], rmc[4], 2) == pytest.approx(here.lat, abs=1e-8)
    assert degrees(rmc[5], rmc[6], 3) == pytest.approx(here.lon, abs=1e-8)
    assert float(rmc[7]) * 1.852 == pytest.approx(here.speed_kmh, abs=1e-4)
    assert float(rmc[8]) == pytest.approx(here.heading_deg, abs=0.006)
    gga = said["GGA"]
    assert float(gga[9]) + float(gga[11]) == pytest.approx(here.height_m, abs=0.11)
    assert float(gga[8]) == pytest.approx(here.hdop, abs=0.006)
    assert said["GSA"][2] == "3" and len(said["GSA"]) == 18
    assert {"GSV", "GST"} <= set(said)


def test_all_four_quarters_of_the_globe():
    bench = Bench("caliber", t=300)
    for lat, lon in ((48.5, 7.7), (-25.4, -49.3), (0.0000001, -0.9999999), (-89.99999999, 179.9)):
        here = bench.replay.at(bench.now)
        here.lat, here.lon = lat, lon
        rmc = fields(nmea.fix(here))["RMC"]
        assert degrees(rmc[3], rmc[4], 2) == pytest.approx(lat, abs=1e-8)
        assert degrees(rmc[5], rmc[6], 3) == pytest.approx(lon, abs=1e-8)


def test_without_a_fix_there_is_time_but_no_place():
    said = fields(nmea.no_fix(1795248000))
    assert said["RMC"][2] == "V" and said["RMC"][3:7] == [""] * 4 and said["RMC"][1]
    assert said["GGA"][6] == "0" and said["GSA"][2] == "1"
    assert set(fields(nmea.silent())) == {"TXT"}
