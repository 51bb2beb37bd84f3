"""`make run`: the whole system in the foreground, until Ctrl-C."""
import argparse
import os
import re
import shutil
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
    text = os.environ.get
    p = argparse.ArgumentParser(description="Runs the whole system on this machine until Ctrl-C.")
    p.add_argument("--folder", default=os.environ.get("RUN_DIR") or "run", help="where everything is kept (RUN_DIR)")
    p.add_argument("--port-base", type=int, default=text("PORT_BASE") or "0", help="moves every port (PORT_BASE)")
    p.add_argument("--vehicles", type=int, default=text("VEHICLES") or "3",
                   help="cars, each with a real agent (VEHICLES)")
    p.add_argument("--forget", action="store_true", help="remove the folder of a run that has ended, and end")
    options = p.parse_args()
    if not 0 <= options.port_base <= 50000:
        p.error("PORT_BASE is within 0 .. 50000")
    if not 1 <= options.vehicles <= 100:
        p.error("VEHICLES is within 1 .. 100")
    if not re.fullmatch(r"[\w./+@-]+", options.folder):
        p.error("RUN_DIR: letters, digits and ._/+@- only; it stands in connection strings")
    return options


def forget(folder):
    """`make clean-run`: only a folder that make run made, and only when nothing runs in it."""
    if not folder.exists():
        return 0
    if running_in(folder):
        say(f"it still runs in {folder}: stop it first")
        return 1
    if not (folder / "run.made").exists():
        say(f"{folder} was not made by make run: it stays as it is")
        return 1
    shutil.rmtree(folder)
    return 0


def refuse_taken(ports):
    taken = ports.taken()
    for name, port in taken:
        say(f"port {port} ({name}) is taken; stop what listens there, or move all ports: make run PORT_BASE=1000")
    return bool(taken)


def running_in(folder):
    """The process of another `make run` in this folder; 0: there is none."""
    try:
        pid = int((folder / "run.pid").read_text())
        os.kill(pid, 0)
        return pid if b"run.py" in Path(f"/proc/{pid}/cmdline").read_bytes() else 0
    except PermissionError:
        return pid  # somebody else's
    except (OSError, ValueError):
        return 0


def claim(folder):
    """Two at once in one folder would share databases."""
    pid = running_in(folder)
    if pid:
        say(f"already running as process {pid} in {folder}; stop it, or choose another folder: RUN_DIR=...")
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()) or (folder / "admin.password").exists():
            (folder / "run.made").touch()
        (folder / "run.pid").write_text(f"{os.getpid()}\n")
    except OSError as error:
        say(f"cannot write to {folder}: {error.strerror}; choose another folder: RUN_DIR=...")
        return False
    return True


def greet(stack, seconds):
    say(f"ready after {seconds:.0f} s with {len(stack.cars)} vehicles")
    print(f"\n  open      {stack.env['VIGIE_URL']}\n"
          f"  sign in   {stack.env['VIGIE_ADMIN_USER']}  {stack.env['VIGIE_ADMIN_PASSWORD']}\n"
          f"  scripts   . {stack.folder}/env\n"
          f"  logs      {stack.logs}\n  stop      Ctrl-C\n", flush=True)


def main():
    options, began = arguments(), time.monotonic()
    if options.forget:
        return forget(Path(options.folder))
    folder, ports = Path(options.folder), Ports.standard(options.port_base, options.vehicles)
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ending.set())
    if not claim(folder):
        return 1
    if refuse_taken(ports):
        (folder / "run.pid").unlink()
        return 1
    stack = Stack(folder, ports, options.vehicles, build=os.environ.get("VIGIE_BUILD") or "build", tell=say)
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
