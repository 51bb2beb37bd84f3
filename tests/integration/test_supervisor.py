"""What `make run` does with processes: brought back when they die, stopped in order."""
import os
import signal
import subprocess

import pytest
from stack.process import Process, Supervisor
from stack.wait import wait_until

TELLS = 'trap \'sleep "$1"; echo "$0" >>"$2"; exit 0\' TERM; echo $$ >>"$2.able"; while :; do sleep 0.02; done'


@pytest.fixture
def supervisor(tmp_path):
    supervisor = Supervisor(tmp_path / "pids")
    yield supervisor
    supervisor.stop()


def start(supervisor, folder, name, linger_s=0):
    return supervisor.start(Process(name, ["sh", "-c", TELLS, name, linger_s, folder / "ended"], folder / f"{name}.log"))


def is_able(folder, process):
    """Its shell has set the trap."""
    file = folder / "ended.able"
    return file.exists() and str(process.pid) in file.read_text().split()


class Failing:
    """Ends as soon as it is started."""
    starts = 0

    def __init__(self, name, refuses_at_first=False):
        self.name, self.refuses_at_first = name, refuses_at_first

    def spawn(self):
        self.starts += 1
        self.process = subprocess.Popen(["true"])

    def wait_ready(self):
        pass

    def stop(self):
        self.process.wait()


def test_who_fails_again_and_again_is_started_less_often_but_not_postgresql(supervisor):
    program, server = Failing("program"), Failing("server", refuses_at_first=True)
    supervisor.start(program)
    supervisor.start(server)
    wait_until(lambda: program.starts >= 5)  # after 0.1, 0.2, 0.4 and 0.8 s
    assert server.starts > program.starts


def test_what_was_brought_back_still_ends_in_its_turn(supervisor, tmp_path):
    base = start(supervisor, tmp_path, "base")
    top = start(supervisor, tmp_path, "top", linger_s=1)
    first = base.process.pid
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: base.process.pid != first)
    wait_until(lambda: (tmp_path / "pids/base.pid").read_text() == f"{base.process.pid}\n")  # noted after it is started
    wait_until(lambda: is_able(tmp_path, base.process) and is_able(tmp_path, top.process))
    supervisor.stop()
    assert (tmp_path / "ended").read_text().split() == ["top", "base"]
    assert not list((tmp_path / "pids").iterdir())
