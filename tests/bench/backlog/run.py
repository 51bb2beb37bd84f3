#!/usr/bin/env python3
"""A crowd comes back after an hour away: how fast it drains, and what live cars notice of it.

    run.py [BUILD]     prints rows for tests/bench/run.sh; BACKLOG_SHARE=20 is the part of the full size

10,000 cars of an hour at 1 Hz are 36 M samples.  Here 1,000 cars hold 1/SHARE of that: at SHARE 20 1,800 s each, 1.8 M samples,
to be gone in 8 min / 20 = 24 s (8 signals) or 20 min / 20 = 60 s (17).  Meanwhile 500 others drive live, 10,000 samples a
second; how long their acknowledgements take is what "live" loses."""
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from crowd import crowd, load, said  # noqa: E402

INSTANCES = int(os.environ.get("BENCH_INSTANCES") or 2)  # as many as a site has at least
SHARE = int(os.environ.get("BACKLOG_SHARE") or 20)
CARS, LIVE, SAMPLES = 1000, 500, 30
TOTAL = 10000 * 3600
CASES = [(8, 8 * 60), (17, 20 * 60)]


def measure(bench, signals, goal_s):
    samples = TOTAL // SHARE
    records = samples // CARS // SAMPLES
    live = bench.send("live", "--records", 10 ** 6, "--samples", 20, "--step", 50, "--every", 1000, "--signals", signals, "--ago", 0,
                      "--columnar", "--connects", 500, "--seconds", 2000)
    time.sleep(5)
    spent, began = bench.spent(), time.monotonic()
    told = said(bench.send("away", "--records", records, "--samples", SAMPLES, "--signals", signals, "--columnar", "--window", 8000,
                           "--connects", 1000, "--seconds", 300), 330)
    seconds = time.monotonic() - began
    live.terminate()
    alive = said(live, 30)
    costs = bench.costs(spent, [told, alive], told["samples_acked"] + alive["samples_acked"])
    goal = goal_s / SHARE
    print(f"backlog|{signals} signals, 1/{SHARE} of 36 M samples|s to drain|{seconds:.1f}|{goal:.0f} (goal)|{goal / seconds:.2f}|"
          f"{told['samples_acked'] / seconds:,.0f} samples/s beside 10,000/s live whose acks took p50 {alive['ack_ms']['p50']} ms, "
          f"p99 {alive['ack_ms']['p99']} ms (goal 1000), {told['resent']} resent, full size {seconds * SHARE / 60:.1f} min, {costs}, load {load()}", flush=True)


def main():
    for signals, goal_s in CASES:
        with crowd(sys.argv[1] if len(sys.argv) > 1 else "build", INSTANCES) as bench:
            bench.add_cars("away", CARS)
            bench.add_cars("live", LIVE)
            measure(bench, signals, goal_s)


if __name__ == "__main__":
    main()
