"""What a profile of a BMS says of its pack: one place for limits, and derating over what is told."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from drivers.bms.families import FAMILIES
from drivers.bms.values import Allowance
from drivers.packfile import AllowanceFile, check_pack
from drivers.profile import CurveModel, ProfileBase

OWN = AllowanceFile(charge_ma=50_000, discharge_ma=100_000)
CURVE = CurveModel(charge=((0, 0), (1000, 100)))


def pack(*derated: str) -> ProfileBase:
    return ProfileBase(
        driver="serial",
        role="battery",
        vendor="V",
        model="M",
        sources=["a"],
        proof="simulated",
        derating=dict.fromkeys(derated, CURVE),
    )


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_the_limits_are_said_by_the_device_or_by_its_profile_never_by_both(family) -> None:
    right, other = (None, OWN) if family.tells_limits else (OWN, None)
    check_pack(pack(), "it", family, right)
    with pytest.raises(ValueError, match=r"^it states its limits itself|^it states no limits: write"):
        check_pack(pack(), "it", family, other)


def test_derating_is_over_what_the_family_tells() -> None:
    family = FAMILIES["pylontech"]
    check_pack(pack("battery_temperature_cc", "battery_cell_max_mv"), "it", family, None)
    blind = replace(family, points=tuple(name for name in family.points if "cell" not in name))
    with pytest.raises(ValueError, match="over battery_cell_max_mv, which it does not tell"):
        check_pack(pack("battery_temperature_cc", "battery_cell_max_mv"), "it", blind, None)


@pytest.mark.parametrize("milliamperes", [-1, 1_200_001, "many"])
def test_an_allowance_is_a_current_of_a_house(milliamperes: object) -> None:
    assert OWN.plain() == Allowance(50_000, 100_000)
    with pytest.raises(ValidationError):
        AllowanceFile.model_validate({"charge_ma": milliamperes, "discharge_ma": 1})
