"""The serial link by itself: silence, turns, deadlines, loss."""

import asyncio

import pytest

from drivers.serial import PLUGIN
from drivers.serial import link as link_module
from gateway.clock import SystemClock
from gateway.errors import LinkError
from tests.drivers.serial_bench import plugged


def line(data: bytes) -> bytes | None:
    return data if data.endswith(b".") else None


async def ask(link, what, *, gap_ms=5, timeout_s=5.0):
    return await link.ask(what, line, gap_ms=gap_ms, timeout_s=timeout_s, reply_max=8)


async def test_it_asks_and_hears_the_answer():
    async with plugged({b"a?": b"b.", b"c?": b"d."}, "?baud=9600") as (peer, link):
        assert await ask(link, b"a?") == b"b."
        assert await asyncio.gather(ask(link, b"a?"), ask(link, b"c?")) == [b"b.", b"d."]
        assert peer.heard == [b"a?", b"a?", b"c?"]
        assert (link.counters.requests, link.counters.unanswered) == (3, 0)


async def test_nobody_asks_while_another_waits_for_a_slow_answer():
    slow = {b"a?": [b""] * 20 + [b"b."], b"c?": [b""] * 20 + [b"d."]}
    async with plugged(slow, "?baud=9600") as (peer, link):
        assert await asyncio.gather(ask(link, b"a?"), ask(link, b"c?")) == [b"b.", b"d."]
        assert peer.heard == [b"a?", b"c?"]


async def test_what_comes_unasked_is_dropped_and_waited_out():
    async with plugged({b"a?": b"b."}, "?baud=9600") as (peer, link):
        await ask(link, b"a?")
        peer.say(b"old.")
        await asyncio.sleep(0.05)
        assert link.counters.unasked == 4
        assert await ask(link, b"a?") == b"b."


async def test_a_wire_that_is_never_silent_is_said_to_be_so():
    async with plugged({b"a?": b"b."}, "?baud=9600") as (peer, link):
        await ask(link, b"a?")

        async def chatter():
            while True:
                peer.say(b"x")
                await asyncio.sleep(0.01)

        noise = asyncio.gather(chatter())
        with pytest.raises(LinkError, match="never silent for 1000 ms"):
            await ask(link, b"a?", gap_ms=1000, timeout_s=0.1)
        noise.cancel()
        assert await ask(link, b"a?") == b"b."


async def test_a_slow_wire_gets_the_time_that_the_reply_needs():
    """At 300 baud a reply of 20 bytes is under way for 0.67 s."""
    async with plugged({b"a?": [b""] * 60 + [b"b."]}, "?baud=300") as (_, link):
        with pytest.raises(LinkError, match="no answer within"):
            await link.ask(b"a?", line, gap_ms=5, timeout_s=0.05, reply_max=1)
    async with plugged({b"a?": [b""] * 60 + [b"b."]}, "?baud=300") as (_, link):
        assert await link.ask(b"a?", line, gap_ms=5, timeout_s=0.05, reply_max=500) == b"b."


async def test_a_pause_is_told_once():
    async with plugged({b"a?": b"b", b"c?": b"."}, "?baud=9600") as (peer, link):
        heard = []

        def take(data):
            heard.append(data)
            if data == b"":
                peer.say(b"c")
            return data if data == b"c" else None

        assert await link.ask(b"a?", take, gap_ms=5, timeout_s=5, reply_max=8) == b"c"
        assert heard == [b"b", b"", b"c"]
        heard.clear()
        with pytest.raises(LinkError):  # nothing came, so nothing paused
            await link.ask(b"never?", take, gap_ms=5, timeout_s=0.3, reply_max=8)
        assert heard == []


async def test_a_cancelled_request_leaves_the_wire_to_the_next():
    async with plugged({b"a?": b"b."}, "?baud=9600") as (_, link):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await ask(link, b"never?", timeout_s=30)
        assert await ask(link, b"a?") == b"b."


async def test_a_crowd_is_refused(monkeypatch):
    monkeypatch.setattr(link_module, "WAITING_MAX", 1)
    async with plugged({b"a?": b"b."}, "?baud=9600") as (_, link):
        found = await asyncio.gather(ask(link, b"a?"), ask(link, b"a?"), return_exceptions=True)
        assert found[0] == b"b."
        assert "already wait" in str(found[1])


async def test_an_asker_that_finds_a_bug_ends_in_it():
    async with plugged({b"a?": b"b."}, "?baud=9600") as (_, link):
        await ask(link, b"a?")
        with pytest.raises(LinkError, match="2 bytes came, but no answer in them"):
            await link.ask(b"a?", lambda _data: None, gap_ms=5, timeout_s=0.1, reply_max=8)
        with pytest.raises(ZeroDivisionError):
            await link.ask(b"a?", lambda _data: 1 // 0, gap_ms=5, timeout_s=5, reply_max=8)
        assert await ask(link, b"a?") == b"b."


async def test_a_closed_link_stays_closed():
    async with plugged({b"a?": b"b."}, "?baud=9600") as (_, link):
        waiting = asyncio.gather(ask(link, b"never?", timeout_s=30), return_exceptions=True)
        await asyncio.sleep(0.2)
        await link.close()
        assert [str(error) for error in await waiting] == [f"{link.url}: the link is closed"]
        with pytest.raises(LinkError, match="the link is closed"):
            await ask(link, b"a?")
        await link.close()


async def test_a_missing_port_is_a_link_error():
    link = PLUGIN.open_link("serial:///dev/gs-no-such-tty?baud=9600", SystemClock())
    with pytest.raises(LinkError, match=r"gs-no-such-tty.*: cannot open: "):
        await ask(link, b"a?")
    await link.close()
