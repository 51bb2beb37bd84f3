"""faults.py - what is wrong with a car right now.

Three kinds, by name.  REPLY faults spoil the next replies (one, `xN` of them, or all with `on`);
STATE faults last until `off`; the third kind, things that happen at once, is car.py's.
"""
REPLY = {
    "lost-prompt": "the reply comes without its >",
    "cut": "BYTES: nothing after that many bytes of the reply, no > either",
    "garbage": "BYTES: random bytes before the reply",
    "nul": "NUL bytes strewn over the reply",
    "slow": "MS: the reply comes that much later",
    "no-data": "NO DATA instead of the answer",
    "unable": "UNABLE TO CONNECT instead of the answer",
    "bus-init-error": "BUS INIT: ...ERROR instead of the answer",
    "stopped": "STOPPED instead of the answer",
    "error": "TEXT: that text instead of the answer (CAN ERROR, BUFFER FULL, ERR94, ...)",
    "damaged": "the first line ends with <DATA ERROR",
    "negative": "CC: 7F service CC instead of the answer (hex)",
    "pending": "MS: 7F service 78 first, the answer that much later",
    "lost-line": "N: the reply's line N is missing (0 = first)",
    "double-line": "N: the reply's line N comes twice",
    "shuffle": "the lines of the reply in random order",
    "short-line": "N: the reply's last line lacks its last N characters",
    "mid-reset": "BYTES: after that many of the reply the supply dips: LV RESET, all settings gone",
    "deaf-clear": "service 04 is carried out, and nothing of its reply arrives, no > either",
    "bel": "SLCAN: a frame to send is refused",
    "lost-ack": "SLCAN: a command is not answered",
    "lost-cr": "SLCAN: a frame's CR is missing",
    "bad-byte": "SLCAN: a byte of a frame is no hex digit",
    "unheard": "SLCAN, REQUEST: the answer to this request (hex) is lost",
    "lying-length": "N: a first frame promises N bytes more than come (negative: fewer)",
}
STATE = {
    "echo": "the echo stays on whatever ATE0 says",
    "glued": "SEARCHING... has no line end",
    "asleep": "ECUs silent although the ignition is on",
    "silent": "the adapter reads and answers nothing",
    "gps-nofix": "the receiver sees too few satellites",
    "gps-silent": "the receiver talks but reports no position",
    "gps-gone": "the receiver is unplugged",
}
DEFAULT_ARGUMENT = {"cut": "4", "garbage": "64", "slow": "1500", "pending": "400",
                    "negative": "22", "error": "CAN ERROR", "lost-line": "1", "double-line": "1",
                    "lying-length": "50", "short-line": "2", "unheard": "0100", "mid-reset": "6"}
FOREVER = -1


class Faults:
    def __init__(self):
        self.active = {}     # name -> [replies left or FOREVER, argument]
        self.played = {}     # name -> times

    def set(self, name, words):
        """`words`: what followed the name.  ValueError when it makes no sense."""
        if name not in REPLY and name not in STATE:
            raise ValueError(f"no fault {name!r}")
        count = FOREVER if name in STATE else 1
        rest = []
        for word in words:
            if word == "off":
                self.active.pop(name, None)
                return
            if word == "on":
                count = FOREVER
            elif word[:1] == "x" and word[1:].isdigit():
                count = int(word[1:])
            else:
                rest.append(word)
        argument = " ".join(rest) or DEFAULT_ARGUMENT.get(name, "")
        if name in ("cut", "garbage", "slow", "pending", "lost-line", "double-line",
                    "lying-length", "short-line", "mid-reset"):
            int(argument)
        elif name in ("negative", "unheard"):
            int(argument, 16)
        self.active[name] = [count, argument]

    def clear(self):
        self.active.clear()

    def on(self, name):
        return name in self.active

    def argument(self, name):
        """What it would hit with, or None; uses none up."""
        return self.active.get(name, (0, None))[1]

    def take(self, name):
        """The argument if this fault hits the current reply (uses one up), else None."""
        entry = self.active.get(name)
        if entry is None:
            return None
        if entry[0] != FOREVER:
            entry[0] -= 1
            if entry[0] <= 0:
                del self.active[name]
        self.played[name] = self.played.get(name, 0) + 1
        return entry[1]

    def take_number(self, name):
        argument = self.take(name)
        return None if argument is None else int(argument)
