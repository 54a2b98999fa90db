"""Reactive power: fixed, or by a power factor from the inverter's active power."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import ServiceKind
from gateway.services import LAWS
from gateway.services.law import POWER_MAX_W
from tests.gateway.services_bench import error, wish, wrong

KIND = ServiceKind.REACTIVE


@pytest.mark.parametrize("var", [-POWER_MAX_W, -700, 0, 700])
def test_fixed_needs_nothing_measured(var: int) -> None:
    assert wish(KIND, {"reactive_var": var}).reactive_var == var


@pytest.mark.parametrize(
    ("factor", "inverter", "var"),
    [
        (8000, 4000, 3000),
        (8000, -4000, 3000),  # the sign of the factor, whichever way the active power flows
        (-8000, 4000, -3000),
        (6000, 3000, 4000),
        (9500, 10_000, 3286),
        (10_000, 10_000, 0),
        (-10_000, 10_000, 0),
        (9500, 0, 0),
    ],
)
def test_by_power_factor(factor: int, inverter: int, var: int) -> None:
    assert wish(KIND, {"power_factor_bp": factor}, inverter_w=inverter).reactive_var == var


def test_a_power_factor_needs_the_active_power() -> None:
    assert wish(KIND, {"power_factor_bp": 9500}, battery_w=1000, grid_w=1000) is None


@given(st.integers(5000, 10_000), st.integers(-(10**6), 10**6))
def test_active_and_reactive_power_make_the_factor(factor: int, watts: int) -> None:
    var = wish(KIND, {"power_factor_bp": factor}, inverter_w=watts).reactive_var
    assert var == -wish(KIND, {"power_factor_bp": -factor}, inverter_w=watts).reactive_var
    apparent = (watts**2 + var**2) ** 0.5
    assert abs(abs(watts) - apparent * factor / 10_000) <= 2 + abs(watts) / 5000


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"power_factor_bp": 4999}, "power_factor_bp must be 5000 to 10000"),
        ({"power_factor_bp": -1}, "power_factor_bp must be"),
        ({"power_factor_bp": 9000, "reactive_var": 1}, "not both"),
    ],
)
def test_what_does_not_fit_together_is_told(parameters: dict[str, int], said: str) -> None:
    assert said in wrong(KIND, parameters)


def test_no_reactive_power_is_an_order_too_and_has_no_error_in_watts() -> None:
    assert wrong(KIND, {}) == ""
    assert wish(KIND, {}).reactive_var == 0
    assert error(KIND, {}, battery_w=1, grid_w=1) is None
    assert LAWS[KIND].narrows
