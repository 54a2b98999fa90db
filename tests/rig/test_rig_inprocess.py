"""The rig in virtual time: the links' protocols, the same faults, the same trace for the same seed."""

import asyncio

import pytest
from rig.bms import Bms
from rig.devices import make
from rig.faults import Fault
from rig.inprocess import InProcessLink, hear, speak

from drivers.can import PLUGIN
from drivers.can.vbus import bus
from gateway.driver import CanFrame
from gateway.errors import DeviceRefused, FrameError, LinkError
from tests.sim.loop import run


def virtual(test, device="huawei_luna2000"):
    """Run `test(link, clock)` on a device in virtual time."""

    async def main(clock):
        return await test(InProcessLink(make(device, seed=7), clock), clock)

    return run(main)


def test_it_reads_and_writes_like_a_wire():
    async def test(link, clock):
        assert await link.read(1, "holding", 30000, 3, timeout_s=1) == b"SUN200"
        await link.write(1, 47083, (2,), timeout_s=1, single=True)
        await link.write(1, 47249, (0, 2_000), timeout_s=1)
        await link.write(1, 47100, (2,), timeout_s=1, single=True)
        await asyncio.sleep(5)
        power = await link.read(1, "holding", 37765, 2, timeout_s=1)
        assert int.from_bytes(power, signed=True) == pytest.approx(-2_000, abs=2)
        await asyncio.sleep(120)
        assert link.bank.plant.advance(clock.mono_ms()).order.kind == "self"
        await link.close()
        with pytest.raises(LinkError, match="closed"):
            await link.read(1, "holding", 30000, 1, timeout_s=1)

    virtual(test)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("silence", LinkError),
        ("mute", LinkError),
        ("reset", LinkError),
        ("late", LinkError),
        ("busy", DeviceRefused),
        ("refuse", DeviceRefused),
        ("wrong_function", FrameError),
        ("short", FrameError),
        ("truncated", FrameError),
        ("wrong_unit", FrameError),
        ("wrong_tag", FrameError),
        ("noise_before", FrameError),
        ("noise_after", FrameError),
    ],
)
def test_faults_become_the_errors_of_a_strict_link(kind, error):
    async def test(link, clock):
        link.faults.add(Fault(kind, times=1, ms=5_000 if kind == "late" else 0))
        began_ms = clock.mono_ms()
        with pytest.raises(error) as raised:
            await link.read(1, "holding", 30000, 3, timeout_s=2)
        assert type(raised.value) is error
        waited = kind in ("silence", "mute", "late")
        assert (clock.mono_ms() - began_ms >= 2_000) is waited
        assert await link.read(1, "holding", 30000, 3, timeout_s=2) == b"SUN200"

    virtual(test)


def test_a_wrong_echo_is_noticed_and_a_slow_answer_is_not_late():
    async def test(link, clock):
        link.faults.add(Fault("wrong_echo", times=1))
        with pytest.raises(FrameError, match="another write"):
            await link.write(1, 47083, (2,), timeout_s=1, single=True)
        link.faults.add(Fault("late", times=1, ms=800))
        assert await link.read(1, "holding", 47083, 1, timeout_s=1) == b"\0\2"
        assert clock.mono_ms() >= 800

    virtual(test)


def test_the_same_seed_gives_the_same_trace():
    async def test(link, clock):
        link.faults.add(Fault("noise_before", skip=3, times=1))
        seen = []
        for number in range(200):
            try:
                seen.append(await link.read(1, "holding", 37760, 1, timeout_s=1))
                await link.write(1, 47249, (0, number * 7), timeout_s=1)
            except LinkError as error:
                seen.append(str(error))
            await asyncio.sleep(1.7)
        return seen, link.bank.plant.report(), [*link.bank.plant.witness.entries]

    assert virtual(test) == virtual(test)


def test_the_bms_speaks_and_hears_on_a_virtual_bus():
    async def main(clock):
        wire = bus("rig-test")
        ours, theirs = (PLUGIN.open_link("vbus://rig-test", clock) for _ in range(2))
        bms, heard = Bms(make("sunspec").plant, listen_s=30), []
        listener = theirs.listen(frozenset({0x351, 0x356}))
        await listener.open()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(speak(bms, ours, clock)), group.create_task(hear(bms, ours, clock))]
            await asyncio.sleep(3.5)
            await theirs.send(CanFrame(0x305, bytes(8)))
            while listener.pending:
                heard.append((await anext(listener)).id)
            wire.unplug()
            await asyncio.sleep(2)
            rounds = bms.rounds
            for task in tasks:
                task.cancel()
        return heard, bms.keep_alives, rounds, bms._plant.publishes

    heard, keep_alives, rounds, publishes = run(main)
    assert heard == [0x351, 0x356] * 4
    assert keep_alives == 1 and rounds == 6 and not publishes
