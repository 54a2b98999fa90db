"""The control laws: their figures, their reach as a promise, and what is refused of their parameters."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Command, Limits, ServiceKind, Source
from gateway.services import LAWS, Inputs, problem

MOST = Limits(7000, 8000)
DROOP = {"power_w": 5000, "deadband_mhz": 20, "full_mhz": 220}


def order(kind: ServiceKind, parameters: dict) -> Command:
    return Command("00" * 32, Source.CHAIN, kind, 0, 1, parameters)


def target(kind: ServiceKind, parameters: dict, **inputs: int | None) -> int | None:
    return LAWS[kind].target(parameters, Inputs(**inputs))


@pytest.mark.parametrize(
    ("mhz", "power_w"),
    [
        (50_000, 0),
        (49_980, 0),
        (50_020, 0),
        (49_979, 25),
        (50_021, -25),
        (49_880, 2500),
        (50_120, -2500),
        (49_780, 5000),
        (49_000, 5000),
        (51_000, -5000),
        (60_000, 0),
        (59_780, 5000),
        (44_999, None),
        (65_001, None),
        (0, None),
        (None, None),
    ],
)
def test_droop(mhz: int | None, power_w: int | None) -> None:
    assert target(ServiceKind.FREQUENCY, DROOP, frequency_mhz=mhz) == power_w


def test_a_droop_without_a_slope_asks_for_nothing() -> None:
    flat = {"power_w": 5000, "deadband_mhz": 200, "full_mhz": 200}
    assert target(ServiceKind.FREQUENCY, flat, frequency_mhz=49_000) == 0
    assert "greater" in problem(order(ServiceKind.FREQUENCY, flat))


@given(st.integers(0, 100_000), st.integers(0, 100_000))
def test_droop_is_monotonic(one: int, other: int) -> None:
    low, high = sorted((one, other))
    slow, fast = (target(ServiceKind.FREQUENCY, DROOP, frequency_mhz=f) for f in (low, high))
    if slow is not None and fast is not None and (low > 55_000) == (high > 55_000):
        assert slow >= fast


@pytest.mark.parametrize(("house", "power_w"), [(3000, 0), (5000, 0), (6200, 1200), (-500, 0), (None, None)])
def test_peak_shaving(house: int | None, power_w: int | None) -> None:
    assert target(ServiceKind.PEAK_SHAVING, {"import_w": 5000}, house_w=house) == power_w


@pytest.mark.parametrize("power_w", [-3000, 0, 2500])
def test_fixed_power_needs_nothing_measured(power_w: int) -> None:
    assert target(ServiceKind.FIXED_POWER, {"power_w": power_w}) == power_w


@given(
    st.sampled_from([*LAWS]),
    st.integers(0, 100_000),
    st.integers(-20_000, 8000),
    st.integers(0, 5000),
)
def test_no_law_asks_for_more_than_its_reach(kind: ServiceKind, mhz: int, house: int, power: int) -> None:
    parameters = {"power_w": power, "import_w": 0, "deadband_mhz": 10, "full_mhz": 100}
    wanted = target(kind, parameters, frequency_mhz=mhz, house_w=house)
    reach = LAWS[kind].reach(parameters, MOST)
    if wanted is not None:
        assert -reach.charge_w <= wanted <= reach.discharge_w


def test_reach_of_a_charging_order() -> None:
    assert LAWS[ServiceKind.FIXED_POWER].reach({"power_w": -2000}, MOST) == Limits(2000, 0)


@pytest.mark.parametrize(
    ("kind", "parameters", "words"),
    [
        (ServiceKind.FIXED_POWER, {}, "exactly power_w"),
        (ServiceKind.FIXED_POWER, {"power_w": 1, "x": 2}, "exactly power_w"),
        (ServiceKind.FIXED_POWER, {"power_w": 10**9}, "outside"),
        (ServiceKind.FIXED_POWER, {"power_w": True}, "not an integer"),
        (ServiceKind.FIXED_POWER, {"power_w": 1.5}, "not an integer"),
        (ServiceKind.FREQUENCY, {**DROOP, "deadband_mhz": -1}, "deadband_mhz = -1 is outside"),
        (ServiceKind.PEAK_SHAVING, {"import_w": -1}, "outside"),
        (ServiceKind.STOP, {"power_w": 0}, "no parameters"),
    ],
)
def test_wrong_parameters_are_told(kind: ServiceKind, parameters: dict, words: str) -> None:
    assert words in problem(order(kind, parameters))


def test_right_parameters_are_fine() -> None:
    good = order(ServiceKind.FREQUENCY, DROOP)
    assert problem(good) == ""
    assert problem(replace(good, kind=ServiceKind.STOP, parameters={})) == ""
    assert problem(replace(good, kind=ServiceKind.PEAK_SHAVING, parameters={"import_w": 0})) == ""
