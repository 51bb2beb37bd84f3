"""simbench.py - what the tests of this folder share: the recordings, and a car without a process."""
import glob
import os

import elm327
import obd
import replay

HERE = os.path.dirname(os.path.abspath(__file__))
CAPTURES = os.path.join(HERE, "..", "captures")
VIN = "WVWZZZ1KZAW000001"


def capture(part):
    (path,) = glob.glob(os.path.join(CAPTURES, f"*{part}*"))
    return path


_drives = {}


def drive(part):
    """A recording, read once per test run."""
    if part not in _drives:
        _drives[part] = replay.load(capture(part))
    return _drives[part]


class Bench:
    """A car with an adapter and a clock that moves only when the adapter waits."""

    def __init__(self, part="2018", t=0.7, kind="elm327", quirks=(), track=None, loop=False,
                 **car):
        self.now = 1_000_000.0 + t
        self.replay = replay.Replay(drive(part), drive(track) if track else None,
                                    epoch=1_000_000.0, loop=loop)
        self.car = obd.Car(self.replay, car.pop("vin", VIN), clock=lambda: self.now, **car)
        self.adapter = elm327.Elm327(self.car, kind, quirks)
        self.waited = 0.0

    def ask(self, line):
        """The adapter's text up to and without the prompt, blanks at line ends kept."""
        text = ""
        self.waited = 0.0
        for step in self.adapter.execute(line):
            if isinstance(step, float):
                self.now += step
                self.waited += step
            else:
                text += step
        assert text.endswith(">")
        return text[:-1]

    def lines(self, line):
        return [part.rstrip() for part in self.ask(line).split("\r") if part.strip()]

    def setup(self, *commands):
        for command in commands:
            assert self.lines(command)[-1] == "OK", command
        return self
