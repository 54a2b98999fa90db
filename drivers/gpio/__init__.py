"""Relays and contacts on the gateway's own pins (Linux GPIO).

PLUGIN is what the entry point gives. The library for the pins (extra `gpio`) is imported when a site has
them.
"""

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from gateway.clock import Clock
from gateway.driver import Plan, PlanLine
from gateway.errors import ConfigError
from gateway.model import Point
from gateway.site import Device

if TYPE_CHECKING:
    from drivers.gpio.driver import GpioDriver, GpioTable
    from drivers.gpio.lines import GpioLink
    from drivers.gpio.profile import GpioProfile

_CHIP = re.compile(r"gpio:///dev/(gpiochip\d{1,3})")


class GpioPlugin:
    """A Plugin (gateway.driver)."""

    kind = "gpio"
    schemes = link_schemes = frozenset({"gpio"})

    @property
    def profile_model(self) -> "type[GpioProfile]":
        from drivers.gpio.profile import GpioProfile

        return GpioProfile

    @property
    def profiles(self) -> Traversable:
        return files("drivers.profiles")

    def place(self, url: str) -> str:
        found = _CHIP.fullmatch(url)
        if found is None:
            raise ConfigError(f"{url!r}: write it like gpio:///dev/gpiochip0")
        return f"gpio:{found[1]}"

    def open_link(self, url: str, clock: Clock) -> "GpioLink":
        from drivers.gpio.lines import GpioLink

        self.place(url)
        return GpioLink(url)

    def driver(self, device: Device, profile: "GpioTable", link: "GpioLink", clock: Clock) -> "GpioDriver":
        from drivers.gpio.driver import GpioDriver

        return GpioDriver(device, profile, link, clock)

    def plan(self, device: Device, profile: "GpioTable") -> Plan:
        from drivers.gpio.driver import point_names

        points = tuple(Point(device.name, name) for name in point_names(profile))
        lines = [f"relay {r.channel}: line {r.line}" for r in profile.relays]
        lines += [f"contact {c.name}: line {c.line}" for c in profile.contacts]
        return Plan(tuple(PlanLine(text, 0.0, 1) for text in lines), points, None, (), named=False)


PLUGIN = GpioPlugin()
