"""The ECUs: bytes in, bytes out."""
import pytest
from simbench import VIN, Bench

import bus
import pids


def one(bench, request, index=None):
    """The only message of the only ECU that answers."""
    ((_, (message,)),) = bench.car.request(bytes.fromhex(request), index)
    return message.hex(" ").upper()


@pytest.mark.parametrize("request_,reply", [
    ("0105", "41 05 81"), ("010B", "41 0B 62"), ("010C", "41 0C 0C 08"), ("010D", "41 0D 00"),
    ("010F", "41 0F 1B"), ("0110", "41 10 02 A5"), ("0111", "41 11 D4"), ("0146", "41 46 27"),
    ("0149", "41 49 24"), ("014A", "41 4A 25"), ("0100", "41 00 88 3B 80 11"),
    ("0120", "41 20 00 00 00 01"), ("0140", "41 40 04 C0 00 00"), ("011C", "41 1C 06"),
    ("010C0D11", "41 0C 0C 08 0D 00 11 D4"), ("010C990D", "41 0C 0C 08 0D 00"),
])
def test_the_first_full_row_of_the_2018_drive(request_, reply):
    assert one(Bench("2018"), request_) == reply


def test_the_caliber_lists_its_own_pids_and_no_air_flow():
    bench = Bench("caliber", t=1)
    assert one(bench, "0100") == "41 00 90 3A 80 10"
    assert bench.car.request(b"\x01\x10") == []
    assert bench.car.request(b"\x01\x20") == []


def test_a_value_is_the_newest_at_or_before_now():
    bench = Bench("caliber", t=4.999)
    first = one(bench, "010D")
    bench.now += 0.002
    assert one(bench, "010D") != first


def test_codes_are_counted_on_can():
    bench = Bench()
    assert one(bench, "03") == "43 00"
    bench.car.set_code("P0301")
    bench.car.set_code("P0420")
    bench.car.set_code("U0100", "pending")
    assert one(bench, "03") == "43 02 03 01 04 20"
    assert one(bench, "07") == "47 01 C1 00"
    assert one(bench, "0A") == "4A 00"


def test_codes_come_in_threes_on_older_buses():
    bench = Bench(protocol="3")
    assert one(bench, "03") == "43 00 00 00 00 00 00"
    for code in ("P0104", "C0123", "B0003"):
        bench.car.set_code(code)
    assert one(bench, "03") == "43 01 04 41 23 80 03"
    bench.car.set_code("P38AB")
    ((_, messages),) = bench.car.request(b"\x03")
    assert [m.hex().upper() for m in messages] == ["43010441238003", "4338AB00000000"]
    assert bench.car.request(b"\x0a") == []


def test_status_counts_and_lights_the_lamp():
    bench = Bench()
    assert one(bench, "0101") == "41 01 00 07 E5 00"
    bench.car.set_code("P0301")
    bench.car.set_code("P0420")
    bench.car.ecus[0].readiness = bytes.fromhex("07E521")
    assert one(bench, "0101") == "41 01 82 07 E5 21"


def test_a_freeze_frame_keeps_the_moment_of_its_code():
    bench = Bench(t=200)
    assert one(bench, "020200") == "42 02 00 00 00"
    frozen = one(bench, "010C")
    bench.car.set_code("P0301")
    bench.now += 300
    bench.car.set_code("P0420")
    assert one(bench, "010C") != frozen
    assert one(bench, "020200") == "42 02 00 03 01"
    assert one(bench, "020C00") == frozen.replace("41 0C", "42 0C 00")
    assert one(bench, "020C000D00").startswith(frozen.replace("41 0C", "42 0C 00") + " 0D 00")
    assert one(bench, "020000") == "42 00 00 48 3B 80 01"
    assert bench.car.request(bytes.fromhex("020C01")) == []


def test_a_code_there_from_the_start_froze_a_complete_moment():
    bench = Bench(t=-5)
    bench.car.set_code("P0301")
    assert set(bench.car.ecus[0].frozen) == bench.car.ecus[0].recorded


def test_clearing_needs_a_stopped_engine_and_leaves_permanent_codes():
    bench = Bench(t=100)
    for state in ("stored", "pending", "permanent"):
        bench.car.set_code("P0301", state)
    assert one(bench, "04") == "7F 04 22"
    bench.now = bench.replay.time_of(748.5)      # the stop-start: rpm 0
    assert one(bench, "04") == "44"
    assert one(bench, "03") == "43 00" and one(bench, "07") == "47 00"
    assert one(bench, "0A") == "4A 01 03 01"
    assert one(bench, "0101") == "41 01 00 77 E5 E5"
    assert one(bench, "020200") == "42 02 00 00 00"


