"""One process of ours under a supervisor: started, watched, started again, stopped by its own id.

Anything with a name, spawn(), wait_ready() and stop() can be supervised; Process is that for our
programs.  Supervisor keeps NAME.pid files and brings back what dies within two seconds."""
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from .growing import whole_text

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


def end_with_parent():
    """In the child: if whoever started us is killed, we are asked to end too."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def sanitized(program):
    """Built with a sanitizer: freed memory stays in its quarantine, so what a process holds says nothing."""
    return any(word in Path(program).read_bytes() for word in (b"__asan_init", b"__tsan_init"))


def answers(url, timeout_s=5):
    """The status an HTTP address answers with; 0 when it does not."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, ValueError):
        return 0


class Process:
    def __init__(self, name, argv, log, env=None, ready=None, stop_signal=signal.SIGTERM):
        """`ready`: called until it is true; `env`: added to ours."""
        self.name, self.argv, self.log = name, [str(a) for a in argv], Path(log)
        self.env = {**os.environ, **{k: str(v) for k, v in (env or {}).items()}}
        self.ready = ready or (lambda: True)
        self.stop_signal = stop_signal
        self.process = None

    def spawn(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.argv, env=self.env, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True, preexec_fn=end_with_parent)
        return self.process

    def wait_ready(self, timeout_s=60):
        end = time.monotonic() + timeout_s
        while not self.ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}, see {self.log}")
            if time.monotonic() > end:
                raise RuntimeError(f"{self.name} is not ready after {timeout_s} s, see {self.log}")
            time.sleep(0.05)

    def start(self):
        self.spawn()
        self.wait_ready()
        return self

    def log_text(self):
        return whole_text(self.log)

    def kill(self):
        """As a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self, timeout_s=30):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            print(f"{self.name} did not end in {timeout_s} s: killed", file=sys.stderr)
            self.kill()


class Supervisor:
    """Starts in order, stops in the reverse; a thread brings back what dies."""
    SOONEST_S, LATEST_S = 0.1, 1.0  # pause before a start; doubles while starts keep failing

    def __init__(self, pids=None, tell=None):
        self.members, self.pids, self.tell = [], Path(pids) if pids else None, tell or (lambda text: None)
        self.lock, self.ending, self.ended = threading.RLock(), threading.Event(), threading.Event()
        self.held, self.retry = set(), {}
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def start(self, member):
        self.hold(member)
        with self.lock:
            member.spawn()
            self.note(member)
            self.members.append(member)
        member.wait_ready()
        self.release(member)
        if not self.thread.is_alive():
            self.thread.start()
        return member

    def note(self, member):
        if self.pids:
            self.pids.mkdir(exist_ok=True)
            (self.pids / f"{member.name}.pid").write_text(f"{member.process.pid}\n")

    def hold(self, member):
        """A test stops it on purpose: leave it alone until release."""
        with self.lock:
            self.held.add(member.name)

    def release(self, member):
        with self.lock:
            self.held.discard(member.name)

    def start_again(self, member):
        """One that was held, and is dead.  Held until it is ready: one that tries more than once by itself, as PostgreSQL
        does, must not be started by two."""
        with self.lock:
            member.spawn()
            self.note(member)
        member.wait_ready()
        with self.lock:
            self.note(member)
            self.release(member)

    def watch(self):
        while not self.ending.wait(0.1):
            with self.lock:
                for member in self.members:
                    if not self.ending.is_set() and member.name not in self.held and member.process.poll() is not None:
                        self.revive(member)
        # To the kernel the parent of what was revived is this thread, and its end their death signal: out of order.
        self.ended.wait()

    def revive(self, member):
        now = time.monotonic()
        not_before, pause, died = self.retry.get(member.name, (0, self.SOONEST_S, 0))
        if died != member.process.pid:  # a new death: was the life before it a short one?
            again = now - not_before < 5
            patient = again and getattr(member, "refuses_at_first", False)
            pause = min(pause * 2, self.LATEST_S) if again and not patient else self.SOONEST_S
            if not patient:
                self.tell(f"{member.name} ended with {member.process.returncode}; started again")
            self.retry[member.name] = (now + pause, pause, member.process.pid)
        elif now >= not_before:
            member.spawn()
            self.note(member)
            self.retry[member.name] = (now, pause, 0)

    def stop(self):
        self.ending.set()
        with self.lock:  # whom the thread is reviving is revived by now
            leaving, self.members = self.members, []
        for member in reversed(leaving):
            member.stop()
            if self.pids:
                (self.pids / f"{member.name}.pid").unlink(missing_ok=True)
        self.ended.set()
        if self.thread.is_alive():
            self.thread.join()
