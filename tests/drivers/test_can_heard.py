"""What was heard and its age: STALE in time, limits 0 whenever not GOOD, gates, derived power."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can.codec import Role
from drivers.can.heard import LIMITS, Heard
from gateway.driver import CanFrame
from gateway.errors import FrameError
from gateway.model import Quality
from tests.drivers.can_bench import JK, SETS, as_dict, frame, frames, table


def state(heard: Heard, now_ms: int) -> dict[str, tuple[int, str]]:
    return as_dict(table().points, *heard.snapshot(now_ms))


def after(*sets: list[CanFrame], at_ms: int = 0) -> Heard:
    heard = Heard(table())
    for one in [f for s in sets for f in s]:
        heard.take(one, at_ms)
    return heard


@pytest.mark.parametrize("recorded", SETS, ids=lambda s: s["name"])
def test_recorded_sets(recorded):
    heard = after([frame(id, text) for id, text in recorded["frames"].items()])
    expected = dict.fromkeys(table().points, (0, "ABSENT"))
    expected |= {name: (value, "GOOD") for name, value in recorded["good"].items()}
    assert state(heard, 0) == expected
    assert heard.texts() == recorded["texts"]


def test_power_of_another_family():
    for recorded in JK:
        heard = Heard(table("jk_can"))
        for id, data in recorded["frames"].items():
            heard.take(frame(id, data), 0)
        said = as_dict(table("jk_can").points, *heard.snapshot(0))
        good = {name: (value, "GOOD") for name, value in recorded["good"].items()}
        assert said == dict.fromkeys(said, (0, "ABSENT")) | good


def test_nothing_heard_is_absent():
    assert set(state(Heard(table()), 10**9).values()) == {(0, "ABSENT")}
    assert Heard(table()).expiry_ms(0) is None


def test_limits_go_stale_first_and_are_zero_then():
    heard = after(frames("version 1.2"))
    assert state(heard, 2999)["charge_limit_ma"] == (480_000, "GOOD")
    now = state(heard, 3000)
    assert now["charge_limit_ma"] == now["discharge_limit_ma"] == (0, "STALE")
    assert now["charge_voltage_limit_mv"] == (0, "STALE")
    assert now["battery_soc_bp"] == (8800, "GOOD")
    assert state(heard, 5000)["battery_soc_bp"] == (8800, "STALE")
    assert state(heard, 5000)["battery_power_w"] == (1346, "STALE")
    assert heard.expiry_ms(0) == 3000
    assert heard.expiry_ms(3000) == 5000
    assert heard.expiry_ms(5000) is None


def test_a_short_frame_leaves_the_rest_to_age():
    heard = after([frame(0x351, "1002C012C012C201")])
    heard.take(frame(0x351, "1002C012C012"), 2000)
    now = state(heard, 3500)
    assert now["charge_limit_ma"] == (480_000, "GOOD")
    assert now["discharge_voltage_limit_mv"] == (45_000, "STALE")


@pytest.mark.parametrize(
    ("enable", "charge", "discharge"),
    [
        ("C000", 480_000, 480_000),
        ("4000", 0, 480_000),
        ("8000", 480_000, 0),
        ("0000", 0, 0),
        ("80", 480_000, 0),
    ],
)
def test_a_cleared_enable_makes_its_limit_zero(enable, charge, discharge):
    now = state(after(frames("version 1.2"), [frame(0x35C, enable)]), 0)
    assert (now["charge_limit_ma"], now["discharge_limit_ma"]) == ((charge, "GOOD"), (discharge, "GOOD"))


def test_an_outdated_enable_makes_its_limit_stale():
    heard = after(frames("version 1.2"))
    for at in (1000, 2000, 3000):
        heard.take(frame(0x351, "1002C012C012C201"), at)
    assert state(heard, 2999)["charge_limit_ma"] == (480_000, "GOOD")
    assert state(heard, 3000)["charge_limit_ma"] == (0, "STALE")
    heard.take(frame(0x35C, "C000"), 3100)
    assert state(heard, 3100)["charge_limit_ma"] == (480_000, "GOOD")


@pytest.mark.parametrize("data", ["1002FEFFC012C201", "1002FFFFC012C201", "10020080C012C201"])
def test_an_unbelievable_limit_is_zero(data):
    value, quality = state(after([frame(0x351, data)]), 0)["charge_limit_ma"]
    assert value == 0
    assert quality in ("INVALID", "ABSENT")


def test_alarms_of_two_frames_are_joined_and_the_older_one_tells():
    heard = after([frame(0x359, "02000000010000")])
    heard.take(frame(0x35A, "0000040000000000"), 3000)
    assert state(heard, 4000)["battery_alarms_flags"] == (1 << 9 | 1 << 20, "GOOD")
    assert state(heard, 5000)["battery_alarms_flags"] == (1 << 9 | 1 << 20, "STALE")


def test_power_is_as_good_as_its_worst_part():
    assert state(after([frame(0x356, "7B1300806B01")]), 0)["battery_power_w"] == (0, "ABSENT")
    assert state(after([frame(0x356, "0000E9FE6B01")]), 0)["battery_power_w"] == (0, "INVALID")
    charging = after([frame(0x356, "7B1317016B01")])  # +27.9 A on the wire
    assert state(charging, 0)["battery_power_w"] == (-1391, "GOOD")


def test_a_bad_frame_changes_nothing():
    heard = after(frames("BYD"))
    before = state(heard, 100)
    for bad in (CanFrame(0x351, b"\xff" * 7), CanFrame(0x351, b"\xff" * 8, True), CanFrame(0x123, b"")):
        with pytest.raises(FrameError):
            heard.take(bad, 50)
    assert state(heard, 100) == before


def test_texts_in_parts_are_joined_in_order():
    heard = after([frame(0x381, "39393939"), frame(0x380, "5045543030313233")])
    assert heard.texts() == {"serial": "PET001239999"}


FRAMES = st.builds(
    CanFrame, st.sampled_from([k[0] for k in table().frames]), st.binary(min_size=4, max_size=8)
)


@given(st.lists(st.tuples(FRAMES, st.integers(0, 4000)), max_size=30), st.integers(0, 8000))
def test_whatever_comes_old_is_never_good_and_a_doubtful_limit_is_zero(script, rest):
    heard, now, last = Heard(table()), 0, {}
    for one, pause in script:
        now += pause
        try:
            key = heard.take(one, now)
        except FrameError:
            continue
        for field in table().frames[key].fields:
            if field.place.end <= len(one.data):
                last[field.slot] = now
    now += rest
    values, qualities = heard.snapshot(now)
    for index, slot in enumerate(table().slots):
        if slot.role is Role.VALUE and qualities[slot.point] == Quality.GOOD:
            assert now - last[index] < slot.stale_ms
    for name, value, quality in zip(table().points, values, qualities, strict=True):
        assert quality == Quality.GOOD or name not in LIMITS or value == 0
        assert quality != Quality.ABSENT or value == 0
