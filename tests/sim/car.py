#!/usr/bin/env python3
"""car.py - one simulated car: an ELM327 adapter (pty or TCP) and a GPS receiver (UDP to gpsd),
both fed by one recorded drive and one clock.  Start with README.md; orders are in control.py.
"""
import argparse
import asyncio
import json
import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import control  # noqa: E402
import elm327  # noqa: E402
import faults  # noqa: E402
import nmea  # noqa: E402
import obd  # noqa: E402
import port  # noqa: E402
import replay  # noqa: E402
import slcan  # noqa: E402

NMEA_LATENCY_S = 0.08            # a receiver speaks a little after the second it speaks about


class Sim:
    """One car with everything plugged into it."""

    def __init__(self, args):
        track = replay.load(args.track) if args.track else None
        epoch = time.time() if args.epoch is None else args.epoch
        self.replay = replay.Replay(replay.load(args.drive), track, epoch, args.factor,
                                    args.offset, args.loop, args.place)
        self.faults = faults.Faults()
        self.car = obd.Car(self.replay, args.vin, args.protocol, args.ecus, args.batch == "on",
                           self.faults)
        for text in filter(None, args.dtc.split(",")):
            self.car.set_code(*control_dtc(text))
        self.args = args
        self.ports = []
        self.plugged = False
        self.replug_timer = None
        self.control = control.Control(self, args.control) if args.control else None
        self.receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM) if args.nmea else None
        self.fixes = 0

    def _adapter(self):
        a = self.args
        delays = elm327.Delays(ecu=a.delay_ecu / 1e3, adapter=a.delay_adapter / 1e3,
                               search=a.delay_search / 1e3, init=a.delay_init / 1e3,
                               reset=a.delay_reset / 1e3)
        quirks, pad = list(filter(None, a.quirks.split(","))), None if a.pad == "none" else int(a.pad, 16)
        if a.adapter == "slcan":
            return slcan.Slcan(self.car, quirks, delays, pad, a.seed)
        return elm327.Elm327(self.car, a.adapter, quirks, delays, pad, a.seed)

    @property
    def _slcan(self):
        return self.args.adapter == "slcan"

    async def open(self):
        if self.args.link:
            made = (self._adapter(), self.args.link, self.args.baud)
            self.ports.append(slcan.PtyLine(*made).start() if self._slcan else port.PtyPort(*made))
        if self.args.tcp is not None:
            made = (self._adapter(), self.args.tcp, self.args.baud)
            self.ports.append(slcan.TcpLine(*made).start() if self._slcan else port.TcpPort(*made))
        await self._plug()
        if self.control:
            await self.control.open()

    async def _plug(self):
        for line in self.ports:
            opening = line.open()
            if opening is not None:
                await opening
        self.plugged = True

    def unplug(self, seconds=None):
        """The adapter leaves the car: what held it open sees a hang-up.  It loses its settings
        with its power."""
        for line in self.ports:
            line.close()
            line.adapter.defaults()
            line.adapter.last = ""
        self.plugged = False
        if seconds is not None:
            self.replug_timer = asyncio.get_running_loop().call_later(seconds, self.replug)

    def replug(self):
        if not self.plugged:
            self.plugging = asyncio.get_running_loop().create_task(self._plug())

    def close(self):
        if self.replug_timer is not None:
            self.replug_timer.cancel()
        for line in self.ports:
            line.close()
        if self.control:
            self.control.close()
        if self.receiver:
            self.receiver.close()

    # ---- the receiver --------------------------------------------------------------------

    def _sentences(self, second):
        """What the receiver says about that whole second; '' = it is not there."""
        if self.faults.on("gps-gone"):
            return ""
        if self.faults.on("gps-silent"):
            return nmea.silent()
        moment = self.replay.at(second)
        if self.car.ignition is False or self.car.stopped:
            moment.speed_kmh = 0.0
        if self.faults.on("gps-nofix") or moment.lat is None:
            return nmea.no_fix(second)
        self.fixes += 1
        return nmea.fix(moment)

    async def receive_sky(self):
        host, number = self.args.nmea.rsplit(":", 1)
        while True:
            now = time.time()
            second = int(now - NMEA_LATENCY_S) + 1
            await asyncio.sleep(second + NMEA_LATENCY_S - now)
            text = self._sentences(second)
            if text:
                try:
                    self.receiver.sendto(text.encode(), (host, int(number)))
                except OSError:
                    pass                 # no gpsd there yet


