"""The loss meter: what of a vehicle's records was missing, double or late, hour by hour."""
import uuid

import pytest

from ingest_site import MISSING, SITE, SPEED, Site, now_ms, wait_until

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
COUNTS = ("records", "samples", "duplicates", "skipped", "recovered", "lost")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("ingest-loss"))
    try:
        yield made.start(count_wait="200ms")
        assert "Sanitizer" not in made.ingest.log_text() and "runtime error" not in made.ingest.log_text()
    finally:
        made.stop()


def counted(site, vin):
    row = site.sql(f"SELECT {', '.join(f'coalesce(sum({c}), 0)' for c in COUNTS)} FROM loss_hour WHERE vin = '{vin}' AND site = '{SITE}'")
    return dict(zip(COUNTS, map(int, row.split("|"))))


def quantile(site, vin, q):
    return float(site.sql(f"SELECT lag_quantile(lag_sum(lag), {q}) FROM loss_hour WHERE vin = '{vin}'"))


def missing(site, vin):
    return int(site.sql(f"SELECT missing FROM loss_hour WHERE vin = '{vin}' ORDER BY hour DESC LIMIT 1"))


def expect(site, car, **wanted):
    wanted = {**dict.fromkeys(COUNTS, 0), **wanted}
    wait_until(lambda: counted(site, car.vin) == wanted, why=f"{wanted}, not {counted(site, car.vin)}")


def test_gaps_duplicates_and_losses_are_counted_once_each(site):
    before = {name: site.ingest.metric(f"vigie_ingest_{name}_numbers_total") for name in ("skipped", "recovered", "lost")}
    with site.car() as car:
        for seq in (1, 2, 3, 10):
            car.one(seq=seq)
        car.wait_ack(10, [(4, 9)])
        expect(site, car, records=4, samples=4, skipped=6)
        assert missing(site, car.vin) == 6
        car.one(seq=3, t=1)  # came again, whatever is in it
        car.one(seq=5)
        car.wait_ack(10, [(4, 4), (6, 9)])
        expect(site, car, records=5, samples=5, duplicates=1, skipped=6, recovered=1)
        car.event("outbox_lost", {"stream": car.stream, "first": 1, "last": 8}, seq=11)
        car.wait_ack(11, [(9, 9)])
        expect(site, car, records=6, samples=5, duplicates=1, skipped=6, recovered=5, lost=4)
        assert missing(site, car.vin) == 1
        after = {name: site.ingest.metric(f"vigie_ingest_{name}_numbers_total") for name in before}
        assert {n: after[n] - before[n] for n in before} == {"skipped": 6, "recovered": 5, "lost": 4}


@pytest.mark.parametrize("number", [2 ** 53, 2 ** 40])
def test_a_number_a_car_made_up_tells_no_more_than_an_outbox_holds(site, number):
    most, before = 8_388_608, site.ingest.metric("vigie_ingest_skipped_numbers_total")
    with site.car() as car:
        car.one(seq=1)
        car.one(seq=number)
        car.wait_ack(number, [(2, number - 1)])
        expect(site, car, records=2, samples=2, skipped=most)
        assert missing(site, car.vin) == most
        car.one(seq=2)
        car.one(seq=9)  # what is there is told, and what may be missing still is
        car.wait_ack(number, [(3, 8), (10, number - 1)])
        expect(site, car, records=4, samples=4, skipped=most)
        assert missing(site, car.vin) == most
        car.event("outbox_lost", {"stream": car.stream, "first": 10, "last": number - 10}, seq=number - 1)
        car.wait_ack(number, [(3, 8), (number - 9, number - 2)])
        expect(site, car, records=5, samples=4, skipped=most, recovered=most - 14, lost=most)
        assert missing(site, car.vin) == 14
        assert site.ingest.metric("vigie_ingest_skipped_numbers_total") - before == most


def test_a_car_that_sends_events_and_no_samples_is_counted_as_others_are(site):
    with site.car() as car:
        for n in (1, 2, 3):  # the second and third are added to a row that has no lags
            car.event("ignition_on", {})
            car.wait_ack(n)
            expect(site, car, records=n)
        assert missing(site, car.vin) == 0
    assert "tallies.wait" not in site.ingest.log_text()


def test_lag_percentiles_are_those_of_what_was_sent(site):
    with site.car() as car:
        now = now_ms()
        car.telemetry({now - 3_600_000 - k * 1000: {SPEED: 1.0} for k in range(90)})  # a long tunnel
        car.telemetry({now - 36_000_000 - k * 1000: {SPEED: 1.0} for k in range(10)})  # and a longer one
        car.wait_ack(2)
        expect(site, car, records=2, samples=100)
        assert 3600 * 0.6 <= quantile(site, car.vin, 0.5) <= 3700 * 1.5  # as fine as a bucket is
        assert 36_000 * 0.6 <= quantile(site, car.vin, 0.99) <= 36_100 * 1.5
        assert quantile(site, car.vin, 0.5) <= quantile(site, car.vin, 0.95) <= quantile(site, car.vin, 0.99)
        assert site.sql(f"SELECT sum(n) FROM loss_hour, unnest(lag) n WHERE vin = '{car.vin}'") == "100"


def test_what_was_counted_is_written_before_the_end(site):
    with site.car() as car:
        site.ingest.stop()
        site.ingest.argv = [a for a in site.ingest.argv if "count-wait" not in str(a)]  # a minute, as usual
        site.ingest.start()
        car.one()
        car.wait_ack(1)
        assert counted(site, car.vin)["records"] == 0
        site.ingest.stop()
        assert counted(site, car.vin)["records"] == 1
        site.ingest.start()


def test_a_tenant_sees_its_own_and_counting_refuses_no_record(site):
    other = str(uuid.uuid4())
    site.sql(f"INSERT INTO customer (id, name) VALUES ('{other}', 'Another')")
    with site.car() as car:
        car.one()
        car.wait_ack(1)
        site.ingest.stop()
        seen = lambda customer: site.sql(f"SET ROLE vigie_api; SELECT set_config('app.customer', '{customer}', false); "
                                         f"SELECT count(*) FROM loss_hour WHERE vin = '{car.vin}'").splitlines()[-1]
        assert seen(site.customer) == "1" and seen(other) == "0"
        site.sql("DROP TABLE loss_hour")
        site.ingest.start()
        car.one(seq=2)
        car.wait_ack(2)
