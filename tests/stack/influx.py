"""An InfluxDB 1.x of its own, in a folder: start(folder, port) -> Influx with .address and .stop().

`port` is HTTP's; the backup service, which InfluxDB always opens, gets `rpc_port` (a free one unless given).  With
`admin=(name, password)` every request must carry credentials and .address carries them.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from . import influx_wal
from .ports import free_port
from .process import end_with_parent

CONFIG = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc_port}"
[meta]
  dir = "{folder}/meta"
  logging-enabled = false
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  wal-fsync-delay = "0s"
  cache-snapshot-memory-size = "128m"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
  auth-enabled = {auth}
  max-body-size = {max_body}
[monitor]
  store-enabled = false
"""

GOGC = "300"  # its memory is collected when it has become four times what is in use, not twice: a sixth of its time


class Influx:
    def __init__(self, folder, port, rpc_port=None, admin=None, max_body=25_000_000, name="influxd"):
        self.name = name
        self.folder = os.path.abspath(folder)
        self.port = port
        self.admin = admin
        self.log = os.path.join(self.folder, "influxd.log")
        self.process = None
        os.makedirs(self.folder, exist_ok=True)
        self.config = os.path.join(self.folder, "influx.conf")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(CONFIG.format(folder=self.folder, port=port, rpc_port=rpc_port or free_port(), max_body=max_body,
                                  auth="true" if admin else "false"))

    @property
    def address(self):
        who = "{}:{}@".format(*map(urllib.parse.quote, self.admin)) if self.admin else ""
        return f"http://{who}127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def start(self, seconds=60):
        self.spawn()
        return self.wait_ready(seconds)

    def spawn(self):
        for path, n in influx_wal.trim(os.path.join(self.folder, "wal")):
            print(f"{path}: {n} bytes that were half-written cut off", file=sys.stderr)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["influxd", "-config", self.config], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True, preexec_fn=end_with_parent,
                                            env={"GOGC": GOGC, **os.environ})
        return self.process

    def wait_ready(self, seconds=60):
        deadline = time.monotonic() + seconds
        while not self._answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"influxd ends with {self.process.returncode}, see {self.log}")
            if time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"influxd does not come up, see {self.log}")
            time.sleep(0.05)
        if self.admin:
            self.query('CREATE USER "{}" WITH PASSWORD \'{}\' WITH ALL PRIVILEGES'.format(*self.admin))
        return self

    def _answers(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=10) as answer:
                return answer.status == 204
        except (OSError, urllib.error.URLError):
            return False

    def query(self, statement, database=None):
        """The rows of the first series as dictionaries; [] when there is none.  Times are ms."""
        form = {"q": statement, "epoch": "ms"}
        if database:
            form["db"] = database
        if self.admin:
            form["u"], form["p"] = self.admin
        data = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/query", data=data, timeout=60) as answer:
            result = json.load(answer)["results"][0]
        if "error" in result:
            raise RuntimeError(result["error"])
        series = result.get("series", [{"columns": [], "values": []}])[0]
        return [dict(zip(series["columns"], row)) for row in series.get("values", [])]

    def kill(self, signum=signal.SIGKILL):
        """A crash: no shutdown, no last word."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signum)
            self.process.wait()

    def stop(self):
        """Orderly; the data stays."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()


def start(folder, port, **more):
    return Influx(folder, port, **more).start()
