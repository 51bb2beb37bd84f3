"""The adapter's conversation, character by character."""
import random

import bus
import pytest
from simbench import VIN, Bench

QUIET = ("ATE0", "ATL0", "ATS0", "ATH1", "ATAT1")


def test_after_power_up_it_echoes_nothing_itself_and_spaces_its_bytes():
    bench = Bench()
    assert bench.ask("ATZ") == "\r\rELM327 v2.1\r\r"
    assert bench.ask("ATI") == "ELM327 v2.1\r\r"
    assert bench.ask("010C") == "SEARCHING...\r41 0C 0C 10 \r\r"


def test_searching_is_said_once_and_again_after_atsp0():
    bench = Bench()
    assert "SEARCHING..." in bench.ask("0100")
    assert bench.waited > 1
    assert "SEARCHING" not in bench.ask("0100")
    assert bench.waited < 0.1
    bench.setup("ATSP0")
    assert "SEARCHING..." in bench.ask("0100")
    bench.setup("ATPC")
    assert "SEARCHING..." in bench.ask("0100")


@pytest.mark.parametrize("protocol,answer", [
    ("6", "7E8064100883B8011AA"), ("8", "7E8064100883B8011AA"),
    ("7", "18DAF110064100883B8011AA"), ("9", "18DAF110064100883B8011AA"),
    ("3", "486B104100883B801158"), ("4", "86F1104100883B80111C"), ("5", "86F1104100883B80111C"),
])
def test_headers_on_shows_what_was_received(protocol, answer):
    bench = Bench(protocol=protocol).setup(*QUIET)
    head, data = bench.lines("0100")
    assert head == "SEARCHING..." and data == answer
    assert bench.lines("ATDPN") == ["A" + protocol]


@pytest.mark.parametrize("protocol", "12")
def test_j1850_ends_with_its_own_checksum(protocol):
    bench = Bench(protocol=protocol).setup(*QUIET)
    line = bytes.fromhex(bench.lines("0100")[1])
    assert line[:3] == (b"\x41\x6b\x10" if protocol == "1" else b"\x48\x6b\x10")
    assert bus.crc8_j1850(line[:-1]) == line[-1]


def test_the_vin_over_can_with_headers_without_and_with_spaces():
    bench = Bench().setup(*QUIET)
    bench.ask("0100")
    assert bench.lines("0902") == ["7E81014490201575657", "7E8215A5A5A314B5A41",
                                   "7E82257303030303031"]
    bench.setup("ATH0")
    assert bench.lines("0902") == ["014", "0:490201575657", "1:5A5A5A314B5A41",
                                   "2:57303030303031"]
    bench.setup("ATS1")
    assert bench.ask("0902").startswith("014\r0: 49 02 01 57 56 57 \r1: 5A 5A")


def test_the_vin_on_an_older_bus():
    bench = Bench(protocol="3").setup("ATE0", "ATS0", "ATSP3")
    assert bench.lines("0902") == ["BUS INIT: ...OK", "49020100000057", "49020256575A5A",
                                   "4902035A314B5A", "49020441573030", "49020530303031"]
    assert bench.lines("0902")[0] == "49020100000057"
    text = b"".join(bytes.fromhex(line)[3:] for line in bench.lines("0902"))
    assert text.lstrip(b"\0") == VIN.encode()


def test_interleaved_answers_of_two_ecus():
    bench = Bench(ecus=2).setup(*QUIET, "ATSP6")
    lines = bench.lines("0904")
    assert [line[:4] for line in lines] == ["7E81", "7E91", "7E82", "7E92", "7E82", "7E92"]


def test_a_reply_count_returns_at_once_and_loses_the_rest():
    bench = Bench(ecus=2).setup(*QUIET, "ATSP6")
    assert len(bench.lines("010D")) == 2
    full = bench.waited
    assert len(bench.lines("010D1")) == 1
    assert bench.waited < full - 0.02
    assert len(bench.lines("010D2")) == 2


def test_the_window_follows_atat_and_atst():
    bench = Bench().setup(*QUIET, "ATSP6", "ATAT0")
    bench.ask("010C")
    assert bench.waited >= 0.2
    bench.setup("ATSTFF")
    bench.ask("010C")
    assert bench.waited >= 1.02
    bench.setup("ATAT1")
    bench.ask("010C")
    assert bench.waited < 0.1


def test_no_data_takes_the_whole_window():
    bench = Bench().setup(*QUIET, "ATSP6")
    assert bench.lines("015E") == ["NO DATA"]
    assert bench.waited >= 0.2


