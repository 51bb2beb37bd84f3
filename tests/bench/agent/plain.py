#!/usr/bin/env python3
"""The agent of a first evening: asks each identifier in turn, once a second, and publishes a JSON message, QoS 1. Keeps nothing.

    plain.py TTY PORT CA CERT KEY TOPIC
"""
import json
import os
import sys
import termios
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "integration")]

import mqtt5  # noqa: E402

PIDS = {0x0D: ("Vehicle.Speed", lambda b: b[0]), 0x0C: ("Vehicle.Powertrain.CombustionEngine.Speed", lambda b: (b[0] * 256 + b[1]) / 4),
        0x0B: ("Vehicle.Powertrain.CombustionEngine.MAP", lambda b: b[0]), 0x10: ("Vehicle.Powertrain.CombustionEngine.MAF",
                                                                                  lambda b: (b[0] * 256 + b[1]) / 100),
        0x11: ("Vehicle.Powertrain.CombustionEngine.TPS", lambda b: b[0] * 100 / 255),
        0x05: ("Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature", lambda b: b[0] - 40),
        0x0F: ("Vehicle.OBD.IntakeTemp", lambda b: b[0] - 40), 0x46: ("Vehicle.Exterior.AirTemperature", lambda b: b[0] - 40),
        0x49: ("Vehicle.Chassis.Accelerator.PedalPosition", lambda b: b[0] * 100 / 255),
        0x4A: ("Vehicle.OBD.AcceleratorPositionE", lambda b: b[0] * 100 / 255)}


class Adapter:
    def __init__(self, tty):
        self.fd = os.open(tty, os.O_RDWR | os.O_NOCTTY)
        mode = termios.tcgetattr(self.fd)
        mode[0] = mode[1] = mode[3] = 0
        termios.tcsetattr(self.fd, termios.TCSANOW, mode)
        for order in ("ATZ", "ATE0", "ATL0", "ATS0", "ATH0", "ATSP0", "0100"):
            self.ask(order)

    def ask(self, order):
        os.write(self.fd, order.encode() + b"\r")
        answer = b""
        while not answer.endswith(b">"):
            answer += os.read(self.fd, 256)
        return answer

    def value(self, pid):
        for line in self.ask(f"01{pid:02X}").replace(b">", b"").split():
            if line[:4] == b"41%02X" % pid:
                return round(PIDS[pid][1](bytes.fromhex(line[4:].decode())), 2)
        return None


def main():
    tty, port, ca, cert, key, topic = sys.argv[1:]
    adapter, client = Adapter(tty), mqtt5.Client(int(port), ca, cert, key)
    while True:
        began = time.time()
        values = {PIDS[pid][0]: adapter.value(pid) for pid in PIDS}
        client.publish(topic, json.dumps({"t": int(began * 1000), "s": values}).encode(), qos=1)
        time.sleep(max(0, began + 1 - time.time()))


if __name__ == "__main__":
    main()
