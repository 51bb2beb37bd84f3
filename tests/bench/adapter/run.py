#!/usr/bin/env python3
"""How much of an adapter's time the agent uses with --obd-period 0.

    run.py [BUILD]     prints rows for tests/bench/run.sh

The adapter (TCP) takes a fixed time for every request, whatever it is, and nothing for AT commands. Beside the agent, in the
same run and turn about, a loop asks the same adapter as fast as it answers: what is possible. The agent's outbox is a real
one on this disk; no broker is there, so that nothing but reading and keeping is measured."""
import json
import multiprocessing
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/integration")]
VIN = "WVWZZZ1KZAW000001"
SECONDS, ROUNDS = 6, 3
PIDS = {0x01: "0007E500", 0x04: "80", 0x05: "81", 0x0B: "62", 0x0C: "0C08", 0x0D: "32", 0x0F: "1B", 0x10: "02A5", 0x11: "D4",
        0x1C: "06", 0x42: "36B0", 0x46: "27"}


def bitmap(base):
    bits = sum(1 << 31 - (pid - base - 1) for pid in PIDS if base < pid <= base + 0x20)
    return f"{bits | any(pid > base + 0x20 for pid in PIDS):08X}"


def answer(request):
    """The data of the one unit's answer; "" = silence."""
    data = bytes.fromhex(request)
    if data[0] == 0x01:
        parts = [(f"{pid:02X}" + (bitmap(pid) if pid % 0x20 == 0 else PIDS.get(pid, ""))) for pid in data[1:]]
        return "41" + "".join(p for p in parts if len(p) > 2) if any(len(p) > 2 for p in parts) else ""
    return {"0902": "490201" + VIN.encode().hex().upper(), "03": "4300", "07": "4700", "0A": "4A00"}.get(request, "")


def lines(data):
    n = len(data) // 2
    if n <= 7:
        return [f"7E8{n:02X}{data}"]
    rest = data[12:]
    return [f"7E81{n:03X}{data[:12]}"] + [f"7E82{(i + 1) % 16:X}{rest[14 * i:14 * i + 14]}" for i in range(-(-len(rest) // 14))]


def serve(listener, request_s, served):
    """One client after another; `served` counts requests."""
    while True:
        line, _ = listener.accept()
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        typed = b""
        while data := line.recv(256):
            came = time.perf_counter()
            typed += data
            while b"\r" in typed:
                command, _, typed = typed.partition(b"\r")
                text = command.decode("latin-1").strip().upper()
                if text.startswith("AT") or text == "STI":
                    reply = {"ATZ": "ELM327 v2.1", "ATDPN": "A6", "ATRV": "14.1V", "ATI": "ELM327 v2.1", "STI": "?"}.get(text, "OK")
                else:
                    said = answer(text[:len(text) // 2 * 2]) if re.fullmatch("[0-9A-F]{2,}", text) else ""
                    reply = "\r".join(lines(said)) if said else "NO DATA"
                    served.value += 1
                    time.sleep(max(0.0, came + request_s - time.perf_counter()))
                line.sendall(reply.encode() + b"\r\r>")
        line.close()


def possible(port, seconds):
    """Requests a second of a loop that does nothing else."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began, n = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            line.sendall(b"01040B0C0D11053\r")
            while not line.recv(512).endswith(b">"):
                pass
            n += 1
        return n / (time.perf_counter() - began)


class Agent:
    def __init__(self, build, folder, port):
        from bench_pki import BenchPki
        pki = BenchPki(folder / "pki")
        cert, key = pki.leaf("car", VIN, "vehicle")
        with open(folder / "agent.log", "ab") as log:
            self.process = subprocess.Popen(
                [ROOT / build / "bin/vigie-vehicle", f"--obd=elm327+tcp:127.0.0.1:{port}", "--gps=none", "--obd-period=0",
                 f"--outbox={folder}/outbox", "--brokers=mqtts://localhost:1", f"--ca={pki.path('service-root.pem')}",
                 f"--cert={cert}", f"--key={key}", "--admin=none"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def cpu_s(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rate(self, served, seconds):
        before, cpu, began = served.value, self.cpu_s(), time.perf_counter()
        time.sleep(seconds)
        took = time.perf_counter() - began
        return (served.value - before) / took, (self.cpu_s() - cpu) / took

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


def round_of(build, folder, request_ms):
    """(ours, possible, share of a core)"""
    served = multiprocessing.Value("q", 0, lock=False)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    adapter = multiprocessing.Process(target=serve, args=(listener, request_ms / 1000, served), daemon=True)
    adapter.start()
    try:
        best = possible(port, SECONDS / 2)
        agent = Agent(build, folder, port)
        try:
            begun, end = served.value, time.monotonic() + 30
            while served.value < begun + 60:  # the survey is over, it polls
                assert time.monotonic() < end and agent.process.poll() is None, (folder / "agent.log").read_text()
                time.sleep(0.05)
            ours, cpu = agent.rate(served, SECONDS)
        finally:
            agent.stop()
        return ours, (best + possible(port, SECONDS / 2)) / 2, cpu
    finally:
        adapter.terminate()
        adapter.join()
        listener.close()


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "build"
    for request_ms in (20, 5):
        found = []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder:
                found.append(round_of(build, Path(folder), request_ms))
        ours, best, cpu = ([f[i] for f in found] for i in range(3))
        share = [o / b for o, b in zip(ours, best)]
        print(f"adapter|{request_ms} ms a request, --obd-period 0|requests a second|{statistics.median(ours):.1f}|"
              f"{statistics.median(best):.1f}|{statistics.median(share):.3f} ({min(share):.3f} .. {max(share):.3f})|"
              f"{statistics.median(cpu) * 100:.1f} % of a core; goal 0.95", flush=True)
        if os.environ.get("VIGIE_BENCH_JSON"):
            print(json.dumps(found), file=sys.stderr)


if __name__ == "__main__":
    main()
