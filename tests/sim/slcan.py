"""slcan.py - a CAN adapter on a serial line, as Lawicel's CAN232/CANUSB manual describes it, and the
ECUs' side of ISO 15765-2 behind it.

The adapter is dumb: it moves frames.  Here the ECUs do transport and flow control themselves and
expect the tester to do the same: a request of any other length than eight bytes is ignored
(ISO 15765-4), a first frame without flow control within a second is given up, block size and
separation time of the tester's flow control are kept.
"""
import asyncio
import random

import bus
import port

VERSION, SERIAL = "V1013", "NA123"
SPEEDS = {"4": 125, "5": 250, "6": 500, "8": 1000}
N_BS = 1.0                       # wait for flow control
QUIRKS = {
    "plain-ack": "a frame taken is answered CR, not z CR",
    "lower-case": "hex digits in lower case",
    "no-stamp-command": "Z is refused",
    "tight-flow": "ECUs take long requests two frames at a time, 5 ms apart, and first ask to wait",
    "foreign-traffic": "other ids come between the answers",
}


class Slcan:
    """What is in the adapter; port.py's ports carry its bytes."""

    def __init__(self, car, quirks=(), delays=None, pad=0xAA, seed=1):
        self.car = car
        self.faults = car.faults
        self.quirks = frozenset(quirks)
        self.delays = delays
        self.pad = 0xAA if pad is None else pad
        self.random = random.Random(seed)
        self.eol, self.prompt = "\r", ""
        self.on_the_bus = False
        self.last = ""
        self.frames_in = 0
        self.flows_in = 0
        self.defaults()

    def defaults(self):
        """As after power-up: off the bus."""
        self.open = False
        self.kbit = None
        self.stamps = False
        self.errors = 0
        self.found = None

    @property
    def fits(self):
        """Is it on the car's bus at its speed?"""
        return self.open and self.kbit == (500 if self.car.protocol in "67" else 250)

    def command(self, line):
        """The answer to one line, and the frame it sends: (text, (id, extended, data) or None)."""
        kind, rest = line[:1], line[1:]
        good, bad = "\r", "\a"
        if kind == "":
            return good, None
        if kind == "V" and not rest:
            return VERSION + good, None
        if kind == "N" and not rest:
            return SERIAL + good, None
        if kind == "F" and not rest:
            flags, self.errors = (0x80 if self.errors else 0), 0
            return (f"F{flags:02X}" + good, None) if self.open else (bad, None)
        if kind == "S" and rest in SPEEDS and not self.open:
            self.kbit = SPEEDS[rest]
            return good, None
        if kind in "OL" and not rest and not self.open and self.kbit:
            self.open = True
            return good, None
        if kind == "C" and not rest and self.open:
            self.open = False
            return good, None
        if kind == "Z" and rest in ("0", "1") and not self.open and "no-stamp-command" not in self.quirks:
            self.stamps = rest == "1"
            return good, None
        if kind in "tT" and self.open:
            frame = self._frame(kind, rest)
            if frame and self.faults.take("bel") is None:
                return (good if "plain-ack" in self.quirks else ("z" if kind == "t" else "Z") + good), frame
        return bad, None

    @staticmethod
    def _frame(kind, rest):
        digits = 3 if kind == "t" else 8
        try:
            number, length = int(rest[:digits], 16), int(rest[digits], 16)
            data = bytes.fromhex(rest[digits + 1:])
        except (ValueError, IndexError):
            return None
        if len(data) != length or length > 8 or number >= (1 << (11 if kind == "t" else 29)):
            return None
        return number, kind == "T", data

    def line(self, number, extended, data, now):
        text = (f"T{number:08X}" if extended else f"t{number:03X}") + f"{len(data)}" + data.hex().upper()
        if self.stamps:
            text += f"{int(now * 1000) % 60000:04X}"
        if "lower-case" in self.quirks:
            text = text[0] + text[1:].lower()
        if self.faults.take("bad-byte") is not None:
            at = self.random.randrange(5, len(text))
            text = text[:at] + "?" + text[at + 1:]
        return text + ("" if self.faults.take("lost-cr") is not None else "\r")


