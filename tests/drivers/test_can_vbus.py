"""The in-process bus."""

import asyncio
import gc

import pytest

from drivers.can import PLUGIN
from drivers.can.vbus import bus
from gateway.driver import CanFrame
from gateway.errors import LinkError
from tests.sim.loop import run

A = CanFrame(1, b"a")


def test_links_of_one_name_hear_each_other_and_not_themselves():
    async def main(clock):
        one, two, other = (PLUGIN.open_link(f"vbus://{n}", clock) for n in ("x", "x", "y"))
        ears = [link.listen(frozenset({1})) for link in (one, two, other)]
        await one.send(A)
        assert [e.pending for e in ears] == [False, True, False]
        assert await anext(ears[1]) == A
        assert one.counters.sent == two.counters.received == 1

    run(main)


def test_order_is_kept_between_many_senders():
    async def main(clock):
        links = [PLUGIN.open_link("vbus://order", clock) for _ in range(4)]
        ear = PLUGIN.open_link("vbus://order", clock).listen(frozenset(range(100)))
        for i in range(100):
            await links[i % 4].send(CanFrame(i, b""))
        assert [(await anext(ear)).id for _ in range(100)] == list(range(100))

    run(main)


def test_unplugged_everybody_is_told_and_plugged_it_works_again():
    async def main(clock):
        one, two = PLUGIN.open_link("vbus://cut", clock), PLUGIN.open_link("vbus://cut", clock)
        ear = two.listen(frozenset({1}))
        asyncio.get_running_loop().call_later(1, bus("cut").unplug)
        with pytest.raises(LinkError, match="unplugged"):
            await anext(ear)
        with pytest.raises(LinkError, match="unplugged"):
            await one.send(A)
        with pytest.raises(LinkError, match="unplugged"):
            await anext(two.listen(frozenset({1})))
        bus("cut").plug()
        ear = two.listen(frozenset({1}))
        await one.send(A)
        assert await anext(ear) == A

    run(main)


def test_a_closed_link_is_off_the_bus():
    async def main(clock):
        one, two = PLUGIN.open_link("vbus://off", clock), PLUGIN.open_link("vbus://off", clock)
        ear = one.listen(frozenset({1}))
        await one.close()
        await one.close()
        await two.send(A)
        assert not ear.pending
        with pytest.raises(LinkError, match="closed"):
            await one.send(A)
        with pytest.raises(LinkError, match="closed"):
            await anext(ear)

    run(main)


def test_an_empty_bus_is_forgotten():
    async def main(clock):
        link = PLUGIN.open_link("vbus://gone", clock)
        bus("gone").unplug()
        await link.close()

    run(main)
    gc.collect()
    assert bus("gone").plugged
