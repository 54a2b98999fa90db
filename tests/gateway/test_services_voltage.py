"""Voltage support: both curves in figures, their slope and symmetry, and what does not fit together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Limits, ServiceKind
from gateway.services import LAWS
from gateway.services.law import POWER_MAX_W
from tests.gateway.services_bench import error, wish, wrong

KIND = ServiceKind.VOLTAGE
VAR = {"v1_mv": 210_000, "v2_mv": 220_000, "v3_mv": 240_000, "v4_mv": 250_000, "limit_var": 2000}
BOTH = {**VAR, "watt_from_mv": 245_000, "watt_to_mv": 255_000, "discharge_w": 5000}


@pytest.mark.parametrize(
    ("voltage", "var"),
    [
        (0, 2000),
        (210_000, 2000),
        (212_500, 1500),
        (219_999, 0),
        (220_000, 0),
        (240_000, 0),
        (240_001, 0),
        (245_000, -1000),
        (250_000, -2000),
        (400_000, -2000),
    ],
)
def test_volt_var(voltage: int, var: int) -> None:
    wished = wish(KIND, VAR, voltage_mv=voltage)
    assert wished.reactive_var == var
    assert wished.window is None


@pytest.mark.parametrize(
    ("voltage", "discharge_w"),
    [(200_000, None), (245_000, None), (247_000, 4000), (250_000, 2500), (255_000, 0), (300_000, 0)],
)
def test_volt_watt_leaves_charging_alone(voltage: int, discharge_w: int | None) -> None:
    window = None if discharge_w is None else Limits(POWER_MAX_W, discharge_w)
    assert wish(KIND, BOTH, voltage_mv=voltage).window == window


def test_without_a_voltage_it_is_not_known_and_not_guessed() -> None:
    assert wish(KIND, BOTH, grid_w=0) is None


@given(st.integers(0, 500_000), st.integers(0, 500_000))
def test_the_higher_the_voltage_the_less_is_injected_and_discharged(one: int, other: int) -> None:
    low, high = (wish(KIND, BOTH, voltage_mv=mv) for mv in sorted((one, other)))
    assert low.reactive_var >= high.reactive_var
    discharge = [POWER_MAX_W if w.window is None else w.window.discharge_w for w in (low, high)]
    assert discharge[0] >= discharge[1]


@given(st.integers(0, 100_000))
def test_a_symmetric_curve_is_symmetric(away: int) -> None:
    low, high = (wish(KIND, VAR, voltage_mv=230_000 + sign * away) for sign in (-1, 1))
    assert low.reactive_var == -high.reactive_var


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"v1_mv": 220_000}, "must rise"),
        ({"v3_mv": 219_999}, "must rise"),
        ({"v4_mv": 240_000}, "must rise"),
        ({"watt_from_mv": 1}, "watt_to_mv must be greater than watt_from_mv"),
        ({"watt_to_mv": 1}, "watt_to_mv must be greater than watt_from_mv"),
        ({"watt_from_mv": 5, "watt_to_mv": 5}, "watt_to_mv must be greater than watt_from_mv"),
        ({"discharge_w": 5}, "discharge_w needs"),
    ],
)
def test_what_does_not_fit_together_is_told(changed: dict[str, int], said: str) -> None:
    assert said in wrong(KIND, {**VAR, **changed})


def test_what_fits_is_taken() -> None:
    assert wrong(KIND, BOTH) == wrong(KIND, {**VAR, "v2_mv": 230_000, "v3_mv": 230_000}) == ""


@pytest.mark.parametrize(
    ("voltage", "battery", "off"),
    [
        (250_000, 3000, 500),
        (250_000, -3000, 0),
        (230_000, 9000, 0),
        (None, 9000, None),
        (250_000, None, None),
    ],
)
def test_its_error_is_what_is_discharged_beyond_the_curve(
    voltage: int | None, battery: int | None, off: int | None
) -> None:
    assert error(KIND, BOTH, voltage_mv=voltage, battery_w=battery) == off


def test_it_narrows() -> None:
    assert LAWS[KIND].narrows