def test_the_vin_and_the_other_texts():
    bench = Bench()
    assert one(bench, "0900") == "49 00 54 40 00 00"
    assert bytes.fromhex(one(bench, "0902")) == b"\x49\x02\x01" + VIN.encode()
    assert len(bytes.fromhex(one(bench, "0904"))) == 19
    assert len(bytes.fromhex(one(bench, "090A"))) == 23
    bench.car.vin = None
    assert bench.car.request(b"\x09\x02") == []


def test_the_vin_on_older_buses_is_five_messages():
    ((_, messages),) = Bench(protocol="2").car.request(b"\x09\x02")
    assert [m.hex(" ").upper() for m in messages] == [
        "49 02 01 00 00 00 57", "49 02 02 56 57 5A 5A", "49 02 03 5A 31 4B 5A",
        "49 02 04 41 57 30 30", "49 02 05 30 30 30 31"]
    assert one(Bench(protocol="2"), "0901") == "49 01 05"


def test_three_ecus_answer_and_do_not_agree():
    bench = Bench(t=400, ecus=3)
    bench.car.set_code("U0100", index=1)
    answers = bench.car.request(b"\x01\x0d")
    assert [ecu.index for ecu, _ in answers] == [0, 1]
    (engine,), (transmission,) = answers[0][1], answers[1][1]
    assert engine[2] == transmission[2] + 1
    assert [ecu.index for ecu, _ in bench.car.request(b"\x01\x00")] == [0, 1, 2]
    assert [m[0].hex() for _, m in bench.car.request(b"\x03")] == ["4300", "4301c100", "4300"]
    assert len(bench.car.request(b"\x01\x0d", 1)) == 1


def test_only_an_addressed_ecu_refuses_aloud():
    bench = Bench()
    for data in ("0199", "22F190", "0903"):
        assert bench.car.request(bytes.fromhex(data)) == []
    assert one(bench, "0199", 0) == "7F 01 12"
    assert one(bench, "22F190", 0) == "7F 22 31"
    bench.car.ecus[0].identifiers[0xF190] = b"\x01"
    assert one(bench, "22F190", 0) == "62 F1 90 01"


def test_nobody_answers_without_ignition():
    bench = Bench()
    bench.car.ignition = False
    assert bench.car.request(b"\x01\x00") == [] and not bench.car.awake()
    bench.car.ignition = None
    bench.car.faults.set("asleep", [])
    assert bench.car.request(b"\x01\x00") == []
    assert Bench(t=5000).car.request(b"\x01\x00") == []
    assert Bench("ndsbr", t=10).car.request(b"\x01\x00") == []


def test_the_battery_follows_the_engine():
    bench = Bench(t=100)
    assert bench.car.voltage() == 14.1
    bench.car.ignition = False
    assert bench.car.voltage() == 12.5
    bench.car.volts = 10.4
    assert bench.car.voltage() == 10.4


def test_without_batch_several_pids_get_no_answer():
    bench = Bench(batch=False)
    assert bench.car.request(bytes.fromhex("010C0D")) == []
    assert Bench(protocol="4").car.request(bytes.fromhex("010C0D")) == []


def test_isotp_frames_are_cut_and_numbered():
    assert bus.isotp_frames(b"\x41\x0d\x20") == [b"\x03\x41\x0d\x20"]
    assert bus.isotp_frames(b"\x41\x0d\x20", 0xAA)[0] == bytes.fromhex("03410D20AAAAAAAA")
    long = bytes(range(200))
    frames = bus.isotp_frames(long, 0)
    assert [f[0] for f in frames[1:17]] == list(range(0x21, 0x30)) + [0x20]
    assert (frames[0][2:] + b"".join(f[1:] for f in frames[1:]))[:200] == long
    assert bus.isotp_frames(bytes(4095))[0][:2] == b"\x1f\xff"


def test_the_checksum_of_j1850_is_the_standard_one():
    assert bus.crc8_j1850(b"123456789") == 0x4B


def test_bitmaps_of_every_car_follow_its_columns():
    for part in ("2017", "2018", "caliber"):
        bench = Bench(part, t=5)
        listed, base = set(), 0
        while base is not None:
            bits = int.from_bytes(bytes.fromhex(one(bench, f"01{base:02X}"))[2:], "big")
            found = {base + 32 - i for i in range(32) if bits >> i & 1}
            listed |= found
            base = base + 32 if base + 32 in found else None
        assert listed - {0x20, 0x40} == bench.car.ecus[0].recorded | {0x01, 0x1C}
        assert all(pid in pids.FIELDS for pid in listed - {0x20, 0x40})
