"""obd.py - the ECUs of one car: a request's bytes in, each ECU's answer bytes out (SAE J1979).

Knows nothing of headers, frames or the adapter.  What the engine ECU reports is what the
recording says at this instant; the transmission (second) and the third ECU are few and differ
from it on purpose, as in real cars, so that a reader which mixes them up is found out.
"""
import collections
import time
from dataclasses import dataclass, field

import pids
from faults import Faults

STORED, PENDING, PERMANENT = "stored", "pending", "permanent"
NOT_SUPPORTED, NO_SUBFUNCTION, CONDITIONS, OUT_OF_RANGE = 0x11, 0x12, 0x22, 0x31
READY = bytes.fromhex("07E500")      # spark ignition, all monitors complete
EOBD = 6                             # PID 1C


@dataclass
class Ecu:
    """One control unit.  `index` 0 engine, 1 transmission, 2 another."""
    index: int
    name: str
    calibration: str
    cvn: bytes
    recorded: frozenset = frozenset()            # PIDs it reports from the recording
    codes: dict = field(default_factory=lambda: {STORED: [], PENDING: [], PERMANENT: []})
    readiness: bytes = READY
    frozen: dict = None                          # PID -> bytes at the moment of the code
    frozen_values: dict = None                   # the same as the recording has it
    frozen_code: str = None
    identifiers: dict = field(default_factory=dict)  # service 22: identifier -> bytes

    @property
    def supported(self):
        own = {0x01, 0x1C} if self.index == 0 else {0x01}
        return self.recorded | own

    def clear(self):
        """Service 04: all but the permanent codes; the monitors start over."""
        self.codes[STORED].clear()
        self.codes[PENDING].clear()
        self.frozen, self.frozen_code, self.frozen_values = None, None, None
        b, c = self.readiness[0] & 0x0F, self.readiness[1]
        self.readiness = bytes([b | (b & 7) << 4, c, c])


