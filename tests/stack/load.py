"""Many cars at once, by tests/sim/fleet, against a running stack; and what its ledger says of an InfluxDB.

    load = Load(stack, "load", cars=20)                     # makes the vehicles and their certificates
    run = load.start("--every", 500, "--ago", 0)              # a process; run.end() sees all of it through
    load.check(stack.influx, "illkirch")                      # {"records": ..., "missing": 0, ...}"""
import json
import signal
import subprocess
import uuid
from pathlib import Path

from .growing import whole_text

ROOT = Path(__file__).resolve().parents[2]


class Run:
    def __init__(self, argv, log):
        self.log = Path(log)
        with open(self.log, "ab") as err:
            self.process = subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE, stderr=err, text=True)

    def said(self):
        """The newest line of figures."""
        lines = [line for line in whole_text(self.log).splitlines() if line.startswith("{")]
        return json.loads(lines[-1]) if lines else {"acked": 0, "sent": 0, "connected": 0}

    def wait(self, timeout_s):
        """Until all is acknowledged; the last figures."""
        out, _ = self.process.communicate(timeout=timeout_s)
        if self.process.returncode != 0:
            raise AssertionError(f"fleet ended with {self.process.returncode}: {out} {self.log.read_text()[-500:]}")
        return json.loads(out)

    def end(self, timeout_s=120):
        """No more records; those made are seen through."""
        self.process.send_signal(signal.SIGUSR1)
        return self.wait(timeout_s)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Load:
    def __init__(self, stack, name, cars, stem="WVWZZZ1KZBW"):
        self.stack, self.name = stack, name
        self.folder = stack.folder / name
        self.folder.mkdir()
        self.vins = [f"{stem}{n:06d}" for n in range(1, cars + 1)]
        (self.folder / "vins").write_text("\n".join(self.vins))
        stack.api("vehicle", "add", *self.vins)
        stack.api("issue", *self.vins, "--out", self.folder / "certs")
        self.ledger = self.folder / "ledger"
        self.runs = []

    def start(self, *options, brokers=None):
        """`brokers`: ports, the first one first."""
        at = ",".join(f"127.0.0.1:{port}" for port in brokers or [self.stack.ports.mqtt])
        argv = [self.stack.build / "sim/fleet", "--vins", self.folder / "vins", "--certs", self.folder / "certs",
                "--ca", self.stack.pki / "service-root.pem", "--broker", at, "--ledger", self.ledger,
                "--run", uuid.uuid4().hex, *options]
        self.runs.append(Run(argv, self.folder / f"fleet-{len(self.runs)}.log"))
        return self.runs[-1]

    def stop(self):
        for run in self.runs:
            run.stop()

    # ---- what was acknowledged
    def lines(self):
        """(VIN, stream, seq, site) of every acknowledgement."""
        found = []
        for line in whole_text(self.ledger).splitlines():
            if not line.startswith("plan "):
                vin, _, stream, seq, site = line.split()
                found.append((vin, stream, int(seq), site))
        return found

    def check(self, influx, site):
        done = subprocess.run([self.stack.build / "sim/ledger", self.ledger, influx.address, site], capture_output=True,
                              text=True, timeout=300)
        if done.returncode not in (0, 1):
            raise AssertionError(done.stderr)
        return json.loads(done.stdout)

    def check_facts(self, postgres):
        """Of the acknowledged alerts: (how many, missing, stored twice)."""
        acked = {(stream, seq) for _, stream, seq, _ in self.lines()}
        vins = ",".join(f"'{vin}'" for vin in self.vins)
        rows = [row.split("|") for row in postgres.sql(
            f"SELECT stream, seq, count(*) FROM fact WHERE vin IN ({vins}) GROUP BY 1, 2").splitlines()]
        stored = {(stream, int(seq)): int(n) for stream, seq, n in rows}
        return len(acked), len(acked - stored.keys()), sum(1 for n in stored.values() if n > 1)
