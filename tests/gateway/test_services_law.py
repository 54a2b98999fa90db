"""What holds for every law: each kind has one, wrong parameters are told in words, right ones compute."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Command, Limits, ServiceKind, Source
from gateway.services import LAWS, Bounds, Wish, complete, named, names, problem
from gateway.services.law import POWER_MAX_W, WHOLE_BP, Inputs, battery_error_w, no_error, no_power, on_line
from tests.gateway.services_bench import MOST, inputs, wrong

DROOP = {"power_w": 5000, "deadband_mhz": 20, "full_mhz": 220}
CURVE = {"v1_mv": 210_000, "v2_mv": 220_000, "v3_mv": 240_000, "v4_mv": 250_000, "limit_var": 2000}
# Good parameters of every kind, as short as they can be.
GOOD = {
    ServiceKind.STOP: {},
    ServiceKind.FIXED_POWER: {"power_w": -3000},
    ServiceKind.FREQUENCY: DROOP,
    ServiceKind.PEAK_SHAVING: {"import_w": 0},
    ServiceKind.GRID_LIMIT: {"export_w": 0},
    ServiceKind.SELF_CONSUMPTION: {},
    ServiceKind.RESERVE: {"soc_bp": 4000},
    ServiceKind.VOLTAGE: CURVE,
    ServiceKind.REACTIVE: {"reactive_var": -500},
    ServiceKind.DEMAND_RESPONSE: {"shed_w": 2000},
    ServiceKind.TRIGGERED: {"power_w": 3000, "trigger_mhz": 49_700, "support_s": 30},
    ServiceKind.ISLAND: {},
    ServiceKind.RECONNECT: {},
}


def test_every_kind_but_a_stop_has_a_law() -> None:
    assert set(LAWS) == set(ServiceKind) - {ServiceKind.STOP}


@pytest.mark.parametrize("kind", LAWS)
def test_parameters_with_defaults_come_last_and_the_defaults_are_in_bounds(kind: ServiceKind) -> None:
    defaults = [bounds.default for bounds in LAWS[kind].parameters.values()]
    assert defaults == sorted(defaults, key=lambda default: default is not None)
    for bounds in LAWS[kind].parameters.values():
        assert bounds.default is None or bounds.least <= bounds.default <= bounds.most


@pytest.mark.parametrize(
    ("kind", "parameters", "words"),
    [
        (ServiceKind.FIXED_POWER, {}, "exactly power_w"),
        (ServiceKind.FIXED_POWER, {"power_w": 1, "x": 2}, "exactly power_w"),
        (ServiceKind.FIXED_POWER, {"power_w": 10**9}, "outside"),
        (ServiceKind.FIXED_POWER, {"power_w": True}, "not an integer"),
        (ServiceKind.FIXED_POWER, {"power_w": 1.5}, "not an integer"),
        (ServiceKind.FREQUENCY, {**DROOP, "deadband_mhz": -1}, "deadband_mhz = -1 is outside"),
        (ServiceKind.FREQUENCY, {**DROOP, "full_mhz": 20}, "full_mhz must be greater than deadband_mhz"),
        (ServiceKind.PEAK_SHAVING, {"import_w": -1}, "outside"),
        (ServiceKind.STOP, {"power_w": 0}, "no parameters"),
    ],
)
def test_wrong_parameters_are_told(kind: ServiceKind, parameters: dict, words: str) -> None:
    assert words in wrong(kind, parameters)


@pytest.mark.parametrize("kind", ServiceKind)
def test_right_parameters_are_fine_once_they_are_complete(kind: ServiceKind) -> None:
    assert wrong(kind, GOOD[kind]) == ""
    short = Command("00" * 32, Source.CHAIN, kind, 0, 1, GOOD[kind])
    assert (problem(short) == "") == (set(GOOD[kind]) == set(names(kind)))


@pytest.mark.parametrize("kind", LAWS)
def test_values_in_the_laws_own_order_are_named(kind: ServiceKind) -> None:
    full = complete(kind, GOOD[kind])
    assert named(kind, list(full.values())) == full
    assert named(kind, [*full.values(), 1]) is None
    required = [name for name, bounds in LAWS[kind].parameters.items() if bounds.default is None]
    values = [GOOD[kind][name] for name in required]
    assert set(named(kind, values) or ()) == set(names(kind))
    assert not required or named(kind, values[:-1]) is None


def test_what_is_left_out_is_at_its_default_and_what_is_unknown_stays() -> None:
    assert complete(ServiceKind.PEAK_SHAVING, {"x": 1}) == {"power_w": 0, "x": 1}
    assert complete(ServiceKind.STOP, {"x": 1}) == {"x": 1}
    assert named(ServiceKind.STOP, []) == {}
    assert named(ServiceKind.STOP, [1]) is None


def _near(bounds: Bounds) -> st.SearchStrategy[int]:
    kept = [bounds.least, bounds.most] if bounds.default is None else [bounds.default]
    return st.one_of(st.sampled_from(kept), st.integers(bounds.least - 1, bounds.most + 1))


@given(st.sampled_from([*LAWS]), st.data(), inputs)
def test_whatever_passes_can_be_computed_from_any_measurement(
    kind: ServiceKind, data: st.DataObject, measured: Inputs
) -> None:
    """Parameters come from a chain: what `problem` lets through must not end the control cycle."""
    law = LAWS[kind]
    draft = {name: data.draw(_near(bounds)) for name, bounds in law.parameters.items()}
    parameters = draft if not wrong(kind, draft) else complete(kind, GOOD[kind])
    wished, reach = law.wish(parameters, measured), law.reach(parameters, MOST)
    assert min(reach.charge_w, reach.discharge_w) >= 0
    off_w = law.error_w(parameters, measured, 1000)
    assert off_w is None or (type(off_w) is int and off_w >= 0)
    if wished is not None:
        _sound(wished)
        assert not law.narrows or (wished.power_w == 0 and wished.least_w is None)


def _sound(wished: Wish) -> None:
    numbers = [wished.power_w, wished.soc_min_bp, wished.shed_w]
    assert all(type(number) is int for number in numbers)
    assert abs(wished.power_w) <= POWER_MAX_W
    assert wished.least_w is None or wished.least_w <= POWER_MAX_W
    assert 0 <= wished.soc_min_bp <= WHOLE_BP
    assert 0 <= wished.shed_w <= POWER_MAX_W
    assert wished.reactive_var is None or abs(wished.reactive_var) <= POWER_MAX_W
    if wished.window is not None:
        assert 0 <= wished.window.charge_w <= POWER_MAX_W
        assert 0 <= wished.window.discharge_w <= POWER_MAX_W


@pytest.mark.parametrize("kind", LAWS)
def test_what_is_measured_well_is_answered(kind: ServiceKind) -> None:
    measured = Inputs(49_900, 3000, 100, 2900, 5000, 230_000, 100)
    assert LAWS[kind].wish(complete(kind, GOOD[kind]), measured) is not None


@pytest.mark.parametrize("kind", [kind for kind, law in LAWS.items() if law.narrows])
def test_what_only_narrows_has_no_reach(kind: ServiceKind) -> None:
    assert LAWS[kind].reach(complete(kind, GOOD[kind]), MOST) == Limits(0, 0)


def test_an_error_at_the_battery_is_how_far_it_is_from_what_was_asked() -> None:
    assert battery_error_w({}, Inputs(battery_w=900), 1000) == 100
    assert battery_error_w({}, Inputs(battery_w=-900), 1000) == 1900
    assert battery_error_w({}, Inputs(), 1000) is None
    assert no_error({}, Inputs(battery_w=900), 1000) is None
    assert no_power({}, MOST) == Limits(0, 0)


@pytest.mark.parametrize(
    ("value", "found"), [(-9, 5), (0, 5), (1, 5), (2, 6), (3, 6), (10, 10), (11, 9), (20, 0), (99, 0)]
)
def test_a_curve_is_straight_between_its_points_and_level_beyond(value: int, found: int) -> None:
    assert on_line(((0, 5), (10, 10), (20, 0)), value) == found


def test_a_curve_may_step_and_have_one_point() -> None:
    assert [on_line(((0, 1), (0, 7), (2, 9)), value) for value in (-1, 0, 1, 2)] == [1, 1, 8, 9]
    assert on_line(((3, 4),), 10**9) == 4


def test_the_page_lists_every_kind_with_its_parameters_in_their_order() -> None:
    """docs/services.md is what contracts are written by: its order of parameters is the laws'."""
    page = (Path(__file__).parents[2] / "docs" / "services.md").read_text()
    for kind in LAWS:
        section = page.split(f"\n### {kind}\n")[1].split("\n### ")[0].split("\n## ")[0]
        rows = [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")]
        assert tuple(rows) == names(kind)
