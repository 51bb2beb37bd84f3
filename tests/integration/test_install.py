"""`make install` puts everything where the units look for it, twice in a row, and the agent alone."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = os.environ.get("VIGIE_BUILD", "build")


@pytest.fixture
def install(tmp_path):
    if not (ROOT / BUILD / "bin/vigie-api").exists() or not (ROOT / "dashboard/dist/index.html").exists():
        pytest.skip("not built")

    def run(**variables):
        # -o: what `make test` has just built is installed as it is.
        argv = ["make", "--no-print-directory", "-o", "all", "-o", "dashboard", "install", f"B={BUILD}", f"DESTDIR={tmp_path}"]
        subprocess.run(argv + [f"{k}={v}" for k, v in variables.items()], cwd=ROOT, check=True, capture_output=True, timeout=120)
        return tmp_path
    return run


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_installing_twice_changes_nothing_and_keeps_what_an_operator_wrote(install):
    folder = install()
    first = files(folder)
    for name in ("ingest", "api", "notify", "vehicle"):
        assert f"usr/local/bin/vigie-{name}" in first and f"usr/local/lib/systemd/system/vigie-{name}.service" in first
    assert {f"usr/local/lib/systemd/system/vigie-purge.{kind}" for kind in ("service", "timer")} <= set(first)
    assert "usr/local/lib/vigie/vigie_guard.so" in first and "usr/local/share/vigie/dashboard/index.html" in first
    assert files(install()) == first
    (folder / "etc/vigie/api.env").write_text("VIGIE_SITE=esplanade\n")
    install()
    assert (folder / "etc/vigie/api.env").read_text() == "VIGIE_SITE=esplanade\n"


def test_nothing_is_left_to_fill_in_and_units_name_installed_files(install):
    folder = install(PREFIX="/opt/vigie")
    for path in [*(folder / "opt/vigie/lib/systemd/system").iterdir(), *(folder / "opt/vigie/etc/vigie").iterdir()]:
        text = path.read_text()
        assert not re.findall(r"@[A-Z_]+@", text), path
        for name in re.findall(r"^(?:ExecStart|EnvironmentFile|plugin|acl_file)[= ](/opt/\S+)", text, re.M):
            assert (folder / name.lstrip("/")).exists(), f"{path.name} names {name}"


def test_the_agent_alone_brings_no_part_of_a_server(install):
    folder = install(PROGRAMS="vehicle")
    names = files(folder)
    assert {n for n in names if n.startswith("usr/local/bin/")} == {"usr/local/bin/vigie-vehicle"}
    assert {n for n in names if n.startswith("etc/")} == {"etc/vigie/vehicle.env"}
    assert "usr/local/share/vigie/makes/renault.csv" in names
    assert "usr/local/share/vigie/arduino/slcan_mcp2515/slcan_mcp2515.ino" in names
    assert not [n for n in names if "guard" in n or "dashboard" in n or "sysusers" in n]
    linked = subprocess.run(["ldd", folder / "usr/local/bin/vigie-vehicle"], capture_output=True, text=True, check=True).stdout
    assert not re.search("libpq|libwebsockets|libjwt|libmosquitto", linked)


def test_systemd_finds_nothing_wrong_with_the_agents_units(install):
    folder = install(PROGRAMS="vehicle")
    units = folder / "usr/local/lib/systemd/system"
    assert {u.name for u in units.iterdir()} == {"vigie-vehicle.service", "vigie-power-off.service", "vigie-power-off.path"}
    if not shutil.which("systemd-analyze"):
        return  # a machine without systemd: nobody to ask
    for unit in units.iterdir():  # they name the programs where they will be
        unit.write_text(re.sub(r"^ExecStart=/usr/local", f"ExecStart={folder}/usr/local", unit.read_text(), flags=re.M))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units.iterdir()], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:"})
    wrong = "vigie-.*(Unknown|Invalid|Failed to parse|not executable|ignoring|Missing)"
    assert not [line for line in (done.stdout + done.stderr).splitlines() if re.search(wrong, line)], done.stderr


@pytest.mark.parametrize("name", ["ingest", "api", "notify", "vehicle"])
def test_the_default_settings_pass_the_programs_own_check(install, name, tmp_path):
    folder = install()
    env = dict(line.split("=", 1) for line in (folder / f"etc/vigie/{name}.env").read_text().splitlines()
               if "=" in line and not line.startswith("#"))
    if name == "vehicle":
        env["VIGIE_MAKES"] = f"{folder}{env['VIGIE_MAKES']}"
        for key, file in (("VIGIE_CA", env["VIGIE_CA"]), ("VIGIE_TOKEN_FILE", "/etc/vigie/vehicle.token")):
            env[key] = f"{folder}{file}"
            Path(env[key]).write_text("what an operator puts there")
    env |= {"VIGIE_PG": "host=/none", "VIGIE_KEY": "/none"} if name != "vehicle" else {"VIGIE_OUTBOX": str(tmp_path)}
    done = subprocess.run([folder / f"usr/local/bin/vigie-{name}", "--check"], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
