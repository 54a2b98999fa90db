"""Demand response: the load to shed is what was ordered, whatever is measured."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.model import ServiceKind
from gateway.services import LAWS, Inputs, Wish
from gateway.services.law import POWER_MAX_W
from tests.gateway.services_bench import error, inputs

KIND = ServiceKind.DEMAND_RESPONSE


@given(st.integers(0, POWER_MAX_W), inputs)
def test_it_asks_for_loads_and_nothing_of_the_battery(shed_w: int, measured: Inputs) -> None:
    assert LAWS[KIND].wish({"shed_w": shed_w}, measured) == Wish(shed_w=shed_w)


def test_what_a_shed_load_would_have_drawn_is_not_known() -> None:
    assert error(KIND, {"shed_w": 1000}, grid_w=1, battery_w=1) is None
    assert LAWS[KIND].narrows
