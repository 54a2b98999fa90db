"""Serial requests told and played again: the driver finds the same values among the same noise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.serial.driver import SerialDriver
from drivers.serial.link import NoAnswer, SerialLink
from drivers.serial.profile import SerialProfile
from drivers.serial.tape import TapeLink, TappedLink
from gateway.clock import SystemClock
from gateway.errors import LinkError
from gateway.tape import Recordable, Tap, Tape
from tests.drivers.bms_frames import cases
from tests.drivers.serial_bench import PLUGIN, device, hurry, plugged, shipped

JBD = next(case for case in cases() if case.name.startswith("four cells"))
ANSWERS = {reply.request.data: reply.raw for reply in JBD.replies}
TABLE = SerialProfile(**(shipped("jbd_serial") | {"gap_ms": 5})).table()


def take(data):
    return data if data.endswith(b".") else None


async def ask(link, what, timeout_s=5.0):
    return await link.ask(what, take, gap_ms=5, timeout_s=timeout_s, reply_max=8)


def test_the_plugin_can_be_recorded():
    assert isinstance(PLUGIN, Recordable)


async def test_a_driver_makes_the_same_of_a_tape():
    tap, events = Tap(SystemClock()), []
    tap.sink = events.append
    async with plugged(ANSWERS) as (peer, link):
        bms = SerialDriver(device(peer.path, timeout_ms=400), TABLE, PLUGIN.tapped(link, tap), SystemClock())
        identity = await bms.connect()
        hurry(bms, 5_000)
        peer.before = b"\xdd\x00noise"
        sample = await bms.read()
        del peer.answers[JBD.replies[1].request.data]
        hurry(bms)
        with pytest.raises(NoAnswer):
            await bms.read()
    assert [event["ask"][4:6] for event in events] == ["03", "05", "05", "03", "04", "03", "04", "03", "04"]
    assert events[-1]["heard"] == "" and "no answer" in events[-1]["failed"]
    assert events[5]["heard"].startswith("dd00")
    played = SerialDriver(device("/replay"), TABLE, PLUGIN.replayed(Tape(events)), SystemClock())
    assert await played.connect() == identity
    again = await played.read()
    assert (again.values, again.qualities) == (sample.values, sample.qualities)
    with pytest.raises(NoAnswer, match="no answer within"):
        await played.read()
    with pytest.raises(LinkError, match="not asked"):
        await played.read()


async def test_nobody_listening_costs_nothing_and_changes_nothing():
    async with plugged({b"a?": b"b."}) as (peer, plain):
        link = TappedLink(plain, Tap(SystemClock()))
        assert isinstance(plain, SerialLink)
        link.run_at((9600,))
        assert await ask(link, b"a?") == b"b."
        with pytest.raises(NoAnswer):
            await ask(link, b"c?", 0.1)
        await link.close()
        with pytest.raises(LinkError, match="closed"):
            await ask(link, b"a?")
        assert peer.heard == [b"a?"]


@given(st.one_of(st.text(max_size=20), st.binary(max_size=20).map(bytes.hex), st.integers(), st.none()))
async def test_garbage_on_a_tape_is_no_answer(heard):
    link = TapeLink(Tape([{"ms": 1, "ask": "613f", "heard": heard}]))
    try:
        found = await ask(link, b"a?")
    except NoAnswer:
        return
    assert found.hex() == heard.replace(" ", "").lower()
    await link.close()
