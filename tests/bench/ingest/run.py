#!/usr/bin/env python3
"""What a sample costs vigie-ingest, beside the consumer one writes on the first evening (plain.c).

    run.py [BUILD] [--rounds N]     prints rows for tests/bench/run.sh

The real broker with guard and TLS, PostgreSQL and InfluxDB of its own in a temporary folder on loopback, records from
tests/sim/fleet, turn about.  The figure is the time the one process's threads ran divided by the rows counted in InfluxDB;
its load, the databases and the sender share the machine."""
import argparse
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/integration")]
CARS = 30

# name, how the fleet sends, records a car, samples a record, what stands beside it
CASES = [
    ("columnar, 30 a record, QoS 0", ["--columnar", "--window", "60000"], 500, 30, "JSON, 10 a record"),
    ("columnar, 10 a record, QoS 0", ["--columnar", "--window", "25000"], 800, 10, "JSON, 10 a record"),
    ("JSON, 10 a record, QoS 0", ["--window", "262144"], 600, 10, "JSON, 10 a record"),
    ("JSON, 1 a record, QoS 1", ["--qos", "1", "--window", "88000"], 1500, 1, "JSON, 1 a record"),
]
PLAIN = {"JSON, 10 a record": (["--qos", "1", "--no-acks"], 100, 10), "JSON, 1 a record": (["--qos", "1", "--no-acks"], 300, 1)}


def cpu_us(pid):
    """Of all its threads, to the nanosecond: ticks of 10 ms are a seventh of what is measured here in the worst case."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1000


def with_limits(broker, limits):
    """`limits` {setting: value} instead of those of services/broker."""
    prepare = broker.prepare

    def prepare_with_limits():
        prepare()
        text = broker.conf.read_text()
        for name, value in limits.items():
            text = re.sub(rf"^{name} .*$", f"{name} {value}", text, flags=re.M)
        broker.conf.write_text(text)
    broker.prepare = prepare_with_limits


class Bench:
    def __init__(self, build, folder, limits=None):
        os.environ["VIGIE_BUILD"] = build
        import ingest_site
        self.site_module, self.build, self.folder = ingest_site, ROOT / build, Path(folder)
        self.days = itertools.count(1)
        self.site = ingest_site.Site(self.folder)
        self.site.broker.refusals = False
        with_limits(self.site.broker, limits or {})
        self.site.start(rate=0)
        self.vins = [self.site.new_vin() for _ in range(CARS)]
        (self.folder / "vins").write_text("\n".join(self.vins))
        for vin in self.vins:
            cert, key = self.site.identity(vin, "vehicle")
            (self.folder / "certs" / vin).mkdir(parents=True)
            (self.folder / "certs" / vin / "cert.pem").symlink_to(cert)
            (self.folder / "certs" / vin / "key.pem").symlink_to(key)

    def rows(self):
        answer = self.site.influx.query('SELECT count("Vehicle.Speed") FROM telemetry', "fleet")
        return answer[0]["count"] if answer else 0

    def send(self, options, records, samples):
        """Everything sent, and acknowledged unless told otherwise; what the fleet says of it.  A day of its own each time, later each time as time goes:
        what is written over is no new row."""
        argv = [self.build / "sim/fleet", "--vins", self.folder / "vins", "--certs", self.folder / "certs",
                "--ca", self.site.pki.path("service-root.pem"), "--broker", f"127.0.0.1:{self.site.broker.port_vehicles}",
                "--records", records, "--samples", samples, "--ago", 86400 * (58 - next(self.days)), "--seconds", 100, *options]
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=150)
        assert done.returncode == 0, done.stdout + done.stderr[-2000:]
        return json.loads(done.stdout)

    def measure(self, process, options, records, samples):
        """(µs a sample, samples a second, what the fleet says)"""
        wanted, before = CARS * records * samples, self.rows()
        began, cpu = time.monotonic(), cpu_us(process.pid)
        said = self.send(options, records, samples)
        deadline = time.monotonic() + 60
        while (stored := self.rows() - before) < wanted and time.monotonic() < deadline:
            time.sleep(0.2)
        assert stored, "nothing was stored"
        return (cpu_us(process.pid) - cpu) / stored, stored / (time.monotonic() - began), {**said, "missing": wanted - stored}

    def plain(self):
        cert, key = self.site.identity("svc-ingest", "service")
        argv = [self.build / "sim/plain", f"mqtts://127.0.0.1:{self.site.broker.port_services}",
                self.site.pki.path("service-root.pem"), cert, key, self.site.influx.address]
        started = subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE, text=True)
        assert started.stdout.readline() == "ready\n"
        return started

    def memory_mb(self):
        return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{self.site.ingest.process.pid}/status").read_text())[1]) / 1024


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} .. {max(values):.2f})"


def run(bench, rounds):
    ours, beside, notes = {}, {}, {}
    for _ in range(rounds):
        bench.site.ingest.stop()
        plain = bench.plain()
        for name, how in PLAIN.items():
            us, rate, said = bench.measure(plain, *how)
            beside.setdefault(name, []).append(us)
            notes[name] = said["missing"]
        plain.terminate()
        plain.wait()
        bench.site.ingest = bench.site_module.Ingest(bench.site, rate=0).start()
        for name, options, records, samples, _ in CASES:
            us, rate, said = bench.measure(bench.site.ingest.process, options, records, samples)
            ours.setdefault(name, []).append(us)
            notes[name] = (f"{rate:,.0f}/s, {said['bytes'] // said['sent'] // samples} B/sample, ack p99 {said['ack_ms']['p99']} ms, "
                           f"{said['resent']} resent, {said['missing']} missing")
    for name, *_, peer in CASES:
        print(f"ingest|{name}|µs CPU a sample|{spread(ours[name])}|{spread(beside[peer])} ({peer})|"
              f"{statistics.median(beside[peer]) / statistics.median(ours[name]):.1f}|{notes[name]}")
    print(f"ingest|memory, {CARS} cars|MB VmHWM|{bench.memory_mb():.1f}|||", flush=True)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("build", nargs="?", default="build")
    options.add_argument("--rounds", type=int, default=2)
    options = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder:
        os.chmod(folder, 0o755)  # the broker and PostgreSQL are somebody else
        bench = Bench(options.build, folder)
        try:
            run(bench, options.rounds)
        finally:
            bench.site.stop()


if __name__ == "__main__":
    main()
