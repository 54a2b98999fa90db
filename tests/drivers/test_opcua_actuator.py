"""A commanded device over a link that is none: what is written, in which order, and what reads back."""

import pytest

from drivers.opcua.actuator import Commanded
from drivers.opcua.codec import Heard
from drivers.opcua.driver import OpcUaDriver
from gateway.driver import Actuator, Dropping
from gateway.errors import LinkError
from gateway.model import ReadBack
from gateway.site import Device
from tests.drivers.test_opcua_driver import TOLD, FakeClock, FakeLink
from tests.drivers.test_opcua_profile import model, setpoint

HELD = {
    "Control.Mode": Heard("Int32", 2),
    "Control.Power": Heard("Double", 1.5),
    "Control.Remote": Heard("Boolean", True),
}
BAD = Heard("", None, 0x8003_0000)


class Written(FakeLink):
    def __init__(self, clock, said):
        super().__init__(clock, said)
        self.written = []

    async def write(self, node, type_, value, *, timeout_s, opens=False):
        self.opened = opens
        self.written.append((node.identifier, type_, value))
        self.said[node.identifier] = Heard(type_, value)


async def ready(text=None, *, connects=True, **said):
    table = model(text or setpoint()).table()
    clock = FakeClock()
    link = Written(clock, TOLD | HELD | {b"node": Heard("UInt32", 4600)} | said)
    device = Device("ess", "p", "opcua", "inverter", "opc.tcp://x", table)
    ess = Commanded(device, table.setpoint, link, OpcUaDriver(device, table, link, clock))
    if connects:
        await ess.connect()
    return ess, link


async def test_it_is_an_actuator_and_learns_its_nameplate():
    ess, _ = await ready(connects=False)
    assert isinstance(ess, Actuator) and isinstance(ess, Dropping) and not ess.pushed
    assert ess.setpoint.charge_max_w == 0
    await ess.connect()
    assert (ess.setpoint.charge_max_w, ess.setpoint.discharge_max_w) == (4600, 5000)
    assert (ess.setpoint.timeout_s, ess.setpoint.refresh_s) == (4, 1)


async def test_a_nameplate_that_comes_later_is_looked_for():
    ess, link = await ready(connects=False)
    link.said[b"node"] = BAD
    await ess.connect()
    assert ess.setpoint.charge_max_w == 0
    await ess.read()
    link.said[b"node"] = Heard("UInt32", 4600)
    await ess.read()
    assert ess.setpoint.charge_max_w == 0  # not at every poll
    link.clock.ms += 10_000
    await ess.read()
    assert ess.setpoint.charge_max_w == 4600


async def test_a_power_is_written_in_order_with_a_new_heartbeat_each_time():
    ess, link = await ready()
    for _ in range(2):
        await ess.write_power(-2500)
    one = [("Control.Power", "Double", 2.5), ("Control.Watchdog", "UInt16", 1), ("Control.Mode", "Int32", 2)]
    assert link.written[:3] == one
    assert link.written[4] == ("Control.Watchdog", "UInt16", 2)
    assert await ess.read_back() == ReadBack(-2500, True)


async def test_the_fallback_is_the_revert_sequence():
    ess, link = await ready()
    await ess.release()
    assert link.written == [("Control.Power", "Double", 0.0), ("Control.Mode", "Int32", 0)]
    assert await ess.read_back() == ReadBack(0, False)


async def test_a_power_that_was_not_quantised_is_a_bug():
    ess, _ = await ready(setpoint(write=[{"node": "s=P", "type": "Int16", "scale": 100, "value": "power"}]))
    assert ess.quantise(1234) == 1200
    with pytest.raises(ValueError, match="1234 W is not a power"):
        await ess.write_power(1234)


async def test_a_device_that_does_not_obey_says_so():
    ess, link = await ready()
    link.said["Control.Remote"] = Heard("Boolean", False)
    assert await ess.read_back() == ReadBack(0, False)
    link.said["Control.Remote"] = Heard("Boolean", True)
    link.said["Control.Mode"] = Heard("Int32", 7)
    assert await ess.read_back() == ReadBack(0, False)


@pytest.mark.parametrize("node", ["Control.Mode", "Control.Remote", "Control.Power"])
@pytest.mark.parametrize(
    "said", [BAD, Heard("String", "2"), Heard("Double", float("nan")), Heard("Int32", 2, 0x4000_0000)]
)
async def test_nothing_is_assumed_of_what_it_does_not_give_back(node, said):
    ess, link = await ready()
    link.said[node] = said
    with pytest.raises(LinkError, match="does not give back its"):
        await ess.read_back()


async def test_without_a_mode_the_power_alone_counts():
    power = {"node": "s=P", "type": "Double"}
    ess, link = await ready(setpoint(read_back={"held": [{"power": power}]}))
    link.said["P"] = Heard("Double", 300.0)
    assert await ess.read_back() == ReadBack(300, True)


async def test_a_timer_is_armed_and_read_back():
    timer = {"node": "s=T", "type": "UInt16"}
    arm = {"write": [timer | {"value": "timeout_s"}], "timer": timer}
    ess, link = await ready(setpoint(**{"class": "self-expiring"}, arm=arm))
    assert await ess.arm(30) == 30
    assert link.written == [("T", "UInt16", 30)]
    assert (await ess.read_back()).timer_s == 30
    plain, _ = await ready()
    assert await plain.arm(30) == 0


async def test_in_a_new_session_the_fallback_comes_first():
    """The device may have restarted: what it holds now is neither ours nor somebody else's."""
    arm = {
        "write": [{"node": "s=T", "type": "UInt16", "value": "timeout_s"}],
        "timer": {"node": "s=T", "type": "UInt16"},
    }
    ess, link = await ready(setpoint(arm=arm))
    await ess.write_power(1000)
    assert not link.opened
    link.counters.sessions += 1
    link.written.clear()
    for asked in (ess.read_back(), ess.write_power(1000), ess.arm(5)):
        with pytest.raises(LinkError, match="connected anew"):
            await asked
    assert link.written == []
    await ess.release()
    assert link.opened
    await ess.write_power(1000)
    assert (await ess.read_back()).power_w == 1000
