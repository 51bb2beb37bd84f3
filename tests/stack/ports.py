"""Which port is whose: the published ones moved by PORT_BASE, or any that are free.

A port the kernel gives for 0 is one it soon gives to somebody's outgoing connection as well, and a server that is started
on it a moment later, or a second time, finds it taken.  So free ports come from below the kernel's own range, out of a
block this process keeps to itself: by an abstract socket, which lives as long as the process and where its ports do."""
import itertools
import socket
import threading

STANDARD = {
    "http": 8080, "https": 8443, "ws": 8081, "mqtt": 8883, "mqtt_services": 8884, "influx": 8086,
    "influx_rpc": 8088, "admin_ingest": 9101, "admin_api": 9102, "admin_notify": 9103,
}
PER_VEHICLE = {"gpsd": 2952, "nmea": 3952, "admin_vehicle": 9111}  # of vehicle 1; the next one has the next
BLOCKS, BLOCK = range(10000, 20000, 200), 200


def keep(name):
    """A socket that says to all processes here that `name` is ours, until it is closed; None: somebody else's."""
    held = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        held.bind(f"\0vigie-{name}")
    except OSError:
        held.close()
        return None
    return held


def is_free(port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
            try:
                s.bind(("", port))
            except OSError:
                return False
    return True


class Block:
    """Ports of this process alone, one after the other and round again."""

    def __init__(self):
        self.lock, self.held, self.ports = threading.Lock(), None, iter(())

    def take(self):
        with self.lock:
            if not self.held:
                first, self.held = next((b, held) for b in BLOCKS if (held := keep(f"ports-{b}")))
                self.ports = itertools.cycle(range(first, first + BLOCK))
            return next(port for port in itertools.islice(self.ports, BLOCK) if is_free(port))


BLOCK_OF_OURS = Block()


def free_port():
    return BLOCK_OF_OURS.take()


class Ports:
    def __init__(self, numbers):
        self.numbers = numbers

    @classmethod
    def standard(cls, base=0, vehicles=3):
        numbers = {name: port + base for name, port in STANDARD.items()}
        for name, port in PER_VEHICLE.items():
            numbers.update({f"{name}_{n}": port + base + n - 1 for n in range(1, vehicles + 1)})
        return cls(numbers)

    @classmethod
    def free(cls, vehicles=3, more=()):
        """`more`: names of others to find."""
        names = [*STANDARD, *more] + [f"{name}_{n}" for name in PER_VEHICLE for n in range(1, vehicles + 1)]
        return cls({name: free_port() for name in names})

    def __getattr__(self, name):
        try:
            return self.numbers[name]
        except KeyError:
            raise AttributeError(name) from None

    def of(self, name, n):
        return self.numbers[f"{name}_{n}"]

    def taken(self):
        """Those somebody else listens on already, as (name, port)."""
        found = []
        for name, port in self.numbers.items():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if name.startswith("nmea") else socket.SOCK_STREAM) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    s.bind(("127.0.0.1", port))
                except OSError:
                    found.append((name, port))
        return found
