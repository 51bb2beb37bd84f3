"""A record that ends ingest does not end it for ever.

No program of ours has a hook for this: a function of the running process is overwritten with an instruction that does not
exist, so every record that reaches it is poison, and only those."""
import itertools
import json
import os
import platform
import signal
import subprocess

import pytest

from ingest_site import BUILD, MISSING, PROGRAM, ROOT, RPM, SPEED, Ingest, Site, columnar, make, now_ms, wait_until
from test_ingest_faults import Before

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
NO_INSTRUCTION = {"x86_64": b"\x0f\x0b", "aarch64": bytes(4)}[platform.machine()]
SPEED_ID = 1  # the row of Vehicle.Speed in the signal table


@pytest.fixture
def site(tmp_path):
    make(BUILD, "bin/vigie-api")
    made = Site(tmp_path)
    (tmp_path / "state").mkdir()
    try:
        yield made.start(state_dir=tmp_path / "state")
    finally:
        made.stop()


def break_function(ingest, name):
    """From now on whoever calls `name` in this process ends it."""
    symbols = subprocess.run(["nm", PROGRAM], capture_output=True, text=True, check=True).stdout
    offset = next(int(line.split()[0], 16) for line in symbols.splitlines() if line.split()[-1] == name)
    with open(f"/proc/{ingest.process.pid}/maps") as maps:
        base = next(int(line.split("-")[0], 16) for line in maps if line.rstrip().endswith(str(PROGRAM)))
    with open(f"/proc/{ingest.process.pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(base + offset)
        memory.write(NO_INSTRUCTION)


def restart_broken(ingest, function):
    if ingest.process.poll() is None:
        ingest.stop()
    ingest.start()
    break_function(ingest, function)


def send_until(send, what, why):
    """As a car does: again and again until it is told."""
    turns = itertools.count()

    def sent():
        if next(turns) % 20 == 0:
            send()
        return what()
    wait_until(sent, why=why)


def is_dead(ingest):
    return lambda: ingest.process.poll() is not None


def replay(site, vin):
    env = {**os.environ, "VIGIE_PG": site.postgres.conninfo()}
    done = subprocess.run([ROOT / BUILD / "bin/vigie-api", "dead-letter", "replay", "--vin", vin, "--wait=60s", "--json"], env=env,
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [row["outcome"] for row in json.loads(done.stdout)]


def test_a_record_that_ends_the_decoder_does_so_once(site):
    t, ingest = now_ms(), site.ingest
    with site.car() as poison, site.car() as other:
        payload = columnar(poison.stream, 1, {t: {SPEED_ID: 50.5}, t + 1: {SPEED_ID: 51.0}})
        restart_broken(ingest, "columnar_read_spans")
        other.one()
        other.wait_ack(1)  # all goes well but for that one
        send_until(lambda: poison.publish("telemetry", payload), is_dead(ingest), "its end")
        assert ingest.process.returncode != 0
        restart_broken(ingest, "columnar_read_spans")
        assert "suspects" in ingest.log_text()
        poison.publish("telemetry", payload)
        poison.wait_ack(1)
        other.one()
        other.wait_ack(2)
        assert ingest.process.poll() is None
        assert site.dead_letters(poison.vin) == [("poison", "1", payload)]
        assert site.dead_letters(other.vin) == [] and len(site.points(other.vin)) == 2
        # repaired, and asked for again
        ingest.stop()
        ingest.start()
        assert replay(site, poison.vin) == ["stored"]
        assert site.points(poison.vin) == {t: {SPEED: 50.5}, t + 1: {SPEED: 51.0}}


def test_a_record_that_ends_it_at_a_first_look_is_found_out_as_well(site):
    """Where many wait it is looked at whether a record waits already, before it is decoded."""
    t, ingest = now_ms(), site.ingest
    with site.car() as poison, site.car() as other:
        payload = columnar(poison.stream, 1, {t: {SPEED_ID: 50.5}})
        restart_broken(ingest, "columnar_head")  # what decodes all of it does not come by there
        site.freeze(site.influx)
        try:
            for n in range(320):  # more than 4 MiB
                samples = [{"t": t - 600 * n - k, "s": {SPEED: 50.0, RPM: 900.0}} for k in range(300)]
                other.publish("telemetry", {**other.head("telemetry"), "samples": samples}, qos=0)
            send_until(lambda: poison.publish("telemetry", payload), is_dead(ingest), "its end")
        finally:
            site.go_on(site.influx)
        assert ingest.process.returncode != 0 and "suspects count=1 " not in ingest.log_text()
        ingest.start()
        assert " event=suspects count=1 " in ingest.log_text()
        poison.publish("telemetry", payload)
        poison.wait_ack(1)
        assert [(r, s) for r, s, _ in site.dead_letters(poison.vin)] == [("poison", "1")]
        assert replay(site, poison.vin) == ["stored"]
        assert site.points(poison.vin) == {t: {SPEED: 50.5}}


def test_of_a_group_that_ends_the_writer_the_good_ones_are_stored_and_the_culprit_is_put_aside(site):
    ingest = site.ingest
    with site.car() as poison, site.car() as other, site.car() as third:
        lost = poison.event("outbox_lost", {"stream": poison.stream, "first": 1, "last": 1}, seq=2)
        poison.wait_ack(2)  # in good order it is a record like any other
        lost = {**lost, "seq": 4, "id": lost["id"][:-1] + ("0" if lost["id"][-1] != "0" else "1"),
                "data": {**lost["data"], "first": 3, "last": 3}}
        times = [now_ms() + n for n in range(6)]

        def send_all():
            for n, t in enumerate(times):
                car = (other, third)[n % 2]
                car.telemetry({t: {SPEED: 1.0 + n}}, seq=1 + n // 2)
            poison.publish("event", lost)

        restart_broken(ingest, "lost_is_possible")
        site.freeze(site.influx)  # so that all of it waits, to be one group
        send_all()
        wait_until(lambda: ingest.metric("vigie_ingest_messages_total", 'kind="event"') >= 1)
        site.go_on(site.influx)
        send_until(send_all, is_dead(ingest), "the group to end it")
        restart_broken(ingest, "lost_is_possible")
        send_until(send_all, lambda: site.watermark(poison.vin, poison.stream) == (4, "{[3,4)}"), "the ack of the culprit")
        for n, car in enumerate((other, third)):
            wait_until(lambda: site.watermark(car.vin, car.stream) == (3, "{}"))
            assert site.points(car.vin) == {t: {SPEED: 1.0 + k} for k, t in enumerate(times) if k % 2 == n}
            assert site.dead_letters(car.vin) == []
        assert [(r, s) for r, s, _ in site.dead_letters(poison.vin)] == [("poison", "4")]
        assert ingest.process.poll() is None


def test_a_record_that_ends_it_at_its_group_s_first_line_is_found_out_as_well(site):
    """Whether a group has a line is known before anything of it is sent."""
    ingest, sent = site.ingest, []
    with site.car() as poison, site.car() as other, site.car() as third:
        def send(car):
            sent.append((car, car.telemetry({now_ms(): {SPEED: 50.0}})))

        site.freeze(site.influx)
        try:
            send(other)
            wait_until(lambda: ingest.metric("vigie_ingest_unacked_age_seconds") > 0, why="a group at the history")
            break_function(ingest, "line_add")
            for n, car in enumerate((poison, other, third), 2):  # the next group
                send(car)
                wait_until(lambda n=n: ingest.metric("vigie_ingest_messages_total", 'kind="telemetry"') == n, why="it to wait")
        finally:
            site.go_on(site.influx)
        wait_until(is_dead(ingest), why="its end")
        ingest.start()
        assert " event=suspects count=1 " in ingest.log_text()
        for car, record in sent:
            car.publish("telemetry", record)
        for car, last in ((poison, 1), (other, 2), (third, 1)):
            wait_until(lambda c=car, n=last: site.watermark(c.vin, c.stream) == (n, "{}"), why="all of them")
        assert [(r, s) for r, s, _ in site.dead_letters(poison.vin)] == [("poison", "1")]
        assert site.dead_letters(other.vin) == site.dead_letters(third.vin) == []


def test_a_record_that_ends_it_where_a_group_is_sent_once_more_in_one_piece_is_found_out_as_well(site, tmp_path):
    """As after no answer."""
    site.ingest.stop()
    with Before(site.influx.address) as before, site.car() as poison, site.car() as other, site.car() as third:
        ingest = Ingest(site, state_dir=tmp_path / "state", influx=f"http://127.0.0.1:{before.server_port}").start()
        sent = []
        try:
            before.open.clear()
            other.one()
            wait_until(lambda: ingest.metric("vigie_ingest_unacked_age_seconds") > 0, why="a group at the history")
            for n, car in enumerate((poison, other, third), 2):  # the next group
                sent.append((car, car.telemetry({now_ms(): {SPEED: 50.0}})))
                wait_until(lambda n=n: ingest.metric("vigie_ingest_messages_total", 'kind="telemetry"') == n, why="it to wait")
            before.says = 503, b""  # to that one, not to what is there already
            before.open.set()
            wait_until(lambda: "event=store.away store=influx " in ingest.log_text(), why="no answer")
            break_function(ingest, "line_add")
            wait_until(is_dead(ingest), why="its end")
            before.says = None
            ingest.start()
            assert " event=suspects count=1 " in ingest.log_text()
            for car, record in sent:
                car.publish("telemetry", record)
            for car, last in ((poison, 1), (other, 2), (third, 1)):
                wait_until(lambda c=car, n=last: site.watermark(c.vin, c.stream) == (n, "{}"), why="all of them")
            assert sum(len(site.dead_letters(car.vin)) for car in (poison, other, third)) == 1
        finally:
            before.open.set()
            ingest.stop()


def test_a_good_record_in_hand_while_it_is_killed_from_outside_is_never_suspected(site):
    ingest = site.ingest
    with site.car() as car:
        car.one()
        car.wait_ack(1)
        try:
            for _ in range(3):
                site.freeze(site.influx)
                send_until(lambda: car.one(seq=2, t=car.ticks),
                           lambda: ingest.metric("vigie_ingest_unacked_age_seconds") > 0, "a record in the writer's hand")
                os.kill(ingest.process.pid, signal.SIGKILL)
                ingest.process.wait(30)
                site.go_on(site.influx)
                ingest.start()
        finally:
            site.go_on(site.influx)
        car.one(seq=2)
        car.wait_ack(2)
        assert site.dead_letters(car.vin) == [] and "suspects" not in ingest.log_text()


def test_its_file_cut_short_under_it_ends_nothing(site, tmp_path):
    ingest, file = site.ingest, tmp_path / "state" / "inflight-illkirch-0"
    whole = file.stat().st_size
    with site.car() as car:
        car.one()
        car.wait_ack(1)
        os.truncate(file, 0)
        car.one()
        car.wait_ack(2)
        wait_until(lambda: " event=state.cut " in ingest.log_text(), why="its word for it")
        ingest.stop()
        assert ingest.process.returncode == 0
        ingest.start()
        assert file.stat().st_size == whole
        car.one()
        car.wait_ack(3)
        assert site.dead_letters(car.vin) == []


def test_a_folder_that_cannot_be_used_is_said_at_once(site, tmp_path):
    taken = Ingest(site, state_dir=tmp_path / "state")
    taken.spawn()
    assert taken.process.wait(60) == 2 and "another ingest" in taken.log_text()
    nowhere = Ingest(site, "nowhere", state_dir=tmp_path / "nowhere")
    nowhere.spawn()
    assert nowhere.process.wait(60) == 2 and "--state-dir" in nowhere.log_text()
