"""Serial requests told and played again: the driver finds the same values among the same noise."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bms.families import FAMILIES
from drivers.serial.driver import SerialDriver
from drivers.serial.link import NoAnswer, SerialLink
from drivers.serial.profile import SerialProfile
from drivers.serial.tape import TapeLink, TappedLink, masker
from gateway.capturefile import Capture
from gateway.clock import SystemClock
from gateway.driver import find_plugins
from gateway.errors import ConfigError, LinkError
from gateway.replay import replay
from gateway.tape import Masking, Recordable, Tap, TapClock, Tape
from tests.drivers.bms_frames import cases
from tests.drivers.serial_bench import PLUGIN, device, hurry, plugged, shipped

JBD = next(case for case in cases() if case.name.startswith("four cells"))
ANSWERS = {reply.request.data: reply.raw for reply in JBD.replies}
TABLE = SerialProfile(**(shipped("jbd_serial") | {"gap_ms": 5})).table()


DALY = [{r.request.data: r.raw for r in case.replies} for case in cases() if case.family.name == "daly"]
JK = next(case for case in cases() if case.family.name == "jk_pb")
SERIAL = b"40119491480"


async def played(name, events, unit=1):
    said = {"name": "bms", "profile": name, "link": "serial://masked", "unit": unit, "poll_ms": 1000}
    capture = Capture({"device": said, "profile": shipped(name)}, tuple(events), "time", "", "x.jsonl")
    found = await replay(capture, find_plugins())
    assert found.faithful and len(found.samples) == found.recorded > 0
    return found


def tapped(link, peer, name, unit=1):
    """A driver whose traffic is told, and who hears it."""
    table, tap = SerialProfile(**(shipped(name) | {"gap_ms": 5})).table(), Tap(SystemClock())
    clock = TapClock(SystemClock(), tap)
    return SerialDriver(
        device(peer.path, profile=name, unit=unit), table, PLUGIN.tapped(link, tap), clock
    ), tap


async def introduced(bms, tap):
    tap.connecting()
    await bms.connect()
    tap.connected()


def take(data):
    return data if data.endswith(b".") else None


async def ask(link, what, timeout_s=5.0):
    return await link.ask(what, take, gap_ms=5, timeout_s=timeout_s, reply_max=8)


def test_the_plugin_can_be_recorded_and_masked():
    assert isinstance(PLUGIN, Recordable) and isinstance(PLUGIN, Masking)


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


async def test_a_capture_from_the_middle_compares_with_nothing_from_before():
    """At the connect the board told quite something else: a step of which it would have to be asked again."""
    async with plugged(DALY[0]) as (peer, link):
        bms, tap = tapped(link, peer, "daly_serial")
        await introduced(bms, tap)
        peer.answers |= DALY[1]
        before = await bms.read()
        events = list(tap.introduction)
        tap.sink = events.append
        bms.refresh()
        tap.tell(refresh=True)
        peer.heard.clear()
        for _ in range(2):
            tap.sample(await bms.read())
    assert len(peer.heard) == 3 * len(DALY[0])  # the first poll asked twice
    found = await played("daly_serial", events)
    assert [s.values for s in found.samples] == [before.values] * 2


async def test_masked_it_plays_as_well_and_the_serial_number_is_gone():
    unit = JK.replies[0].address
    async with plugged({reply.request.data: reply.raw for reply in JK.replies}) as (peer, link):
        bms, tap = tapped(link, peer, "jk_pb_serial", unit)
        events = []
        tap.sink = events.append
        peer.before = b"noise"
        await introduced(bms, tap)
        tap.sample(await bms.read())
    mask = PLUGIN.masker(SerialProfile(**shipped("jk_pb_serial")).table())
    hidden = [mask(event) for event in events]
    for word in (SERIAL, b"noise"):
        assert word.hex() in str(events) and word.hex() not in str(hidden)
    assert (await played("jk_pb_serial", events, unit)).identity["serial"] == SERIAL.decode()
    assert (await played("jk_pb_serial", hidden, unit)).identity["serial"] == "X" * len(SERIAL)


def test_what_says_nothing_private_stays_and_what_is_not_known_is_refused(monkeypatch):
    event = {"ms": 1, "ask": "00", "heard": "dd03"}
    assert PLUGIN.masker(TABLE)(event) is event
    monkeypatch.setitem(FAMILIES, "jbd", replace(FAMILIES["jbd"], secrets=None))
    with pytest.raises(ConfigError, match="jbd says its serial number is not known"):
        masker(TABLE)


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
