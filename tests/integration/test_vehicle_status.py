"""--status: what a technician at the car reads, with an agent that runs and with one that does not."""
import http.server
import re
import sys
import threading
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from vehicle_bench import GPSD, MOSQUITTO, VIN, Service, VehicleBench, wait_for  # noqa: E402

pytestmark = pytest.mark.skipif(not GPSD or not MOSQUITTO, reason="gpsd or mosquitto is not installed")


@pytest.fixture
def bench(tmp_path):
    made = VehicleBench(tmp_path / "bench", agent_args=["--obd-period=200ms", "--record=250ms", "--encoding=json"])
    yield made
    made.stop()


def read(done):
    """{first word: [rest of each line that begins with it]}"""
    found = {}
    for line in done.stdout.splitlines():
        assert re.match(r"\S", line), line
        found.setdefault(line.split()[0], []).append(line.partition(" ")[2].strip())
    return found


class Stranger(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"# HELP up Another program.\nup 1\n")

    def log_message(self, *args):
        pass


def test_another_program_at_the_admin_port_is_not_taken_for_the_agent(bench):
    with http.server.ThreadingHTTPServer(("127.0.0.1", bench.admin), Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = bench.run_agent("--status")
        server.shutdown()
    assert done.returncode == 1 and f"something else answers at 127.0.0.1:{bench.admin}" in done.stdout, done.stdout
    assert "broker" not in read(done) and "is no vigie-vehicle" in done.stderr


def test_a_technician_reads_what_the_agent_does_and_what_waits(bench):
    b = bench
    service = Service(b)
    before = read(b.run_agent("--status"))
    assert before["vehicle"] == [VIN] and "does not run" in before["agent"][0]
    assert "there is none" in before["outbox"][0] and "none yet" in before["config"][0]
    b.start_agent()
    b.configure(4, required_sites=["illkirch", "esplanade"])
    service.wait("records and the configuration", lambda s: len(s.raw) >= 10 and
                 "config_applied" in [e["type"] for e in s.of("up/event")])
    (stream, seqs), = [(k, v) for k, v in service.seqs().items() if len(v) >= 5]
    service.ack(stream, 5, [[2, 3]], site="esplanade")
    wait_for("the ack to be kept", lambda: b.rows("SELECT count(*) FROM note WHERE name = 'ack/bulk/esplanade'")[0][0])
    wait_for("a fix", lambda: b.metric("vigie_vehicle_gps_fixes_total") > 0)
    wait_for("an answer", lambda: b.metric('vigie_vehicle_last_timestamp_seconds{what="obd"}') > 0)
    wait_for("the ack's time", lambda: b.metric('vigie_vehicle_last_timestamp_seconds{what="ack"}') > 0)
    done = b.run_agent("--status")
    assert done.returncode == 0, done.stderr
    told = read(done)
    assert told["vehicle"] == [VIN] and told["agent"][0].startswith("running, ready")
    assert f"connected to mqtts://localhost:{b.broker.port_vehicles}" in told["broker"][0] and "last ack" in told["broker"][0]
    assert re.match(r"ok, last fix \d+ s ago, \d+ fixes", told["gps"][0]), told["gps"]
    assert re.match(r"ok, last answer \d+ s ago, \d+ answered", told["obd"][0]), told["obd"]
    assert told["clock"][0].split(":")[0] in ("gps", "ntp", "rtc")
    n = re.match(r"(\d+) records of telemetry and events, 0 urgent, \S+ kB of 537 MB", told["outbox"][0])
    assert n and "the oldest made" in told["outbox"][0], told["outbox"]
    assert re.match(r"esplanade has bulk up to 5 of \d+, \d+ to go", told["site"][0]), told["site"]
    of, to_go = map(int, re.search(r"of (\d+), (\d+) to go", told["site"][0]).groups())
    assert to_go == of - 5 + 2, "what is in a gap is to go too"
    assert told["config"] == ["revision 4, required sites illkirch, esplanade"]
    assert re.match(r"good until \d{4}-\d\d-\d\d, \d+ days", told["certificate"][0])
    assert [line for line in told["last"] if re.match(r"event +config_applied, \d+ s ago", line)], told["last"]
    b.end("agent")
    done = b.run_agent("--status")
    assert done.returncode == 1
    after = read(done)
    assert "does not run" in after["agent"][0] and "broker" not in after
    assert int(after["outbox"][0].split()[0]) >= int(told["outbox"][0].split()[0])
    assert after["config"] == told["config"] and after["certificate"] == told["certificate"] and after["site"]
    b.start_agent()  # reading has left nothing behind
