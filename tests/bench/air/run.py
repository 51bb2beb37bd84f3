#!/usr/bin/env python3
"""What a car costs on the air: a recorded drive at its own speed through the real agent, the real broker with TLS and the
ingest of two sites that both acknowledge, 30 s a record; beside it, at the same time, the same seconds as plain JSON, a
message each, QoS 1.  Every byte of every IP packet to and from the cars counts, headers and TCP's own acknowledgements
included; the first handshake does not (both sides have one, it is told in the note).

    run.py [BUILD]     prints a row for tests/bench/run.sh; takes some four minutes, most of them waiting for the drive

It runs in a network namespace of its own, whose loopback has Ethernet's MTU: as root, or where users may make one."""
import csv
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/integration"), str(ROOT / "tests/sim"), str(Path(__file__).parent)]

import capture  # noqa: E402

RECORD_S, RECORDS = 30, 5
DRIVE = "kit_2018-02-23_RT_RT_Frei_Beschleunigung.csv"
FIX = ("Latitude", "Longitude", "Altitude", "Heading", "HorizontalAccuracy")


def paths():
    """{PID: VSS path} of the identifiers a recording has."""
    with (ROOT / "proto/obd_pids.csv").open(newline="") as f:
        return {int(row["pid"], 16): row["vss_path"] for row in csv.DictReader(f) if row["vss_path"]}


class Plain(threading.Thread):
    """The first evening's car: what it measured this second as JSON, QoS 1, once a second."""

    def __init__(self, bench, client, topic):
        super().__init__(daemon=True)
        self.bench, self.client, self.topic, self.path = bench, client, topic, paths()
        self.sent, self.payload, self.signals, self.on = 0, 0, 0, True

    def sample(self, now):
        moment = self.bench.replay.at(now)
        s = {self.path[pid]: round(value, 2) for pid, value in moment.values.items() if value is not None}
        place = (moment.lat, moment.lon, moment.height_m, moment.heading_deg, moment.accuracy_m)
        s.update({f"Vehicle.CurrentLocation.{name}": round(value, 6) for name, value in zip(FIX, place) if value is not None})
        s.update({"Vehicle.IsMoving": int(moment.speed_kmh > 1), "Vehicle.Powertrain.CombustionEngine.IsRunning": 1})
        return s

    def run(self):
        while self.on:
            now = time.time()
            time.sleep(int(now) + 1 - now)
            s = self.sample(time.time())
            body = json.dumps({"vin": self.bench.vin, "t": int(time.time() * 1000), "s": s}, separators=(",", ":")).encode()
            self.client.publish(self.topic, body, qos=1)
            self.sent, self.payload, self.signals = self.sent + 1, self.payload + len(body), max(self.signals, len(s))


def sites(site, ingest_site, influx):
    """Two sites' ingest on one broker, each with an InfluxDB of its own."""
    site.start(rate=0)
    other = influx.Influx(site.folder / "influx-esplanade", ingest_site.free_port())
    other.start()
    class There:  # noqa: E306
        folder, broker, pki, postgres, identity = site.folder, site.broker, site.pki, site.postgres, site.identity
        influx = other
    return other, ingest_site.Ingest(There, instance="1", site="esplanade").start()


def acknowledged(bench):
    """{site: what it has of telemetry's stream}, as the agent noted with its last record."""
    acks = bench.rows("SELECT name, value FROM note WHERE name LIKE 'ack/bulk/%'")
    return {name.split("/")[2]: json.loads(value)["upto"] for name, value in acks}


def records(bench):
    """[(seq, bytes, samples)] of telemetry, as journalled."""
    import columnar
    rows = bench.rows("SELECT seq, payload FROM record WHERE leaf = 'up/telemetry' ORDER BY seq")
    return [(seq, bytes(payload), columnar.message(payload)["samples"]) for seq, payload in rows]


def rounds(samples):
    return sum("Vehicle.Powertrain.CombustionEngine.Speed" in sample["s"] for sample in samples)


