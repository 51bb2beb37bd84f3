"""The Makefile, as far as one object shows it, and the count of `make test`."""
import os
import shutil
import subprocess
from pathlib import Path

from stack.growing import whole_lines, whole_text

ROOT = Path(__file__).resolve().parents[2]


def test_another_compiler_is_asked_anew_which_flags_it_knows(tmp_path):
    choosy = tmp_path / "choosy-cc"
    choosy.write_text('#!/bin/sh\ncase " $* " in *" -fno-strict-overflow "*) exit 1 ;; esac\nexec cc "$@"\n')
    choosy.chmod(0o755)

    def build(compiler):
        return subprocess.run(["make", "--no-print-directory", f"B={tmp_path}/b", f"CC={compiler}", f"{tmp_path}/b/obj/lib/version.o"],
                              cwd=ROOT, capture_output=True, text=True, timeout=60)

    first = build(shutil.which("cc"))
    assert first.returncode == 0 and "-fno-strict-overflow" in (tmp_path / "b/flags.mk").read_text(), first.stderr
    second = build(choosy)
    assert second.returncode == 0, second.stderr
    assert "-fno-strict-overflow" not in (tmp_path / "b/flags.mk").read_text()
    assert "CC" not in build(choosy).stdout  # asked once


def test_the_count_comes_even_when_a_tool_is_missing(tmp_path):
    env = {**os.environ, "PATH": str(tmp_path), "VIGIE_TEST_LOGS": str(tmp_path / "logs")}
    done = subprocess.run(["/usr/bin/python3", ROOT / "tests/run.py", "--only", "dashboard"], env=env, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 1 and done.stdout.splitlines()[-1] == "0 passed, 3 failed", done.stderr
    assert "npx" in (tmp_path / "logs/vitest.log").read_text()
    assert f"--- the end of {tmp_path}/logs/vitest.log\n[Errno 2] No such file or directory: 'npx'" in done.stdout


def test_a_line_that_is_seen_half_written_is_read_when_it_is_whole(tmp_path):
    path = tmp_path / "report"
    assert whole_lines(path, 0) == ([], 0) and whole_text(path) == ""
    path.write_text("one\ntw\u00e9")
    assert whole_text(path) == "one\n"
    lines, at = whole_lines(path, 0)
    assert (lines, at) == (["one"], 4)
    assert whole_lines(path, at) == ([], at)
    path.write_text("one\ntw\u00e9\n\nfour\n")
    assert whole_text(path) == path.read_text()
    assert whole_lines(path, at) == (["tw\u00e9", "", "four"], path.stat().st_size)
