"""What the gateway finds of this package: link schemes, profiles, and how to make a link and a driver.

It owns no state; everything it makes is given its clock and its randomness here.
"""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

from drivers.modbus.link import ModbusLink
from drivers.modbus.url import SCHEMES, parse
from gateway.clock import Clock


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
    jitter: Callable[[], float] = random.random

    def open_link(self, url: str, clock: Clock) -> ModbusLink:
        """Make a link; it connects on first use. ConfigError when the URL is not usable."""
        where = parse(url)
        _quiet_library()
        return ModbusLink(where, clock, self.jitter)


PLUGIN = ModbusPlugin()
