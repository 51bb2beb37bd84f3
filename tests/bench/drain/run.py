"""tests/bench/drain/run.py - how fast a car that was away catches up, and whether an alert waits behind its backlog.

    run.py [BUILD] [--rounds N]     prints rows for tests/bench/run.sh

The real agent with an outbox of 10,000 records (tests/bench/drain/tool.c), the real broker with guard and TLS, the real
ingest with PostgreSQL and InfluxDB, all on loopback, rates raised at both ends (--send-rate 0, --rate 0).  A drain is timed
from outside: from the agent's up/state to the ack that has every number.  Beside it, the same bytes from a publisher that
sends at QoS 1 and waits for each PUBACK, which proves no storing.  Then the same with a simulated car on the adapter that
tells another VIN than the certificate's: its alert is committed while the backlog is under way."""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/integration")]
RECORDS, LONG = 10000, 60000
CASES = [("columnar, 2 samples a record", 2, "columnar"), ("JSON, 1 sample a record", 1, "json")]


def cpu_us(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1e6 / os.sysconf("SC_CLK_TCK")


class Bench:
    def __init__(self, build, folder):
        os.environ["VIGIE_BUILD"] = build
        import ingest_site
        self.site_module, self.build, self.folder = ingest_site, ROOT / build, Path(folder)
        self.site = ingest_site.Site(self.folder)
        self.site.broker.refusals = False
        self.site.start(rate=0)
        self.admin = ingest_site.free_port()

    def fill(self, name, records, samples, encoding):
        outbox = self.folder / name
        subprocess.run([self.build / "sim/drain", "fill", outbox, str(records), str(samples), encoding], check=True,
                       stdout=subprocess.DEVNULL)
        return outbox

    def look(self, vin):
        """Everything this car says and hears, but its telemetry."""
        client = self.site.client("svc-bridge", "service", client_id=f"svc-bridge-{vin}")
        for leaf in ("up/state", "up/alert", "down/ack"):
            assert client.subscribe(self.site_module.topic(vin, leaf), 1) <= 1
        return client

    def agent(self, vin, outbox, *more):
        cert, key = self.site.identity(vin, "vehicle")
        log = open(self.folder / f"{vin}.log", "ab")
        argv = [self.build / "bin/vigie-vehicle", f"--vin={vin}", f"--brokers=mqtts://localhost:{self.site.broker.port_vehicles}",
                f"--ca={self.site.pki.path('service-root.pem')}", f"--cert={cert}", f"--key={key}", f"--outbox={outbox}",
                f"--admin=127.0.0.1:{self.admin}", "--gps=none", "--send-rate=0", *more]
        return subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=5) as answer:
            found = re.search(rf"^{re.escape(name)} (\S+)$", answer.read().decode(), re.M)
        return float(found[1]) if found else 0.0

    def drain(self, vin, outbox, records, obd="none", until_alert=False):
        """(seconds to the ack of the last number, what was seen of an alert)"""
        client, began, alert = self.look(vin), None, {}
        agent = self.agent(vin, outbox, f"--obd={obd}")
        try:
            deadline = time.monotonic() + 120
            while True:
                message, now = client.receive(max(deadline - time.monotonic(), 0.1)), time.monotonic()
                body = json.loads(message.payload)
                if message.topic.endswith("/up/state"):
                    began = began or now
                elif message.topic.endswith("/up/alert"):
                    alert.setdefault("stream", body["stream"])
                    alert.setdefault("published", now)
                elif body["stream"] == alert.get("stream"):
                    if body["upto"] >= 1 and "acked" not in alert:
                        alert.update(acked=now, behind=alert.get("upto", 0))
                else:
                    done = body["upto"] - sum(last - first + 1 for first, last in body["gaps"])
                    if "acked" not in alert:
                        alert["upto"] = done
                    if done >= records:
                        break
            self.cpu_us = cpu_us(agent.pid) / records
            return now - began, alert, self.metric('vigie_vehicle_ack_seconds_sum{stream="urgent"}')
        finally:
            agent.terminate()
            agent.wait(20)
            client.close()

    def plain(self, vin, outbox):
        cert, key = self.site.identity(vin, "vehicle")
        argv = [self.build / "sim/drain", "plain", outbox, f"mqtts://localhost:{self.site.broker.port_vehicles}",
                self.site.pki.path("service-root.pem"), cert, key, vin]
        return float(subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=True, timeout=200).stdout)

    def car(self, tty):
        """A simulated car that is not the one of the certificate."""
        captures = ROOT / "tests/captures"
        argv = [sys.executable, ROOT / "tests/sim/car.py", "--drive", captures / "kit_2018-02-23_RT_RT_Frei_Beschleunigung.csv",
                "--track", captures / "envirocar_track_2_dodge_caliber.json", "--vin", "VF1ZZZ00000000001", "--link", tty]
        return subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def spread(values, form="{:.2f}"):
    return f"{form.format(statistics.median(values))} ({form.format(min(values))} .. {form.format(max(values))})"


