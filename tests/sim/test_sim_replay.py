"""The recordings, and where their known answers are."""
import pytest
from simbench import Bench, drive

import replay

EPOCH = 1_000_000.0


def sums(series):
    return sum((a + b) / 2 * (t1 - t0) / 3600 for a, b, t0, t1 in
               zip(series.values, series.values[1:], series.times, series.times[1:])
               if None not in (a, b))


def test_the_kit_recordings_have_their_columns_and_length():
    for part, seconds in (("2017", 299.82), ("2018", 862.363)):
        d = drive(part)
        assert d.duration_s == pytest.approx(seconds, abs=1e-6)
        assert set(d.pids) == {0x05, 0x0B, 0x0C, 0x0D, 0x0F, 0x10, 0x11, 0x46, 0x49, 0x4A}


def test_the_caliber_has_no_air_flow_sensor():
    assert set(drive("caliber").pids) == {0x04, 0x0B, 0x0C, 0x0D, 0x0F, 0x11}


def test_the_caliber_distances_are_the_known_ones():
    d = drive("caliber")
    assert d.line.length_m == pytest.approx(34518, abs=1)
    assert sums(d.pids[0x0D]) == pytest.approx(34.064, abs=0.001)


def test_the_calibers_last_point_has_no_obd_values():
    d = drive("caliber")
    assert d.value(0x0D, d.duration_s) is None
    assert d.value(0x0D, d.duration_s - 1) is not None


def test_the_emergency_braking_is_where_it_was():
    r = replay.Replay(drive("2017"), epoch=EPOCH)
    start = 7 * 3600 + 46 * 60 + 14.193
    speeds = drive("2017").pids[0x0D]
    first = 7 * 3600 + 48 * 60 + 32.490 - start
    at = min(range(len(speeds.times)), key=lambda i: abs(speeds.times[i] - first))
    assert speeds.values[at:at + 5] == [77, 60, 38, 11, 0]
    assert speeds.times[at + 4] - speeds.times[at] == pytest.approx(36.901 - 32.490, abs=0.001)
    assert r.at(EPOCH + first + 0.001).values[0x0D] == 77
    assert r.at(EPOCH + first - 0.001).values[0x0D] != 77


def test_a_stop_start_is_not_the_ignition():
    r = replay.Replay(drive("2018"), epoch=EPOCH)
    start = 17 * 3600 + 58 * 60 + 2.288
    stopped = EPOCH + 18 * 3600 + 10 * 60 + 30 - start
    assert r.at(stopped).values[0x0C] == 0 and r.at(stopped).ignition_on
    assert max(r.at(stopped + s / 10).values[0x0C] for s in range(25)) > 1000


def test_a_column_is_missing_until_its_first_reading():
    r = replay.Replay(drive("2018"), epoch=EPOCH)
    assert set(r.at(EPOCH).values) == {0x05}
    assert len(r.at(EPOCH + 0.7).values) == 10


def test_the_ndsbr_car_answers_no_pid_and_has_positions():
    d = drive("ndsbr")
    assert not d.pids
    # 1 Hz speeds summed, a point each
    assert sum(d.gps_speed.values) / 3600 == pytest.approx(6.756, abs=0.001)
    assert max(d.gps_speed.values) == pytest.approx(49.41, abs=0.005)


def test_a_placed_car_stands_where_its_speed_puts_it():
    bench = Bench("2018", track="caliber")
    line = drive("caliber").line
    for t in (0, 100, 400, 862):
        here = bench.replay.at(EPOCH + t)
        assert (here.lat, here.lon) == pytest.approx(line.point(here.distance_m), abs=1e-9)
    step = 0.5
    driven = sum(bench.replay.at(EPOCH + i * step).values.get(0x0D, 0) / 3.6 * step
                 for i in range(int(862 / step)))
    assert bench.replay.at(EPOCH + 862).distance_m == pytest.approx(driven, rel=0.005)


def test_the_caliber_is_where_it_was_recorded():
    r = replay.Replay(drive("caliber"), epoch=EPOCH)
    d = drive("caliber")
    for i in (0, 1, 57, 200, 267):
        here = r.at(EPOCH + d.gps_speed.times[i])
        assert (here.lat, here.lon) == pytest.approx(d.line.points[i], abs=1e-9)


@pytest.mark.parametrize("part", ["2017", "2018", "caliber"])
def test_a_looping_car_never_jumps_and_never_brakes_like_a_crash(part):
    r = replay.Replay(drive(part), drive("caliber"), epoch=EPOCH, loop=True)
    before = r.at(EPOCH)
    for i in range(1, int(2.3 * r.pass_s)):
        here = r.at(EPOCH + i)
        moved = replay.haversine_m((before.lat, before.lon), (here.lat, here.lon))
        assert moved <= max(before.speed_kmh, here.speed_kmh) / 3.6 + 3.0, i
        if here.invented or not here.ignition_on or not before.ignition_on:
            assert abs(here.speed_kmh - before.speed_kmh) <= 1.6 * 3.6, i
        before = here


def test_after_the_drive_the_ignition_is_off_for_five_minutes():
    r = replay.Replay(drive("2018"), epoch=EPOCH, loop=True)
    end = EPOCH + drive("2018").duration_s
    assert r.at(end - 0.1).ignition_on
    assert not r.at(end + 0.1).ignition_on and not r.at(end + 0.1).values
    assert not r.at(end + 299.9).ignition_on
    assert r.at(end + 300.1).ignition_on and r.at(end + 300.1).loop == 1


def test_without_loop_it_stays_off():
    r = replay.Replay(drive("2018"), epoch=EPOCH)
    assert not r.at(EPOCH - 1).ignition_on
    assert not r.at(EPOCH + 5000).ignition_on


def test_factor_offset_and_their_inverse():
    r = replay.Replay(drive("2018"), epoch=EPOCH, factor=4, offset_s=100)
    assert r.second(EPOCH) == (100, 0)
    assert r.second(EPOCH + 10) == (140, 0)
    assert r.time_of(140) == EPOCH + 10
    looping = replay.Replay(drive("2017"), epoch=EPOCH, factor=2, loop=True)
    t, passes = looping.second(looping.time_of(50, loop=3))
    assert passes == 3 and t == pytest.approx(50)


def test_every_value_of_a_span_is_told():
    r = replay.Replay(drive("2017"), epoch=EPOCH)
    start = EPOCH + 138.297
    assert r.values_between(0x0D, start + 0.01, start + 4.5) == {77, 60, 38, 11, 0}
    assert r.values_between(0x0D, start + 0.01, start + 0.02) == {77}
    assert r.values_between(0x5E, start, start + 9) == set()
    assert r.values_between(0x0D, EPOCH + 400, EPOCH + 500) == set()


def test_what_is_no_recording_is_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("hello\n")
    with pytest.raises(ValueError):
        replay.load(path)
