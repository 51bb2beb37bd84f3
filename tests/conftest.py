"""For every pytest below: where `stack` and `sim` are, and a line per test for tests/run.py."""
import json
import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE / "sim", HERE / "integration"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

# Files that take minutes: begun first, or the whole run waits for the last of them.
LONG = ("test_browser", "test_vehicle_agent", "test_vehicle_faults", "test_vehicle_batch", "test_soak", "test_vehicle_power",
        "test_vehicle_diagnosis", "test_vehicle_slcan", "test_vehicle_facts", "test_vehicle_clock", "test_two_sites")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    path = os.environ.get("VIGIE_TEST_REPORT")
    if not path or not (report.when == "call" or report.outcome != "passed"):
        return
    log = Path(os.environ.get("VIGIE_TEST_LOGS", ".")) / "pytest.log"
    if report.failed:
        log = log.with_name(f"failed-{item.name[:80].replace('/', '_')}.log")
        log.write_text("".join(f"--- {title}\n{text}\n" for title, text in report.sections) + str(report.longrepr))  # last: why
    line = {"outcome": report.outcome, "name": item.nodeid.removeprefix("tests/"), "seconds": call.duration, "log": str(log)}
    with open(path, "a", encoding="utf-8") as out:
        out.write(json.dumps(line) + "\n")
