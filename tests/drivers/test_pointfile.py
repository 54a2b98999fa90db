"""What points of registers and of nodes share, and mistakes at their place."""

import pytest
from pydantic import TypeAdapter, ValidationError

from drivers.pointfile import Believed, PointName, is_limit, of_a_limit, raise_all, wrong
from gateway.model import QUANTITIES, UNITS


def test_a_problem_carries_place_message_and_input() -> None:
    raise_all("Nothing", [])  # nothing wrong, nothing raised
    with pytest.raises(ValidationError) as refused:
        raise_all("Thing", [wrong(("a", 1), "is too {big}", 9), wrong(("b",), "is not", None)])
    assert refused.value.title == "Thing"
    errors = [(e["loc"], e["msg"], e["input"]) for e in refused.value.errors()]
    assert errors == [(("a", 1), "is too {big}", 9), (("b",), "is not", None)]


@pytest.mark.parametrize("unit", UNITS)
def test_a_point_s_name_ends_in_its_unit(unit: str) -> None:
    name = f"battery_inside_{unit}"
    assert TypeAdapter(PointName).validate_python(name) == name
    for bad in (unit, f"_{unit}", f"battery_{unit}_", f"Battery_{unit}", f"battery{unit}"):
        with pytest.raises(ValidationError):
            TypeAdapter(PointName).validate_python(bad)


def test_what_is_plausible_has_an_order() -> None:
    assert Believed(min=1, max=1).poll == "fast"
    with pytest.raises(ValidationError) as refused:
        Believed(min=2, max=1)
    assert [(e["loc"], e["msg"]) for e in refused.value.errors()] == [(("min",), "min is above max")]


def test_a_limit_is_a_magnitude_and_asked_each_time() -> None:
    limits = {name for name in QUANTITIES if is_limit(name)}
    assert {"charge_limit_w", "discharge_limit_ma", "charge_voltage_limit_mv"} <= limits
    assert not is_limit("my_limit_w") and not is_limit("battery_power_w")
    for name in limits:
        assert list(of_a_limit(name, False, "fast")) == []
        assert [e["loc"][-1] for e in of_a_limit(name, True, "slow")] == ["negate", "poll"]
    assert list(of_a_limit("battery_power_w", True, "slow")) == []
