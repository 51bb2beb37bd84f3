#!/usr/bin/env python3
"""Memory of vigie-ingest with 10,000 cars connected, each with one record of ten samples stored and acknowledged.

    run.py [BUILD]     prints a row for tests/bench/run.sh"""
import re
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from crowd import crowd, said  # noqa: E402

CARS, CONNECTS_PER_S = 10000, 300


def memory_mb(pid, line):
    return int(re.search(line + r":\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def main():
    with crowd(sys.argv[1] if len(sys.argv) > 1 else "build") as bench:
        pid = bench.site.ingest.process.pid
        before = memory_mb(pid, "VmRSS")
        bench.add_cars("all", min(CARS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100))
        told = said(bench.send("all", "--records", 1, "--samples", 10, "--columnar", "--connects", CONNECTS_PER_S, "--seconds", 90), 120)
        print(f"connected|{told['connected']:,} cars, {told['acked']:,} records stored|MB VmHWM of ingest|{memory_mb(pid, 'VmHWM'):.1f}|"
              f"{before:.1f} (idle)||{CONNECTS_PER_S} cars a second, ack p99 {told['ack_ms']['p99']} ms", flush=True)


if __name__ == "__main__":
    main()
