"""CAN frames told as a driver takes them, and played to it: the same samples, without bus or time."""

import asyncio
from dataclasses import replace

import pytest

from drivers.can import PLUGIN
from drivers.can.tape import TapeLink, TappedLink, frame_of
from gateway.errors import FrameError, LinkError
from gateway.tape import Tap, TapClock, Tape, TapeClock
from tests.drivers.can_bench import Battery, device, frame, frames, values
from tests.sim.loop import run


def recorded(samples, late=False):
    """Events and samples of a battery that is heard for a while."""

    async def hear(clock):
        battery = Battery(clock, frames("REC Q"))
        link, tap, events = PLUGIN.open_link("vbus://bench", clock), Tap(clock), []
        tap.sink = None if late else events.append
        driver = PLUGIN.driver(device(), device().profile, TappedLink(link, tap), TapClock(clock, tap))
        async with asyncio.TaskGroup() as group:
            speaking = group.create_task(battery.speak())
            tap.connecting()
            await driver.connect()
            tap.connected()
            for _ in range(3 if late else 0):
                await driver.read()
            if late:
                events.extend(tap.introduction)
                tap.sink = events.append
            found = [await driver.read() for _ in range(samples)]
            speaking.cancel()
        await driver.close()
        await link.close()
        await battery.link.close()
        return events, found

    return run(hear)


async def played(events, samples):
    tape = Tape(events)
    driver = PLUGIN.driver(device(), device().profile, TapeLink(tape), TapeClock(tape))
    tape.skip_to("connect")
    tape.next()
    tape.connecting = True
    await driver.connect()
    tape.connecting = False
    tape.drop("connected")
    found = [await driver.read() for _ in range(samples)]
    return driver, found


@pytest.mark.parametrize("late", [False, True])
async def test_the_same_frames_give_the_same_samples(late):
    events, told = await asyncio.to_thread(recorded, 4, late)
    assert any("sent" in e for e in events)  # the keep-alive is on the tape, and nobody's business in playing
    driver, found = await played(events, 4)
    assert [values(s) for s in found] == [values(s) for s in told]
    assert [s.stamp for s in found] == [s.stamp for s in told]
    with pytest.raises(LinkError, match="ends here"):
        await driver.read()


async def test_a_connect_that_failed_fails_again():
    link = TapeLink(Tape([{"ms": 9, "connected": True}]))
    driver = PLUGIN.driver(device(), device().profile, link, TapeClock(link._tape))
    with pytest.raises(LinkError, match="no 0x351"):
        await driver.connect()


def test_what_is_no_frame():
    good = {"ms": 1, "can": "356", "data": "00ff", "extended": True}
    assert frame_of(good) == replace(frame(0x356, "00ff"), extended=True)
    for bad in ({"can": "zz"}, {"data": "0"}, {"data": 7}, {"can": None}):
        with pytest.raises(FrameError):
            frame_of({**good, **bad})
