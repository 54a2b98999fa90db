"""The device task against mocks in virtual time: the grid, misses, backoff, pushed devices, bugs."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from gateway.device import DeviceTask
from gateway.errors import FrameError, StoreError, Unidentified
from gateway.model import Quantity, Sample
from gateway.site import Device
from gateway.standing import NOBODY, Standing
from tests.sim import loop
from tests.sim.loop import VirtualClock
from tests.sim.mocks import MockDevice, MockInverter, link_lost

DEVICE = Device("meter", "mock", "mock", "meter", "mock://", None, poll_ms=1000)


class Bench:
    """One task with its mock and what it reported."""

    def __init__(self, clock: VirtualClock, mock: MockDevice, device: Device = DEVICE) -> None:
        self.clock = clock
        self.mock = mock
        self.samples: list[Sample] = []
        self.declared: list[tuple[str, int]] = []
        self.task = DeviceTask(
            device,
            mock,
            clock,
            lambda: 0.5,
            on_points=lambda name, points, poll_ms: self.declared.append((name, poll_ms)),
            on_sample=self.samples.append,
        )

    async def for_s(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.task.run()
        except TimeoutError:
            return


def bench(script: Callable[[Bench], Awaitable[None]], *, pushed: bool = False) -> Bench:
    async def main(clock: VirtualClock) -> Bench:
        made = Bench(clock, MockDevice("meter", clock, {Quantity.GRID_POWER: 5}, pushed=pushed))
        await script(made)
        return made

    return loop.run(main)


def test_polls_stay_on_the_grid_and_skip_what_they_miss() -> None:
    async def script(b: Bench) -> None:
        b.mock.delay_s = 0.3
        await b.for_s(5)
        b.mock.delay_s = 2.5
        b.mock.polls.clear()
        await b.for_s(15)

    b = bench(script)
    gaps = {later - earlier for earlier, later in itertools.pairwise(b.mock.polls)}
    assert gaps == {3000}  # every third slot, none in between
    assert b.task.health.skipped == 2 * (len(b.mock.polls) - 1)
    assert b.declared[0] == ("meter", 1000)
    assert b.samples[0].values == (5,)


def test_a_lost_poll_is_noise_and_three_are_an_absence() -> None:
    async def script(b: Bench) -> None:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(b.for_s(30))
            await asyncio.sleep(3.5)
            b.mock.failure = FrameError("wrong function code")
            await asyncio.sleep(2)
            b.mock.failure = None
            await asyncio.sleep(2)
            assert b.task.health.online
            assert (b.task.health.failures, b.task.health.misses) == (0, 2)
            assert len(b.mock.connects) == 1
            b.mock.failure = b.mock.connect_failure = link_lost()
            await asyncio.sleep(4)
            assert not b.task.health.online
            assert b.task.health.last_error == "nobody answers"
            assert b.mock.log[-1][1] == "close"
            b.mock.failure = b.mock.connect_failure = None
            await running

    b = bench(script)
    assert len(b.mock.connects) == 2
    assert b.task.health.online
    assert b.task.health.identity == {"model": "mock"}
    assert len(b.declared) == 2


def test_attempts_come_ever_slower_with_jitter_and_a_bound() -> None:
    async def script(b: Bench) -> None:
        b.mock.connect_failure = link_lost()
        await b.for_s(300)
        b.first_since = b.task.health.since_ms

    b = bench(script)
    closes = [ms for ms, what, _ in b.mock.log if what == "close"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(closes)]
    assert [round(gap, -2) for gap in gaps[:5]] == [800, 1500, 3000, 6000, 12_000]
    assert max(gaps) <= 30_100
    assert b.task.health.since_ms == 0  # offline since the start, not since the last attempt


def test_a_device_that_connects_and_never_delivers_is_left_alone_ever_longer() -> None:
    async def script(b: Bench) -> None:
        b.mock.failure = link_lost()
        await b.for_s(300)

    gaps = [
        later - earlier for earlier, later in itertools.pairwise(bench(script, pushed=True).mock.connects)
    ]
    assert [round(gap, -2) for gap in gaps[:4]] == [1800, 2500, 4000, 7000]  # a second each: the mock listens


def test_a_pushed_device_is_listened_to_and_its_end_is_an_absence_at_once() -> None:
    async def script(b: Bench) -> None:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(b.for_s(12))
            await asyncio.sleep(5.5)
            assert len(b.samples) == 5
            b.mock.failure = link_lost()
            await asyncio.sleep(1)
            assert not b.task.health.online
            b.mock.failure = None
            await running

    assert len(bench(script, pushed=True).mock.connects) == 2


def test_a_connect_that_hangs_is_ended() -> None:
    async def script(b: Bench) -> None:
        b.mock.delay_s = 1000
        await b.for_s(125)

    assert "not identified" in bench(script).task.health.last_error


@pytest.mark.parametrize("error", [StoreError("disk"), ValueError("a bug")])
def test_what_the_callback_raises_ends_the_task(error: Exception) -> None:
    async def script(b: Bench) -> None:
        def refuse(_: Sample) -> None:
            raise error

        b.task._on_sample = refuse
        await b.for_s(10)

    with pytest.raises(type(error)):
        bench(script)


def test_only_a_device_that_may_be_controlled_has_a_hand() -> None:
    async def main(clock: VirtualClock) -> list[bool]:
        made = []
        for mock in (MockInverter(clock), MockDevice("meter", clock, {Quantity.GRID_POWER: 1})):
            for control in (True, False):
                b = Bench(clock, mock, replace(DEVICE, name=mock.name, control=control))
                made.append(b.task.hand is not None)
        return made

    assert loop.run(main) == [True, False, False, False]


def test_a_bug_beside_a_link_error_is_the_one_that_is_raised() -> None:
    async def main(clock: VirtualClock) -> None:
        mock = MockInverter(clock)
        b = Bench(clock, mock, replace(DEVICE, name="inverter"))

        async def broken() -> None:
            raise KeyError("a bug in a driver")

        mock.release = broken
        await b.for_s(10)

    with pytest.raises(KeyError):
        loop.run(main)


NAMED = replace(DEVICE, serial="A1")


class Named(MockDevice):
    """Says a serial number; its link counts connections and, as a guarded one, asks on none but that on which
    it was identified."""

    standing: Standing | None = None

    def __init__(self, clock: VirtualClock, serial: str) -> None:
        super().__init__("meter", clock, {Quantity.GRID_POWER: 5})
        self.serial, self.connected = serial, 1

    async def connect(self) -> dict[str, str]:
        return {**await super().connect(), "serial": self.serial}

    async def read(self) -> Sample:
        if self.standing and self.standing.identified not in (NOBODY, self.connected):
            raise Unidentified("another connection")
        return await super().read()

    def becomes(self, serial: str) -> None:
        """Another device is behind the link, which had to be opened again for it."""
        self.serial, self.connected = serial, self.connected + 1


def named(clock: VirtualClock, device: Device, serial: str) -> tuple[Named, Bench]:
    mock = Named(clock, serial)
    made = Bench(clock, mock, device)
    made.task._standing.connects = lambda: mock.connected
    mock.standing = made.task._standing if device.serial else None
    return mock, made


@pytest.mark.parametrize(("said", "message"), [("B2", "serial number B2 answers"), ("", "no serial number")])
def test_another_device_at_the_address_is_refused_until_the_right_one_is_back(
    said: str, message: str
) -> None:
    async def main(clock: VirtualClock) -> None:
        mock, made = named(clock, NAMED, said)
        await made.for_s(10)
        assert not made.task.health.online and message in made.task.health.last_error
        assert made.declared == [] and made.samples == []
        mock.becomes("A1")
        await made.for_s(5)
        assert made.task.health.online and made.samples

    loop.run(main)


class Flickering(Named):
    """Its connection is made while it connects: who is behind it, `said` tells, one after the other."""

    said: list[str]

    async def connect(self) -> dict[str, str]:
        identity = await super().connect()
        self.connected += 1
        return identity

    async def serial_number(self) -> str:
        return self.said.pop(0)


def test_what_connects_meanwhile_is_asked_once_more_who_it_is() -> None:
    async def main(clock: VirtualClock) -> None:
        mock = Flickering(clock, "A1")
        mock.said = ["B2", "A1"]
        made = Bench(clock, mock, NAMED)
        standing = made.task._standing
        standing.connects = lambda: mock.connected
        identified = []
        asyncio.get_running_loop().call_later(0.5, lambda: identified.append(standing.identified))
        await made.for_s(5)
        assert identified == [NOBODY] and made.task.health.online
        assert standing.identified == mock.connected and len(mock.connects) == 2 and mock.said == []

    loop.run(main)


def test_a_connection_that_does_not_last_until_it_said_its_name_is_none() -> None:
    async def main(clock: VirtualClock) -> None:
        mock = Flickering(clock, "A1")

        async def flickers() -> str:
            mock.connected += 1
            return "A1"

        mock.serial_number = flickers
        made = Bench(clock, mock, NAMED)
        made.task._standing.connects = lambda: mock.connected
        await made.for_s(5)
        assert not made.task.health.online and made.task._standing.identified == NOBODY
        assert "lost while it was identified" in made.task.health.last_error

    loop.run(main)


@pytest.mark.parametrize(("device", "refused"), [(NAMED, True), (DEVICE, False)])
def test_a_new_connection_is_identified_again_where_it_matters(device: Device, refused: bool) -> None:
    async def main(clock: VirtualClock) -> None:
        mock, made = named(clock, device, "A1")
        asyncio.get_running_loop().call_later(3.5, mock.becomes, "B2")
        await made.for_s(10)
        assert (len(mock.connects) > 1) == refused
        assert made.task.health.online != refused
        assert (len(made.samples) <= 4) == refused  # not one of the other

    loop.run(main)


def test_a_stranger_is_one_until_the_device_is_back_though_nobody_answers_meanwhile() -> None:
    async def main(clock: VirtualClock) -> None:
        mock, made = named(clock, replace(NAMED, find=("10.0.0.7",)), "B2")
        await made.for_s(3)
        assert made.task.health.stranger and "it is looked for" in made.task.health.last_error
        mock.connect_failure = link_lost()
        await made.for_s(10)
        assert made.task.health.stranger and made.task.health.last_error == "nobody answers"
        mock.connect_failure = None
        mock.becomes("A1")
        await made.for_s(40)
        assert made.task.health.online and not made.task.health.stranger

    loop.run(main)


def test_a_device_that_moved_is_tried_there_at_once_and_says_where_it_is() -> None:
    async def main(clock: VirtualClock) -> None:
        mock, made = named(clock, NAMED, "B2")
        async with asyncio.TaskGroup() as group:
            running = group.create_task(made.for_s(200))
            await asyncio.sleep(100.5)  # it tries each half a minute
            mock.becomes("A1")
            made.task.moved("mock://there")
            await asyncio.sleep(0.1)
            assert made.task.health.online and made.task.health.found_at == "mock://there"
            assert made.task.device.link == "mock://there"
            made.task.moved(NAMED.link)
            assert made.task.health.found_at == ""
            running.cancel()

    loop.run(main)
