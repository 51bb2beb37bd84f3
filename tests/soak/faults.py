"""What is done to the system in a round: a name, and a function of the system and a length in seconds."""
import signal
import time

from stack.wait import wait_until

from .system import ROOM_MB


def kill(*names):
    def do(system, _):
        for name in names:
            system.kill(name)
    return do


def freeze(name):
    def do(system, seconds):
        pids = system.freeze(name)
        time.sleep(seconds)
        system.signal_all(pids, signal.SIGCONT)
    return do


def full(folder, restart=None):
    def do(system, seconds):
        felt = system.feels_full(folder)
        system.fill(folder)
        try:
            time.sleep(seconds)
            wait_until(felt, why=f"{folder} has no room left and does not notice")
        finally:
            system.resize(folder, f"{ROOM_MB}m")
        if restart:
            system.members[restart].process.send_signal(signal.SIGTERM)
    return do


def shut(gate, how):
    def do(system, seconds):
        getattr(system.gates[gate], how)()
        time.sleep(seconds)
        system.gates[gate].open()
    return do


KILLED = ("ingest-0", "ingest-1", "mosquitto", "influxd", "postgres", "vehicle-1")
FAULTS = {
    **{f"kill -9 {name}": kill(name) for name in KILLED},
    "kill -9 both ingests": kill("ingest-0", "ingest-1"),
    "kill -9 influxd and postgres": kill("influxd", "postgres"),
    "kill -9 mosquitto and ingest-0": kill("mosquitto", "ingest-0"),
    "SIGSTOP influxd": freeze("influxd"),
    "SIGSTOP postgres": freeze("postgres"),
    # Once a write of its log has failed InfluxDB 1.6 refuses all others, room or not, until it is started again.
    "full disk of influxd": full("influx", restart="influxd"),
    "full disk of postgres": full("postgres"),
    "cars from broker: cut": shut("cars", "cut"),
    "cars from broker: silence": shut("cars", "hang"),
    "ingest from broker: cut": shut("ingest", "cut"),
    "ingest from broker: silence": shut("ingest", "hang"),
    "ingest from influxd: cut": shut("influx", "cut"),
    "ingest from influxd: silence": shut("influx", "hang"),
}
# Every tenth of these is longer than what anybody waits for an answer: a store 5 s, a silent connection 30.
STALLS = [name for name in FAULTS if name.startswith("SIGSTOP") or name.endswith("silence")]
NEED_DISKS = [name for name in FAULTS if name.startswith("full disk")]
