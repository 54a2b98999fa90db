"""Pins: what relays and contacts mean, whatever their wiring. The lines are a mock: no machine of the tests
has a GPIO chip, and the module that talks to one holds no logic."""

import pytest
from pydantic import ValidationError

from drivers.gpio import PLUGIN
from drivers.gpio.driver import Contact, GpioDriver, GpioTable, Relay
from drivers.gpio.profile import GpioProfile
from gateway.driver import Switches
from gateway.errors import LinkError
from gateway.site import Device
from tests.gateway.stores import HandClock

DEVICE = Device("pins", "gpio_relays", "gpio", "relay", "gpio:///dev/gpiochip0", None)
BASE = {
    "driver": "gpio",
    "role": "relay",
    "vendor": "Linux",
    "model": "pins",
    "sources": ["the test"],
    "proof": "simulated",
}


class MockLines:
    """A mock of the pins: levels by line."""

    def __init__(self, **levels: bool) -> None:
        self.levels: dict[int, bool] = {int(name[1:]): level for name, level in levels.items()}
        self.opened = 0
        self.gone = False

    def open(self, table: GpioTable) -> None:
        self.opened += 1
        for relay in table.relays:
            self.levels.setdefault(relay.line, False)

    def get(self, line: int) -> bool:
        if self.gone:
            raise LinkError("the chip is gone")
        return self.levels[line]

    def set(self, line: int, active: bool) -> None:
        self.levels[line] = active


def driver(lines: MockLines, *relays: Relay, contacts: tuple[Contact, ...] = ()) -> GpioDriver:
    table = GpioTable("gpio", "relay", "Linux", "pins", relays, contacts)
    return GpioDriver(DEVICE, table, lines, HandClock())


async def test_at_rest_every_load_runs_whose_relay_sheds_when_pulled() -> None:
    lines = MockLines()
    pins = driver(lines, Relay("1", 17), Relay("2", 27, off_pulled=False))
    assert isinstance(pins, Switches)
    assert await pins.connect() == {"vendor": "Linux", "model": "pins"}
    assert await pins.switched() == {"1": True, "2": False}


@pytest.mark.parametrize("off_pulled", [True, False])
async def test_a_switch_is_seen_again(off_pulled: bool) -> None:
    lines = MockLines()
    pins = driver(lines, Relay("1", 17, off_pulled=off_pulled))
    await pins.connect()
    for on in (False, True, False):
        await pins.switch("1", on)
        assert await pins.switched() == {"1": on}
        assert lines.levels[17] == (on != off_pulled)
        sample = await pins.read()
        assert ([p.name for p in sample.points], sample.values) == (["relay_1_code"], (int(on),))


@pytest.mark.parametrize(
    ("active_open", "high", "value"), [(True, True, 1), (True, False, 0), (False, True, 0), (False, False, 1)]
)
async def test_a_contact_to_ground_reads_high_when_open(active_open: bool, high: bool, value: int) -> None:
    contact = Contact("emergency_stop", 26, active_open=active_open)
    pins = driver(MockLines(l26=high), contacts=(contact,))
    await pins.connect()
    sample = await pins.read()
    assert (sample.points[0].quantity, sample.values) == ("emergency_stop_code", (value,))


async def test_a_chip_that_is_gone_is_a_link_error() -> None:
    lines = MockLines()
    pins = driver(lines, Relay("1", 17))
    await pins.connect()
    lines.gone = True
    with pytest.raises(LinkError):
        await pins.read()
    with pytest.raises(LinkError):
        await pins.switched()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "neither relays nor contacts"),
        ({"relays": {"1": {"line": 4}, "2": {"line": 4}}}, "line 4 is used twice"),
        ({"relays": {"1": {"line": 4}}, "contacts": {"emergency_stop": {"line": 4}}}, "used twice"),
        ({"relays": {"A b": {"line": 4}}}, "match pattern"),
        ({"contacts": {"doorbell": {"line": 4}}}, "emergency_stop"),
        ({"relays": {"1": {"line": -1}}}, "greater than or equal to 0"),
        ({"relays": {"1": {"line": 1}}, "cells": 3}, "no battery"),
    ],
)
def test_wrong_profiles_are_told(more: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        GpioProfile.model_validate({**BASE, **more})


def test_a_profile_becomes_the_drivers_table() -> None:
    relays = {"1": {"line": 17, "active_low": True}, "2": {"line": 27, "sheds_when": "released"}}
    contacts = {"emergency_stop": {"line": 26, "pull": "none", "active_when": "closed"}}
    table = GpioProfile.model_validate({**BASE, "relays": relays, "contacts": contacts}).table()
    assert table.relays == (Relay("1", 17, True, True), Relay("2", 27, False, False))
    assert table.contacts == (Contact("emergency_stop", 26, "none", False),)
    plan = PLUGIN.plan(DEVICE, table)
    assert [p.name for p in plan.points] == ["relay_1_code", "relay_2_code", "emergency_stop_code"]
    assert plan.setpoint is None
