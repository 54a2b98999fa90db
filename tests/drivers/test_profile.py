"""What every profile may state of its battery: derating curves and cells, and each mistake in one line."""

import copy

import pytest
import yaml

from drivers.modbus.profile import ModbusProfile
from drivers.sunspec.profile import SunSpecProfile
from gateway import yamlfile
from gateway.driver import find_plugins
from gateway.errors import ConfigError
from gateway.model import Quantity
from gateway.site import Curve
from tests.drivers.can_bench import profile as pylontech
from tests.drivers.test_can_profile import edited, refusals

CURVE = {"charge": [[0, 0], [1000, 50], [4500, 100]], "discharge": [[-1000, 0], [0, 100]]}
SUNSPEC = {
    "driver": "sunspec",
    "role": "battery",
    "vendor": "V",
    "model": "M",
    "sources": ["a"],
    "proof": "simulated",
    "cells": 16,
    "derating": {
        "battery_temperature_cc": CURVE,
        "battery_cell_max_mv": {"charge": [[3450, 100], [3600, 5]]},
    },
}


def problem(change) -> str:
    data = copy.deepcopy(SUNSPEC)
    change(data)
    with pytest.raises(ConfigError) as refused:
        yamlfile.validate(yamlfile.parse(yaml.safe_dump(data), "own.yaml"), SunSpecProfile)
    return "; ".join(str(p) for p in refused.value.problems)


def test_curves_become_canonical_integers() -> None:
    found = SunSpecProfile.model_validate(SUNSPEC)
    assert found.cells == 16
    assert found.curves() == (
        Curve(
            Quantity.BATTERY_TEMPERATURE,
            ((0, 0), (1000, 5000), (4500, 10_000)),
            ((-1000, 0), (0, 10_000)),
        ),
        Curve(Quantity.BATTERY_CELL_MAX, ((3450, 10_000), (3600, 500))),
    )


def test_a_profile_that_says_nothing_derates_nothing() -> None:
    assert (pylontech().curves(), pylontech().cells) == ((), 0)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.update(charge=[[1000, 0], [0, 100]]), "0 does not come after 1000"),
        (lambda c: c.update(charge=[[1000, 0], [1000, 100]]), "1000 does not come after 1000"),
        (lambda c: c.update(charge=[[0, 0], [1000, 101]]), "100"),
        (lambda c: c.update(charge=[[0, -1], [1000, 100]]), "0"),
        (lambda c: c.update(charge=[[0, 50]]), "2"),
        (lambda c: c.clear(), "a curve needs charge, discharge or both"),
        (lambda c: c.update(chrage=[[0, 0], [1, 1]]), "'charge'"),
    ],
)
def test_a_curve_that_is_none_is_refused(change, says: str) -> None:
    told = problem(lambda d: change(d["derating"]["battery_temperature_cc"]))
    assert says in told
    assert "own.yaml:" in told


def test_only_what_a_battery_has_can_be_derated_over() -> None:
    assert "battery_temperature_cc" in problem(lambda d: d["derating"].update(battery_soc_bp=CURVE))
    assert "a meter has no battery" in problem(lambda d: d.update(role="meter"))
    assert "cells" in problem(lambda d: d.update(cells=-1))


def test_a_curve_over_what_the_profile_does_not_read_is_refused() -> None:
    """It would count as unknown for ever. Only a SunSpec device says itself what it has."""
    curve = {"derating": {"battery_cell_max_mv": {"charge": [[3450, 100], [3600, 0]]}}}
    (said,) = refusals(edited(lambda d: d.update(curve)))
    assert said == "derating is over battery_cell_max_mv, which is none of the points"
    data = {
        "driver": "modbus",
        **{k: SUNSPEC[k] for k in ("role", "vendor", "model", "sources", "proof")},
        "points": {"battery_temperature_cc": {"address": 1, "type": "s16"}},
        **curve,
    }
    with pytest.raises(ConfigError) as refused:
        yamlfile.validate(yamlfile.parse(yaml.safe_dump(data), "own.yaml"), ModbusProfile)
    assert "battery_cell_max_mv" in str(refused.value.problems[0])
    assert "this is none of the points" in refused.value.problems[0].message


def test_only_pins_and_coils_are_relays() -> None:
    refused = "must be 'inverter', 'battery' or 'meter', not 'relay'"
    assert refused in problem(lambda d: d.update(role="relay"))
    for kind, plugin in find_plugins().items():
        role = plugin.profile_model.model_json_schema()["properties"]["role"]
        assert ("relay" in str(role)) == (kind in ("gpio", "modbus"))
