#!/usr/bin/env python3
"""What a sample costs vigie-ingest beside Telegraf 1.39, on the same bytes.

    run.py [BUILD] [--rounds N]     prints rows for tests/bench/run.sh

Telegraf is built from go.mod beside this with what it needs here (mqtt_consumer, json_v2, influxdb); without Go, or without its
modules, it is reported as absent.  It runs as one would run it for data: QoS 1, a persistent session (else it acknowledges on
arrival), 5,000 undelivered messages, batches of 5,000, flushed every second.  Same broker, same InfluxDB, same sender (tests/sim/fleet);
it has no facts and no acknowledgement of its own to make.  Columnar records it cannot read: those stand beside its JSON."""
import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "ingest"))
from run import Bench, PLAIN, spread  # noqa: E402

TAGS = "custom,inputs.mqtt_consumer,outputs.influxdb,parsers.json_v2,serializers.influx"
CASES = [("columnar, 30 a record, QoS 0", ["--columnar", "--window", "60000"], 500, 30, "JSON, 10 a record"),
         ("JSON, 10 a record, QoS 0", ["--window", "262144"], 600, 10, "JSON, 10 a record"),
         ("JSON, 1 a record, QoS 1", ["--qos", "1", "--window", "88000"], 1500, 1, "JSON, 1 a record")]
# With those of the project the broker drops of a burst what Telegraf has not taken yet, PUBACK or not.
LIMITS = {"max_inflight_messages": 10000, "max_queued_messages": 100000, "max_queued_bytes": 1 << 30}
CONFIG = """
[agent]
  omit_hostname = true
  flush_interval = "1s"
  metric_batch_size = 5000
  metric_buffer_limit = 200000
[[inputs.mqtt_consumer]]
  servers = ["ssl://127.0.0.1:{port}"]
  topics = ["fleet/v1/+/+/up/telemetry"]
  topic_tag = ""
  qos = 1
  persistent_session = true
  client_id = "svc-ingest-telegraf"
  max_undelivered_messages = 5000
  tls_ca = "{ca}"
  tls_cert = "{cert}"
  tls_key = "{key}"
  data_format = "json_v2"
  [[inputs.mqtt_consumer.topic_parsing]]
    topic = "fleet/v1/+/+/up/telemetry"
    tags = "_/_/_/vin/_/_"
  [[inputs.mqtt_consumer.json_v2]]
    measurement_name = "telemetry"
    [[inputs.mqtt_consumer.json_v2.object]]
      path = "samples"
      disable_prepend_keys = true
      timestamp_key = "t"
      timestamp_format = "unix_ms"
[[outputs.influxdb]]
  urls = ["{influx}"]
  database = "fleet"
  skip_database_creation = true
"""


def build():
    """The program, from a cache of its own; or why there is none."""
    go = shutil.which("go", path=os.environ.get("PATH", "") + ":/usr/local/go/bin")
    if not go:
        return None, "there is no Go here"
    key = hashlib.sha256((HERE / "go.sum").read_bytes()).hexdigest()[:16]
    program = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vigie" / f"telegraf-{key}"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([go, "build", "-trimpath", "-mod=mod", "-tags", TAGS, "-o", program,
                               "github.com/influxdata/telegraf/cmd/telegraf"], cwd=HERE, capture_output=True, text=True, timeout=1800)
        if done.returncode != 0:
            return None, "it cannot be built: " + done.stderr.strip().splitlines()[-1][:150]
    return program, ""


def start(bench, program):
    site = bench.site
    cert, key = site.identity("svc-ingest", "service")
    config = bench.folder / "telegraf.conf"
    config.write_text(CONFIG.format(port=site.broker.port_services, ca=site.pki.path("service-root.pem"), cert=cert, key=key,
                                    influx=site.influx.address))
    with open(bench.folder / "telegraf.log", "ab") as log:
        process = subprocess.Popen([program, "--config", config], stdout=log, stderr=log)
    time.sleep(4)  # it subscribes; a persistent session misses nothing from then on
    assert process.poll() is None, (bench.folder / "telegraf.log").read_text()[-2000:]
    return process


def run(bench, program, rounds):
    ours, beside, notes = {}, {}, {}
    for _ in range(rounds):
        bench.site.ingest.stop()
        telegraf = start(bench, program)
        for name, how in PLAIN.items():
            us, rate, said = bench.measure(telegraf, *how)
            beside.setdefault(name, []).append(us)
            notes[name] = f"its {rate:,.0f}/s, {said['missing']} missing"
        telegraf.terminate()
        telegraf.wait()
        bench.site.ingest = bench.site_module.Ingest(bench.site, rate=0).start()
        for name, options, records, samples, _ in CASES:
            us, rate, said = bench.measure(bench.site.ingest.process, options, records, samples)
            ours.setdefault(name, []).append(us)
            notes[name] = f"{rate:,.0f}/s, {said['missing']} missing"
    for name, *_, peer in CASES:
        print(f"telegraf|{name}|µs CPU a sample|{spread(ours[name])}|{spread(beside[peer])} (Telegraf, {peer})|"
              f"{statistics.median(beside[peer]) / statistics.median(ours[name]):.1f}|{notes[name]}; {notes[peer]}", flush=True)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("build", nargs="?", default="build")
    options.add_argument("--rounds", type=int, default=2)
    options = options.parse_args()
    program, why = build()
    if not program:
        print(f"telegraf|absent||||| {why}")
        return
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder:
        os.chmod(folder, 0o755)  # the broker and PostgreSQL are somebody else
        bench = Bench(options.build, folder, LIMITS)
        try:
            run(bench, program, options.rounds)
        finally:
            bench.site.stop()


if __name__ == "__main__":
    main()
