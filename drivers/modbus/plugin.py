"""What the gateway finds of this package: link schemes, profiles, and how to make a link and a driver.

It owns no state; everything it makes is given its clock and its randomness here. What reads a profile, what
drives a device and what opens a link are imported when they are asked for: no process needs all three.
"""

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from drivers import ttypath
from drivers.modbus.url import SCHEMES, elsewhere, parse
from gateway.clock import Clock
from gateway.driver import Driver, Plan
from gateway.errors import ConfigError
from gateway.recognising import Match, Profiles
from gateway.site import Device
from gateway.standing import Standing
from gateway.tape import Event, Tap, Tape

if TYPE_CHECKING:
    from drivers.modbus.guard import GuardedLink
    from drivers.modbus.link import ModbusLink
    from drivers.modbus.profile import ModbusProfile
    from drivers.modbus.table import Board, Table
    from drivers.modbus.tape import TapeLink, TappedLink


def _quiet_library() -> None:
    """pymodbus logs every dropped frame with a dump; we raise and count. A level set by hand stays."""
    logger = logging.getLogger("pymodbus")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class ModbusPlugin:
    """gateway.driver.Plugin of register-map devices. `jitter` is random in 0..1."""

    kind: str = "modbus"
    schemes: frozenset[str] = SCHEMES
    link_schemes: frozenset[str] = SCHEMES
    profiles: Traversable = field(default_factory=lambda: files("drivers.profiles"))
    jitter: Callable[[], float] = random.random

    @property
    def profile_model(self) -> "type[ModbusProfile]":
        from drivers.modbus.profile import ModbusProfile

        return ModbusProfile

    def place(self, url: str) -> str:
        where = parse(url)
        return (
            ttypath.place(where.host)
            if where.scheme == "rtu"
            else f"{where.scheme}:{where.host}:{where.port}"
        )

    def target(self, url: str) -> tuple[str, int]:
        where = parse(url)
        if where.scheme == "rtu":
            raise ConfigError(f"{url!r} leads to no host")
        return where.host, where.port

    def elsewhere(self, url: str, host: str) -> str:
        return elsewhere(url, host)

    def open_link(self, url: str, clock: Clock) -> "ModbusLink":
        """Make a link; it connects on first use. ConfigError when the URL is not usable."""
        from drivers.modbus.link import ModbusLink

        where = parse(url)
        _quiet_library()
        return ModbusLink(where, clock, self.jitter)

    def driver(self, device: Device, profile: "Table | Board", link: "ModbusLink", clock: Clock) -> Driver:
        """Switches of a relay board; else an Actuator too, when the profile has a setpoint and the site lets
        the device be controlled."""
        from drivers.modbus.actuator import Commanded
        from drivers.modbus.board import BoardDriver
        from drivers.modbus.driver import ModbusDriver
        from drivers.modbus.table import Board

        if isinstance(profile, Board):
            return BoardDriver(device, profile, link, clock)
        polls = ModbusDriver(device, profile, link, clock)
        if profile.setpoint is None or not device.control:
            return polls
        return Commanded(device, profile, profile.setpoint, link, polls)

    def guarded(self, link: "ModbusLink", standing: Standing) -> "GuardedLink":
        from drivers.modbus.guard import GuardedLink

        return GuardedLink(link, standing)

    def tapped(self, link: "ModbusLink | GuardedLink", tap: Tap) -> "TappedLink":
        from drivers.modbus.tape import TappedLink

        return TappedLink(link, tap)

    def replayed(self, tape: Tape) -> "TapeLink":
        from drivers.modbus.tape import TapeLink

        return TapeLink(tape)

    def masker(self, profile: "Table | Board") -> Callable[[Event], Event]:
        """A profile says where the serial number stands."""
        from drivers.mask import Place, blank

        text = getattr(profile, "identity", {}).get("serial")
        places = (Place(text.table, text.address, text.count, text.unit),) if text else ()
        return lambda event: blank(event, places)

    def units(self, profiles: Profiles) -> Sequence[int]:
        from drivers.modbus.recognise import units

        return units(profiles)

    async def recognise(self, link: "ModbusLink", unit: int, profiles: Profiles) -> list[Match]:
        from drivers.modbus.recognise import recognise

        return await recognise(link, unit, profiles)

    def plan(self, device: Device, profile: "Table | Board") -> Plan:
        """Requests and bus time of one poll. ConfigError when the device's link URL is not usable."""
        from drivers.modbus import board, driver
        from drivers.modbus.table import Board

        return (
            board.offline(device, profile) if isinstance(profile, Board) else driver.offline(device, profile)
        )


PLUGIN = ModbusPlugin()
