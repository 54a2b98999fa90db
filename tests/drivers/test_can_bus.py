"""Listeners: bounded queues, cancellation that loses nothing, the end of a bus."""

import asyncio

import pytest

from drivers.can.bus import QUEUE_MAX, Hub
from gateway.driver import CanFrame
from gateway.errors import LinkError
from tests.sim.loop import run

A, B = CanFrame(1, b"a"), CanFrame(2, b"b")


async def opened() -> None:
    """A link that is open already."""


def hear(main):
    """Run `main(hub, clock)` in virtual time."""
    return run(lambda clock: main(Hub(clock), clock))


def test_each_listener_hears_its_ids():
    async def main(hub, clock):
        first, both = hub.listen(frozenset({1}), opened), hub.listen(frozenset({1, 2}), opened)
        hub.deliver(B)
        hub.deliver(A)
        assert await anext(first) == A and not first.pending
        assert [await anext(both), await anext(both)] == [B, A]
        assert hub.ids == {1, 2}
        assert hub.counters.received == 2

    hear(main)


def test_a_slow_listener_loses_its_oldest_frames_and_slows_nobody():
    async def main(hub, clock):
        slow, quick = hub.listen(frozenset({1}), opened), hub.listen(frozenset({1}), opened)
        for i in range(QUEUE_MAX + 3):
            hub.deliver(CanFrame(1, i.to_bytes(2, "big")))
            assert int.from_bytes((await anext(quick)).data, "big") == i
        assert hub.counters.overflowed == 3
        assert int.from_bytes((await anext(slow)).data, "big") == 3

    hear(main)


def test_a_frame_knows_when_it_arrived_not_when_it_was_taken():
    async def main(hub, clock):
        listener = hub.listen(frozenset({1}), opened)
        await asyncio.sleep(1)
        hub.deliver(A)
        await asyncio.sleep(7)
        await anext(listener)
        assert listener.at_ms == 1000

    hear(main)


def test_a_cancelled_wait_loses_no_frame():
    async def main(hub, clock):
        listener = hub.listen(frozenset({1}), opened)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await anext(listener)
        asyncio.get_running_loop().call_later(0.5, hub.deliver, A)
        assert await anext(listener) == A

    hear(main)


def test_iteration_ends_in_link_error_when_the_bus_is_lost():
    async def main(hub, clock):
        listener, heard = hub.listen(frozenset({1}), opened), []

        async def take_all():
            async for frame in listener:
                heard.append(frame)

        hub.deliver(A)
        asyncio.get_running_loop().call_later(1, hub.lose, "gone")
        with pytest.raises(LinkError, match="gone"):
            await take_all()
        assert heard == [A]
        with pytest.raises(LinkError, match="gone"):  # and stays so
            await anext(listener)
        hub.deliver(A)
        assert not listener.pending and hub.counters.lost == 1

    hear(main)


def test_a_closed_listener_hears_no_more():
    async def main(hub, clock):
        listener = hub.listen(frozenset({1}), opened)
        hub.deliver(A)
        listener.close()
        listener.close()
        hub.deliver(A)
        assert await anext(listener) == A
        with pytest.raises(LinkError):
            await anext(listener)
        assert hub.ids == frozenset()

    hear(main)


def test_who_names_no_id_hears_all():
    async def main(hub, clock):
        one, every = hub.listen(frozenset({99}), opened), hub.listen(frozenset(), opened)
        assert hub.ids == frozenset()  # of which a filter makes: everything
        hub.deliver(A)
        assert await anext(every) == A and not one.pending
        every.close()
        assert hub.ids == {99}

    hear(main)


def test_a_link_that_cannot_open_is_a_link_error_where_it_is_used():
    async def fails():
        raise LinkError("no such interface")

    async def main(hub, clock):
        listener = hub.listen(frozenset({1}), fails)
        with pytest.raises(LinkError, match="no such interface"):
            await anext(listener)

    hear(main)
