#!/usr/bin/env python3
"""`make soak`: the whole system, a fault a round, and a ledger that has to be right at the end.

    run.py [--rounds 500] [--seed N] [--leg 25] [--build build]     SOAK_ROUNDS, SOAK_SEED

Cars (tests/sim/fleet, some records twice, some out of order; others send alerts) and real agents drive.  Each round does one
thing of faults.py, drawn by the seed, all of them as often, and waits until records of every kind are acknowledged again.
After each leg what was acknowledged is looked for in both stores, value by value; at the end the agents' outboxes too."""
import argparse
import collections
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/integration"), str(ROOT / "tests/sim")]

from soak.faults import FAULTS, NEED_DISKS, STALLS  # noqa: E402
from soak.system import Soak  # noqa: E402
from stack.load import Load  # noqa: E402

AGENTS, CARS, ALERTING = 2, 20, 4
RECOVERED_S = 90
GROWN = 600  # bytes of ledger: a handful of acknowledgements


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--rounds", type=int, default=int(os.environ.get("SOAK_ROUNDS") or 500))
    p.add_argument("--seed", type=int, default=int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(10 ** 6)))
    p.add_argument("--leg", type=int, default=25, help="rounds between two looks into the stores")
    p.add_argument("--build", default=os.environ.get("VIGIE_BUILD") or "build")
    p.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return p.parse_args()


def enter_own_mounts():
    """Disks of our own need a place where they are nobody else's: again, in a mount namespace.  Returns when there is none."""
    command = ["unshare", "--mount", "--propagation", "private"]
    if os.geteuid() == 0 and subprocess.run([*command, "true"], capture_output=True).returncode == 0:
        os.execvp(command[0], [*command, sys.executable, *sys.argv, "--inside"])


class Legs:
    """The load, a piece at a time, and the sums of what was found of it."""

    def __init__(self, system):
        self.system = system
        self.cars = Load(system, "cars", CARS)
        self.alerts = Load(system, "alerts", ALERTING, "WVWZZZ1KZCW")
        self.sums, self.runs = collections.Counter(), []

    def begin(self):
        at = {"brokers": [self.system.gates["cars"].port]}
        common = ["--ago", 0, "--records", 10 ** 7]
        self.cars.ledger.unlink(missing_ok=True)
        self.runs = [self.cars.start(*common, "--every", 300, "--samples", 3, "--step", 100, "--columnar",
                                     "--duplicate", 5, "--disorder", 5, **at),
                     self.alerts.start(*common, "--every", 500, "--alerts", "--qos", 1, **at)]

    def sizes(self):
        return [load.ledger.stat().st_size if load.ledger.exists() else 0 for load in (self.cars, self.alerts)]

    def wait_for_acks(self, what):
        before, began = self.sizes(), time.monotonic()
        while any(now < then + GROWN for now, then in zip(self.sizes(), before)):
            if ended := [run.log.read_text()[-1000:] for run in self.runs if run.process.poll() is not None]:
                raise AssertionError(f"the load has ended during {what}: {ended}")
            if time.monotonic() > began + RECOVERED_S:
                raise AssertionError(f"nothing is acknowledged {RECOVERED_S} s after {what}: {before} {self.sizes()}")
            time.sleep(0.05)
        return time.monotonic() - began

    def end(self):
        for run in self.runs:
            self.sums["resent"] += run.end(180)["resent"]
        found = self.cars.check(self.system.influx, self.system.site)
        self.sums.update(found)
        if found["missing"] or found["altered"] or found["extra"]:
            raise AssertionError(f"the ledger of the cars: {json.dumps(found)}")

    def close(self):
        many, missing, doubled = self.alerts.check_facts(self.system.postgres)
        self.sums.update({"alerts": many, "alerts missing": missing, "alerts doubled": doubled})
        if missing or doubled:
            raise AssertionError(f"of {many} alerts {missing} are missing, {doubled} are there twice")

    def stop(self):
        self.cars.stop()
        self.alerts.stop()


def deck(faults, rounds, rng):
    """Every fault as often as the others, in an order of its own."""
    drawn = []
    while len(drawn) < rounds:
        drawn += rng.sample(faults, len(faults))
    return drawn[:rounds]


def compare_agents(system):
    from test_ledger import compare, quiet
    for n in range(1, AGENTS + 1):
        quiet(system, n)
    return sum(compare(system, n) for n in range(1, AGENTS + 1))


def soak(system, options, table):
    rng = random.Random(options.seed)
    legs = Legs(system)
    faults = [name for name in FAULTS if system.own_disks or name not in NEED_DISKS]
    try:
        for n, name in enumerate(deck(faults, options.rounds, rng), 1):
            if (n - 1) % options.leg == 0:
                legs.begin()
                legs.wait_for_acks("the beginning")
            seconds = rng.uniform(8, 45) if name in STALLS and rng.random() < 0.1 else rng.uniform(0.3, 1.5)
            time.sleep(rng.uniform(0, 0.5))
            FAULTS[name](system, seconds)
            table[name].append(legs.wait_for_acks(f"round {n}, {name}"))
            print(f"{n:4} {name}: {table[name][-1]:.1f} s", file=sys.stderr, flush=True)
            if n % options.leg == 0 or n == options.rounds:
                legs.end()
        legs.close()
        legs.sums["readings of agents"] = compare_agents(system)
    finally:
        legs.stop()
    return legs.sums


def report(table, sums, options, began, own_disks):
    print(f"{'fault':34} {'rounds':>6} {'median s':>9} {'longest s':>9}")
    for name, waits in sorted(table.items()):
        print(f"{name:34} {len(waits):6} {statistics.median(waits):9.1f} {max(waits):9.1f}")
    if not own_disks:
        print("left out: " + ", ".join(NEED_DISKS) + " (they need root)")
    print(f"{sum(map(len, table.values()))} rounds in {(time.monotonic() - began) / 60:.0f} min, seed {options.seed}: "
          + ", ".join(f"{sums[key]:,} {key}" for key in (
              "records", "samples", "values", "missing", "altered", "extra", "resent", "alerts", "alerts missing",
              "alerts doubled", "readings of agents")))


def main():
    options = arguments()
    if not options.inside:
        enter_own_mounts()
    folder = Path(tempfile.mkdtemp(prefix="vigie-soak-"))
    folder.chmod(0o755)  # the broker and PostgreSQL are somebody else
    print(f"soak: {options.rounds} rounds, seed {options.seed}, in {folder}", flush=True)
    system = Soak(folder / "system", AGENTS, options.build, own_disks=options.inside)
    table, began = collections.defaultdict(list), time.monotonic()
    try:
        system.start()
        sums = soak(system, options, table)
    except (AssertionError, RuntimeError, subprocess.SubprocessError) as error:
        print(f"soak failed after {sum(map(len, table.values()))} rounds, seed {options.seed}: {error}\nlogs: {system.logs}")
        return 1
    finally:
        system.stop()
    report(table, sums, options, began, options.inside)
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