def size(bench):
    """72 h of driving, a round and a fix a second, nothing acknowledged: what the outbox takes."""
    mb = {}
    for encoding in ("columnar", "json"):
        argv = [bench.build / "sim/drain", "fill", bench.folder / f"size-{encoding}", str(72 * 3600), "2", encoding]
        mb[encoding] = int(subprocess.run(argv, capture_output=True, text=True, check=True).stdout) / 1e6
        shutil.rmtree(bench.folder / f"size-{encoding}")
    print(f"drain|72 h, a record of 34 readings a second, columnar|MB|{mb['columnar']:.1f}|{mb['json']:.1f} (JSON)|"
          f"{mb['json'] / mb['columnar']:.1f}|limit {512 * 2**20 / 1e6:.0f}", flush=True)


def run(bench, rounds):
    size(bench)
    for n, (name, samples, encoding) in enumerate(CASES):
        ours, beside, cpu = [], [], []
        for i in range(rounds):
            vin = bench.site.new_vin()
            outbox = bench.fill(f"drain-{n}-{i}", RECORDS, samples, encoding)
            ours.append(bench.drain(vin, outbox, RECORDS)[0])
            cpu.append(bench.cpu_us)
            beside.append(bench.plain(bench.site.new_vin(), outbox))
        print(f"drain|{RECORDS:,} records, {name}|s|{spread(ours)}|{spread(beside)} (QoS 1, one in flight)|"
              f"{statistics.median(beside) / statistics.median(ours):.1f}|goal 5; {RECORDS / statistics.median(ours):,.0f} records/s, the agent's CPU {statistics.median(cpu):.0f} us a record", flush=True)
    waits, outside, behind = [], [], []
    for i in range(rounds):
        vin, tty = bench.site.new_vin(), bench.folder / f"tty-{i}"
        outbox, car = bench.fill(f"alert-{i}", LONG, 2, "columnar"), bench.car(tty)
        try:
            while not tty.exists():
                time.sleep(0.05)
            _, alert, commit_to_ack = bench.drain(vin, outbox, LONG, obd=f"elm327:{tty}")
        finally:
            car.terminate()
            car.wait()
        assert "acked" in alert and alert["behind"] < LONG, f"the backlog was gone before the alert came: {alert}"
        waits.append(commit_to_ack * 1000)
        outside.append((alert["acked"] - alert["published"]) * 1000)
        behind.append(LONG - alert["behind"])
    print(f"drain|an alert in the middle of {LONG:,}, commit to ack|ms|{spread(waits, '{:.0f}')}|||"
          f"goal 200; {min(behind):,} .. {max(behind):,} records still to come; seen at the broker to ack {spread(outside, '{:.0f}')}", flush=True)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("build", nargs="?", default="build")
    options.add_argument("--rounds", type=int, default=3)
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
