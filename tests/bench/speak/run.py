#!/usr/bin/env python3
"""What an ack costs ingest and the broker: by ingest's speaker, and beside it by Paho, turn about (tool.c, over TLS).

    run.py [BUILD]     prints rows for tests/bench/run.sh"""
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from crowd import ROOT, cpu_s, crowd  # noqa: E402

ACKS, ROUNDS, BURSTS = 20000, 3, (20, 200, 1000)


def say(bench, who, burst):
    """CPU of the process and of the broker, µs an ack."""
    site = bench.site
    cert, key = site.identity("svc-ingest", "service")
    before = cpu_s(site.broker.process.pid)
    done = subprocess.run([str(a) for a in (ROOT / bench.build / "sim/speak", who, f"mqtts://127.0.0.1:{site.broker.port_services}",
                                            site.pki.path("service-root.pem"), cert, key, ACKS, burst)],
                          stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    return float(done.stdout) / 1000, (cpu_s(site.broker.process.pid) - before) * 1e6 / ACKS


def main():
    with crowd(sys.argv[1] if len(sys.argv) > 1 else "build") as bench:
        for burst in BURSTS:
            seen = {"speaker": [], "paho": []}
            for _ in range(ROUNDS):
                for who, rounds in seen.items():
                    rounds.append(say(bench, who, burst))
            ours, paho = ([statistics.median(column) for column in zip(*rounds)] for rounds in seen.values())
            print(f"speak|acks in bursts of {burst}|µs CPU each|{ours[0]:.1f}|{paho[0]:.1f}, Paho|{paho[0] / ours[0]:.1f}|"
                  f"the broker's {ours[1]:.1f} beside {paho[1]:.1f}", flush=True)


if __name__ == "__main__":
    main()
