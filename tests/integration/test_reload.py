"""SIGHUP: every program reads its certificates and its log level again, and goes on."""
import signal
import time

import pytest
from system import Stores, wait_for


@pytest.mark.parametrize("service", ["ingest", "notify"])
def test_a_service_connects_anew_and_goes_on(fleet_of_three, service):
    stack, member = fleet_of_three, fleet_of_three.members[service]
    pid, before = member.process.pid, member.log_text().count("event=broker.connected")
    member.process.send_signal(signal.SIGHUP)
    wait_for("a new connection", lambda: member.log_text().count("event=broker.connected") > before)
    wait_for("it to be ready", member.ready)
    assert member.process.pid == pid and member.process.poll() is None
    marks = lambda: [Stores(stack).watermarks(car.vin) for car in stack.cars]  # each is parked for five minutes now and then
    then = marks()
    wait_for("records to be stored again", lambda: marks() != then)


def test_with_a_certificate_that_cannot_be_used_the_connection_there_is_is_kept(fleet_of_three):
    stack = fleet_of_three
    files = {name: stack.pki / f"services/svc-{name}.pem" for name in ("ingest", "api", "notify")} | {"vehicle-1": stack.folder / "vehicle-1/cert.pem"}
    said = lambda name, event: stack.members[name].log_text().count(f" event=broker.{event} ")
    before = {(name, event): said(name, event) for name in files for event in ("lost", "connected", "kept")}
    for name, file in files.items():
        whole = file.read_bytes()
        try:
            file.write_bytes(whole[:len(whole) // 3])
            stack.members[name].process.send_signal(signal.SIGHUP)
            wait_for(f"{name} to say so", lambda n=name: said(n, "kept") > before[n, "kept"])
            line = [line for line in stack.members[name].log_text().splitlines() if " event=broker.kept " in line][-1]
            assert "level=error" in line and f"certificate file {file}: " in line
        finally:
            file.write_bytes(whole)
        assert (said(name, "lost"), said(name, "connected")) == (before[name, "lost"], before[name, "connected"]), name
        stack.members[name].process.send_signal(signal.SIGHUP)
        wait_for(f"{name} to connect anew", lambda n=name: said(n, "connected") > before[n, "connected"])


def test_the_log_level_is_read_again_from_its_file(own_stack, monkeypatch, tmp_path):
    level = tmp_path / "level"
    level.write_text("error\n")
    monkeypatch.setenv("VIGIE_LOG_LEVEL", f"@{level}")
    stack = own_stack(vehicles=1)
    members = [stack.members[name] for name in ("ingest", "api", "notify", "vehicle-1")]
    assert not [m.name for m in members if "level=info" in m.log_text()]
    level.write_text("debug\n")
    for member in members:
        member.process.send_signal(signal.SIGHUP)
        wait_for(f"a line of info or debug of {member.name}", lambda m=member: any(
            w in m.log_text() for w in ("level=info", "level=debug")))
    time.sleep(0.2)
    assert all(m.process.poll() is None for m in members)


def test_reloads_in_a_row_under_traffic_all_come_back(fleet_of_three):
    """Paho takes a connect before its disconnect is through, says yes, and never answers."""
    stack = fleet_of_three
    members = [stack.members[name] for name in ("ingest", "notify", "vehicle-1", "vehicle-2", "vehicle-3")]
    connected = lambda m: m.log_text().count("event=broker.connected")
    for _ in range(5):
        before = [connected(m) for m in members]
        for member in members:
            member.process.send_signal(signal.SIGHUP)
        for member, count in zip(members, before):
            wait_for(f"{member.name} to be back", lambda m=member, c=count: connected(m) > c)
