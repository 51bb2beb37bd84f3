"""A PostgreSQL cluster of its own, in a folder: start(folder, port) -> Postgres with .address and .stop().

Works as an ordinary user and as root (then the server runs as user postgres, which it insists on).  The cluster in the
folder is made when missing and kept by stop(), so that a second start goes on with the same data.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time

from .process import end_with_parent

SUPERUSER = "vigie"
SOCKET_PATH_MAX = 107  # bytes, of "FOLDER/.s.PGSQL.PORT"


def _bindir():
    return subprocess.run(["pg_config", "--bindir"], check=True, capture_output=True, text=True).stdout.strip()


def _as_server():
    """What has to stand before a command that the server's user must run; nothing unless we are root."""
    if os.geteuid() != 0:
        return []
    # containers often lack dac_read_search; either lets the server walk to a folder below /root
    for capability in ("+dac_read_search", "+dac_override"):
        prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig=INT",
                  "--inh-caps=-all," + capability, "--ambient-caps=-all," + capability]
        if subprocess.run(prefix + ["true"], capture_output=True).returncode == 0:
            return prefix
    raise RuntimeError("setpriv cannot become user postgres")


class Postgres:
    name = "postgres"
    refuses_at_first = True  # after a kill -9, until its last backend is gone: no reason to wait longer each time

    def __init__(self, folder, port, listen="", hba=None, database="vigie"):
        self.folder = os.path.abspath(folder)
        self.port = port
        self.listen = listen
        self.database = database
        self.data = os.path.join(self.folder, "data")
        self.log = os.path.join(self.folder, "postgres.log")
        self.bin = _bindir()
        self.prefix = _as_server()
        self.process = None
        self._temporary = None
        os.makedirs(self.folder, exist_ok=True)
        self.sockets = self._socket_folder()
        if not os.path.exists(os.path.join(self.data, "PG_VERSION")):
            self._initialise(hba)

    def conninfo(self, user=SUPERUSER):
        """A libpq connection string over the Unix socket."""
        return f"host={self.sockets} port={self.port} user={user} dbname={self.database}"

    @property
    def address(self):
        return self.conninfo()

    @property
    def pid(self):
        return self.process.pid

    def _own(self, path):
        os.makedirs(path, exist_ok=True)
        if self.prefix:
            shutil.chown(path, "postgres", "postgres")
        os.chmod(path, 0o700)

    def _socket_folder(self):
        path = os.path.join(self.folder, "socket")
        if len(f"{path}/.s.PGSQL.{self.port}") >= SOCKET_PATH_MAX:
            path = self._temporary = tempfile.mkdtemp(prefix="vigie-pg-")
        self._own(path)
        return path

    def _initialise(self, hba):
        self._own(self.data)
        subprocess.run(self.prefix + [self.bin + "/initdb", "-D", self.data, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8",
                                      "--locale=C.UTF-8", "-N"], check=True, capture_output=True, cwd="/")
        if hba:
            with open(os.path.join(self.data, "pg_hba.conf"), "w", encoding="utf-8") as f:
                f.write(hba)

    def start(self, seconds=60):
        """Start and wait until it takes connections.  After a kill -9 the first tries are refused while the old
        backends still hold the shared memory: not a failure, so it is tried again."""
        self.spawn()
        return self.wait_ready(seconds)

    def spawn(self):
        command = self.prefix + [self.bin + "/postgres", "-D", self.data, "-k", self.sockets, "-p", str(self.port),
                                 "-c", f"listen_addresses={self.listen}"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                                            start_new_session=True, preexec_fn=end_with_parent)
        return self.process

    def wait_ready(self, seconds=60):
        deadline = time.monotonic() + seconds
        while True:
            while self.process.poll() is None:
                if self._answers():
                    self._make_database()
                    return self
                if time.monotonic() > deadline:
                    self.kill()
                    raise RuntimeError(f"PostgreSQL does not come up, see {self.log}")
                time.sleep(0.05)
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL ends with {self.process.returncode}, see {self.log}")
            time.sleep(0.1)
            self.spawn()

    def _answers(self):
        return subprocess.run([self.bin + "/pg_isready", "-q", "-U", SUPERUSER, "-h", self.sockets, "-p", str(self.port)],
                              capture_output=True).returncode == 0

    def _make_database(self):
        there = self.sql(f"SELECT 1 FROM pg_database WHERE datname = '{self.database}'", database="postgres")
        if not there:
            self.sql(f'CREATE DATABASE "{self.database}"', database="postgres")

    def sql(self, statement, database=None):
        """Run a statement as superuser; the rows as text, columns parted by |."""
        done = subprocess.run([self.bin + "/psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.sockets, "-p",
                               str(self.port), "-U", SUPERUSER, "-d", database or self.database, "-c", statement],
                              capture_output=True, text=True, cwd="/")
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        return done.stdout.strip()

    def kill(self, signum=signal.SIGKILL):
        """A crash: no shutdown, no last word."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signum)
            self.process.wait()

    def stop(self):
        """Fast shutdown; the data stays."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)


def start(folder, port, **more):
    return Postgres(folder, port, **more).start()


@contextlib.contextmanager
def rows_held(site, statement):
    """A session that holds the rows of a SELECT ... FOR UPDATE until the block is over."""
    postgres = site.postgres
    argv = [postgres.bin + "/psql", "-XAtq", "-h", postgres.sockets, "-p", str(postgres.port), "-U", "vigie", "-d", postgres.database]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/") as session:
        session.stdin.write(f"BEGIN; {statement};\n\\echo held\n")
        session.stdin.flush()
        while session.stdout.readline() not in ("held\n", ""):
            pass
        try:
            yield
        finally:
            session.communicate("ROLLBACK;\n", timeout=60)
