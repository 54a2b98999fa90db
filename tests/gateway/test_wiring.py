"""One link a URL, one driver a device, closed in the right order."""

from dataclasses import dataclass

import pytest

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


@dataclass
class Counters:
    timeouts: int = 2


async def test_what_links_and_drivers_count_is_told_once_a_link(tmp_path):
    async with Wiring({"mock": MockPlugin(tmp_path)}, None) as wiring:
        made = wiring.drivers([device("a", "mock://x"), device("b", "mock://x"), device("c", "mock://y")])
        made["a"].link.counters = Counters()
        made["b"].dropped = 3
        assert wiring.counters() == {"a": {"timeouts": 2}, "b": {"dropped": 3}, "c": {}}
