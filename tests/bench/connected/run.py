#!/usr/bin/env python3
"""Memory of vigie-ingest with 10,000 cars connected, each with one record of ten samples stored and acknowledged.

    run.py [BUILD]     prints a row for tests/bench/run.sh

Cars come over plain TCP through a broker of the bench's own (the project's lets 2,000 in, and TLS for all of them would
measure the handshakes); ingest itself connects as always."""
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/integration")]
CARS, CONNECTS_PER_S = 10000, 300

BROKER = """per_listener_settings true
user root
set_tcp_nodelay true
max_queued_messages 20000
listener {services} 127.0.0.1
cafile {pki}/service-chain.pem
certfile {pki}/server.pem
keyfile {pki}/server.key
require_certificate true
use_identity_as_username true
listener {vehicles} 127.0.0.1
allow_anonymous true
"""


def memory_mb(pid, line):
    return int(re.search(line + r":\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def start(site, cars):
    site.broker.refusals = False
    site.broker.prepare()
    site.broker.conf.write_text(BROKER.format(services=site.broker.port_services, vehicles=site.broker.port_vehicles,
                                              pki=site.pki.folder))
    site.broker.prepare = lambda: None
    site.start(rate=0)
    site.sql("INSERT INTO vehicle (vin, customer_id, status) SELECT 'WVWZZZ1KZAX' || lpad(i::text, 6, '0'), "
             f"'{site.customer}', 'active' FROM generate_series(1, {cars}) i")
    (site.folder / "vins").write_text("\n".join(f"WVWZZZ1KZAX{i:06d}" for i in range(1, cars + 1)))


def run(site, build, cars):
    start(site, cars)
    pid = site.ingest.process.pid
    before = memory_mb(pid, "VmRSS")
    argv = [ROOT / build / "sim/fleet", "--vins", site.folder / "vins", "--broker", f"127.0.0.1:{site.broker.port_vehicles}",
            "--records", 1, "--samples", 10, "--columnar", "--connects", CONNECTS_PER_S, "--seconds", 90]
    said = json.loads(subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120,
                                     check=True).stdout)
    print(f"connected|{said['connected']:,} cars, {said['acked']:,} records stored|MB VmHWM of ingest|{memory_mb(pid, 'VmHWM'):.1f}|"
          f"{before:.1f} (idle)||{CONNECTS_PER_S} cars a second, ack p99 {said['ack_ms']['p99']} ms", flush=True)


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "build"
    os.environ["VIGIE_BUILD"] = build
    import ingest_site
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder:
        os.chmod(folder, 0o755)  # the broker and PostgreSQL are somebody else
        site = ingest_site.Site(folder)
        try:
            run(site, build, min(CARS, hard - 100))
        finally:
            site.stop()


if __name__ == "__main__":
    main()
