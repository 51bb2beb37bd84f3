"""Which port is whose: the published ones moved by PORT_BASE, or any that are free."""
import socket

STANDARD = {
    "http": 8080, "https": 8443, "ws": 8081, "mqtt": 8883, "mqtt_services": 8884, "influx": 8086,
    "influx_rpc": 8088, "admin_ingest": 9101, "admin_api": 9102, "admin_notify": 9103,
}
PER_VEHICLE = {"gpsd": 2952, "nmea": 3952, "admin_vehicle": 9111}  # of vehicle 1; the next one has the next


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
        sockets = [socket.socket() for _ in names]
        try:
            for s in sockets:
                s.bind(("127.0.0.1", 0))
            return cls({name: s.getsockname()[1] for name, s in zip(names, sockets)})
        finally:
            for s in sockets:
                s.close()

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
