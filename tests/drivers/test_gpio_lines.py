"""The link to the pins, as far as it can be tried without any: what is said when it cannot be opened."""

import pytest

from drivers.gpio import PLUGIN
from drivers.gpio.driver import GpioTable, Relay
from gateway.errors import ConfigError, LinkError
from gateway.site import Device
from tests.gateway.stores import HandClock

DEVICE = Device("pins", "gpio_relays", "gpio", "relay", "gpio:///dev/gpiochip0", None)


@pytest.mark.parametrize("url", ["gpio:///dev/mem", "gpio://gpiochip0", "gpio:///dev/gpiochip0/x", "tcp://a"])
def test_a_link_is_a_chip(url: str) -> None:
    with pytest.raises(ConfigError, match="gpio:///dev/gpiochip0"):
        PLUGIN.open_link(url, HandClock())


async def test_without_the_chip_or_the_library_there_is_one_clear_line() -> None:
    link = PLUGIN.open_link("gpio:///dev/gpiochip99", HandClock())
    pins = PLUGIN.driver(
        DEVICE, GpioTable("gpio", "relay", "Linux", "pins", (Relay("1", 17),)), link, HandClock()
    )
    with pytest.raises((ConfigError, LinkError), match=r"gpiod|claimed"):
        await pins.connect()
    with pytest.raises(LinkError, match="not claimed"):
        await pins.read()
    await link.close()
