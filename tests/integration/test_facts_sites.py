"""Two sites without a bridge: the one that owns the facts hears nothing of a car, and its history knows nothing of what was stepped."""
import time

import pytest

import drives
import mqtt5
from ingest_site import MISSING, ROOT, Ingest, now_ms, running, wait_until
from stack import influx
from stack.broker import Broker
from stack.ports import free_port
from test_facts import HOUR_MS, segments, send, settled

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
LATE = "0197f3c2-5f0e-7abc-8def-0123456789ab"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from running(tmp_path_factory.mktemp("facts-sites"), rate=100000, burst=100000, late_wait="1s")


@pytest.fixture(scope="module")
def other(site):
    """A broker, a history and an ingest of its own; the facts stay the first one's."""
    folder = site.folder / "other"
    folder.mkdir()
    broker = Broker(folder / "broker", site.pki.folder, ROOT / "build/lib/vigie_guard.so")
    parts = [influx.Influx(folder / "influx", free_port()), broker]
    try:
        for part in parts:
            part.start()
        parts.append(Ingest(site, instance="other", site="esplanade", mqtt=f"mqtts://127.0.0.1:{broker.port_services}",
                            influx=parts[0].address, rate=100000, burst=100000, late_wait="1s").start())
        yield broker
    finally:
        for part in reversed(parts):
            part.stop()


def facts(site, car, stream):
    return site.sql(f"SELECT upto, gaps FROM watermark WHERE site = '' AND vin = '{car.vin}' AND stream = '{stream}'")


def send_until_understood(site, car, records, stream, but=()):
    """What is not acknowledged is sent again: then its facts are taken over from who does not write them."""
    gaps = ",".join(f"[{seq},{seq + 1})" for seq in but)

    def understood():
        for seq, samples in records:
            if seq not in but:
                car.telemetry(samples, seq=seq, stream=stream)
        time.sleep(1)
        return facts(site, car, stream) == f"{len(records)}|{{{gaps}}}"

    wait_until(understood, why="the other site to take the facts over")


def told(site, car, start):
    return [(r.kind, r.start, round(r.distance_m)) for r in segments(site, car.vin, start)]


def test_what_the_owner_never_heard_is_stepped_by_the_site_that_has_it(site, other):
    start = now_ms() - HOUR_MS
    drive = drives.north(start, [(60, 0), (400, 72), (300, 0)])
    hidden = {t: s for t, s in drive.items() if 150000 < t - start < 350000}
    parts = {None: list(enumerate(drives.records({t: s for t, s in drive.items() if t not in hidden}, 20), 1)),
             LATE: list(enumerate(drives.records(hidden, 20), 1))}
    with site.car() as alone, site.car() as car:
        send(alone, drive)  # the same at one site
        wait_until(lambda: settled(site, alone.vin), why="its open rows")
        expected = told(site, alone, start)
        assert [kind for kind, *_ in expected] == ["stop", "trip", "stop"]
        here, car.client = car.client, mqtt5.Client(other.port_vehicles, site.pki.path("service-root.pem"), *site.identity(car.vin, "vehicle"))
        send_until_understood(site, car, parts[None], car.stream, but=(5,))
        assert site.sql(f"SELECT wait_ms > 0 FROM fact_state WHERE vin = '{car.vin}'") == "t"  # what follows waits for it
        send_until_understood(site, car, parts[None], car.stream)
        wait_until(lambda: settled(site, car.vin), why="what waited")
        assert len(told(site, car, start)) == 3
        send_until_understood(site, car, parts[LATE], LATE)
        wait_until(lambda: settled(site, car.vin), why="what came late")
        assert told(site, car, start) == expected and site.points(car.vin) == {}
        car.client.close()
        car.client = here
        for stream, records in parts.items():  # the way to the owner is back: nothing changes by that
            for seq, samples in records:
                car.telemetry(samples, seq=seq, stream=stream)
        wait_until(lambda: len(site.points(car.vin)) == len(drive), why="the history of the owner")
        wait_until(lambda: settled(site, car.vin), why="facts")
        assert told(site, car, start) == expected
        estimated = f"SELECT round(sum(estimated_m)) FROM segment WHERE vin = '{car.vin}' AND kind = 'trip' AND state <> 'superseded'"
        assert site.sql(estimated) == "0"
