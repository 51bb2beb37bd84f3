"""How fresh a car is, by what it announced itself: real ingest, real PostgreSQL."""
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from ingest_site import MISSING, Site, wait_until  # noqa: E402

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {MISSING}")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    folder.chmod(0o755)
    made = Site(folder)
    try:
        yield made.start()
    finally:
        made.stop()


def told(site, car, state, **more):
    """The car says so, and something of itself; ingest has it."""
    car.one()
    car.online(state, **more)
    wait_until(lambda: site.state(car.vin, "presence") == state and site.state(car.vin, "last_seen IS NOT NULL") == "t")


def after(site, car, seconds):
    return site.sql(f"SELECT connectivity(s, s.last_seen + interval '{seconds} s') FROM vehicle_state s WHERE vin = '{car.vin}'")


def stand(site, car):
    site.sql(f"UPDATE vehicle_state SET ignition_on = false, speed_kmh = 0 WHERE vin = '{car.vin}'")


def test_a_sleeping_car_is_lost_when_two_announced_wake_ups_did_not_come(site):
    with site.car() as car:
        told(site, car, "sleeping", heartbeat_ms=3600000, wake_ms=3600000)
        assert site.state(car.vin, "heartbeat_ms, wake_ms") == "3600000|3600000"
        assert [after(site, car, s) for s in (1, 3700, 7259, 7261)] == ["sleeping", "sleeping", "sleeping", "lost"]


def test_a_car_that_announces_no_wake_up_may_sleep_for_ever(site):
    with site.car() as car:
        told(site, car, "sleeping", heartbeat_ms=600000, wake_ms=600000)
        car.online("sleeping")
        wait_until(lambda: site.state(car.vin, "wake_ms IS NULL AND heartbeat_ms IS NULL") == "t")
        assert after(site, car, 400 * 86400) == "sleeping"


def test_a_standing_car_is_judged_by_the_heartbeat_it_announced(site):
    with site.car() as car:
        told(site, car, "online", heartbeat_ms=3600000)
        stand(site, car)
        assert [after(site, car, s) for s in (59, 3659, 3661, 7199, 7201)] == ["online", "online", "late", "late", "lost"]
        car.online("online")  # says nothing: ten minutes
        wait_until(lambda: site.state(car.vin, "heartbeat_ms IS NULL") == "t")
        stand(site, car)
        assert [after(site, car, s) for s in (659, 661, 1199, 1201)] == ["online", "late", "late", "lost"]
