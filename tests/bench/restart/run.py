#!/usr/bin/env python3
"""kill -9 of vigie-ingest with 10,000 cars connected and driving: how long from its start to the first acknowledgement.

    run.py [BUILD]     prints a row for tests/bench/run.sh

The acknowledgement is published after both stores have committed, so it is later than the first commit.  The clock starts
when the new process is started."""
import os
import resource
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from crowd import crowd, load  # noqa: E402

CARS, CONNECTS_PER_S, TIMES = int(os.environ.get("RESTART_CARS") or 10000), 400, 7


def first_ack_ms(site, ear):
    site.ingest.kill()
    time.sleep(1)
    ear.drain()
    began = time.monotonic()
    site.ingest.spawn()
    ear.receive(30)
    return (time.monotonic() - began) * 1000


def main():
    with crowd(sys.argv[1] if len(sys.argv) > 1 else "build") as bench:
        import mqtt5
        site, cars = bench.site, min(CARS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)
        bench.add_cars("all", cars)
        run = bench.send("all", "--records", 10 ** 6, "--samples", 10, "--step", 1000, "--every", 10000, "--ago", 0, "--columnar",
                         "--connects", CONNECTS_PER_S)
        try:
            time.sleep(cars / CONNECTS_PER_S + 10)
            ear = mqtt5.Client(site.broker.port_services, site.pki.path("service-root.pem"), *site.identity("svc-ingest", "service"),
                               client_id="svc-ingest-listener")
            ear.subscribe("fleet/v1/+/+/down/ack", 0)
            found = []
            for _ in range(TIMES):
                found.append(first_ack_ms(site, ear))
                site.ingest.wait_ready()
                time.sleep(4)
            print(f"restart|{cars:,} cars connected, 10,000 samples/s|ms from start to first ack|{statistics.median(found):.0f} "
                  f"({min(found):.0f} .. {max(found):.0f})|200 (goal)|{200 / statistics.median(found):.1f}|{TIMES} times kill -9, load {load()}",
                  flush=True)
        finally:
            run.kill()
            run.wait()


if __name__ == "__main__":
    main()
