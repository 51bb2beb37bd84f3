"""replay.py - a recorded drive as a function of time: what the car does at second t.

Nothing here knows about adapters, bytes or satellites.  `Replay.at(unix_time)` is the truth a
test compares with: the newest recorded value of each PID, where the car stands and how fast it
goes.  Three kinds of file are read, told apart by what they contain:

  KIT csv        time of day + one column per PID, no position: `track` supplies the line, and
                 the car stands where the integral of its speed puts it on that line
  enviroCar json points of 5 s with position and OBD values
  ndsbr csv      position only: a car that answers no PID

Between two loops the ignition is off for `OFF_S` seconds and the next pass goes back along the
same line (the car never jumps).  A recording that starts or ends on the move is completed, in
loops only, by a gentle pull-away and a gentle stop: these seconds are invented, all others are
as recorded.
"""
import bisect
import csv
import datetime
import json
import math
from dataclasses import dataclass, field

OFF_S = 300.0            # ignition off between two loops
EASE_MS2 = 1.5           # how a looping car pulls away and stops where the recording does not
IDLE_RPM = 800.0
EARTH_M = 6371008.8

KIT_COLUMNS = {
    "Engine Coolant Temperature": 0x05,
    "Intake Manifold Absolute Pressure": 0x0B,
    "Engine RPM": 0x0C,
    "Vehicle Speed Sensor": 0x0D,
    "Intake Air Temperature": 0x0F,
    "Air Flow Rate from Mass Flow Sensor": 0x10,
    "Absolute Throttle Position": 0x11,
    "Ambient Air Temperature": 0x46,
    "Accelerator Pedal Position D": 0x49,
    "Accelerator Pedal Position E": 0x4A,
}
# "Calculated MAF" is left out: it was computed from the others, the car has no such sensor.
ENVIROCAR_PHENOMENA = {
    "Engine Load": 0x04,
    "Intake Pressure": 0x0B,
    "Rpm": 0x0C,
    "Speed": 0x0D,
    "Intake Temperature": 0x0F,
    "Throttle Position": 0x11,
}


def haversine_m(a, b):
    """Great-circle metres between two (lat, lon)."""
    la, lb = math.radians(a[0]), math.radians(b[0])
    dlat, dlon = lb - la, math.radians(b[1] - a[1])
    h = math.sin(dlat / 2) ** 2 + math.cos(la) * math.cos(lb) * math.sin(dlon / 2) ** 2
    return 2 * EARTH_M * math.asin(math.sqrt(h))


def bearing_deg(a, b):
    """Initial bearing from a to b, 0 .. 360, clockwise from north."""
    la, lb = math.radians(a[0]), math.radians(b[0])
    dlon = math.radians(b[1] - a[1])
    y = math.sin(dlon) * math.cos(lb)
    x = math.cos(la) * math.sin(lb) - math.sin(la) * math.cos(lb) * math.cos(dlon)
    return math.degrees(math.atan2(y, x)) % 360.0


class Series:
    """Readings in time order; None is a reading too ("the sensor said nothing")."""

    def __init__(self):
        self.times = []
        self.values = []

    def add(self, t, value):
        self.times.append(t)
        self.values.append(value)

    def newest(self, t):
        """Newest value at or before t; None before the first."""
        i = bisect.bisect_right(self.times, t) - 1
        return self.values[i] if i >= 0 else None

    def between(self, t):
        """Linear between readings, held beyond the ends."""
        i = bisect.bisect_right(self.times, t) - 1
        if i < 0:
            return self.values[0] if self.values else None
        if i + 1 >= len(self.times):
            return self.values[-1]
        t0, t1 = self.times[i], self.times[i + 1]
        v0, v1 = self.values[i], self.values[i + 1]
        return v0 + (v1 - v0) * (t - t0) / (t1 - t0) if t1 > t0 else v1


