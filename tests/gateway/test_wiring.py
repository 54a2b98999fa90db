"""One link a URL, one driver a device, closed in the right order."""

from dataclasses import dataclass

import pytest

from gateway.clock import SystemClock
from gateway.errors import ConfigError
from gateway.site import Device
from gateway.wiring import Wiring
from tests.plugin import MockPlugin


def device(name, link):
    return Device(name, "mock", "mock", "inverter", link, None)


async def test_devices_on_one_wire_share_its_link(tmp_path):
    plugin = MockPlugin(tmp_path)
    async with Wiring({"mock": plugin}, None) as wiring:
        made = wiring.drivers([device("a", "mock://x"), device("b", "mock://x"), device("c", "mock://y")])
        assert made["a"].link is made["b"].link
        assert made["a"].link is not made["c"].link
        assert plugin.closed == []
    assert sorted(plugin.closed) == ["a", "b", "c", "mock://x", "mock://y"]
    assert plugin.closed.index("b") < plugin.closed.index("mock://x")


async def test_a_scheme_nobody_opens_is_a_config_error(tmp_path):
    async with Wiring({"mock": MockPlugin(tmp_path)}, None) as wiring:
        with pytest.raises(ConfigError, match="no installed driver can open 'other://x'"):
            wiring.driver(device("a", "other://x"))


async def test_a_driver_that_speaks_past_its_link_has_no_tap_and_says_why(tmp_path):
    async with Wiring({"mock": Taped(tmp_path)}, SystemClock()) as wiring:
        a, b = device("a", "mock://x"), device("b", "mock://x")
        wiring.driver(a)
        assert set(wiring.taps) == {"a"}
        Taped.alone = "it does all by itself"
        wiring.driver(b)
        assert set(wiring.taps) == {"a"} and wiring.untapped(b) == "b: it does all by itself"
    async with Wiring({"mock": MockPlugin(tmp_path)}, None) as wiring:
        wiring.driver(a)
        assert wiring.untapped(a) == "a: what passes on a mock link cannot be recorded yet"


class Taped(MockPlugin):
    """Can be recorded, but for drivers that are `alone`."""

    alone = ""

    def tapped(self, link, tap):
        return link

    def replayed(self, tape):
        raise AssertionError("nobody plays here")

    def driver(self, device, profile, link, clock):
        made = super().driver(device, profile, link, clock)
        if self.alone:
            made.unrecordable = self.alone
        return made


@dataclass
class Counters:
    timeouts: int = 2


async def test_what_links_and_drivers_count_is_told_once_a_link(tmp_path):
    async with Wiring({"mock": MockPlugin(tmp_path)}, None) as wiring:
        made = wiring.drivers([device("a", "mock://x"), device("b", "mock://x"), device("c", "mock://y")])
        made["a"].link.counters = Counters()
        made["b"].dropped = 3
        assert wiring.counters() == {"a": {"timeouts": 2}, "b": {"dropped": 3}, "c": {}}
