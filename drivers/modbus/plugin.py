"""What the gateway finds of this package: link schemes, profiles, and how to make a link and a driver.

It owns no state; everything it makes is given its clock and its randomness here.
"""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from drivers.modbus.actuator import Commanded
from drivers.modbus.driver import ModbusDriver, offline
from drivers.modbus.link import ModbusLink
from drivers.modbus.profile import ModbusProfile
from drivers.modbus.url import SCHEMES, parse
from gateway.clock import Clock
from gateway.driver import Driver, Plan, RegisterLink
from gateway.site import Device


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
    profile_model: Any = ModbusProfile
    jitter: Callable[[], float] = random.random

    def place(self, url: str) -> str:
        where = parse(url)
        return f"{where.scheme}:{where.host}:{where.port}"

    def open_link(self, url: str, clock: Clock) -> ModbusLink:
        """Make a link; it connects on first use. ConfigError when the URL is not usable."""
        where = parse(url)
        _quiet_library()
        return ModbusLink(where, clock, self.jitter)

    def driver(self, device: Device, profile: ModbusProfile, link: RegisterLink, clock: Clock) -> Driver:
        """An Actuator too, when the profile has a setpoint and the site lets the device be controlled."""
        polls = ModbusDriver(device, profile, link, clock)
        if profile.setpoint is None or not device.control:
            return polls
        return Commanded(device, profile, profile.setpoint, link, polls)

    def plan(self, device: Device, profile: ModbusProfile) -> Plan:
        """Requests and bus time of one poll. ConfigError when the device's link URL is not usable."""
        return offline(device, profile)


PLUGIN = ModbusPlugin()