class Ecu:
    """The transport of one control unit: at most one message each way."""

    def __init__(self, line, index):
        self.line = line
        self.index = index
        self.flow = None                 # future the sender waits for
        self.request = None              # bytearray of a long request being received
        self.wanted = 0

    @property
    def extended(self):
        return self.line.adapter.car.protocol in "79"

    @property
    def answers_with(self):
        if self.extended:
            return 0x18DA00F1 & ~0xFFFF | 0xF100 | bus.ECU_ADDRESSES[self.index]
        return 0x7E8 + self.index

    def _send(self, data):
        self.line.frame(self.answers_with, self.extended, data.ljust(8, bytes([self.line.adapter.pad])))

    def receive(self, data, alone):
        kind = data[0] >> 4
        if kind == 0 and 0 < data[0] & 15 < 8:
            self.line.ask(data[1:1 + (data[0] & 15)], self.index if alone else None)
        elif kind == 1 and alone:
            self.request, self.wanted = bytearray(data[2:8]), (data[0] & 15) << 8 | data[1]
            if "tight-flow" in self.line.adapter.quirks:
                self._send(b"\x31\x00\x00")
                self._send(b"\x30\x02\x05")
            else:
                self._send(b"\x30\x00\x00")
            self.next, self.block = 1, 0
        elif kind == 2 and alone and self.request is not None:
            if data[0] & 15 != self.next & 15:
                self.request = None
                return
            self.request += data[1:8]
            self.next, self.block = self.next + 1, self.block + 1
            if len(self.request) >= self.wanted:
                whole, self.request = bytes(self.request[:self.wanted]), None
                self.line.ask(whole, self.index)
            elif "tight-flow" in self.line.adapter.quirks and self.block == 2:
                self.block = 0
                self._send(b"\x30\x02\x05")
        elif kind == 3 and alone and self.flow is not None and not self.flow.done():
            self.line.adapter.flows_in += 1
            self.flow.set_result(data)

    async def answer(self, message):
        """Put one message on the bus, keeping to the tester's flow control."""
        delays, faults = self.line.adapter.delays, self.line.adapter.faults
        frames = bus.isotp_frames(message)
        lie = faults.take_number("lying-length") if len(frames) > 1 else None
        if lie is not None:
            length = len(message) + lie
            frames[0] = bytes([0x10 | length >> 8 & 15, length & 255]) + frames[0][2:]
        for name, change in (("lost-line", lambda f, n: f[:n] + f[n + 1:]),
                             ("double-line", lambda f, n: f[:n + 1] + f[n:])):
            number = faults.take_number(name) if len(frames) > 1 else None
            if number is not None:
                frames = change(frames, number)
        if len(frames) > 2 and faults.take("shuffle") is not None:
            frames[1], frames[2] = frames[2], frames[1]
        self._send(frames[0])
        left, gap = 0, 0.0
        for at, frame in enumerate(frames[1:]):
            if at == 0 and frames[0][0] >> 4 == 1 or left == 1:
                control = await self._flow()
                if control is None:
                    return
                left = control[1] + 1 if control[1] else 0
                gap = control[2] / 1000 if control[2] < 0x80 else 0.001
            elif left:
                left -= 1
            await asyncio.sleep(max(gap, delays.frame))
            self._send(frame)

    async def _flow(self):
        while True:
            self.flow = asyncio.get_running_loop().create_future()
            try:
                control = await asyncio.wait_for(self.flow, N_BS)
            except asyncio.TimeoutError:
                return None
            finally:
                self.flow = None
            if control[0] & 15 == 0:
                return control
            if control[0] & 15 != 1:
                return None


class Line:
    """Mixed into a port of port.py: the adapter's line without prompt or echo."""

    def start(self):
        self.text = bytearray()
        self.tasks = set()
        self.ecus = [Ecu(self, index) for index in range(len(self.adapter.car.ecus))]
        self.dead_until = 0.0
        return self

    def received(self, data):
        self.received_bytes += len(data)
        if self.adapter.faults.on("silent") or self.loop.time() < self.dead_until:
            return
        for byte in data:
            if byte == 13:
                line, self.text = self.text.decode("latin-1"), bytearray()
                self._line(line)
            elif len(self.text) < 64:
                self.text.append(byte)

    def _line(self, line):
        text, frame = self.adapter.command(line)
        self.adapter.last = line
        if self.adapter.faults.take("lost-ack") is None:
            noise = self.adapter.faults.take_number("garbage")
            self.send((self.adapter.random.randbytes(noise) if noise else b"") + text.encode())
        if frame:
            self._bus(*frame)

    def _bus(self, number, extended, data):
        """A frame of the tester, seen by every ECU it is meant for."""
        adapter = self.adapter
        if not adapter.fits or extended != (adapter.car.protocol in "79"):
            adapter.errors += not adapter.fits
            return
        adapter.frames_in += 1
        adapter.found = adapter.car.protocol
        if len(data) != 8 or not adapter.car.awake():
            return
        for ecu in self.ecus:
            physical = 0x18DA00F1 | bus.ECU_ADDRESSES[ecu.index] << 8 if extended else 0x7E0 + ecu.index
            if number == physical:
                ecu.receive(data, True)
        if number == (0x18DB33F1 if extended else 0x7DF) and data[0] >> 4 == 0:
            self.ecus[0].receive(data, False)    # asks all of them

    def ask(self, data, index):
        self._task(self._answer(data, index))

    def _task(self, work):
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _answer(self, data, index):
        adapter = self.adapter
        await asyncio.sleep(adapter.delays.ecu + (adapter.faults.take_number("slow") or 0) / 1000)
        code, wait = adapter.faults.take("negative"), adapter.faults.take_number("pending")
        if adapter.faults.take("no-data") is not None:
            return
        if adapter.faults.argument("unheard") == data.hex().upper() and adapter.faults.take("unheard"):
            return
        answers = adapter.car.request(data, index)
        if code is not None:
            answers = [(ecu, [bytes([0x7F, data[0], int(code, 16)])]) for ecu, _ in answers]
        if wait is not None:
            for ecu, _ in answers:
                self._task(self.ecus[ecu.index].answer(bytes([0x7F, data[0], 0x78])))
            await asyncio.sleep(wait / 1000)
        for ecu, messages in answers:
            for message in messages:
                self._task(self.ecus[ecu.index].answer(message))

    def frame(self, number, extended, data):
        """A frame on the bus on its way to the tester."""
        if not self.adapter.fits:
            return
        if "foreign-traffic" in self.adapter.quirks:
            self.send(self.adapter.line(0x3E5, False, bytes(range(8)), self.loop.time()).encode())
            self.send(self.adapter.line(0x18FEF100, True, b"\x06\x41\x0C", self.loop.time()).encode())
        self.send(self.adapter.line(number, extended, data, self.loop.time()).encode())

    def _idle(self):
        self.finishing = False

    def _abandon(self):
        for task in list(self.tasks):
            task.cancel()
        self.text.clear()
        super()._abandon()

    def reset(self, _text):
        """The Arduino starts over: half a second deaf, then off the bus."""
        self._abandon()
        self.adapter.defaults()
        self.dead_until = self.loop.time() + 0.5

    def say(self, text):
        self.send((text + "\r").encode("latin-1"))


class PtyLine(Line, port.PtyPort):
    pass


class TcpLine(Line, port.TcpPort):
    pass
