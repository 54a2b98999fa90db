"""Fixed power: what was ordered, whatever is measured."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Limits, ServiceKind
from gateway.services import LAWS
from gateway.services.fixed_power import POWER_MAX_W
from tests.gateway.services_bench import MOST, inside_reach, target

KIND = ServiceKind.FIXED_POWER
anything = st.one_of(st.none(), st.integers(-(10**9), 10**9))


@given(st.integers(-POWER_MAX_W, POWER_MAX_W), anything, anything)
def test_it_asks_for_what_was_ordered_and_needs_nothing_measured(
    power: int, mhz: int | None, house: int | None
) -> None:
    wanted = target(KIND, {"power_w": power}, frequency_mhz=mhz, house_w=house)
    assert wanted == power
    assert inside_reach(KIND, {"power_w": power}, MOST, wanted)


@pytest.mark.parametrize(
    ("power_w", "reach"),
    [(-2000, Limits(2000, 0)), (0, Limits(0, 0)), (2500, Limits(0, 2500)), (9000, Limits(0, 9000))],
)
def test_its_reach_is_one_direction_and_not_cut_to_the_site(power_w: int, reach: Limits) -> None:
    """An order above the nameplate must be refused at admission, so its reach says what it asks."""
    assert LAWS[KIND].reach({"power_w": power_w}, MOST) == reach
