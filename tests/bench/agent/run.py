#!/usr/bin/env python3
"""What the agent costs the machine in the car, without a camera: user + system time over wall time, and the most memory it ever
had, while it reads 17 signals and more once a second from a simulated car and a real gpsd and sends them to a real broker with
TLS; every commit is on disk. Beside it, in the same minute, the agent of a first evening (plain.py) on a car of its own.

    run.py [BUILD] [SECONDS]     prints rows for tests/bench/run.sh
"""
import os
import re
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/integration"), str(ROOT / "tests/sim")]

SECONDS = 60
RPM, LATITUDE = "Vehicle.Powertrain.CombustionEngine.Speed", "Vehicle.CurrentLocation.Latitude"
PLAIN_VIN = "WVWZZZ1KZAW000002"


def cpu_s(pid):
    """Of all its threads, in seconds; the kernel counts in hundredths."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def start_plain(bench, vehicle_bench):
    """A second car, and who reads it."""
    tty, (cert, key) = bench.folder / "tty2", bench.pki.leaf("plain", PLAIN_VIN, "vehicle")
    bench.spawn("car2", [sys.executable, ROOT / "tests/sim/car.py", "--drive", vehicle_bench.CAPTURES / bench.drive, "--vin", PLAIN_VIN,
                         "--link", tty, "--epoch", bench.epoch])
    vehicle_bench.wait_for("the second car", tty.exists)
    return bench.spawn("plain", [sys.executable, Path(__file__).with_name("plain.py"), tty, bench.broker.port_vehicles,
                                 bench.pki.path("service-root.pem"), cert, key, vehicle_bench.topic("up/telemetry", PLAIN_VIN)])


def measure(pids, seconds):
    """CPU in percent of a core, per process."""
    before, began = [cpu_s(pid) for pid in pids], time.monotonic()
    time.sleep(seconds)
    wall = time.monotonic() - began
    return [100 * (cpu_s(pid) - was) / wall for pid, was in zip(pids, before)]


def run(folder, seconds):
    import vehicle_bench
    bench = vehicle_bench.VehicleBench(folder / "car")
    service = None
    try:
        service = vehicle_bench.Service(bench)
        agent = bench.start_agent()
        plain = start_plain(bench, vehicle_bench)
        service.wait("samples", lambda s: sum(RPM in x for x in s.samples().values()) >= 5, 60)
        service.ack_all()
        seen = set(service.samples())
        ours, beside = measure((agent.pid, plain.pid), seconds)
        assert agent.poll() is None and plain.poll() is None, bench.log("plain")
        service.ack_all()
        new = [s for t, s in service.samples().items() if t not in seen]
        rounds, signals = sum(RPM in s for s in new), len({path for s in new for path in s})
        what = f"{signals} signals at 1 Hz, {rounds} rounds and {sum(LATITUDE in s for s in new)} fixes in {seconds} s"
        print(f"agent|{what}|% of a core|{ours:.2f}|{beside:.2f} (a plain loop in Python, OBD alone)|{beside / ours:.1f}|defaults: "
              "a commit a second on disk, TLS", flush=True)
        print(f"agent|the same|MB VmHWM|{memory_mb(agent.pid):.1f}|{memory_mb(plain.pid):.1f}|"
              f"{memory_mb(plain.pid) / memory_mb(agent.pid):.1f}|without camera", flush=True)
    finally:
        if service:
            service.close()
        bench.stop()


def main():
    os.environ["VIGIE_BUILD"] = sys.argv[1] if len(sys.argv) > 1 else "build"
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder:
        os.chmod(folder, 0o755)  # the broker is somebody else
        run(Path(folder), int(sys.argv[2]) if len(sys.argv) > 2 else SECONDS)


if __name__ == "__main__":
    main()
