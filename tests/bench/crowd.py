"""A site for crowds: PostgreSQL, InfluxDB and vigie-ingest as always, and a broker that lets any number of cars in over plain
TCP (the project's lets 2,000 in, and TLS for all of them would measure handshakes); ingest itself comes over TLS.

    with crowd(build, instances=2) as bench:
        bench.add_cars("live", 1000)
        run = bench.send("live", "--every", 1000)     # a Popen of tests/sim/fleet; said(run) is its last line"""
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/integration")]
from stack.wait import wait_until  # noqa: E402

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


def load():
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def cpu_s(pid):
    """Of a process; of one that has just ended nothing."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Crowd:
    def __init__(self, site, build, others):
        self.site, self.build, self.count = site, build, 0
        self.ingests = [site.ingest, *others]

    def add_cars(self, name, cars):
        """Vehicles of their own; their VINs in a file."""
        first = self.count
        self.count += cars
        self.site.sql("INSERT INTO vehicle (vin, customer_id, status) SELECT 'WVWZZZ1KZAX' || lpad(i::text, 6, '0'), "
                      f"'{self.site.customer}', 'active' FROM generate_series({first + 1}, {self.count}) i")
        self.file(name).write_text("\n".join(f"WVWZZZ1KZAX{i:06d}" for i in range(first + 1, self.count + 1)))

    def file(self, name):
        return self.site.folder / f"{name}.vins"

    def send(self, name, *options):
        argv = [ROOT / self.build / "sim/fleet", "--vins", self.file(name), "--broker",
                f"127.0.0.1:{self.site.broker.port_vehicles}", "--silence", 30000, *options]  # an agent's patience
        return subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait_for_shares(self):
        """Until the instances have divided the shards among them: cars begin when that is done."""
        owned = lambda: [ingest.metric("vigie_ingest_shards_owned") for ingest in self.ingests]
        wait_until(lambda: sum(now := owned()) == 64 and max(now) - min(now) <= 1, why="fair shares")

    def cpu_s(self):
        """Of all instances of ingest."""
        return sum(cpu_s(ingest.process.pid) for ingest in self.ingests)

    def spent(self):
        """CPU seconds so far by process, the senders left out: those say it themselves."""
        site = self.site
        return {"broker": cpu_s(site.broker.process.pid), "influxd": cpu_s(site.influx.process.pid),
                "postgres": sum(map(cpu_s, site.processes(site.postgres))), "ingest": self.cpu_s()}

    def costs(self, before, senders, samples):
        """Where the processors' time went since `before`, and what rate two cores could bear at most at that price."""
        spent = {"sender": sum(sender["cpu_s"] for sender in senders)}
        spent.update((name, seconds - before[name]) for name, seconds in self.spent().items())
        us = {name: seconds * 1e6 / max(samples, 1) for name, seconds in spent.items()}
        total = sum(us.values())
        return (f"CPU µs a sample: {', '.join(f'{name} {value:.2f}' for name, value in us.items())}, all {total:.1f} = "
                f"{2e6 / max(total, 0.01):,.0f}/s on 2 cores")

    def metric(self, name, label=None):
        return sum(ingest.metric(name, label) for ingest in self.ingests)

    def rows(self):
        """Samples in InfluxDB."""
        answer = self.site.influx.query('SELECT count("Vehicle.Speed") FROM telemetry', "fleet")
        return answer[0]["count"] if answer else 0


def said(run, timeout_s):
    out, _ = run.communicate(timeout=timeout_s)
    return json.loads(out)


@contextlib.contextmanager
def crowd(build, instances=1):
    os.environ["VIGIE_BUILD"] = build
    import ingest_site
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder:
        os.chmod(folder, 0o755)  # the broker and PostgreSQL are somebody else
        site = ingest_site.Site(folder)
        site.broker.refusals = False
        site.broker.prepare()
        site.broker.conf.write_text(BROKER.format(services=site.broker.port_services, vehicles=site.broker.port_vehicles,
                                                  pki=site.pki.folder))
        site.broker.prepare = lambda: None
        others = []
        try:
            site.start(rate=0)
            for n in range(1, instances):
                others.append(ingest_site.Ingest(site, str(n), rate=0).start())
            bench = Crowd(site, build, others)
            bench.wait_for_shares()
            yield bench
        finally:
            for other in others:
                other.stop()
            site.stop()
