"""A backup reserve: a floor for everybody, and what is discharged under it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import ServiceKind
from gateway.services import LAWS, Inputs, Wish
from tests.gateway.services_bench import error, inputs

KIND = ServiceKind.RESERVE


@given(st.integers(0, 10_000), inputs)
def test_it_is_a_floor_whatever_is_measured(soc_bp: int, measured: Inputs) -> None:
    assert LAWS[KIND].wish({"soc_bp": soc_bp}, measured) == Wish(soc_min_bp=soc_bp)


@pytest.mark.parametrize(
    ("soc", "battery", "off"),
    [
        (4000, 900, 0),
        (3999, 900, 900),
        (3999, -900, 0),
        (3999, 0, 0),
        (None, 900, None),
        (3999, None, None),
    ],
)
def test_its_error_is_what_is_discharged_under_the_reserve(
    soc: int | None, battery: int | None, off: int | None
) -> None:
    assert error(KIND, {"soc_bp": 4000}, soc_bp=soc, battery_w=battery) == off


def test_it_narrows() -> None:
    assert LAWS[KIND].narrows
