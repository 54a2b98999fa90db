"""CAN devices that speak by themselves: battery management systems, over SocketCAN, slcan or in-process.

PLUGIN is what the entry point gives. Links, driver and profiles are imported when a site uses them.
"""

from collections.abc import Callable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, ClassVar

from drivers import ttypath
from drivers.can.url import SCHEMES, parse
from gateway.clock import Clock
from gateway.driver import Plan
from gateway.recognising import Match, Profiles
from gateway.site import Device
from gateway.tape import Event, Tap, Tape

if TYPE_CHECKING:
    from drivers.can.bus import CanLink
    from drivers.can.driver import CanDriver
    from drivers.can.profile import CanProfile
    from drivers.can.table import CanTable
    from drivers.can.tape import TapeLink, TappedLink


class CanPlugin:
    """A Plugin (gateway.driver)."""

    kind = "can"
    schemes = SCHEMES
    link_schemes = SCHEMES
    beside: ClassVar[Mapping[str, str]] = {"dbc": ".dbc"}

    @property
    def profile_model(self) -> "type[CanProfile]":
        from drivers.can.profile import CanProfile

        return CanProfile

    @property
    def profiles(self) -> Traversable:
        return files("drivers.profiles")

    def place(self, url: str) -> str:
        where = parse(url)
        return ttypath.place(where.place) if where.scheme == "slcan" else f"{where.scheme}:{where.place}"

    def open_link(self, url: str, clock: Clock) -> "CanLink":
        """Make (not yet connect) a link. ConfigError when the URL is not usable."""
        where = parse(url)
        if where.scheme == "can":
            from drivers.can.socketcan import SocketCanLink

            return SocketCanLink(where, clock)
        if where.scheme == "slcan":
            from drivers.can.slcan import SlcanLink

            return SlcanLink(where, clock)
        from drivers.can.vbus import VbusLink

        return VbusLink(where, clock)

    def driver(self, device: Device, profile: "CanTable", link: "CanLink", clock: Clock) -> "CanDriver":
        from drivers.can.driver import CanDriver

        return CanDriver(device, profile, link, clock)

    def tapped(self, link: "CanLink", tap: Tap) -> "TappedLink":
        from drivers.can.tape import TappedLink

        return TappedLink(link, tap)

    def replayed(self, tape: Tape) -> "TapeLink":
        from drivers.can.tape import TapeLink

        return TapeLink(tape)

    def masker(self, profile: "CanTable") -> Callable[[Event], Event]:
        from drivers.can.tape import masker

        return masker(profile.codec)

    def heard(self, frames: frozenset[tuple[int, bool]], profiles: Profiles) -> list[Match]:
        """The anchors of a profile are what every such device sends each second."""
        tables = {name: profile.table().codec for name, profile in profiles.items()}
        return [
            Match(name, profiles[name].role, len(table.anchors), {"vendor": profiles[name].vendor})
            for name, table in tables.items()
            if table.anchors <= frames
        ]

    def plan(self, device: Device, profile: "CanTable") -> Plan:
        from drivers.can.plan import make_plan

        return make_plan(device, profile, parse(device.link))


PLUGIN = CanPlugin()
