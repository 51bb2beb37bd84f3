"""elm327.py - the adapter: a command line in, the adapter's text out, as its data sheet says.

No clock, no file descriptor: `execute(line)` is a generator that yields seconds to wait (floats)
and text to send (str), ending with the prompt.  An answer is read from the ECUs at the moment
the generator gets there, so a value is as old as its answer.  port.py plays it on a line.
"""
import collections
import random
import re
from dataclasses import dataclass

import bus

IDENT = {"elm327": "ELM327 v2.1", "stn": "ELM327 v1.4b", "clone": "ELM327 v1.5"}
STN_IDENT = "STN1110 v4.0.1"
MAKER = "OBDII to RS232 Interpreter"

# How third-party emulators and clones differ; `--adapter clone` has those in CLONE.
QUIRKS = {
    "ignore-ath1": "ATH1 says OK and does nothing",
    "ignore-ats0": "ATS0 says OK and does nothing",
    "glued": "SEARCHING... without line end",
    "no-dots": "BUS INIT:ERROR without dots or space",
    "crlf": "lines end with CR LF whatever ATL says",
    "lf-only": "lines end with LF alone",
    "banner-first": "the banner comes before the echo of ATZ",
    "blank-prompt": "a blank before >",
    "dpn-plain": "ATDPN without A",
    "rv-plain": "ATRV without V",
    "slow-window": "waits its whole window after every answer",
    "no-suffix": "a reply count is answered with ?",
    "no-vin": "no service 09",
    "no-dtc": "no services 03, 07, 0A",
    "no-isotp": "only the first frame of a long answer",
    "dtc-no-count": "DTC replies without the count byte",
    "batch-first": "a batch is answered with its first PID only",
    "batch-shuffled": "a batch is answered in another order",
    "few-commands": "only the AT commands of version 1.0",
}
CLONE = frozenset(("ignore-ats0", "glued", "dpn-plain", "slow-window", "no-suffix",
                   "batch-first", "few-commands"))
# Accepted without effect on what we simulate: answered OK.
ACCEPTED = re.compile(
    r"(AL|NL|AR|BI|SS|R[01]|V[01]|CFC[01]|CSM[01]|CEA([0-9A-F]{2})?|CF[0-9A-F]{3,8}|"
    r"CM[0-9A-F]{3,8}|CP[0-9A-F]{2}|FCSM[0-2]|FCSH[0-9A-F]{3,8}|FCSD[0-9A-F]{2,12}|FE|FI|"
    r"IB(10|48|96)|IFR[0-2HS]|IIA[0-9A-F]{2}|JE|JHF[01]|JS|JTM[15]|KW[01]|LP|M[01]|"
    r"PP[0-9A-F]{2}(SV[0-9A-F]{2}|ON|OFF)|RA[0-9A-F]{2}|SR[0-9A-F]{2}|STP|SW[0-9A-F]{2}|SW0|"
    r"TA[0-9A-F]{2}|WM[0-9A-F]{2,12}|BRT[0-9A-F]{2})$")
ACCEPTED_V1 = re.compile(r"(AL|NL|AR|BI|R[01]|CFC[01]|CF[0-9A-F]{3,8}|CM[0-9A-F]{3,8}|"
                         r"CP[0-9A-F]{2}|M[01]|SR[0-9A-F]{2}|SW[0-9A-F]{2}|WM[0-9A-F]{2,12})$")


@dataclass
class Delays:
    """Seconds.  The line's own speed comes on top (port.py)."""
    ecu: float = 0.015           # request to first answer
    frame: float = 0.001         # between frames of one answer
    legacy_message: float = 0.035
    adapter: float = 0.002       # its own thinking
    search: float = 1.2          # after ATSP0, to find the bus
    init: float = 2.6            # five-baud initialisation
    fast_init: float = 0.4
    reset: float = 0.7           # ATZ
    adaptive: float = 0.03       # how long ATAT1 waits for one more answer


