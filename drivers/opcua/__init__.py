"""Devices that are OPC UA servers: node tables as profiles, signed and encrypted sessions, subscriptions.

PLUGIN is what the entry point gives. The library (extra `opcua`) is imported when a link is opened.
"""

from collections.abc import Callable, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from drivers.opcua.url import SCHEMES, parse
from gateway.clock import Clock
from gateway.driver import Driver, Plan
from gateway.errors import ConfigError
from gateway.recognising import Offer, Profiles, Shown
from gateway.site import Device
from gateway.tape import Event, Tap, Tape

if TYPE_CHECKING:
    from drivers.opcua.link import OpcUaLink
    from drivers.opcua.playback import TapeLink
    from drivers.opcua.profile import OpcUaProfile
    from drivers.opcua.table import Table
    from drivers.opcua.tape import TappedLink

LIBRARY = 'OPC UA needs the library asyncua: pip install "gridseal[opcua]"'


class OpcUaPlugin:
    """A Plugin (gateway.driver)."""

    kind = "opcua"
    schemes = SCHEMES
    link_schemes = SCHEMES

    @property
    def profile_model(self) -> "type[OpcUaProfile]":
        from drivers.opcua.profile import OpcUaProfile

        return OpcUaProfile

    @property
    def profiles(self) -> Traversable:
        return files("drivers.profiles")

    def place(self, url: str) -> str:
        where = parse(url)
        return f"opc.tcp:{where.host}:{where.port}{where.path.rstrip('/')}"

    def open_link(self, url: str, clock: Clock) -> "OpcUaLink":
        """Make (not yet connect) a link. ConfigError when the URL is not usable, or the library missing."""
        where = parse(url)
        _need_library()
        from drivers.opcua.link import OpcUaLink

        return OpcUaLink(where, clock)

    def driver(self, device: Device, profile: "Table", link: "OpcUaLink", clock: Clock) -> Driver:
        """An Actuator too, when the profile has a setpoint and the site lets the device be controlled."""
        from drivers.opcua.actuator import Commanded
        from drivers.opcua.driver import OpcUaDriver

        reads = OpcUaDriver(device, profile, link, clock)
        if profile.setpoint is None or not device.control:
            return reads
        return Commanded(device, profile.setpoint, link, reads)

    def tapped(self, link: "OpcUaLink", tap: Tap) -> "TappedLink":
        from drivers.opcua.tape import TappedLink

        return TappedLink(link, tap)

    def replayed(self, tape: Tape) -> "TapeLink":
        from drivers.opcua.playback import TapeLink

        return TapeLink(tape)

    def masker(self, profile: "Table") -> Callable[[Event], Event]:
        from drivers.opcua.tape import masker

        return masker(profile)

    async def offers(self, url: str, profiles: Profiles, clock: Clock) -> Offer:
        where = parse(url)
        _need_library()
        from drivers.opcua.look import offers

        return await offers(where, profiles, clock)

    async def look(self, url: str, words: Sequence[str], _seconds: float, clock: Clock) -> Shown:
        where = parse(url)
        _need_library()
        from drivers.opcua.look import look

        return await look(where, words, clock)

    def plan(self, device: Device, profile: "Table") -> Plan:
        """ConfigError when the link is not usable, or not to be trusted with what it would be told to do."""
        from drivers.opcua.plan import make_plan

        return make_plan(device, profile, parse(device.link))


def _need_library() -> None:
    """ConfigError when it is not installed."""
    try:
        import asyncua  # noqa: F401
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "asyncua":
            raise
        raise ConfigError(LIBRARY) from error


PLUGIN = OpcUaPlugin()
