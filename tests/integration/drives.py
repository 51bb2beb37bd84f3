"""The recorded drives of tests/captures as samples {t: {path: value}}, beginning at a given time."""
import csv
import datetime
import json
from pathlib import Path

CAPTURES = Path(__file__).resolve().parents[1] / "captures"
SPEED, RPM = "Vehicle.Speed", "Vehicle.Powertrain.CombustionEngine.Speed"
LAT, LON = "Vehicle.CurrentLocation.Latitude", "Vehicle.CurrentLocation.Longitude"
HEADING = "Vehicle.CurrentLocation.Heading"
MAP, TPS = "Vehicle.Powertrain.CombustionEngine.MAP", "Vehicle.Powertrain.CombustionEngine.TPS"
INTAKE, COOLANT = "Vehicle.OBD.IntakeTemp", "Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature"


def known(values):
    return {path: float(v) for path, v in values.items() if v not in (None, "", "NA")}


def b08(start_ms):
    """Two trips by GPS alone, 1 Hz; second 1836 is the second arrival."""
    with open(CAPTURES / "ndsbr_driver_B_trip_B08.csv", newline="") as file:
        return {start_ms + round(float(row["t_s"]) * 1000): known(
            {LAT: row["lat"], LON: row["lon"], SPEED: row["speed_kmh"], HEADING: row["heading_deg"]})
            for row in csv.DictReader(file)}


def caliber(start_ms):
    """34.5 km with OBD every 5 s."""
    drive, began = {}, None
    for feature in json.loads((CAPTURES / "envirocar_track_2_dodge_caliber.json").read_text())["features"]:
        at = datetime.datetime.fromisoformat(feature["properties"]["time"].replace("Z", "+00:00"))
        began = began or at
        read = {name: p["value"] for name, p in feature["properties"]["phenomenons"].items()}
        lon, lat = feature["geometry"]["coordinates"][:2]
        rpm = read.get("Rpm")
        drive[start_ms + round((at - began).total_seconds() * 1000)] = known(
            {LAT: lat, LON: lon, RPM: rpm, SPEED: read.get("GPS Speed") if rpm is None else read.get("Speed"),
             MAP: read.get("Intake Pressure"), INTAKE: read.get("Intake Temperature"), TPS: read.get("Throttle Position")})
    return drive


def braking(start_ms):
    """The emergency braking as it was polled: of each row only what changed is a reading."""
    with open(CAPTURES / "kit_2017-08-07_RT_KA_Frei_Vollbremsung_540-840s.csv", newline="") as file:
        rows = list(csv.reader(file))
    names = {0: None, 1: COOLANT, 3: RPM, 4: SPEED}
    drive, began = {}, None
    for row in rows[1:]:
        h, m, s = row[0].split(":")
        t = round((int(h) * 3600 + int(m) * 60 + float(s)) * 1000)
        began = began if began is not None else t
        drive[start_ms + t - began] = known({path: row[i] for i, path in names.items() if path})
    return drive


def records(drive, size):
    """Cut into records of `size` samples, in order."""
    times = list(drive)
    return [{t: drive[t] for t in times[i:i + size]} for i in range(0, len(times), size)]

METRE = 1 / 111195.0802  # degrees of latitude


def north(start_ms, speeds, step_ms=1000, lat=48.5, lon=7.7, **more):
    """A car on a meridian: a list of (seconds, km/h), engine running; `more`: other signals of every sample."""
    drive, t, at, before = {}, start_ms, 0.0, 0.0
    for seconds, kmh in speeds:
        for _ in range(round(seconds * 1000 / step_ms)):
            at += (before + kmh) / 2 / 3.6 * step_ms / 1000
            before = kmh
            drive[t] = {LAT: lat + at * METRE, LON: lon, "Vehicle.CurrentLocation.HorizontalAccuracy": 4.0, SPEED: float(kmh),
                        RPM: 2000.0 if kmh else 800.0, **more}
            t += step_ms
    return drive