class Elm327:
    def __init__(self, car, kind="elm327", quirks=(), delays=None, pad=0xAA, seed=1):
        self.car = car
        self.kind = kind
        self.quirks = frozenset(quirks) | (CLONE if kind == "clone" else frozenset())
        self.delays = delays or Delays()
        self.faults = car.faults
        self.pad = pad
        self.random = random.Random(seed)
        self.last = ""               # a lone CR repeats it
        self.heard = collections.deque(maxlen=400)   # commands, the newest last
        self.on_the_bus = False      # any character received now stops the request
        self.kept = "0"              # protocol that survives a reset: ATSP stores it
        self.defaults()

    def defaults(self):
        """As after power-up."""
        self.echo = True
        self.linefeed = False
        self.look = bus.Look()
        self.adaptive = 1
        self.timeout = 0x32
        self.header = ""
        self.filter = ""
        self.auto = self.kept[0] in "0A" and self.kept != "A"
        self.chosen = self.kept[-1]
        self.found = None            # protocol digit of the bus being spoken

    # ---- output --------------------------------------------------------------------------

    @property
    def eol(self):
        if "lf-only" in self.quirks:
            return "\n"
        return "\r\n" if self.linefeed or "crlf" in self.quirks else "\r"

    @property
    def echoes(self):
        return self.echo or self.faults.on("echo")

    @property
    def prompt(self):
        return self.eol + (" >" if "blank-prompt" in self.quirks else ">")

    def banner(self):
        return IDENT[self.kind]

    def interrupted(self):
        """Text when a character came before the prompt."""
        self.on_the_bus = False
        return "STOPPED" + self.eol + self.prompt

    # ---- commands ------------------------------------------------------------------------

    def execute(self, line):
        command = re.sub(r"[\0- \x7F]", "", line).upper()
        command = command or self.last
        self.last = command
        self.heard.append(command)
        if command:
            yield self.delays.adapter
        if command.startswith("AT"):
            yield from self._at(command[2:])
        elif command.startswith("ST"):
            yield self._st(command[2:]) + self.eol
        elif re.fullmatch(r"[0-9A-F]{2,}", command):
            self.on_the_bus = True
            yield from self._obd(command)
            self.on_the_bus = False
        elif command:
            yield "?" + self.eol
        yield self.prompt

    def _st(self, command):
        if self.kind != "stn":
            return "?"
        return {"I": STN_IDENT, "DI": "OBDLink SX r4.2", "IX": STN_IDENT + " [2016.02.02]",
                "SN": "110012345678", "MFR": "ScanTool.net LLC", "VR": f"{self.car.voltage():.2f}",
                }.get(command, "?")

    def _at(self, command):
        if command in ("Z", "WS"):
            yield self.delays.reset if command == "Z" else self.delays.reset / 8
            self.defaults()
            yield self.eol + self.eol + self.banner() + self.eol
            return
        text = self._setting(command)
        if text is None:
            text = self._report(command)
        if text is None:
            known = ACCEPTED_V1 if "few-commands" in self.quirks else ACCEPTED
            text = "OK" if known.match(command) else "?"
        yield text + self.eol

    def _report(self, command):
        volts = self.car.voltage()
        if command == "DPN":
            digit = self.found or ("0" if self.auto else self.chosen)
            plain = "dpn-plain" in self.quirks
            return ("A" if self.auto and not plain else "") + digit
        if command == "DP":
            name = bus.NAMES.get(self.found or self.chosen, "")
            return ("AUTO" + (", " + name if name else "")) if self.auto else name
        if command == "RV":
            return f"{volts:.1f}" + ("" if "rv-plain" in self.quirks else "V")
        if command == "IGN" and "few-commands" not in self.quirks:
            return "ON" if self.car.ignition_on() else "OFF"
        if command == "I":
            return self.banner()
        if command == "@1":
            return MAKER
        if command == "BD":
            return "00"
        if command == "CS" and "few-commands" not in self.quirks:
            return "T:00 R:00"
        if command == "KW":
            return "1:08 2:08" if self.found in ("3", "4", "5") else "?"
        return None

    def _setting(self, command):
        """'OK' if this was a setting we act on, None if it is something else."""
        if command == "D":
            self.defaults()
        elif command in ("E0", "E1"):
            self.echo = command == "E1"
        elif command in ("L0", "L1"):
            self.linefeed = command == "L1"
        elif command in ("H0", "H1"):
            self.look.headers = command == "H1" and "ignore-ath1" not in self.quirks
        elif command in ("S0", "S1"):
            self.look.spaces = command == "S1" or "ignore-ats0" in self.quirks
        elif command in ("D0", "D1"):
            self.look.length_code = command == "D1"
        elif command in ("CAF0", "CAF1"):
            self.look.format_can = command == "CAF1"
        elif command in ("AT0", "AT1", "AT2"):
            self.adaptive = int(command[2])
        elif re.fullmatch(r"ST[0-9A-F]{2}", command):
            self.timeout = int(command[2:], 16) or 0x32
        elif re.fullmatch(r"SH([0-9A-F]{3}|[0-9A-F]{6}|[0-9A-F]{8})", command):
            self.header = command[2:]
        elif re.fullmatch(r"(CRA|CRA[0-9A-FX]{3}|CRA[0-9A-FX]{8})", command):
            self.filter = command[3:]
        elif command == "PC":
            self.found = None
        elif re.fullmatch(r"(SP|TP)(00|A?[0-9A-C])", command):
            self._choose(command[2:], command[0] == "S")
        elif command.startswith("CV") and re.fullmatch(r"CV[0-9]{4}", command):
            pass
        else:
            return None
        return "OK"

    def _choose(self, digits, keep):
        digits = "0" if digits == "00" else digits
        self.auto = digits == "0" or (len(digits) == 2 and digits[0] == "A")
        self.chosen = digits[-1]
        self.found = None
        self.header = self.filter = ""
        if keep:
            self.kept = digits

    # ---- requests ------------------------------------------------------------------------

    def _obd(self, command):
        wanted = 0
        if len(command) % 2:
            wanted = int(command[-1], 16)
            command = command[:-1]
            if "no-suffix" in self.quirks or not wanted:
                yield "?" + self.eol
                return
        data = bytes.fromhex(command)
        if len(data) > (8 if not self.look.format_can else 7):
            yield "?" + self.eol
            return
        text = self._spoiled()
        if text is not None:
            yield self.delays.ecu
            yield text + self.eol
            return
        self.connected = False
        yield from self._connect()
        if self.connected:
            yield from self._ask(data, wanted)

    def _spoiled(self):
        """A status text that a fault puts in place of the answer."""
        for name, text in (("no-data", "NO DATA"), ("unable", "UNABLE TO CONNECT"),
                           ("bus-init-error", self._init_text("...", False)),
                           ("stopped", "STOPPED")):
            if self.faults.take(name) is not None:
                return text
        return self.faults.take("error")

    def _init_text(self, dots, good):
        outcome = "OK" if good else "ERROR"
        return f"BUS INIT:{outcome}" if "no-dots" in self.quirks else f"BUS INIT: {dots}{outcome}"

    def _connect(self):
        """Find the bus before the first request; sets `connected`."""
        if self.found is not None:
            self.connected = True
            return
        awake, actual = self.car.awake(), self.car.protocol
        if self.auto:
            yield "SEARCHING..."
            yield self.delays.search if awake else self.delays.search * 2.5
            if not self.faults.on("glued") and "glued" not in self.quirks:
                yield self.eol
            if not awake:
                yield "UNABLE TO CONNECT" + self.eol
                return
            self.found = actual
        elif self.chosen in "345":
            good = awake and actual == self.chosen
            yield self.delays.fast_init if self.chosen == "5" else self.delays.init
            yield self._init_text("" if self.chosen == "5" else "...", good) + self.eol
            if not good:
                return
            self.found = self.chosen
        elif awake and actual != self.chosen:
            yield self.timeout * 0.004
            same_speed = actual in "67" and self.chosen in "67" or \
                actual in "89" and self.chosen in "89"
            yield ("NO DATA" if same_speed or actual not in "6789" or self.chosen in "12"
                   else "CAN ERROR") + self.eol
            return
        elif awake:
            self.found = self.chosen
        self.connected = True

    def _ask(self, data, wanted):
        protocol = self.found or self.chosen
        if not self.look.format_can and protocol in "6789":
            data = data[1:1 + data[0]]           # the user brings the PCI byte
        slow = self.faults.take_number("slow")
        yield self.delays.ecu + (slow or 0) / 1000
        lines, kept = [], 0
        for frame in self._frames(protocol, data):
            if isinstance(frame, float):
                yield frame
                continue
            yield self.delays.frame if protocol in "6789" else self.delays.legacy_message
            lines += bus.printed(protocol, frame, self.look)
            kept += 1
            if kept == wanted:
                break
        lines = self._damage(lines)
        for line in lines:
            yield line + self.eol
        if not lines:
            yield self.timeout * 0.004
            if protocol in "345" and not self.car.awake():
                self.found = None                # the bus has to be initialised again
            yield "NO DATA" + self.eol
        elif kept != wanted or not wanted:
            yield self._window()

    def _window(self):
        """How long the adapter waits for one more answer."""
        full = self.timeout * 0.004
        if self.adaptive == 0 or "slow-window" in self.quirks:
            return full
        return min(full, self.delays.adaptive / self.adaptive)

    def _frames(self, protocol, data):
        """What arrives for a request: Received, and floats where time passes."""
        index = bus.addressed(protocol, self.header) if protocol != "A" else -1
        if index == -1 or not data or self._unknown_service(data):
            return
        asked = data
        if "batch-first" in self.quirks and data[0] == 1 and len(data) > 2:
            data = data[:2]
        if "batch-shuffled" in self.quirks and data[0] == 1 and len(data) > 2:
            data = data[:1] + bytes(self.random.sample(data[1:], len(data) - 1))
        code = self.faults.take("negative")
        wait = self.faults.take_number("pending")
        answers = self.car.request(data, index)
        if code is not None:
            answers = [(ecu, [bytes([0x7F, asked[0], int(code, 16)])]) for ecu, _ in answers]
        if wait is not None and answers:
            later = [(ecu, [bytes([0x7F, asked[0], 0x78])]) for ecu, _ in answers]
            yield from bus.on_the_wire(protocol, later, self.pad)
            yield wait / 1000
        if "dtc-no-count" in self.quirks and data[0] in (3, 7, 10) and protocol in "6789":
            answers = [(ecu, [m[:1] + m[2:] for m in messages]) for ecu, messages in answers]
        for frame in bus.on_the_wire(protocol, answers, self.pad):
            if "no-isotp" in self.quirks and protocol in "6789" and frame.data[0] >> 4 == 2:
                continue
            if self._passes(frame):
                yield frame

    def _unknown_service(self, data):
        return ("no-vin" in self.quirks and data[0] == 9) or \
               ("no-dtc" in self.quirks and data[0] in (3, 7, 10))

    def _passes(self, frame):
        """ATCRA: an X matches any digit."""
        if not self.filter or frame.checksum is not None:
            return True
        digits = frame.header.hex().upper()[-len(self.filter):]
        return all(want in ("X", have) for want, have in zip(self.filter, digits))

    def _damage(self, lines):
        """Faults that hit single lines of a reply."""
        if not lines:
            return lines
        if self.faults.take("damaged") is not None:
            lines = [lines[0] + "<DATA ERROR"] + lines[1:]
        number = self.faults.take_number("lost-line")
        if number is not None:
            lines = lines[:number] + lines[number + 1:]
        number = self.faults.take_number("double-line")
        if number is not None:
            lines = lines[:number + 1] + lines[number:]
        if self.faults.take("shuffle") is not None:
            lines = self.random.sample(lines, len(lines))
        number = self.faults.take_number("short-line")
        if number is not None:
            lines = lines[:-1] + [lines[-1].replace(" ", "")[:-number]]
        if any(self._first(line) for line in lines):
            number = self.faults.take_number("lying-length")
            if number is not None:
                lines = [self._lie(line, number) for line in lines]
        return lines

    def _first(self, line):
        """An ISO-TP first frame as printed: (header, length, rest), else None."""
        return re.match(r"^(7E[89A-F] ?|18 ?DA ?F1 ?[0-9A-F]{2} ?)1([0-9A-F]) ?([0-9A-F]{2})(.*)$", line)

    def _lie(self, line, number):
        found = self._first(line)
        if not found:
            return line
        length = min(max(int(found[2] + found[3], 16) + number, 8), 4095)
        return f"{found[1]}1{length >> 8:X}{length & 255:02X}{found[4]}"