def test_physical_addressing():
    bench = Bench(ecus=3).setup(*QUIET, "ATSP6")
    assert len(bench.lines("0100")) == 3
    bench.setup("ATSH7E1")
    assert bench.lines("0100")[0].startswith("7E9")
    assert bench.lines("0199")[0].startswith("7E9037F0112")
    bench.setup("ATSH7E5")
    assert bench.lines("0100") == ["NO DATA"]
    bench.setup("ATSH7DF")
    assert len(bench.lines("0100")) == 3
    bench = Bench(ecus=2, protocol="7").setup(*QUIET, "ATSP7", "ATSHDA10F1")
    assert len(bench.lines("0100")) == 1
    bench.setup("ATSHDB33F1")
    assert len(bench.lines("0100")) == 2


def test_a_receive_filter():
    bench = Bench(ecus=3).setup(*QUIET, "ATSP6", "ATCRA7E9")
    assert [line[:3] for line in bench.lines("0100")] == ["7E9"]
    bench.setup("ATCRA7EX")
    assert len(bench.lines("0100")) == 3


@pytest.mark.parametrize("command,answer", [
    ("ATDPN", "A0"), ("ATDP", "AUTO"), ("ATRV", "14.1V"), ("STI", "?"), ("ATXX", "?"),
    ("AT@1", "OBDII to RS232 Interpreter"), ("ATIGN", "ON"), ("hello", "?"), ("1", "?"),
    ("0102030405060708", "?"), ("ATAL", "OK"), ("at e 0", "OK"), ("ATSTZZ", "?"),
])
def test_commands(command, answer):
    assert Bench().lines(command) == [answer]


def test_a_fixed_protocol_has_no_a_and_does_not_search():
    bench = Bench().setup("ATSP6")
    assert bench.lines("ATDPN") == ["6"]
    assert bench.lines("ATDP") == ["ISO 15765-4 (CAN 11/500)"]
    assert "SEARCHING" not in bench.ask("0100")
    assert bench.ask("ATZ") and bench.lines("ATDPN") == ["6"]      # ATSP is kept


def test_the_wrong_protocol_finds_nobody():
    assert Bench().setup("ATSP3").lines("0100") == ["BUS INIT: ...ERROR"]
    assert Bench().setup("ATSP5").lines("0100") == ["BUS INIT: ERROR"]
    assert Bench().setup("ATSP8").lines("0100") == ["CAN ERROR"]
    assert Bench().setup("ATSP7").lines("0100") == ["NO DATA"]
    assert Bench().setup("ATSPA7").lines("0100")[-1] == "41 00 88 3B 80 11"


def test_without_ignition():
    bench = Bench(t=5000)
    assert bench.lines("0100") == ["SEARCHING...", "UNABLE TO CONNECT"]
    assert bench.setup("ATSP6").lines("0100") == ["NO DATA"]
    assert bench.setup("ATSP4").lines("0100") == ["BUS INIT: ...ERROR"]
    assert bench.lines("ATRV") == ["12.5V"]
    bench = Bench()
    bench.ask("0100")
    bench.car.ignition = False
    assert bench.lines("010C") == ["NO DATA"]
    bench = Bench(protocol="5").setup("ATSP5")
    bench.ask("0100")
    bench.car.ignition = False
    assert bench.lines("0100") == ["NO DATA"]
    assert bench.lines("0100") == ["BUS INIT: ERROR"]


def test_j1939_has_no_obd():
    bench = Bench(protocol="A")
    assert bench.lines("0100")[-1] == "UNABLE TO CONNECT"
    assert bench.setup("ATSPA").lines("0100") == ["NO DATA"]
    assert bench.lines("ATDPN") == ["A"]


def test_a_lone_return_repeats_the_last_command():
    bench = Bench()
    assert bench.ask("") == "\r"
    bench.ask("0100")
    assert bench.lines("") == ["41 00 88 3B 80 11"]


def test_line_feeds_and_raw_can():
    bench = Bench().setup("ATSP6")
    assert bench.ask("ATL1") == "OK\r\n\r\n"
    bench.setup("ATL0", "ATCAF0")
    assert bench.lines("02010D") == ["03 41 0D 00 AA AA AA AA"]


