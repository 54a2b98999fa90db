"""Shipped register maps: each device is taken for its own profile, and for no other."""

import pytest

from drivers.modbus import PLUGIN
from gateway.errors import DeviceRefused
from tests.drivers.test_modbus_shipped import PROFILES

MAC = {(100, "holding", 800): b"c0619a0b1c2d"}
# Registers 35000 to 35011 as recorded: marcelblijleven/goodwe 66dfcdd (MIT), tests/sample/et, device info.
GOODWE = {
    "GW10K-ET": "0001271000fe393031304b45545530303057303030304757",
    "GW25K-ET": "800061a80001393032354b45545430303030303030300000",
    "GW6000-EH": "0000177000fe303030303045485530303030303030304757",
    "GW5K-BT": "0000138800fe393530303042545532303357303030304757",
}
# Sungrow: home-assistant/core issue 115489, register 4999 (SH6.0RT-V112 by mkaiser's list).
DEVICES = [
    ("victron_gx", 227, MAC | {(227, "holding", 28): b"\0\1", (227, "holding", 31): b"\0\3"}),
    ("victron_gx_3p", 227, MAC | {(227, "holding", 28): b"\0\3", (227, "holding", 31): b"\0\3"}),
    ("deye_1p", 1, {(1, "holding", 0): b"\0\3", (1, "holding", 3): b"2104140000"}),
    ("deye_3p_lv", 1, {(1, "holding", 0): b"\5\0", (1, "holding", 3): b"2209230000"}),
    ("sungrow_sh", 1, {(1, "input", 4999): b"\x0e\x0d"}),
    *(("goodwe_et", 247, {(247, "holding", 35000): bytes.fromhex(data)}) for data in GOODWE.values()),
]


class Device:
    """Registers by unit, table and first address; refuses all others."""

    def __init__(self, blocks: dict[tuple[int, str, int], bytes]) -> None:
        self.registers = {
            (unit, table, first + n): data[2 * n : 2 * n + 2]
            for (unit, table, first), data in blocks.items()
            for n in range(len(data) // 2)
        }

    async def read(self, unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
        try:
            return b"".join(self.registers[unit, table, address + n] for n in range(count))
        except KeyError:
            raise DeviceRefused("no such register", 2) from None


@pytest.mark.parametrize(("name", "unit", "blocks"), DEVICES)
async def test_it_is_taken_for_what_it_is(name: str, unit: int, blocks: dict) -> None:
    asked = PROFILES[name].recognise
    assert asked and unit in asked.units
    matches = await PLUGIN.recognise(Device(blocks), unit, PROFILES)
    assert [match.profile for match in matches] == [name]


async def test_what_says_too_little_is_taken_for_nothing() -> None:
    for blocks in (
        {(1, "holding", 0): b"\0\3"},  # a 3, but no serial number
        {(1, "holding", 0): b"\0\2", (1, "holding", 3): b"2104140000"},  # Deye's string inverter
        {(1, "input", 4999): b"\x24\x36"},  # Sungrow's
    ):
        assert await PLUGIN.recognise(Device(blocks), 1, PROFILES) == []
