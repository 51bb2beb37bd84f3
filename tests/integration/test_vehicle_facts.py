"""What the car finds out about itself: the real agent drives the recorded emergency braking."""
import json
import sqlite3
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from stack.ports import Ports  # noqa: E402
from stack.stack import Stack  # noqa: E402
from system import Outbox, Stores  # noqa: E402
from vehicle_bench import BUILD, CAPTURES, GPSD, MOSQUITTO, Service, VehicleBench, wait_for  # noqa: E402

BRAKING = "kit_2017-08-07_RT_KA_Frei_Vollbremsung_540-840s.csv"
RPM = "Vehicle.Powertrain.CombustionEngine.Speed"
BEFORE_S = 75  # the car is this far into the drive 20 s before the bench starts; it brakes at 138 s, and is to be asked well before


def outbox(bench, statement):
    try:
        return bench.rows(statement)
    except sqlite3.OperationalError:  # not there yet
        return []


def slope_g(readings):
    """Least squares over (ms, km/h), in g."""
    mean_t, mean_v = (sum(r[i] for r in readings) / len(readings) for i in range(2))
    steepness = sum((t - mean_t) * (v - mean_v) for t, v in readings) / sum((t - mean_t) ** 2 for t, _ in readings)
    return steepness * 1000 / (9.80665 * 3.6)


def braking(told):
    """When the first harsh braking began and ended, out of the readings {(t, path): value} that the car has told, by the words
    of lib/drive/harsh.h: how long it is depends on when the car was asked, and on nothing else."""
    kept, run = [], None
    for t, speed in sorted((t, v) for (t, path), v in told.items() if path == "Vehicle.Speed" and (t, RPM) in told):
        if kept and (t - kept[-1][0] < 50 or (speed == kept[-1][1] and t - kept[-1][0] < 1000)):
            continue  # carried, or nothing new
        kept.append((t, speed))
        spans = [kept[-n:] for n in range(3, len(kept) + 1) if 1500 <= t - kept[-n][0]][:1]
        g = -slope_g(spans[0]) if spans and t - spans[0][0][0] <= 2500 else 0
        if run and run["over"] and g >= 0.40 and spans[0][0][0] - run["last"] > 2000:
            break  # another one
        if g < (0.40 * 0.83 if run and not run["over"] else 0.40):
            if run:
                run["over"] = True
            continue
        run = {"began": run["began"] if run else spans[0][0][0], "last": t, "over": False}
    return run["began"], run["last"]


def one_alert(service):
    """The only alert, however often it came."""
    alerts = {alert["id"]: alert for alert in service.of("up/alert")}
    assert len(alerts) == 1, alerts
    return next(iter(alerts.values()))


@pytest.mark.skipif(not GPSD or not MOSQUITTO, reason="gpsd or mosquitto is not installed")
def test_the_emergency_braking_is_one_alert_and_overtakes_the_backlog(tmp_path):
    b = VehicleBench(tmp_path / "bench", drive=BRAKING, car_args=["--offset", str(BEFORE_S)],
                     agent_args=["--obd-period=250ms", "--record=250ms"])
    service = None
    try:
        b.broker.kill()  # so that a backlog is there when it is back
        b.spawn("agent", b.agent_argv())
        alerts = "SELECT payload FROM record WHERE leaf = 'up/alert'"
        wait_for("the alert in the outbox", lambda: outbox(b, alerts), 90)
        backlog = outbox(b, "SELECT count(*) FROM record WHERE leaf = 'up/telemetry'")[0][0]
        assert backlog > 20
        b.broker.spawn()
        b.broker.wait_ready()
        service = Service(b)
        service.wait("the backlog", lambda s: len(s.of("up/telemetry")) >= backlog, 60)
        journalled = [leaf for leaf, _ in service.messages if leaf != "up/state"]
        before = journalled.index("up/alert")
        assert before < backlog, "the alert did not wait for the backlog"
        alert = one_alert(service)
        assert alert["type"] == "harsh_braking" and alert["severity"] == "major" and alert["seq"] == 1
        assert {"peak_g", "duration_ms", "speed_before_kmh"} <= set(alert["data"])
        assert 0.5 < alert["data"]["peak_g"] < 1.0
        told = {(t, path): v for t, sample in service.samples().items() for path, v in sample.items()}
        began_ms, ended_ms = braking(told)
        assert abs(alert["t"] - began_ms) <= 2 and abs(alert["data"]["duration_ms"] - (ended_ms - began_ms)) <= 4, alert
        assert alert["data"]["speed_before_kmh"] == told[(began_ms, "Vehicle.Speed")] >= 60  # 77, unless that was asked long before
        assert alert["stream"] not in {r["stream"] for r in service.of("up/telemetry")}
        # and no second one while the car stands
        seen = len(service.of("up/telemetry"))
        service.wait("more of the drive", lambda s: len(s.of("up/telemetry")) >= seen + 40, 60)
        assert one_alert(service) == alert
    finally:
        if service:
            service.close()
        b.stop()


@pytest.mark.skipif(not GPSD or not MOSQUITTO, reason="gpsd or mosquitto is not installed")
def test_an_adapter_in_another_car_is_told_once_and_changes_nothing_else(tmp_path):
    b = VehicleBench(tmp_path / "bench", gps=False, agent_args=["--obd-period=250ms", "--record=250ms"])
    service = None
    try:
        b.order("vin VSSZZZ5FZJR999999")
        service = Service(b)  # hears only what is published below the certificate's VIN
        b.start_agent()
        service.wait("the alert", lambda s: s.of("up/alert"))
        b.order("unplug")  # once it is back the car is asked who it is again
        service.wait("the loss", lambda s: s.of("up/state")[-1]["sources"]["obd"] == "gone")
        b.order("replug")
        service.wait("two diagnoses", lambda s: len({d["seq"] for d in s.of("up/diagnostics")}) >= 2, 60)
        seen = len(service.of("up/telemetry"))
        service.wait("records", lambda s: len(s.of("up/telemetry")) >= seen + 8)
        alert = one_alert(service)
        assert (alert["type"], alert["severity"], alert["data"]) == ("vin_mismatch", "major", {"vin": "VSSZZZ5FZJR999999"})
        assert service.of("up/diagnostics")[0]["vin"] == "VSSZZZ5FZJR999999"
    finally:
        if service:
            service.close()
        b.stop()


def test_it_lands_once_in_the_fleets_facts(tmp_path):
    stack = Stack(tmp_path / "system", Ports.free(1), vehicles=1, build=BUILD, tell=print, loop=False)
    car = stack.cars[0] = replace(stack.cars[0], drive=CAPTURES / BRAKING, offset_s=BEFORE_S + 20)
    rows = "SELECT seq, body FROM fact WHERE kind = 'alert' AND vin = '%s'" % car.vin
    try:
        stack.start_servers()
        stack.start_services()
        stack.epoch = time.time()
        stack.start_vehicle(1)
        wait_for("the alert in the database", lambda: stack.postgres.sql(rows), 90)
        wait_for("all that the car has given", lambda: Stores(stack).drained(car.vin, Outbox(stack.folder / "vehicle-1")), 60)
        seq, body = stack.postgres.sql(rows).strip().split("|")  # one row
        alert = json.loads(body)
        assert seq == "1" and alert["type"] == "harsh_braking" and alert["severity"] == "major"
        began_ms, ended_ms = braking(Outbox(stack.folder / "vehicle-1").readings())
        assert abs(alert["t"] - began_ms) <= 2 and abs(alert["data"]["duration_ms"] - (ended_ms - began_ms)) <= 4, alert
    finally:
        stack.stop()
