"""`make soak` in short: every fault there is once, and the ledgers after it."""
import os
import re
import subprocess
import sys
from pathlib import Path

from ingest_site import make

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests")]

from soak.faults import FAULTS, NEED_DISKS  # noqa: E402

BUILD = os.environ.get("VIGIE_BUILD") or "build"


def test_every_fault_once_and_nothing_acknowledged_is_missing_doubled_or_altered():
    make(BUILD, "sim/fleet")
    make(BUILD, "sim/ledger")
    done = subprocess.run([sys.executable, ROOT / "tests/soak/run.py", "--rounds", str(len(FAULTS)), "--build", BUILD], cwd=ROOT,
                          capture_output=True, text=True, timeout=900)
    print(done.stdout, done.stderr[-3000:])
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    for name in FAULTS:
        assert re.search(rf"^{re.escape(name)} +\d", done.stdout, re.M) or name in NEED_DISKS
    found = {what: int(n.replace(",", "")) for n, what in re.findall(r"([\d,]+) ([a-z][a-z ]+?)(?:,|$)", done.stdout.splitlines()[-1])}
    assert found["records"] > 100 and found["alerts"] > 20 and found["readings of agents"] > 100
    assert [found[what] for what in ("missing", "altered", "extra", "alerts missing", "alerts doubled")] == [0] * 5
