"""Batteries with Bluetooth LE: JBD, JK and Daly in frames of our own, others through aiobmsble.

PLUGIN is what the entry point gives. bleak (extra `ble`) and everything that uses it are imported when a site
has such a battery.
"""

from collections.abc import Callable, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from drivers.ble.url import SCHEMES, parse
from gateway.clock import Clock
from gateway.driver import Driver, Plan
from gateway.recognising import Profiles, Shown, Sighting
from gateway.site import Device
from gateway.tape import Event, Tap, Tape

if TYPE_CHECKING:
    from drivers.ble.link import BleLink
    from drivers.ble.profile import BleProfile
    from drivers.ble.table import BleTable
    from drivers.ble.tape import TapeLink, TappedLink


class BlePlugin:
    """A Plugin (gateway.driver)."""

    kind = "ble"
    schemes = SCHEMES
    link_schemes = SCHEMES

    @property
    def profile_model(self) -> "type[BleProfile]":
        from drivers.ble.profile import BleProfile

        return BleProfile

    @property
    def profiles(self) -> Traversable:
        return files("drivers.profiles")

    def place(self, url: str) -> str:
        """The address: it is the same device, whichever adapter reaches it. ConfigError also where bleak is
        not installed: a site that cannot be run is told so before it is."""
        from drivers.ble.radio import need_bleak

        where = parse(url)
        need_bleak()
        return f"ble:{where.address}"

    def open_link(self, url: str, clock: Clock) -> "BleLink":
        from drivers.ble.adapter import shared
        from drivers.ble.link import BleLink

        where = parse(url)
        return BleLink(where, shared(where.adapter, clock), clock)

    def driver(self, device: Device, profile: "BleTable", link: "BleLink", clock: Clock) -> Driver:
        if profile.gatt is None:
            from drivers.ble.foreign import ForeignDriver

            return ForeignDriver(device, profile, link, clock)
        from drivers.ble.driver import BleDriver
        from drivers.bms.families import FAMILIES

        return BleDriver(device, profile, FAMILIES[profile.family], profile.gatt, link, clock)

    def tapped(self, link: "BleLink", tap: Tap) -> "TappedLink":
        from drivers.ble.tape import TappedLink

        return TappedLink(link, tap)

    def replayed(self, tape: Tape) -> "TapeLink":
        from drivers.ble.tape import TapeLink

        return TapeLink(tape)

    def masker(self, profile: "BleTable") -> Callable[[Event], Event]:
        """ConfigError where it is not known what frames say."""
        from drivers.ble.tape import masker

        return masker(profile)

    async def nearby(self, adapter: str, seconds: float, profiles: Profiles) -> list[Sighting]:
        from drivers.ble.nearby import nearby
        from drivers.ble.radio import Radio, need_bleak
        from drivers.ble.url import ADAPTER

        need_bleak()
        return await nearby(Radio(adapter or ADAPTER), seconds, profiles)

    async def look(self, url: str, words: Sequence[str], seconds: float, clock: Clock) -> Shown:
        self.place(url)
        from drivers.ble.look import look

        return await look(self.open_link(url, clock), words, seconds, clock)

    def plan(self, device: Device, profile: "BleTable") -> Plan:
        from drivers.ble.plan import make_plan

        return make_plan(device, profile, parse(device.link))


PLUGIN = BlePlugin()
