"""Fixed power: what was ordered, whatever is measured."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Limits, ServiceKind
from gateway.services import LAWS, Inputs
from gateway.services.law import POWER_MAX_W
from tests.gateway.services_bench import MOST, error, inputs, inside_reach

KIND = ServiceKind.FIXED_POWER


@given(st.integers(-POWER_MAX_W, POWER_MAX_W), inputs)
def test_it_asks_for_what_was_ordered_and_needs_nothing_measured(power_w: int, measured: Inputs) -> None:
    wished = LAWS[KIND].wish({"power_w": power_w}, measured)
    assert wished.power_w == power_w
    assert inside_reach(KIND, {"power_w": power_w}, MOST, power_w)


@pytest.mark.parametrize(
    ("power_w", "reach"),
    [(-2000, Limits(2000, 0)), (0, Limits(0, 0)), (2500, Limits(0, 2500)), (9000, Limits(0, 9000))],
)
def test_its_reach_is_one_direction_and_not_cut_to_the_site(power_w: int, reach: Limits) -> None:
    """An order above the nameplate must be refused at admission, so its reach says what it asks."""
    assert LAWS[KIND].reach({"power_w": power_w}, MOST) == reach


def test_its_error_is_at_the_battery() -> None:
    assert error(KIND, {"power_w": 500}, 500, battery_w=480) == 20
    assert error(KIND, {"power_w": 500}, 500, grid_w=480) is None