@pytest.mark.parametrize("quirk,command,answer", [
    ("ignore-ats0", "0100", "7E8 06 41 00 88 3B 80 11 AA"),
    ("ignore-ath1", "0100", "4100883B8011"),
    ("no-suffix", "01001", "?"),
    ("batch-first", "010C0D", "7E804410C0C0CAAAAAA"),
    ("no-isotp", "0902", "7E81014490201575657"),
    ("no-vin", "0902", "NO DATA"),
    ("no-dtc", "03", "NO DATA"),
    ("dtc-no-count", "03", "7E803430301AAAAAAAA"),
    ("rv-plain", "ATRV", "14.1"),
])
def test_quirks(quirk, command, answer):
    bench = Bench(quirks=[quirk])
    bench.car.set_code("P0301")
    bench.setup(*QUIET)
    bench.ask("0100")
    assert bench.lines(command) == [answer]


def test_glued_searching_and_other_line_ends():
    assert Bench(quirks=["glued"]).ask("0100").startswith("SEARCHING...41 00")
    assert Bench(quirks=["crlf"]).ask("ATI") == "ELM327 v2.1\r\n\r\n"
    assert Bench(quirks=["lf-only"]).ask("ATI") == "ELM327 v2.1\n\n"
    assert Bench(quirks=["blank-prompt"]).ask("ATI").endswith(" ")
    assert Bench(t=5000, quirks=["no-dots"]).setup("ATSP3").lines("0100") == ["BUS INIT:ERROR"]


def test_other_adapters():
    stn = Bench(kind="stn")
    assert stn.lines("STI")[0].startswith("STN")
    clone = Bench(kind="clone").setup("ATE0", "ATS0", "ATH1")
    assert clone.lines("ATI") == ["ELM327 v1.5"]
    assert clone.ask("0100").startswith("SEARCHING...7E8 06 41 00")
    assert clone.lines("ATDPN") == ["6"]


@pytest.mark.parametrize("fault,answer", [
    ("no-data", ["NO DATA"]), ("unable", ["UNABLE TO CONNECT"]), ("stopped", ["STOPPED"]),
    ("bus-init-error", ["BUS INIT: ...ERROR"]), ("error BUFFER FULL", ["BUFFER FULL"]),
    ("negative 31", ["7E8037F0931AAAAAAAA"]),
    ("damaged", ["7E81014490201575657<DATA ERROR", "7E8215A5A5A314B5A41", "7E82257303030303031"]),
    ("lost-line 1", ["7E81014490201575657", "7E82257303030303031"]),
    ("double-line 0", ["7E81014490201575657"] * 2 + ["7E8215A5A5A314B5A41",
                                                     "7E82257303030303031"]),
    ("pending 400", ["7E8037F0978AAAAAAAA", "7E81014490201575657", "7E8215A5A5A314B5A41",
                     "7E82257303030303031"]),
])
def test_a_fault_hits_one_reply(fault, answer):
    bench = Bench().setup(*QUIET, "ATSP6")
    good = bench.lines("0902")
    name, *words = fault.split()
    bench.adapter.faults.set(name, words)
    assert bench.lines("0902") == answer
    assert bench.lines("0902") == good
    assert bench.adapter.faults.played == {name: 1}


def test_a_fault_may_stay():
    bench = Bench().setup(*QUIET, "ATSP6")
    bench.adapter.faults.set("no-data", ["x2"])
    assert [bench.lines("010D")[0] for _ in range(3)] == ["NO DATA"] * 2 + ["7E803410D00AAAAAAAA"]
    bench.adapter.faults.set("no-data", ["on"])
    assert [bench.lines("010D")[0] for _ in range(5)] == ["NO DATA"] * 5
    bench.adapter.faults.set("no-data", ["off"])
    assert bench.lines("010D") == ["7E803410D00AAAAAAAA"]
    with pytest.raises(ValueError):
        bench.adapter.faults.set("rain", [])


def test_no_line_however_odd_upsets_it():
    bench = Bench(ecus=2, kind="stn")
    dice = random.Random(7)
    words = ["AT", "ST", "SH", "SP", "CRA", "DPN", "E", "H", "0", "1", "7E0", "DA10F1", "01", "0C",
             "09", "02", "03", "A", "X", " ", "\t", "\0", "z", "é", "FF", "CAF0", "D1"]
    for _ in range(20000):
        line = "".join(dice.choices(words, k=dice.randrange(6)))
        assert bench.ask(line).count(">") == 0, line
        if dice.random() < 0.01:
            bench.now = 1_000_000 + dice.uniform(-10, 1200)
    for _ in range(2000):
        bench.ask("".join(chr(dice.randrange(256)) for _ in range(dice.randrange(20))))
