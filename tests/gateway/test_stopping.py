"""Signals end a process in order: heard while asked for, and not a moment longer."""

import asyncio
import signal

from gateway.stopping import ASKED, by_signals


async def test_signals_are_heard_until_the_end():
    stopped = asyncio.Event()
    for number in ASKED:
        with by_signals(stopped.set):
            signal.raise_signal(number)
            async with asyncio.timeout(10):
                await stopped.wait()
        stopped.clear()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


async def test_only_those_that_were_asked_for_are_heard():
    heard: list[str] = []
    with by_signals(lambda: heard.append("hangup"), (signal.SIGHUP,)):
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        signal.raise_signal(signal.SIGHUP)
        async with asyncio.timeout(10):
            while not heard:
                await asyncio.sleep(0)
    assert heard == ["hangup"]
