"""The Arduino's sketch, built for this machine with a model of its CAN controller: what it says to SLCAN commands."""
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from vehicle_bench import ROOT  # noqa: E402

AVR = shutil.which("avr-g++") and Path("/usr/share/arduino/hardware/arduino/avr").is_dir()
COMPILER = shutil.which("g++") or shutil.which("clang++")

if COMPILER:  # a C++ compiler is no package this project asks for
    @pytest.fixture(scope="module")
    def sketch(tmp_path_factory):
        program = tmp_path_factory.mktemp("sketch") / "sketch"
        subprocess.run([COMPILER, "-std=c++11", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined",
                        f"-I{ROOT}/tests/arduino", "-o", program, ROOT / "tests/arduino/bench.cpp"], check=True, timeout=120)
        return lambda text: subprocess.run([program], input=text.encode(), capture_output=True, timeout=60,
                                           check=True).stdout.decode()

    ASK = "t7DF802010C0000000000\r"

    def test_it_opens_sends_and_lets_answers_alone_pass(sketch):
        assert sketch("\rC\rV\rS6\rO\r" + ASK + "\r\rC\r") == "\r\aV1010\r\r\rz\rt7E8804410C0C08000000\r\r\r\r"

    def test_29_bit_frames_go_the_same_way(sketch):
        assert sketch("S6\rO\rT18DB33F1802010C0000000000\r\r\r") == "\r\rZ\rT18DAF110804410C0C08000000\r\r\r"

    def test_the_wrong_speed_is_answered_by_nobody(sketch):
        assert sketch("S5\rO\r" + ASK + "\r") == "\r\rz\r\r"

    @pytest.mark.parametrize("line", ("O", "S6\rS6\rO\rS6", "S6\rO\rO", "S9", "S6\rL\r" + ASK[:-1], ASK[:-1], "x", "t7DF9", "Z2",
                                      "S6\rO\rt7DF802010C", "S6\rO\rT3FFFFFFF0", "S6\rO\rt7DF102" + "0" * 60))
    def test_what_it_cannot_do_is_refused(sketch, line):
        assert sketch(line + "\r").endswith("\a")


if AVR:  # nor are gcc-avr and arduino-core-avr
    def test_it_fits_the_boards_it_is_for(tmp_path):
        done = subprocess.run(["sh", ROOT / "tests/arduino/avr.sh", tmp_path], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        for board in ("uno", "leonardo"):
            assert (tmp_path / f"sketch/{board}.hex").read_text().startswith(":"), done.stdout
