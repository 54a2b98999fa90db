"""Recorded replies of real devices through the shipped profiles: every value as decoded by hand.

The link gives exactly the registers of the log and refuses all others, as a device refuses what it has not.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from drivers.modbus import PLUGIN
from drivers.modbus.link import ModbusLink
from drivers.modbus.profile import ModbusProfile
from drivers.modbus.sequence import writes
from drivers.modbus.url import parse
from gateway.clock import SystemClock
from gateway.errors import DeviceRefused
from gateway.model import Quality
from gateway.site import Device
from tests.drivers.modbus_wire import tcp_wire

RECORDED = Path(__file__).parents[1] / "recorded"
KINDS = sorted(path.stem.removeprefix("modbus_") for path in RECORDED.glob("modbus_*.yaml"))
ALL = [
    (kind, case)
    for kind in KINDS
    for case in yaml.safe_load((RECORDED / f"modbus_{kind}.yaml").read_text("utf-8"))
]


def cases(key: str) -> list:
    return [pytest.param(kind, case, id=f"{kind}: {case['name']}") for kind, case in ALL if key in case]


CASES, WRITTEN = cases("reads"), cases("request")


def profile_of(kind: str) -> ModbusProfile:
    return ModbusProfile.model_validate(yaml.safe_load((PLUGIN.profiles / f"{kind}.yaml").read_text("utf-8")))


class Log:
    """A RegisterLink over recorded registers: table and address -> two bytes."""

    url = "tcp://recorded"

    def __init__(self, reads: Sequence[dict]) -> None:
        self.registers: dict[tuple[str, int], bytes] = {}
        for read in reads:
            data, table = bytes.fromhex(read["hex"]), read.get("table", "holding")
            pairs = ((table, read["first"] + n // 2, data[n : n + 2]) for n in range(0, len(data), 2))
            self.registers |= {(table, at): pair for table, at, pair in pairs}

    async def read(self, unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
        wanted = [(table, at) for at in range(address, address + count)]
        if any(place not in self.registers for place in wanted):
            raise DeviceRefused("not in the log", 2)
        return b"".join(self.registers[place] for place in wanted)

    async def write(
        self, unit: int, address: int, registers: Sequence[int], *, timeout_s: float, single: bool = False
    ) -> None:
        raise AssertionError("reading writes nothing")

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(("kind", "case"), CASES)
async def test_a_real_reply_means_what_was_decoded_by_hand(kind: str, case: dict) -> None:
    profile = profile_of(kind)
    table = profile.table()
    device = Device("inverter", kind, "modbus", profile.role, Log.url, table, unit=1)
    driver = PLUGIN.driver(device, table, Log(case["reads"]), SystemClock(assume_synchronised=True))
    readings = (await driver.read()).readings()
    assert {r.point.name for r in readings} == set(profile.points) | set(profile.sums)
    good = {r.point.name: r.value for r in readings if r.quality is Quality.GOOD}
    assert good == case["good"]
    assert {r.quality for r in readings} <= {Quality.GOOD, Quality.ABSENT}
    if "held_w" in case:
        back = await driver.read_back()
        assert (back.power_w, back.active) == (case["held_w"], True)


@pytest.mark.parametrize(("kind", "case"), WRITTEN)
async def test_a_forced_charge_ends_in_the_recorded_request(kind: str, case: dict) -> None:
    request, reply = bytes.fromhex(case["request"]), bytes.fromhex(case["reply"])
    setpoint = profile_of(kind).table().setpoint
    assert setpoint is not None
    *_, last = writes(setpoint.write, case["power_w"], 120, unit=request[6])
    async with tcp_wire(lambda asked: [asked[:2] + reply[2:]]) as wire:
        link = ModbusLink(parse(wire.url), SystemClock(), lambda: 1.0)
        await link.write(last.unit, last.address, last.registers, timeout_s=1, single=last.single)
        await link.close()
    assert [asked[2:] for asked in wire.requests] == [request[2:]]  # all but the transaction's number


@pytest.mark.parametrize("kind", KINDS)
def test_a_profile_with_recorded_replies_says_so(kind: str) -> None:
    assert profile_of(kind).proof == "recorded"