class Line:
    """A polyline on the globe, addressed by metres from its start; `height_m` may be None."""

    def __init__(self, points, heights=None):
        self.points = points
        self.metres = [0.0]
        for a, b in zip(points, points[1:]):
            self.metres.append(self.metres[-1] + haversine_m(a, b))
        self.heights = Series()
        for m, h in zip(self.metres, heights or []):
            self.heights.add(m, h)
        self.length_m = self.metres[-1]

    def point(self, metres):
        """(lat, lon) at that many metres; straight on beyond either end."""
        i = min(max(bisect.bisect_right(self.metres, metres) - 1, 0), len(self.points) - 2)
        while i > 0 and self.metres[i + 1] == self.metres[i]:
            i -= 1
        a, b = self.points[i], self.points[i + 1]
        span = self.metres[i + 1] - self.metres[i]
        f = (metres - self.metres[i]) / span if span else 0.0
        return a[0] + (b[0] - a[0]) * f, a[1] + (b[1] - a[1]) * f

    def heading(self, metres):
        """Direction of travel, over 10 m so that a jittery standstill does not spin it."""
        low = min(max(metres - 5.0, 0.0), max(self.length_m - 10.0, 0.0))
        return bearing_deg(self.point(low), self.point(low + 10.0))

    def height(self, metres):
        return self.heights.between(metres) if self.heights.times else None


@dataclass
class Drive:
    """One recording.  Times are seconds from its first row."""
    name: str
    duration_s: float = 0.0
    pids: dict = field(default_factory=dict)     # PID -> Series
    line: Line = None                            # the recorded positions, if any
    along: Series = None                         # metres along `line`, by time
    gps_speed: Series = None                     # km/h
    dops: dict = field(default_factory=dict)     # "hdop" "vdop" "pdop" "accuracy_m" -> Series

    def value(self, pid, t):
        series = self.pids.get(pid)
        return series.newest(t) if series else None


def _clock_s(text):
    h, m, s = text.split(":")
    return int(h) * 3600 + int(m) * 60 + float(s)


def _integrate(speed):
    """Series of metres for a Series of km/h; a reading holds until the next one."""
    metres = Series()
    total = 0.0
    last_t, last_v = None, 0.0
    for t, v in zip(speed.times, speed.values):
        if last_t is not None:
            total += last_v / 3.6 * (t - last_t)
        metres.add(t, total)
        last_t, last_v = t, v or 0.0
    return metres


def load_kit(path, lines):
    rows = csv.reader(lines)
    header = next(rows)
    pids = [KIT_COLUMNS.get(name.split(" [")[0]) for name in header]
    drive = Drive(path, pids={pid: Series() for pid in pids if pid is not None})
    start = None
    for row in rows:
        if not row or not row[0]:
            continue
        t = _clock_s(row[0])
        start = t if start is None else start
        t = (t - start) % 86400.0
        for pid, text in zip(pids, row):
            if pid is None or text == "":
                continue
            series = drive.pids[pid]
            value = float(text)
            if not series.values or series.values[-1] != value:
                series.add(t, value)             # a carried value is not a reading
        drive.duration_s = t
    speed = Series()
    speed.times = list(drive.pids[0x0D].times)
    speed.values = list(drive.pids[0x0D].values)
    speed.add(drive.duration_s, speed.values[-1])
    drive.along = _integrate(speed)
    return drive


def load_envirocar(path, text):
    track = json.loads(text)
    drive = Drive(path, pids={pid: Series() for pid in ENVIROCAR_PHENOMENA.values()},
                  along=Series(), gps_speed=Series(),
                  dops={k: Series() for k in ("hdop", "vdop", "pdop", "accuracy_m")})
    points, heights, start = [], [], None
    for feature in track["features"]:
        lon, lat = feature["geometry"]["coordinates"][:2]
        properties = feature["properties"]
        stamp = datetime.datetime.fromisoformat(properties["time"].replace("Z", "+00:00"))
        t = stamp.timestamp()
        start = t if start is None else start
        t -= start
        seen = {k: v["value"] for k, v in properties["phenomenons"].items()}
        points.append((lat, lon))
        heights.append(seen.get("GPS Altitude", 0.0))
        drive.gps_speed.add(t, seen.get("GPS Speed", 0.0))
        for key, name in (("hdop", "GPS HDOP"), ("vdop", "GPS VDOP"), ("pdop", "GPS PDOP"),
                          ("accuracy_m", "GPS Accuracy")):
            if name in seen:
                drive.dops[key].add(t, seen[name])
        for name, pid in ENVIROCAR_PHENOMENA.items():
            drive.pids[pid].add(t, seen.get(name))   # missing: None, never 0
        drive.along.add(t, 0.0)
        drive.duration_s = t
    drive.line = Line(points, heights)
    drive.along.values = list(drive.line.metres)
    return drive


