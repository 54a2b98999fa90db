"""The entry point and the profiles that are shipped."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from drivers.sunspec import PLUGIN
from drivers.sunspec.commanded import Commanded
from drivers.sunspec.driver import SunSpec
from drivers.sunspec.offline import TCP_MS
from drivers.sunspec.profile import SunSpecProfile
from gateway.driver import Actuator, Driver
from gateway.errors import ConfigError
from gateway.profilefile import load
from tests.drivers.sunspec_image import Image, StepClock, device
from tests.drivers.test_sunspec_binding import BASE, profile


def shipped() -> Iterator[str]:
    for entry in PLUGIN.profiles.iterdir():
        if entry.name.endswith(".yaml") and yaml.safe_load(entry.read_text("utf-8"))["driver"] == "sunspec":
            yield entry.name[:-5]


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_profile_loads_and_plans(name: str) -> None:
    plugin, loaded = load(name, Path("nowhere"), {"sunspec": PLUGIN})
    assert plugin is PLUGIN and isinstance(loaded, SunSpecProfile) and len(loaded.sources) >= 2
    settings = loaded.table()
    plan = PLUGIN.plan(device(settings), settings)
    assert plan.lines and plan.points and "found at connect" in plan.notes[0]
    assert (plan.setpoint is not None) == (loaded.setpoint != "none")
    assert plan.bus_ms == TCP_MS * len(plan.lines)


def test_the_profiles_are_those_meant() -> None:
    assert {"sunspec", "sunspec_meter", "sunspec_battery", "fronius_gen24"} <= set(shipped())
    _, gen24 = load("fronius_gen24", Path("nowhere"), {"sunspec": PLUGIN})
    settings = gen24.table()
    names = {point.name for point in PLUGIN.plan(device(settings), settings).points}
    assert {"battery_power_w", "pv_power_w", "battery_soc_bp", "battery_charged_wh"} <= names


@pytest.mark.parametrize(
    "wrong",
    [{"batery_dc": "714"}, {"battery_dc": "715"}, {"timeout_s": 0}, {"base": 70000}, {"setpoint": "123"}],
)
def test_a_wrong_option_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        profile(**wrong)


def test_a_profile_of_another_driver_is_refused() -> None:
    good = {**BASE, "role": "meter"}
    assert SunSpecProfile.model_validate(good)
    with pytest.raises(ValidationError):
        SunSpecProfile.model_validate({**good, "driver": "modbus"})


@pytest.mark.parametrize(
    ("role", "options", "control", "kind"),
    [
        ("inverter", {"setpoint": "auto"}, True, Commanded),
        ("inverter", {"setpoint": "auto"}, False, SunSpec),
        ("inverter", {"setpoint": "none"}, True, SunSpec),
        ("meter", {"setpoint": "auto"}, True, SunSpec),
        ("battery", {}, True, SunSpec),
    ],
)
def test_only_what_may_be_written_to_is_an_actuator(
    role: str, options: dict[str, str], control: bool, kind: type
) -> None:
    stated = profile(role, **options)
    here = device(stated, control=control)
    driver: Driver = PLUGIN.driver(here, stated, Image(), StepClock())
    assert type(driver) is kind and isinstance(driver, Actuator) == (kind is Commanded)
    assert (PLUGIN.plan(here, stated).setpoint is not None) == (kind is Commanded)


def test_it_opens_no_link() -> None:
    assert PLUGIN.kind == "sunspec" and not PLUGIN.link_schemes and "tcp" in PLUGIN.schemes
    with pytest.raises(ConfigError, match=r"drivers\.modbus"):
        PLUGIN.open_link("tcp://host", StepClock())
