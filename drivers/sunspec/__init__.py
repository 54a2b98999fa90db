"""SunSpec: devices that describe themselves by a chain of numbered models in their holding registers.

Owns discovery, decoding and the two standard ways to command battery power (models 704 and 124), on any
register link. It opens no links itself: Modbus links belong to drivers.modbus. A site without a SunSpec
device loads nothing but this file.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from gateway.clock import Clock
from gateway.driver import Driver, Link, Plan, RegisterLink
from gateway.errors import ConfigError
from gateway.recognising import Match, Profiles
from gateway.site import Device
from gateway.tape import Event

if TYPE_CHECKING:
    from drivers.sunspec.profile import SunSpecProfile
    from drivers.sunspec.settings import Settings

PROFILES: Traversable = files("drivers.profiles")


@dataclass(frozen=True)
class SunSpecPlugin:
    """The entry point `sunspec` of gridseal.drivers."""

    kind: str = "sunspec"
    schemes: frozenset[str] = frozenset({"tcp", "rtu", "rtutcp"})
    link_schemes: frozenset[str] = frozenset()
    profiles: Traversable = PROFILES

    @property
    def profile_model(self) -> "type[SunSpecProfile]":
        from drivers.sunspec.profile import SunSpecProfile

        return SunSpecProfile

    def place(self, url: str) -> str:
        raise ConfigError(f"sunspec opens no links, so not {url!r}: Modbus links come from drivers.modbus")

    def open_link(self, url: str, clock: Clock) -> Link:
        raise ConfigError(f"sunspec opens no links, so not {url!r}: Modbus links come from drivers.modbus")

    def driver(self, device: Device, profile: "Settings", link: RegisterLink, clock: Clock) -> Driver:
        """A Commanded device where profile and site allow writing, else a plain reader."""
        from drivers.sunspec.commanded import Commanded
        from drivers.sunspec.driver import SunSpec

        reader = SunSpec(device, profile, link, clock)
        if device.control and profile.role == "inverter" and profile.setpoint != "none":
            return Commanded(reader, profile, device)
        return reader

    def masker(self, profile: "Settings") -> Callable[[Event], Event]:
        from drivers.sunspec.mask import Mask

        return Mask().of

    def units(self, profiles: Profiles) -> Sequence[int]:
        from drivers.sunspec.recognise import units

        return units(profiles)

    async def recognise(self, link: RegisterLink, unit: int, profiles: Profiles) -> list[Match]:
        from drivers.sunspec.recognise import recognise

        return await recognise(link, unit, profiles)

    def plan(self, device: Device, profile: "Settings") -> Plan:
        from drivers.sunspec.offline import plan

        return plan(device, profile)


PLUGIN = SunSpecPlugin()