def load_ndsbr(path, lines):
    drive = Drive(path, along=Series(), gps_speed=Series())
    points, start = [], None
    for row in csv.DictReader(lines):
        t = float(row["t_s"])
        start = t if start is None else start
        t -= start
        points.append((float(row["lat"]), float(row["lon"])))
        drive.gps_speed.add(t, float(row["speed_kmh"]))
        drive.along.add(t, 0.0)
        drive.duration_s = t
    drive.line = Line(points)
    drive.along.values = list(drive.line.metres)
    return drive


def load(path):
    """Read a drive of any of the three kinds; ValueError when it is none of them."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        text = file.read()
    if text.lstrip()[:1] == "{":
        return load_envirocar(path, text)
    lines = text.splitlines()
    if lines and lines[0].startswith("Time,"):
        return load_kit(path, lines)
    if lines and "speed_kmh" in lines[0] and "lat" in lines[0]:
        return load_ndsbr(path, lines)
    raise ValueError(f"{path}: neither a KIT, an enviroCar nor an ndsbr recording")


@dataclass
class Moment:
    """What the car does at one instant."""
    time: float              # unix seconds
    t: float                 # second of the recording (below 0: not started, or pulling away)
    loop: int                # passes completed
    ignition_on: bool
    invented: bool           # inside a pull-away or a stop that was not recorded
    values: dict             # PID -> value; a PID without a reading yet is missing
    speed_kmh: float         # of the car over ground, as a receiver would see it
    distance_m: float        # driven since replay second 0, all loops
    lat: float = None        # None: no line to stand on
    lon: float = None
    height_m: float = None   # above the ellipsoid, None: unknown
    heading_deg: float = None
    hdop: float = 0.9
    vdop: float = 1.4
    pdop: float = 1.7
    accuracy_m: float = 3.0


class Replay:
    """A drive laid over the present: `epoch` is the unix second at which replay second 0 starts,
    `offset_s` is added to every replay time, `place_m` moves a placed drive along its line."""

    def __init__(self, drive, track=None, epoch=0.0, factor=1.0, offset_s=0.0, loop=False,
                 place_m=0.0):
        self.drive = drive
        self.epoch = epoch
        self.factor = factor
        self.offset_s = offset_s
        self.loop = loop
        self.place_m = place_m
        first, last = self._edge_speeds()
        self.lead_s = first / 3.6 / EASE_MS2 if loop else 0.0
        self.coast_s = last / 3.6 / EASE_MS2 if loop else 0.0
        self.first_kmh, self.last_kmh = first, last
        self.lead_m = EASE_MS2 * self.lead_s ** 2 / 2
        self.pass_m = self.lead_m + drive.along.values[-1] + EASE_MS2 * self.coast_s ** 2 / 2
        self.pass_s = self.lead_s + drive.duration_s + self.coast_s + OFF_S
        self.line = self._line(track)

    def _edge_speeds(self):
        d = self.drive
        speeds = d.gps_speed or d.pids[0x0D]
        known = [v for v in speeds.values if v is not None]
        return known[0], known[-1]

    def _line(self, track):
        """The line to stand on; a recorded one grows at its start by the pull-away, at its end
        by the stop, so that one pass is exactly its length."""
        own = self.drive.line
        if own is None:
            return track.line if track is not None else None
        points, heights = list(own.points), list(own.heights.values)
        coast_m = self.pass_m - self.lead_m - own.length_m
        if self.lead_m > 0:
            points.insert(0, Line(own.points).point(-self.lead_m))
            heights = heights[:1] + heights
        if coast_m > 1e-6:
            points.append(Line(own.points).point(own.length_m + coast_m))
            heights = heights + heights[-1:]
        return Line(points, heights)

    def second(self, unix_time):
        """(second of the recording, passes completed) at that time."""
        t = (unix_time - self.epoch) * self.factor + self.offset_s
        if not self.loop or t < -self.lead_s:
            return t, 0
        passes, rest = divmod(t + self.lead_s, self.pass_s)
        return rest - self.lead_s, int(passes)

    def time_of(self, t, loop=0):
        """Unix time at which second t of the recording is played in that pass."""
        return self.epoch + (t + loop * self.pass_s - self.offset_s) / self.factor

    def at(self, unix_time):
        t, loop = self.second(unix_time)
        d = self.drive
        running = -self.lead_s <= t < d.duration_s + self.coast_s
        easing = running and not 0 <= t < d.duration_s
        inside = min(max(t, 0.0), d.duration_s)
        values = {}
        if running:
            for pid, series in d.pids.items():
                value = series.newest(inside)
                if value is not None:
                    values[pid] = value
        speed = self._speed(t, inside) if running else 0.0
        if easing:
            self._ease(t, values, speed)
        metres = self._along(t, inside)
        here = Moment(unix_time, t, loop, running, easing, values, speed,
                      loop * self.pass_m + metres)
        self._stand(here, inside)
        return here

    def values_between(self, pid, first, last):
        """Every value the PID had from unix time `first` to `last` of one pass: what a reading
        taken somewhere in between may be.  Empty: the ECU had nothing to say."""
        values = {moment.values.get(pid) for moment in (self.at(first), self.at(last))}
        if self.invents_between(first, last):
            values |= {self.at(first + n / 20).values.get(pid) for n in range(int((last - first) * 20))}
        series = self.drive.pids.get(pid)
        (t0, pass0), (t1, pass1) = self.second(first), self.second(last)
        if series is not None and pass0 == pass1:
            low, high = bisect.bisect_right(series.times, t0), bisect.bisect_right(series.times, t1)
            values.update(series.values[low:high])
        return values - {None}

    def invents_between(self, first, last):
        """Is one of these seconds before or after the recording, where speeds glide instead of stepping?"""
        (t0, pass0), (t1, pass1) = self.second(first), self.second(last)
        return pass0 != pass1 or t0 < 0 or t1 >= self.drive.duration_s

    def _speed(self, t, inside):
        if t < 0:
            return (t + self.lead_s) * EASE_MS2 * 3.6
        if t >= self.drive.duration_s:
            return max(self.last_kmh - (t - self.drive.duration_s) * EASE_MS2 * 3.6, 0.0)
        if self.drive.gps_speed is not None:
            return self.drive.gps_speed.between(inside)
        return self.drive.value(0x0D, inside) or 0.0

    def _ease(self, t, values, speed):
        """Speed and engine speed of an invented second; everything else stays as it was."""
        if 0x0D in self.drive.pids:
            values[0x0D] = float(round(speed))
        if 0x0C in values:
            edge = self.first_kmh if t < 0 else self.last_kmh
            share = speed / edge if edge else 0.0
            values[0x0C] = IDLE_RPM + (max(values[0x0C], IDLE_RPM) - IDLE_RPM) * share

    def _along(self, t, inside):
        """Metres since second 0 of this pass; negative while pulling away."""
        if t < 0:
            into = min(max(t + self.lead_s, 0.0), self.lead_s)
            return EASE_MS2 * into ** 2 / 2 - self.lead_m
        metres = self.drive.along.between(inside)
        if t > self.drive.duration_s and self.coast_s:
            into = min(t - self.drive.duration_s, self.coast_s)
            metres += self.last_kmh / 3.6 * into - EASE_MS2 * into ** 2 / 2
        return metres

    def _stand(self, here, inside):
        if self.line is None:
            return
        total = here.distance_m + self.place_m
        if self.drive.line is not None:
            total += self.lead_m                 # the pull-away is part of its own line
        folded = total % (2 * self.line.length_m)
        back = folded > self.line.length_m
        metres = 2 * self.line.length_m - folded if back else folded
        here.lat, here.lon = self.line.point(metres)
        here.height_m = self.line.height(metres)
        here.heading_deg = (self.line.heading(metres) + (180.0 if back else 0.0)) % 360.0
        for key, series in self.drive.dops.items():
            if series.times:
                setattr(here, key, series.newest(inside))
