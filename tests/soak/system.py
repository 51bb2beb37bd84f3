"""What a soak runs: one site with two instances of ingest, real agents, a gate before everything that is reached over TCP,
and, as root, each store on a small file system of its own that can be full."""
import os
import signal
import subprocess
import time
from pathlib import Path

from stack.ports import Ports
from stack.stack import Stack

from .gate import Gate

GATES = {"cars": "mqtt", "ingest": "mqtt_services", "influx": "influx"}
STORES = {"influxd": "influx", "postgres": "postgres"}  # member and its folder
ROOM_MB = 1500


class Soak(Stack):
    def __init__(self, folder, agents, build, own_disks):
        names = [f"gate_{name}" for name in GATES] + ["admin_ingest_1"]
        super().__init__(folder, Ports.free(agents, names), vehicles=agents, build=build)
        self.own_disks, self.gates = own_disks, {}

    def start_servers(self):
        if self.own_disks:
            for name in STORES.values():
                (self.folder / name).mkdir(parents=True)
                self.mount(name, f"size={ROOM_MB}m,mode=755")
        for name, port in GATES.items():
            self.gates[name] = Gate(self.ports.numbers[port], self.ports.numbers[f"gate_{name}"])
        super().start_servers()

    def brokers(self):
        return f"mqtts://localhost:{self.gates['cars'].port}"

    def start_ingest(self, name, site, port, influx, admin, *more):
        for number, own in ((0, admin), (1, self.ports.admin_ingest_1)):
            super().start_ingest(f"{name}-{number}", site, self.gates["ingest"].port,
                                 f"http://127.0.0.1:{self.gates['influx'].port}", own, f"--instance={number}", *more)

    # ---- a disk of its own
    def mount(self, name, options):
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.folder / name], check=True)

    def resize(self, name, size):
        subprocess.run(["mount", "-o", f"remount,size={size}", self.folder / name], check=True)

    def fill(self, name):
        """As large as what is in it: nothing more fits.  A file may grow between the two looks, hence again."""
        for _ in range(20):
            disk = os.statvfs(self.folder / name)
            try:
                self.resize(name, (disk.f_blocks - disk.f_bfree) * disk.f_frsize)
                return
            except subprocess.CalledProcessError:
                time.sleep(0.02)
        raise RuntimeError(f"{name} cannot be filled")

    def feels_full(self, name):
        """A function: has anybody written since now that there was no room?  The store itself, or ingest that it told."""
        logs = [self.logs / f"{next(member for member, folder in STORES.items() if folder == name)}.log",
                *self.logs.glob("ingest-*.log")]
        begin = {log: log.stat().st_size for log in logs if log.exists()}

        def felt():
            for log in logs:
                with log.open("rb") as f:
                    f.seek(begin.get(log, 0))
                    if b"o space left on device" in f.read():
                        return True
            return False
        return felt

    def stop(self):
        super().stop()
        for name in STORES.values() if self.own_disks else ():
            subprocess.run(["umount", "--lazy", self.folder / name], capture_output=True, check=False)

    # ---- signals
    def tree(self, member):
        pids = [member.process.pid]
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pids[0]:
                    pids.append(int(entry.name))
            except OSError:
                continue
        return pids

    def signal_all(self, pids, signum):
        for pid in pids:
            try:
                os.kill(pid, signum)
            except ProcessLookupError:
                pass

    def freeze(self, name):
        pids = self.tree(self.members[name])
        self.signal_all(pids, signal.SIGSTOP)
        return pids

    def kill(self, name):
        self.members[name].process.send_signal(signal.SIGKILL)
