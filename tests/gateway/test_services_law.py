"""What holds for every law: each kind has one, wrong parameters are told in words, right ones compute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Command, Limits, ServiceKind, Source
from gateway.services import LAWS, problem
from tests.gateway.services_bench import target

DROOP = {"power_w": 5000, "deadband_mhz": 20, "full_mhz": 220}


def order(kind: ServiceKind, parameters: dict) -> Command:
    return Command("00" * 32, Source.CHAIN, kind, 0, 1, parameters)


def test_every_kind_but_a_stop_has_a_law() -> None:
    assert set(LAWS) == set(ServiceKind) - {ServiceKind.STOP}


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
    assert words in problem(order(kind, parameters))


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        (ServiceKind.STOP, {}),
        (ServiceKind.FIXED_POWER, {"power_w": -3000}),
        (ServiceKind.FREQUENCY, DROOP),
        (ServiceKind.PEAK_SHAVING, {"import_w": 0}),
    ],
)
def test_right_parameters_are_fine(kind: ServiceKind, parameters: dict) -> None:
    assert problem(order(kind, parameters)) == ""


@given(st.sampled_from([*LAWS]), st.data())
def test_whatever_passes_can_be_computed_from_any_measurement(kind: ServiceKind, data: st.DataObject) -> None:
    """Parameters come from a chain: what `problem` lets through must not end the control cycle."""
    law = LAWS[kind]
    values = {name: st.integers(b.least - 1, b.most + 1) for name, b in law.parameters.items()}
    parameters = data.draw(st.fixed_dictionaries(values))
    if problem(order(kind, parameters)):
        return
    measured = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))
    wanted = target(kind, parameters, frequency_mhz=data.draw(measured), house_w=data.draw(measured))
    reach = law.reach(parameters, Limits(7000, 8000))
    assert wanted is None or isinstance(wanted, int)
    assert min(reach.charge_w, reach.discharge_w) >= 0