def quiet(bench, after, wait):
    """Past a new record, and long past both acknowledgements of it; its number."""
    wait("a record", lambda: records(bench)[-1][0] > after, RECORD_S * 3)
    seq = 0
    while seq != records(bench)[-1][0]:  # something urgent may end a record early
        seq = records(bench)[-1][0]
        time.sleep(RECORD_S / 3)
    return seq


def measure(bench, count, plain, wait):
    """RECORDS records with all they cause, from the quiet after one to the quiet after another."""
    wait("records", lambda: len(records(bench)) >= 2, RECORD_S * 4)  # the first ones introduce the car
    first = quiet(bench, records(bench)[-1][0], wait)
    start, sent, packets, acks = dict(count.bytes), plain.sent, dict(count.packets), acknowledged(bench)
    last = first
    for _ in range(RECORDS):
        last = quiet(bench, last, wait)
    used = {port: count.bytes[port] - start[port] for port in start}
    assert all(acknowledged(bench)[site] > acks[site] for site in ("illkirch", "esplanade")), acknowledged(bench)
    made = [r for r in records(bench) if first < r[0] <= last]
    return made, used, plain.sent - sent, {port: count.packets[port] - packets[port] for port in packets}


def report(made, used, packets, plain_n, plain, ports, handshake):
    ours_port, plain_port = ports
    seconds = sum(rounds(samples) for _, _, samples in made)
    signals = {path for _, _, samples in made for sample in samples for path in sample["s"]}
    payload = sum(len(raw) for _, raw, _ in made)
    ours, beside = used[ours_port] / seconds, used[plain_port] / plain_n
    print(f"air|{len(signals)} signals at 1 Hz, {RECORD_S} s a record, two sites acknowledge|B on the air a sample|{ours:.1f}|"
          f"{beside:.0f} (JSON, {plain.signals} signals, 1 a message, QoS 1)|{beside / ours:.0f}|{seconds} samples, "
          f"{payload / seconds:.1f} B of payload a sample, {packets[ours_port]} packets; plain {plain_n}, "
          f"{plain.payload / plain.sent:.0f} B, {packets[plain_port]}; the handshake was {handshake} B more", flush=True)
    for _, raw, samples in made:
        print(f"#  record of {len(raw)} B, {len(samples)} samples, {rounds(samples)} rounds", file=sys.stderr)


def run(folder):
    import ingest_site
    import vehicle_bench
    from stack import influx
    site = ingest_site.Site(folder / "site")
    vin, plain_vin = site.new_vin(None), site.new_vin(None)
    other = second = bench = None
    try:
        other, second = sites(site, ingest_site, influx)
        for one in (vin, plain_vin):
            site.sql(f"INSERT INTO vehicle (vin, customer_id, status) VALUES ('{one}', '{site.customer}', 'active')")
        bench = vehicle_bench.VehicleBench(folder / "car", drive=DRIVE, site=site, vin=vin, agent_args=[f"--record={RECORD_S}s"])
        client = site.client(plain_vin, "vehicle")  # its own port tells its packets from the agent's
        ports = site.broker.port_vehicles, client.sock.getsockname()[1]
        count = capture.Capture(ports[::-1])
        bench.configure(1, required_sites=["illkirch", "esplanade"])
        bench.start_agent()
        vehicle_bench.wait_for("the connection", lambda: bench.metric("vigie_vehicle_connected") == 1)
        handshake = count.bytes[ports[0]]
        plain = Plain(bench, client, vehicle_bench.topic("up/telemetry", plain_vin))
        plain.start()
        made, used, plain_n, packets = measure(bench, count, plain, vehicle_bench.wait_for)
        plain.on = False
        assert count.dropped() == 0 and count.largest <= capture.MTU
        report(made, used, packets, plain_n, plain, ports, handshake)
    finally:
        if bench:
            bench.stop()
        for part in (second, other):
            if part:
                part.stop()
        site.stop()


def main():
    os.environ["VIGIE_BUILD"] = sys.argv[1] if len(sys.argv) > 1 else "build"
    capture.enter()
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder:
        os.chmod(folder, 0o755)  # the broker and PostgreSQL are somebody else
        run(Path(folder))


if __name__ == "__main__":
    main()
