"""Looks at a running system as a script would: look.py RUN_ENV.  Signs in, sees the fleet, sees some of it move."""
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from stack.stack import Session  # noqa: E402


def read_env(path):
    with open(path, encoding="utf-8") as file:
        return dict(re.findall(r"^export (\w+)='(.*)'$", file.read(), re.M))


def positions(session):
    return {v["vin"]: (v.get("lat"), v.get("lon")) for v in session.get("vehicles")["items"]}


def main():
    session = Session(read_env(sys.argv[1]))
    first, end = positions(session), time.monotonic() + 60
    print(f"{len(first)} vehicles")
    while time.monotonic() < end:
        now = positions(session)
        moved = [vin for vin in now if None not in now[vin] and now[vin] != first.get(vin)]
        if moved:
            print(f"{len(moved)} of them moved")
            return 0
        time.sleep(1)
    print("none of them moved within a minute")
    return 1


if __name__ == "__main__":
    sys.exit(main())
