"""The dashboard in a real Chromium against the running system; the scripts are in tests/browser."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(p.name for p in (ROOT / "tests/browser").glob("*.mjs") if p.name != "lib.mjs")


@pytest.mark.parametrize("script", SCRIPTS)
def test_in_the_browser(fleet_of_three, script, tmp_path):
    chromium = shutil.which("chromium")
    assert chromium, "chromium is missing: make test installs it"
    done = subprocess.run(["node", ROOT / "tests/browser" / script], capture_output=True, text=True, timeout=1500, env={
        **os.environ, **fleet_of_three.env, "CHROMIUM": chromium,
        "VIGIE_SCREENSHOT_DIR": os.environ.get("VIGIE_TEST_LOGS", str(tmp_path))})
    lines = [line for line in done.stdout.splitlines() if line.startswith(("ok ", "not ok "))]
    failed = [line for line in lines if line.startswith("not ok")]
    assert lines and not failed and done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
