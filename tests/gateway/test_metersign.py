"""The meter's sign in running: turned round it is found, right it never is, whatever house and law do."""

from collections.abc import Callable
from random import Random

import pytest

from gateway import metersign
from gateway.metersign import Sense

STEP_W = 500


def lived(seconds: int, battery: Callable[[int], int], house: Callable[[int], int], sign: int = 1) -> Sense:
    """A site of a cycle a second; `sign` -1: its meter is turned round."""
    sense = Sense()
    for s in range(seconds):
        sense = metersign.step(sense, s * 1000, battery(s), sign * (house(s) - battery(s)), STEP_W, free=True)
        if sense.turned:
            return sense
    return sense


def pulses(s: int) -> int:
    return 2000 if s // 30 % 2 else -2000


@pytest.mark.parametrize("sign", [1, -1])
def test_a_turned_meter_is_found_within_a_few_changes(sign: int) -> None:
    sense = lived(30 * 8, pulses, lambda s: 700, sign)
    assert sense.turned is (sign < 0)
    early = lived(30 * metersign.CONTRARY_MAX, pulses, lambda s: 700, sign)
    assert not early.turned, "fewer changes are no proof"


def change(sense: Sense, begin_s: int, sign: int) -> Sense:
    """One change of the battery, long after the one before."""
    for s in range(30):
        battery_w = 2000 if s > 14 else 0
        grid_w = sign * (700 - battery_w)
        sense = metersign.step(sense, (begin_s + s) * 1000, battery_w, grid_w, STEP_W, free=True)
    return sense


def test_one_change_that_agrees_ends_the_row() -> None:
    sense = Sense()
    for number in range(40):
        agrees = number % metersign.CONTRARY_MAX == metersign.CONTRARY_MAX - 1
        sense = change(sense, 100 * number, 1 if agrees else -1)
        assert sense.contrary == (0 if agrees else number % metersign.CONTRARY_MAX + 1)
    assert not sense.turned


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("law", ["pulses", "self-consumption", "peak shaving"])
def test_a_right_meter_is_never_said_to_be_turned(law: str, seed: int) -> None:
    """A house of steps and noise; laws that follow the meter by a cycle, orders between that do not."""
    random, load_w, battery_w = Random(seed), 500, 0
    sense, grid_w = Sense(), 500
    for s in range(3600):
        if random.random() < 0.05:
            load_w = random.randrange(0, 6000)
        seen_w = grid_w
        grid_w = load_w + random.randrange(-50, 50) - battery_w
        free = law == "pulses" or s // 60 % 2 == 0
        sense = metersign.step(sense, s * 1000, battery_w, grid_w, STEP_W, free=free)
        assert not sense.turned
        if free:
            battery_w = pulses(s)
        elif law == "self-consumption":
            battery_w = max(-2000, min(2000, battery_w + seen_w))
        else:
            battery_w = max(0, min(2000, battery_w + seen_w - 3000))


def test_a_change_that_the_meter_may_have_caused_is_not_judged() -> None:
    """Peak shaving: the load comes, a second later the battery follows as far as it can."""
    sense = Sense()
    for s in range(3600):
        load_w = 5000 if s // 40 % 2 else 500
        battery_w = 2000 if (s - 1) // 40 % 2 else 0
        sense = metersign.step(sense, s * 1000, battery_w, load_w - battery_w, STEP_W, free=False)
    assert sense.contrary == 0


def test_what_is_remembered_is_bounded() -> None:
    sense = Sense()
    for ms in range(0, 100_000, 100):
        sense = metersign.step(sense, ms, 0, 0, STEP_W, free=True)
    assert len(sense.heard) <= 3 * metersign.SPAN_MS // 100 + 1


def test_a_gap_in_time_is_no_change() -> None:
    sense = Sense()
    for s in (*range(8), *range(1000, 1010)):
        sense = metersign.step(
            sense, s * 1000, 2000 if s > 500 else 0, 2000 if s > 500 else 0, STEP_W, free=True
        )
    assert sense.contrary == 0
