"""Two sites in miniature: a broker, an InfluxDB and an ingest each, the one bridge between the brokers, one PostgreSQL that
belongs to neither.  The rest is as `make run` has it, at the first site.

    sites = Sites(folder, Sites.ports(vehicles=1), vehicles=1).start()
    sites.kill("esplanade")      # every process of the site, as a power cut would
    sites.bring_back("esplanade")
"""
import signal

from .influx import Influx
from .ports import Ports
from .stack import Stack

FIRST, SECOND = "illkirch", "esplanade"
NAMES = ("mqtt", "mqtt_services", "influx", "influx_rpc", "admin_ingest")


class Sites(Stack):
    @staticmethod
    def ports(vehicles=1):
        return Ports.free(vehicles, [f"{name}_{SECOND}" for name in NAMES])

    def __init__(self, folder, ports, **more):
        super().__init__(folder, ports, site=FIRST, **more)
        self.sites = (FIRST, SECOND)

    def port(self, name, site):
        return self.ports.numbers[name if site == FIRST else f"{name}_{SECOND}"]

    def brokers(self):
        return ",".join(f"mqtts://localhost:{self.port('mqtt', site)}" for site in self.sites)

    def make_broker(self, name, vehicles, services, **more):
        if name == "mosquitto":
            more["bridge"] = (FIRST, SECOND, self.port("mqtt_services", SECOND))
        return super().make_broker(name, vehicles, services, **more)

    def start_servers(self):
        super().start_servers()
        name = f"influxd-{SECOND}"
        self.influx_second = Influx(self.folder / name, self.port("influx", SECOND), self.port("influx_rpc", SECOND), name=name)
        self.influx_second.log = self.logs / f"{name}.log"
        self.add(self.influx_second)
        self.add(self.make_broker(f"mosquitto-{SECOND}", self.port("mqtt", SECOND), self.port("mqtt_services", SECOND)))

    def start_services(self):
        super().start_services()
        self.start_ingest(f"ingest-{SECOND}", SECOND, self.port("mqtt_services", SECOND), self.influx_of(SECOND).address,
                          self.port("admin_ingest", SECOND))

    def influx_of(self, site):
        return self.influx if site == FIRST else self.influx_second

    def members_of(self, site):
        tail = "" if site == FIRST else f"-{SECOND}"
        return [self.members[name + tail] for name in ("mosquitto", "influxd", "ingest")]

    def kill(self, site):
        for member in self.members_of(site):
            self.supervisor.hold(member)
            member.process.send_signal(signal.SIGKILL)
            member.process.wait()

    def bring_back(self, site):
        for member in self.members_of(site):
            self.supervisor.start_again(member)
