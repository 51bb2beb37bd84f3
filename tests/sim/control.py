"""control.py - orders for a running car over its Unix socket: one line in, one line out.

    fault NAME [ARGUMENT] [xN|on|off]    spoil replies, or change a state (names: faults.py)
    fault clear                          everything is well again
    unplug [SECONDS] | replug            the adapter leaves (and comes back after SECONDS)
    lv-reset | say TEXT | burst N        at once: supply dip, unasked text, random bytes
    search                               the next request looks for the bus again
    ignition on|off|auto                 auto: as recorded
    engine off|auto                      off: ignition on, engine off, the car stands
    voltage V|auto                       what ATRV measures
    dtc CODE [stored|pending|permanent] [ECU] | dtc clear CODE
    frozen [ECU]                         what that unit's freeze frame holds, by PID
    readiness HEX6 [ECU]                 bytes B C D of PID 01
    vin VIN|none
    did HEX4 HEX|none [ECU]              bytes of a service 22 identifier
    state                                one JSON object: what the car really does now
    at UNIXTIME                          the same for another time
    told PID                             when the car was asked for it lately, as unix times
"""
import asyncio
import contextlib
import json
import os
import socket

import faults
import obd


@contextlib.contextmanager
def short(path):
    """The same socket under a name that fits: a Unix socket takes 107 bytes, a folder's path
    may be longer."""
    if len(os.fsencode(path)) <= 107:
        yield path
        return
    folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_PATH)
    try:
        yield f"/proc/self/fd/{folder}/{os.path.basename(path)}"
    finally:
        os.close(folder)


def ask(path, line, timeout_s=60.0):
    """Send one order to a car and return its answer; for tests and scripts."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(timeout_s)
        with short(path) as name:
            link.connect(name)
        link.sendall(line.encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            part = link.recv(65536)
            if not part:
                break
            answer += part
    return answer.decode().rstrip("\n")


def told(path, pid):
    """When the car was asked for it lately."""
    return json.loads(ask(path, f"told {pid:02X}"))


def told_lately(path, replay, pid, t_s):
    """What the car said in the round of questions that ended then and in the one before, however long
    the machine took for them: every round asks for the engine's speed, a lost answer is asked for
    once more."""
    engine, asked = ([t for t in told(path, p) if t <= t_s] for p in (0x0C, pid))
    return {v for t in asked if [t] > engine[-3:-2]
            for v in replay.values_between(pid, t - 0.05, t + 0.05)}


def as_json(moment):
    """A Moment as `state` and `at` print it; unknown values are absent."""
    out = {key: value for key, value in vars(moment).items()
           if value is not None and key != "values"}
    out["values"] = {f"{pid:02X}": value for pid, value in sorted(moment.values.items())}
    return out


class Control:
    def __init__(self, sim, path):
        self.sim = sim
        self.path = path
        self.server = None

    async def open(self):
        if os.path.lexists(self.path):
            os.unlink(self.path)
        with short(self.path) as name:
            self.server = await asyncio.start_unix_server(self._serve, name)

    def close(self):
        if self.server is not None:
            self.server.close()
            self.server = None
            if os.path.lexists(self.path):
                os.unlink(self.path)

    async def _serve(self, reader, writer):
        try:
            while line := await reader.readline():
                writer.write((self.answer(line.decode("utf-8", "replace")) + "\n").encode())
                await writer.drain()
        except (ConnectionError, ValueError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def answer(self, line):
        words = line.split()
        order = getattr(self, "_" + words[0].replace("-", "_"), None) if words else None
        if order is None or words[0] in ("serve", "open", "close"):
            return "error: no such order"
        try:
            return order(*words[1:]) or "ok"
        except (ValueError, TypeError, IndexError, KeyError) as error:
            return f"error: {error}"

    # ---- orders --------------------------------------------------------------------------

    def _fault(self, name, *words):
        if name == "clear":
            self.sim.faults.clear()
        elif name in ("unplug", "replug", "lv-reset", "say", "burst", "search"):
            return getattr(self, "_" + name.replace("-", "_"))(*words)
        else:
            if name.startswith("gps-") and "off" not in words:
                for other in [n for n in faults.STATE if n.startswith("gps-")]:
                    self.sim.faults.set(other, ["off"])
            self.sim.faults.set(name, list(words))
        return None

    def _unplug(self, seconds=None):
        self.sim.unplug(None if seconds is None else float(seconds))

    def _replug(self):
        self.sim.replug()

    def _lv_reset(self):
        for port in self.sim.ports:
            port.reset("LV RESET")

    def _say(self, *words):
        for port in self.sim.ports:
            port.say(" ".join(words))

    def _burst(self, size="64"):
        for port in self.sim.ports:
            port.burst(int(size))

    def _search(self):
        for port in self.sim.ports:
            port.adapter.found = None

    def _ignition(self, word):
        self.sim.car.ignition = {"on": True, "off": False, "auto": None}[word]

    def _engine(self, word):
        self.sim.car.stopped = {"off": True, "auto": False}[word]

    def _voltage(self, word):
        self.sim.car.volts = None if word == "auto" else float(word)

    def _dtc(self, code, state=obd.STORED, ecu="0"):
        if code == "clear":
            self.sim.car.remove_code(state)
        elif state not in (obd.STORED, obd.PENDING, obd.PERMANENT):
            raise ValueError(f"no state {state!r}")
        else:
            self.sim.car.set_code(code.upper(), state, int(ecu))

    def _readiness(self, digits, ecu="0"):
        value = bytes.fromhex(digits)
        if len(value) != 3:
            raise ValueError("three bytes B C D are wanted")
        self.sim.car.ecus[int(ecu)].readiness = value

    def _frozen(self, ecu="0"):
        ecu = self.sim.car.ecus[int(ecu)]
        return json.dumps({f"{pid:02X}": value for pid, value in (ecu.frozen_values or {}).items()})

    def _vin(self, vin):
        self.sim.car.vin = None if vin == "none" else vin

    def _did(self, identifier, digits, ecu="0"):
        known = self.sim.car.ecus[int(ecu)].identifiers
        if digits == "none":
            known.pop(int(identifier, 16), None)
        else:
            known[int(identifier, 16)] = bytes.fromhex(digits)

    def _at(self, unix_time):
        return json.dumps(as_json(self.sim.replay.at(float(unix_time))))

    def _told(self, pid):
        return json.dumps([when for when, asked in self.sim.car.told if asked == int(pid, 16)])

    def _state(self):
        sim = self.sim
        out = as_json(sim.car.moment())
        out["recorded_ignition_on"] = out["ignition_on"]
        out["ignition_on"] = sim.car.ignition_on()
        out["awake"] = sim.car.awake()
        out["voltage"] = sim.car.voltage()
        out["vin"] = sim.car.vin
        out["requests"] = sim.car.requests
        out["clears"] = sim.car.clears
        out["clamped"] = sum(sim.car.encoder.clamped.values())
        out["dtcs"] = [[code, state, ecu.index] for ecu in sim.car.ecus
                       for state, codes in ecu.codes.items() for code in codes]
        out["faults"] = {name: count for name, (count, _) in sim.faults.active.items()}
        out["played"] = sim.faults.played
        out["ports"] = [{"plugged": sim.plugged, "received": port.received_bytes,
                         "sent": port.sent_bytes, "stopped": port.stops,
                         "protocol": port.adapter.found,
                         "heard": list(getattr(port.adapter, "heard", ()))} for port in sim.ports]
        out["fixes"] = sim.fixes
        return json.dumps(out)