class Car:
    """The ECUs, the ignition and the battery over one replay.

    `protocol` is the adapter's digit for the car's bus: 1-5 legacy, 6-9 CAN, A J1939 (which
    answers no OBD-II request)."""

    def __init__(self, replay, vin, protocol="6", ecus=1, batch=True, faults=None,
                 clock=time.time):
        self.replay = replay
        self.vin = vin
        self.protocol = protocol
        self.batch = batch
        self.clock = clock
        self.encoder = pids.Encoder()
        self.ignition = None         # True or False overrides the recording
        self.stopped = False         # the engine is off and the car stands, whatever was recorded
        self.faults = faults or Faults()
        self.volts = None            # overrides the battery
        self.requests = 0
        self.told = collections.deque(maxlen=50000)   # (when, PID) of the newest live answers
        self.clears = 0              # requests of service 04 that reached an ECU
        recorded = frozenset(replay.drive.pids)
        speed = recorded & {0x0D}
        warm = recorded & {0x05} or recorded & {0x0F}
        self.ecus = [
            Ecu(0, "ECM-EngineControl", "03L906018DK  9970", bytes.fromhex("3A1C77B0"), recorded),
            Ecu(1, "TCM-TransmisCtrl", "02E300057P   1801", bytes.fromhex("0D94E2F6"), speed),
            Ecu(2, "HVC-HeatControl", "5Q0907044    0201", bytes.fromhex("51B7A90E"), warm),
        ][:ecus]

    @property
    def is_can(self):
        return self.protocol in "6789"

    def moment(self):
        moment = self.replay.at(self.clock())
        if self.stopped:
            moment.speed_kmh = 0.0
            moment.values = {**moment.values, 0x0C: 0.0, 0x0D: 0.0}
        return moment

    def ignition_on(self, moment=None):
        if self.ignition is not None:
            return self.ignition
        return (moment or self.moment()).ignition_on

    def awake(self):
        """Would anybody on the bus answer?  A recording without OBD is a car without it."""
        return (self.protocol != "A" and not self.faults.on("asleep") and
                bool(self.replay.drive.pids) and self.ignition_on())

    def running(self, moment):
        return self.ignition_on(moment) and moment.values.get(0x0C, 0) > 300

    def voltage(self):
        """What the adapter measures at the plug."""
        if self.volts is not None:
            return self.volts
        moment = self.moment()
        if self.running(moment):
            return 14.1
        return 12.1 if self.ignition_on(moment) else 12.5

    # ---- trouble codes -------------------------------------------------------------------

    def set_code(self, code, state=STORED, index=0):
        pids.dtc_bytes(code)
        ecu = self.ecus[index]
        if code not in ecu.codes[state]:
            ecu.codes[state].append(code)
        if state == STORED and ecu.frozen is None:
            self._freeze(ecu, code)

    def remove_code(self, code):
        for ecu in self.ecus:
            for codes in ecu.codes.values():
                if code in codes:
                    codes.remove(code)

    def _freeze(self, ecu, code):
        """The freeze frame of a code: the recording now, or at its first complete second."""
        now = self.moment()
        values = now.values
        if not self.ignition_on(now) or not set(ecu.recorded) <= set(values):
            recorded = self.replay.drive.pids
            first = max((series.times[0] for series in recorded.values()), default=0.0)
            values = {pid: series.newest(first) for pid, series in recorded.items()}
        ecu.frozen_code = code
        ecu.frozen_values = {pid: values[pid] for pid in ecu.recorded if pid in values}
        ecu.frozen = {pid: self.encoder.encode(pid, self._reading(ecu, pid, values))
                      for pid in ecu.recorded if pid in values}

    # ---- requests ------------------------------------------------------------------------

    def request(self, data, index=None):
        """Answers to one request: [(ecu, [message, ...])], an ECU that stays silent is missing.
        `index` addresses one ECU (which then also refuses aloud); None: all of them.
        On CAN an ECU's answer is one message of any length, on older buses one or more of at
        most seven bytes."""
        self.requests += 1
        if not data or not self.awake():
            return []
        answers = []
        moment = self.moment()
        if data[0] == 0x01:
            now = self.clock()
            self.told.extend((now, pid) for pid in data[1:7])
        for ecu in self.ecus:
            if index is not None and ecu.index != index:
                continue
            messages = self._answer(ecu, data, moment)
            if messages and messages[0][0] == 0x7F and index is None and \
                    messages[0][2] in (NOT_SUPPORTED, NO_SUBFUNCTION, OUT_OF_RANGE):
                continue             # nobody refuses a question put to everybody
            if messages:
                answers.append((ecu, messages))
        return answers

    def _answer(self, ecu, data, moment):
        service = data[0]
        handler = {0x01: self._live, 0x02: self._freeze_frame, 0x03: self._codes,
                   0x07: self._codes, 0x0A: self._codes, 0x04: self._clear,
                   0x09: self._info, 0x22: self._identifier}.get(service)
        if handler is None or (service == 0x0A and not self.is_can):
            return [bytes([0x7F, service, NOT_SUPPORTED])]
        return handler(ecu, data, moment)

    def _refuse(self, data, why=NO_SUBFUNCTION):
        return [bytes([0x7F, data[0], why])]

    def _reading(self, ecu, pid, values):
        """What this ECU's own sensor says; the others' are a little off."""
        value = values[pid]
        if ecu.index and pid == 0x0D:
            return max(value - 1, 0)
        if ecu.index and pid in (0x05, 0x0F):
            return value + 2
        return value

    def _pid(self, ecu, pid, moment):
        """Data bytes of a live PID, None when this ECU has nothing to say."""
        if pid % 0x20 == 0:
            if pid not in pids.bitmap_bases(ecu.supported):
                return None
            return pids.bitmap(pid, ecu.supported)
        if pid not in ecu.supported:
            return None
        if pid == 0x01:
            count = len(ecu.codes[STORED])
            return bytes([(0x80 if count else 0) | count & 0x7F]) + ecu.readiness
        if pid == 0x1C:
            return self.encoder.encode(pid, EOBD)
        if pid not in moment.values:
            return None
        return self.encoder.encode(pid, self._reading(ecu, pid, moment.values))

    def _live(self, ecu, data, moment):
        asked = data[1:7]
        if not asked or (len(asked) > 1 and not (self.is_can and self.batch)):
            return []
        reply = bytearray([0x41])
        for pid in asked:
            value = self._pid(ecu, pid, moment)
            if value is not None:
                reply += bytes([pid]) + value
        return [bytes(reply)] if len(reply) > 1 else self._refuse(data)

    def _frozen_pid(self, ecu, pid):
        supported = set(ecu.frozen or ()) | {0x02}
        if pid % 0x20 == 0:
            return pids.bitmap(pid, supported) if pid in pids.bitmap_bases(supported) else None
        if pid == 0x02:
            return pids.dtc_bytes(ecu.frozen_code) if ecu.frozen_code else b"\0\0"
        return (ecu.frozen or {}).get(pid)

    def _freeze_frame(self, ecu, data, _moment):
        asked = list(zip(data[1::2], data[2::2]))
        if not asked or len(data) % 2 == 0 or (len(asked) > 1 and not (self.is_can and self.batch)):
            return []
        reply = bytearray([0x42])
        for pid, frame in asked[:3]:
            value = self._frozen_pid(ecu, pid) if frame == 0 else None
            if value is not None:
                reply += bytes([pid, frame]) + value
        return [bytes(reply)] if len(reply) > 1 else self._refuse(data)

    def _codes(self, ecu, data, _moment):
        state = {0x03: STORED, 0x07: PENDING, 0x0A: PERMANENT}[data[0]]
        pairs = [pids.dtc_bytes(code) for code in ecu.codes[state]]
        head = bytes([data[0] + 0x40])
        if self.is_can:
            return [head + bytes([len(pairs)]) + b"".join(pairs)]
        pairs += [b"\0\0"] * (-len(pairs) % 3 or (0 if pairs else 3))
        return [head + b"".join(pairs[i:i + 3]) for i in range(0, len(pairs), 3)]

    def _clear(self, ecu, data, moment):
        self.clears += 1
        if self.running(moment):
            return self._refuse(data, CONDITIONS)
        ecu.clear()
        return [b"\x44"]

    def _identifier(self, ecu, data, _moment):
        """Service 22 (ISO 14229): what a make's own tables ask for."""
        value = ecu.identifiers.get(int.from_bytes(data[1:3], "big")) if len(data) == 3 else None
        return self._refuse(data, OUT_OF_RANGE) if value is None else [b"\x62" + data[1:3] + value]

    def _info(self, ecu, data, _moment):
        """Service 09.  On the older buses every text is cut into messages of four bytes."""
        items = {0x04: ecu.calibration.encode().ljust(16, b"\0")[:16], 0x06: ecu.cvn,
                 0x0A: ecu.name.encode().ljust(20, b"\0")[:20]}
        if ecu.index == 0 and self.vin:
            items[0x02] = self.vin.encode()
        if len(data) != 2:
            return []
        kind = data[1]
        head = bytes([0x49, kind])
        if kind == 0:
            listed = set(items) | (set() if self.is_can else {i - 1 for i in items})
            return [head + (b"" if self.is_can else b"\x01") + pids.bitmap(0, listed)]
        if self.is_can:
            return [head + b"\x01" + items[kind]] if kind in items else self._refuse(data)
        if kind + 1 in items and kind % 2:
            return [head + bytes([-(-len(items[kind + 1]) // 4)])]
        if kind not in items:
            return self._refuse(data)
        text = items[kind].rjust(-(-len(items[kind]) // 4) * 4, b"\0")
        return [head + bytes([i // 4 + 1]) + text[i:i + 4] for i in range(0, len(text), 4)]
