"""Battery management systems on a serial port: UART, RS232 and RS485, in the frames of drivers.bms.

PLUGIN is what the entry point gives. Link, driver and profiles are imported when a site uses them.
"""

from collections.abc import Callable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from drivers import ttypath
from drivers.serial.url import SCHEMES, parse
from gateway.clock import Clock
from gateway.driver import Driver, Plan
from gateway.site import Device
from gateway.tape import Event, Tap, Tape

if TYPE_CHECKING:
    from drivers.serial.link import SerialLink, Wire
    from drivers.serial.profile import SerialProfile
    from drivers.serial.table import SerialTable
    from drivers.serial.tape import TapeLink, TappedLink


class SerialPlugin:
    """A Plugin (gateway.driver)."""

    kind = "serial"
    schemes = link_schemes = SCHEMES

    @property
    def profile_model(self) -> "type[SerialProfile]":
        from drivers.serial.profile import SerialProfile

        return SerialProfile

    @property
    def profiles(self) -> Traversable:
        return files("drivers.profiles")

    def place(self, url: str) -> str:
        return ttypath.place(parse(url).path)

    def open_link(self, url: str, clock: Clock) -> "SerialLink":
        from drivers.serial.link import SerialLink

        return SerialLink(parse(url), clock)

    def driver(self, device: Device, profile: "SerialTable", link: "Wire", clock: Clock) -> Driver:
        if profile.packs > 1:
            from drivers.serial.bank import SerialBank

            return SerialBank(device, profile, link, clock)
        from drivers.serial.driver import SerialDriver

        return SerialDriver(device, profile, link, clock)

    def tapped(self, link: "Wire", tap: Tap) -> "TappedLink":
        from drivers.serial.tape import TappedLink

        return TappedLink(link, tap)

    def replayed(self, tape: Tape) -> "TapeLink":
        from drivers.serial.tape import TapeLink

        return TapeLink(tape)

    def masker(self, profile: "SerialTable") -> Callable[[Event], Event]:
        """ConfigError where it is not known what frames say."""
        from drivers.serial.tape import masker

        return masker(profile)

    def plan(self, device: Device, profile: "SerialTable") -> Plan:
        from drivers.serial.plan import make_plan

        return make_plan(device, profile, parse(device.link))


PLUGIN = SerialPlugin()
