#!/usr/bin/env python3
"""Samples a second that are durable in both stores for a while, with everything on one machine.

    run.py [BUILD]     prints rows for tests/bench/run.sh; DURABLE_SECONDS=300, DURABLE_CARS=4000;
                       DURABLE_SHARE=50: half of the goal's rate, on a machine that has not more; DURABLE_SIGNALS=8: that case alone

Cars send 30 samples a record at the pace of the goal, and keep what is not acknowledged; the record's age at its
acknowledgement tells whether the stores keep up.  There are so many cars that each sends less than a record a second:
a stream has one ack a second, so what is sent more often waits for that and not for the stores.  Sender, broker, stores
and ingest share the processors."""
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from crowd import crowd, load, said  # noqa: E402

INSTANCES = int(os.environ.get("BENCH_INSTANCES") or 2)  # as many as a site has at least
SECONDS = int(os.environ.get("DURABLE_SECONDS") or 300)
CARS = int(os.environ.get("DURABLE_CARS") or 4000)
SAMPLES = 30
SHARE = float(os.environ.get("DURABLE_SHARE") or 100)
ONLY = int(os.environ.get("DURABLE_SIGNALS") or 0)
CASES = [(signals, int(rate * SHARE / 100)) for signals, rate in ((8, 100000), (17, 40000)) if ONLY in (0, signals)]


def measure(bench, signals, rate):
    every_ms = 1000 * CARS * SAMPLES // rate
    before, spent, began = bench.rows(), bench.spent(), time.monotonic()
    told = said(bench.send("cars", "--records", 10 ** 7, "--samples", SAMPLES, "--signals", signals, "--step", every_ms // SAMPLES,
                           "--every", every_ms, "--ago", 0, "--columnar", "--connects", 500, "--seconds", SECONDS), SECONDS + 60)
    seconds = time.monotonic() - began
    costs = bench.costs(spent, [told], told["samples_acked"])
    stored = bench.rows() - before
    dropped = bench.metric("vigie_ingest_ring_dropped_total")
    whose = "goal" if SHARE == 100 else f"{SHARE:g} % of the goal"
    print(f"durable|{signals} signals, {rate:,} samples/s for {SECONDS} s|samples/s acknowledged|"
          f"{told['samples_acked'] / (SECONDS - CARS / 500 / 2):,.0f}|{rate:,} ({whose})|{told['samples_acked'] / SECONDS / rate:.2f}|"
          f"ack p50 {told['ack_ms']['p50']} ms, p99 {told['ack_ms']['p99']} ms (goal 1000), {told['resent']} resent, {dropped:.0f} dropped, "
          f"{stored / seconds:,.0f} rows/s in InfluxDB, {costs}, load {load()}", flush=True)


def main():
    for signals, rate in CASES:
        with crowd(sys.argv[1] if len(sys.argv) > 1 else "build", INSTANCES) as bench:
            bench.add_cars("cars", CARS)
            measure(bench, signals, rate)


if __name__ == "__main__":
    main()