def control_dtc(text):
    """'P0301', 'P0420:pending', 'U0100:stored:1' -> arguments of Car.set_code."""
    words = text.split(":")
    return (words[0].upper(), words[1] if len(words) > 1 else obd.STORED,
            int(words[2]) if len(words) > 2 else 0)


def arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    add = parser.add_argument
    add("--drive", required=True, help="recording: KIT csv, enviroCar json or ndsbr csv")
    add("--track", help="recording with positions on whose line a KIT drive is placed")
    add("--place", type=float, default=0.0, help="metres along that line at replay second 0")
    add("--vin", help="answered to 0902; without it the ECU knows no VIN")
    add("--epoch", type=float, help="unix time at which replay second 0 starts (default: now)")
    add("--factor", type=float, default=1.0, help="replay speed")
    add("--offset", type=float, default=0.0, help="seconds into the drive at --epoch")
    add("--loop", action="store_true", help="after the drive: ignition off for 300 s, again")
    add("--link", help="path of the symlink to the adapter's pty")
    add("--tcp", type=int, help="TCP port of the adapter on 127.0.0.1 (0: any, see stdout)")
    add("--baud", type=int, default=38400)
    add("--nmea", help="HOST:PORT of the gpsd that gets the receiver's sentences")
    add("--control", help="path of a Unix socket for orders (control.py)")
    add("--protocol", default="6", choices=list("123456789A"), help="the car's bus (ELM digit)")
    add("--ecus", type=int, default=1, choices=(1, 2, 3))
    add("--batch", default="on", choices=("on", "off"), help="several PIDs in a request?")
    add("--dtc", default="", help="CODE[:stored|pending|permanent[:ECU]],...")
    add("--adapter", default="elm327", choices=("elm327", "stn", "clone", "slcan"))
    add("--quirks", default="", help="comma list: " + ", ".join(sorted({**elm327.QUIRKS, **slcan.QUIRKS})))
    add("--pad", default="AA", help="filler byte of CAN frames in hex, or none")
    add("--seed", type=int, default=1, help="of the random bytes of faults")
    for name, millis in (("ecu", 15), ("adapter", 2), ("search", 1200), ("init", 2600),
                         ("reset", 700)):
        add(f"--delay-{name}", type=float, default=millis, metavar="MS",
            help=f"default {millis}")
    args = parser.parse_args(argv)
    unknown = set(filter(None, args.quirks.split(","))) - set(slcan.QUIRKS if args.adapter == "slcan" else elm327.QUIRKS)
    if unknown:
        parser.error(f"no quirk {sorted(unknown)}")
    if args.adapter == "slcan" and args.protocol not in "6789":
        parser.error("SLCAN is for CAN: --protocol 6 .. 9")
    if args.factor <= 0:
        parser.error("--factor must be above 0")
    return args


async def run(args):
    sim = Sim(args)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await sim.open()
        sky = loop.create_task(sim.receive_sky()) if args.nmea else None
        print(json.dumps({"ready": True, "pid": os.getpid(), "link": args.link,
                          "tcp": next((p.port for p in sim.ports
                                       if isinstance(p, port.TcpPort)), None),
                          "epoch": sim.replay.epoch}), flush=True)
        await stop.wait()
        if sky:
            sky.cancel()
    finally:
        sim.close()


def main():
    args = arguments(sys.argv[1:])
    try:
        asyncio.run(run(args))
    except (OSError, ValueError, IndexError) as error:
        print(f"car.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
