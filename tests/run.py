"""`make test`: unit tests, integration tests, dashboard tests; each test's name and time, a count last.

    tests/run.py [--only unit|python|dashboard] [WORD]     WORD: only tests whose name has it
Exits 1 when one failed, and says at the first failure which log to read.  The ends of the first logs stand before the
count: where it ran on somebody else's machine, the logs are gone with it."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml
from pathlib import Path

from stack.growing import whole_lines

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get("VIGIE_BUILD") or "build")
PYTHON = "/usr/bin/python3"
WORKERS = 4  # files at once: most of them wait for servers, clocks and time-outs
SHOWN_LOGS, SHOWN_LINES = 3, 60


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []  # (name, log)

    def add(self, outcome, name, seconds, log=None):
        setattr(self, outcome, getattr(self, outcome) + 1)
        word = {"passed": "ok    ", "failed": "FAILED", "skipped": "skip  "}[outcome]
        print(f"{word} {name}  {seconds:.2f} s", flush=True)
        if outcome == "failed":
            self.failures.append((name, log))
            if self.failed == 1:
                print(f"       first failure: read {log}", flush=True)

    def close(self):
        for log in list(dict.fromkeys(log for _, log in self.failures))[:SHOWN_LOGS]:
            print(f"--- the end of {log}\n{end_of(log)}\n---")
        if self.failures:
            print("first failure: {}, read {}".format(*self.failures[0]))
        tail = f", {self.skipped} skipped" if self.skipped else ""
        print(f"{self.passed} passed, {self.failed} failed{tail}", flush=True)
        return 1 if self.failed or not self.passed else 0


def end_of(log):
    try:
        return "\n".join(Path(log).read_text(errors="replace").splitlines()[-SHOWN_LINES:])
    except (OSError, TypeError) as error:
        return f"cannot be read: {error}"


def unit(tally, logs, word):
    for program in sorted((ROOT / BUILD / "unit").glob("*/test_*")):
        name = f"unit/{program.parent.name}/{program.name}"
        if program.suffix or (word and word not in name):
            continue
        log, report = logs / f"{program.parent.name}-{program.name}.log", logs / f"{program.parent.name}-{program.name}.xml"
        report.unlink(missing_ok=True)
        began = time.monotonic()
        with open(log, "wb") as out:
            try:
                code = subprocess.run([program], stdout=out, stderr=out, cwd=ROOT, timeout=300, env={
                    **os.environ, "CMOCKA_MESSAGE_OUTPUT": "XML", "CMOCKA_XML_FILE": str(report)}).returncode
            except subprocess.TimeoutExpired:
                code = "a time-out"
        read_unit(tally, name, report, code, time.monotonic() - began, log)


def read_unit(tally, name, report, code, seconds, log):
    failed = False
    try:
        for case in xml.parse(report).getroot().iter("testcase"):
            bad = case.find("failure") is not None or case.find("error") is not None
            skipped = case.find("skipped") is not None
            failed |= bad
            tally.add("failed" if bad else "skipped" if skipped else "passed", f"{name}: {case.get('name')}",
                      float(case.get("time") or 0), report if bad else log)
    except (OSError, xml.ParseError):
        failed = read_plain(tally, name, seconds, log)
        code = code or ("no report" if failed is None else 0)
    if code and not failed:  # it crashed, or a sanitizer spoke
        tally.add("failed", f"{name}: ended with {code}", seconds, log)


def read_plain(tally, name, seconds, log):
    """A test that plays with the environment loses the wish for XML: its plain lines do.  None: there are none."""
    words = {"[       OK ] ": "passed", "[  FAILED  ] ": "failed", "[  SKIPPED ] ": "skipped"}
    seen = {}
    for line in log.read_text(errors="replace").splitlines():
        for start, outcome in words.items():
            if line.startswith(start) and " " not in line[len(start):]:
                seen[line[len(start):]] = outcome
    for test, outcome in seen.items():
        tally.add(outcome, f"{name}: {test}", seconds / len(seen), log)
    return "failed" in seen.values() if seen else None


def python(tally, logs, word):
    report = logs / "pytest.json"
    report.unlink(missing_ok=True)
    folders = [f for f in ("tests/sim", "tests/integration") if list((ROOT / f).glob("test_*.py"))]
    argv = [PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--no-header", "--no-summary", *folders,
            "-n", str(WORKERS), "--dist", "loadfile"]
    if word:
        argv += ["-k", word]
    env = {**os.environ, "VIGIE_TEST_REPORT": str(report), "VIGIE_TEST_LOGS": str(logs), "PYTHONDONTWRITEBYTECODE": "1"}
    with open(logs / "pytest.log", "wb") as out:
        child = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=out, stderr=out)
    at, began = 0, time.monotonic()
    while True:
        ended = child.poll() is not None
        lines, at = whole_lines(report, at)
        for line in lines:
            one = json.loads(line)
            tally.add(one["outcome"], one["name"], one["seconds"], one["log"])
        if ended:
            break
        time.sleep(0.2)
    if child.returncode not in (0, 1) and not (word and child.returncode == 5):
        tally.add("failed", f"pytest ended with {child.returncode}", time.monotonic() - began, logs / "pytest.log")


def dashboard(tally, logs, word):
    report, log = logs / "vitest.json", logs / "vitest.log"
    report.unlink(missing_ok=True)
    began = time.monotonic()
    with open(log, "wb") as out:
        for argv in (["npx", "tsc", "-p", "."], ["npx", "biome", "ci", "."],
                     ["npx", "vitest", "run", "--reporter=json", f"--outputFile={report}"]):
            try:
                code = subprocess.run(argv, cwd=ROOT / "dashboard", stdout=out, stderr=out, timeout=600).returncode
            except (OSError, subprocess.TimeoutExpired) as error:  # the count at the end comes all the same
                code = out.write(f"{error}\n".encode())
            if argv[1] != "vitest":
                tally.add("failed" if code else "passed", f"dashboard: {argv[1]}", time.monotonic() - began, log)
    try:
        suites = json.loads(report.read_text())["testResults"]
    except (OSError, ValueError):
        tally.add("failed", "dashboard: vitest made no report", time.monotonic() - began, log)
        return
    for suite in suites:
        file = Path(suite["name"]).name
        for case in suite["assertionResults"]:
            outcome = {"passed": "passed", "failed": "failed"}.get(case["status"], "skipped")
            tally.add(outcome, f"dashboard/{file}: {case['fullName']}", (case.get("duration") or 0) / 1000, log)
        if suite["status"] == "failed" and not suite["assertionResults"]:
            tally.add("failed", f"dashboard/{file} did not load", 0, log)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--only", choices=("unit", "python", "dashboard"))
    p.add_argument("word", nargs="?", help="only tests whose name has it")
    options = p.parse_args()
    logs = Path(os.environ.get("VIGIE_TEST_LOGS") or tempfile.mkdtemp(prefix="vigie-test-"))
    logs.mkdir(parents=True, exist_ok=True)
    print(f"logs in {logs}", flush=True)
    tally = Tally()
    for kind in (unit, python, dashboard):
        if options.only in (None, kind.__name__) and not (kind is dashboard and options.word):
            kind(tally, logs, options.word)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
