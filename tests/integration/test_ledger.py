"""Nothing acknowledged is lost: everything is killed in the middle, then the agents' outboxes are compared with both
stores, reading by reading."""
import random
import signal
import time

from system import Outbox, Stores, patient, session, wait_for

VICTIMS = ("ingest", "mosquitto", "influxd", "postgres")


def kill_and_wait(stack, name):
    member = stack.members[name]
    pid = member.process.pid
    member.process.send_signal(signal.SIGKILL)
    began = time.monotonic()
    wait_for(f"{name} to be back", lambda: member.process.pid != pid and member.process.poll() is None, 60, 0.02)
    return time.monotonic() - began


def quiet(stack, n):
    """The car goes away, so its agent makes nothing new; what it has it still sends."""
    for name in (f"car-{n}", f"gpsd-{n}"):
        stack.supervisor.hold(stack.members[name])
        stack.members[name].stop()


def compare(stack, n):
    vin, outbox, stores = stack.cars[n - 1].vin, Outbox(stack.folder / f"vehicle-{n}"), Stores(stack)

    def all_of_it():
        """What was made and what is stored, unless something more was made meanwhile: that its adapter is gone, for one."""
        if not stores.drained(vin, outbox):
            return None
        given = outbox.streams()
        found = outbox.readings(), stores.readings(vin), outbox.facts(), stores.facts(vin)
        return found if stores.drained(vin, outbox) and outbox.streams() == given else None

    made, stored, facts, rows = wait_for(f"{vin} to drain", all_of_it, 180, 0.5)
    assert made, "the agent made nothing"
    missing, extra = made.keys() - stored.keys(), stored.keys() - made.keys()
    assert not missing and not extra, f"{len(missing)} of {len(made)} missing, {len(extra)} extra: {list(missing | extra)[:5]}"
    assert not [key for key in made if made[key] != stored[key]]
    assert {f"{f['stream']} {f['seq']}" for f in facts} == set(rows)
    assert set(rows.values()) <= {1}
    return len(made)


def test_kill_9_of_everything_loses_nothing_and_doubles_nothing(own_stack):
    stack = own_stack(vehicles=2)
    for n in (1, 2):
        wait_for("first readings", lambda n=n: Outbox(stack.folder / f"vehicle-{n}").readings(), 60)
    order = list(VICTIMS) * 2
    random.Random(3).shuffle(order)
    for name in order:
        time.sleep(1.5)  # some traffic between two deaths
        kill_and_wait(stack, name)
    kill_and_wait(stack, "vehicle-1")
    wait_for("the agent to be ready", lambda: stack.members["vehicle-1"].ready(), 90)
    time.sleep(3)
    for n in (1, 2):
        quiet(stack, n)
    for n in (1, 2):
        print(f"vehicle {n}: {compare(stack, n)} readings, each stored once")


def test_a_store_that_hangs_holds_the_ack_and_the_dashboard_recovers(own_stack):
    stack = own_stack(vehicles=1)
    vin, outbox, stores = stack.cars[0].vin, Outbox(stack.folder / "vehicle-1"), Stores(stack)
    wait_for("a first watermark", lambda: stores.watermarks(vin), 60)
    influxd = stack.members["influxd"].process
    influxd.send_signal(signal.SIGSTOP)
    try:
        held = None
        while held != (held := stores.watermarks(vin)):  # what was under way is through
            time.sleep(3)
        given = outbox.streams()
        wait_for("more records", lambda: sum(outbox.streams().values()) >= sum(given.values()) + 3)
        assert stores.watermarks(vin) == held, "acknowledged although InfluxDB does not answer"
    finally:
        influxd.send_signal(signal.SIGCONT)
    wait_for("the watermark to move again", lambda: stores.watermarks(vin) != held, 60)
    signed_in = session(stack)
    fresh = lambda: (patient(signed_in.get, f"vehicles/{vin}") or {}).get("connectivity") == "online"
    wait_for("the vehicle to be online for people", fresh, 60)
    quiet(stack, 1)
    compare(stack, 1)
