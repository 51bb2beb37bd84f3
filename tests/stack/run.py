"""`make run`: the whole system in the foreground, until Ctrl-C."""
import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from stack.ports import Ports  # noqa: E402
from stack.stack import Stack  # noqa: E402


def say(text):
    print(f"[vigie] {text}", flush=True)


def arguments():
    whole = lambda name, default: int(os.environ.get(name) or default)
    p = argparse.ArgumentParser(description="Runs the whole system on this machine until Ctrl-C.")
    p.add_argument("--folder", default=os.environ.get("RUN_DIR") or "run", help="where everything is kept (RUN_DIR)")
    p.add_argument("--port-base", type=int, default=whole("PORT_BASE", 0), help="moves every port (PORT_BASE)")
    p.add_argument("--vehicles", type=int, default=whole("VEHICLES", 3), help="cars, each with a real agent (VEHICLES)")
    return p.parse_args()


def refuse_taken(ports):
    taken = ports.taken()
    for name, port in taken:
        say(f"port {port} ({name}) is taken; stop what listens there, or move all ports: make run PORT_BASE=1000")
    return bool(taken)


def already_running(folder):
    """Two at once in one folder would share databases."""
    lock = folder / "run.pid"
    try:
        pid = int(lock.read_text())
        os.kill(pid, 0)
        if b"run.py" in Path(f"/proc/{pid}/cmdline").read_bytes():
            say(f"already running as process {pid} in {folder}; stop it, or choose another folder: RUN_DIR=...")
            return True
    except (OSError, ValueError):
        pass
    folder.mkdir(parents=True, exist_ok=True)
    lock.write_text(f"{os.getpid()}\n")
    return False


def greet(stack, seconds):
    say(f"ready after {seconds:.0f} s with {len(stack.cars)} vehicles")
    print(f"\n  open      {stack.env['VIGIE_URL']}\n"
          f"  sign in   {stack.env['VIGIE_ADMIN_USER']}  {stack.env['VIGIE_ADMIN_PASSWORD']}\n"
          f"  scripts   . {stack.folder}/env\n"
          f"  logs      {stack.logs}\n  stop      Ctrl-C\n", flush=True)


def main():
    options, began = arguments(), time.monotonic()
    folder, ports = Path(options.folder), Ports.standard(options.port_base, options.vehicles)
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ending.set())
    if already_running(folder) or refuse_taken(ports):
        return 1
    stack = Stack(folder, ports, options.vehicles, tell=say)
    try:
        for text, step in (("servers", stack.start_servers), ("services", stack.start_services)):
            say(f"starting {text} ...")
            step()
        for n in range(1, options.vehicles + 1):
            if ending.is_set():
                break
            say(f"starting vehicle {n} of {options.vehicles} ...")
            stack.start_vehicle(n)
        if not ending.is_set():
            stack.write_env()
            greet(stack, time.monotonic() - began)
        ending.wait()
        say("stopping ...")
        return 0
    except Exception as error:  # one line, the log it names has the rest
        say(f"failed: {error}")
        return 1
    finally:
        stack.stop()
        (folder / "run.pid").unlink(missing_ok=True)
        say("stopped; nothing is left running")


if __name__ == "__main__":
    sys.exit(main())
