#!/usr/bin/env python3
"""How long from publishing a record to its acknowledgement, at 20,000 samples a second of 17 signals, durable in both stores.

    run.py [BUILD]     prints rows for tests/bench/run.sh; ACKS_SECONDS=60

4,000 cars send a record of ten samples every two seconds (an agent's own pace), 40 others two alerts a second.  On the cars'
clock; the sender, the broker and both stores share the machine.  Beside it the PUBACK of the same alerts' broker would prove
nothing, so nothing stands beside."""
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from crowd import crowd, load, said  # noqa: E402

INSTANCES = int(os.environ.get("BENCH_INSTANCES") or 2)  # as many as a site has at least
SECONDS = int(os.environ.get("ACKS_SECONDS") or 60)
CARS, SAMPLES, EVERY_MS, ALERTING = 4000, 10, 2000, 40
CONNECTS_PER_S = 400


def main():
    with crowd(sys.argv[1] if len(sys.argv) > 1 else "build", INSTANCES) as bench:
        bench.add_cars("bulk", CARS)
        bench.add_cars("urgent", ALERTING)
        seconds = CARS // CONNECTS_PER_S + SECONDS
        spent = bench.spent()
        bulk = bench.send("bulk", "--records", 10 ** 6, "--samples", SAMPLES, "--step", EVERY_MS // SAMPLES, "--every", EVERY_MS,
                          "--ago", 0, "--columnar", "--connects", CONNECTS_PER_S, "--seconds", seconds)
        time.sleep(seconds - SECONDS)  # all are there
        urgent = bench.send("urgent", "--alerts", "--qos", 1, "--records", 10 ** 6, "--every", 500, "--ago", 0, "--seconds", SECONDS - 2)
        alerts, told = said(urgent, 120), said(bulk, 120)
        costs = bench.costs(spent, [alerts, told], told["samples_acked"])
        rate = told["samples_acked"] / (seconds - CARS / CONNECTS_PER_S / 2)
        for name, figures, goal in (("bulk", told, 250), ("urgent", alerts, 50)):
            print(f"acks|{name}, publish to ack|ms p50 / p99 / max|{figures['ack_ms']['p50']} / {figures['ack_ms']['p99']} / "
                  f"{figures['ack_ms']['max']}|p99 {goal} (goal)|{goal / max(figures['ack_ms']['p99'], 1):.1f}|{rate:,.0f} samples/s, "
                  f"{figures['acked']:,} records, {figures['resent']} resent, {costs}, load {load()}", flush=True)


if __name__ == "__main__":
    main()
