"""What a server says, recorded over a link that is none, and played: the same samples. node-opcua's own is in
test_opcua_login.
"""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua import PLUGIN
from drivers.opcua.codec import Heard
from drivers.opcua.feed import Feed, Item
from drivers.opcua.node import parse
from drivers.opcua.playback import TapeLink
from drivers.opcua.tape import masker
from gateway.capturefile import Capture
from gateway.driver import find_plugins
from gateway.errors import LinkError
from gateway.replay import replay
from gateway.site import Device
from gateway.tape import Masking, Recordable, Tap, TapClock, Tape
from tests.drivers.opcua_bench import NAMESPACE, PROFILE
from tests.drivers.test_opcua_driver import BAD, FIRST, NOT_THERE, TOLD, FakeClock, FakeLink, _ids
from tests.drivers.test_opcua_profile import changed, model
from tests.processes import ROOT

SUBSCRIBED = {"updates": "subscribed"}
WHOLE = FIRST | {_ids()[0]: Heard("Int16", 21)}
SOC = "nsu=urn:gridseal:test:ess;s=Battery.SoC"


def capture_of(events, **profile) -> Capture:
    """As a file of it would be read."""
    said = {"name": "ess", "profile": "ess5", "link": "opc.tcp://masked", "unit": 1, "poll_ms": 1000}
    text = changed(**{"setpoint": None, **profile})
    plain = json.loads(json.dumps(list(events), allow_nan=False))
    return Capture({"device": said, "profile": yaml.safe_load(text)}, tuple(plain), "time", "", "x.jsonl")


class Session:
    """What the device's task does with a driver, and the one who records it."""

    def __init__(self, link, clock, **profile) -> None:
        table = model(changed(**{"setpoint": None, **profile})).table()
        device = Device("ess", "ess5", "opcua", "inverter", "opc.tcp://x", table, control=False)
        self.tap, self.events = Tap(clock), []
        self.driver = PLUGIN.driver(device, table, PLUGIN.tapped(link, self.tap), TapClock(clock, self.tap))

    def record(self) -> None:
        """From now on, beginning with what was kept of the connect, as a daemon does."""
        self.events[:] = self.tap.introduction
        self.tap.sink = self.events.append
        self.driver.refresh()
        self.tap.tell(refresh=True)

    async def connect(self) -> None:
        self.tap.connecting()
        await self.driver.connect()
        self.tap.connected()

    async def poll(self, times: int = 1) -> None:
        for _ in range(times):
            self.tap.sample(await self.driver.read())


def faked(said=TOLD, **profile):
    clock = FakeClock()
    link = FakeLink(clock, said)
    session = Session(link, clock, **profile)
    return session, link, clock


async def played(events, **profile):
    found = await replay(capture_of(events, **profile), find_plugins())
    assert found.faithful and len(found.samples) == found.recorded > 0
    return found


def test_the_plugin_can_be_recorded_and_masked():
    assert isinstance(PLUGIN, Recordable) and isinstance(PLUGIN, Masking)


async def test_what_was_asked_gives_the_same_samples_again():
    session, link, clock = faked(TOLD | {2258: Heard("DateTime", datetime(1970, 1, 1, tzinfo=UTC))})
    session.tap.sink = session.events.append
    await session.connect()
    for said in (
        Heard("Double", float("nan")), Heard("Double", 51.5, BAD), Heard("Double", 5.0, 0x4000_0000),
        Heard("Double", 1e300), Heard("[]Double", [1.0]), Heard("", None, NOT_THERE), Heard("Double", 50.0),
    ):  # fmt: skip
        link.said["Battery.SoC"] = said
        clock.ms += 1000
        await session.poll()
    found = await played(session.events)
    assert (found.recorded, found.identity["serial"]) == (7, "SN-1")
    qualities = [next(r.quality.name for r in s.readings()) for s in found.samples]
    assert qualities == ["ABSENT", "INVALID", "INVALID", "INVALID", "INVALID", "ABSENT", "GOOD"]


async def test_values_that_age_by_the_servers_clock_do_so_again():
    session, link, clock = faked(source_age_s=5)
    link.said |= {k: Heard(h.type, h.value, 0, 1_000) for k, h in TOLD.items()}
    link.said[2258] = Heard("DateTime", datetime(1970, 1, 1, 0, 0, 6, tzinfo=UTC))
    session.tap.sink = session.events.append
    await session.connect()
    await session.poll()
    link.said[2258] = Heard("DateTime", datetime(1970, 1, 1, 0, 0, 7, tzinfo=UTC))
    clock.ms += 1000
    await session.poll()
    found = await played(session.events, source_age_s=5)
    assert [next(r.quality.name for r in s.readings()) for s in found.samples] == ["GOOD", "STALE"]


@pytest.mark.parametrize("late", [False, True])
async def test_what_was_told_does_too_also_from_the_middle(late):
    """Late: values changed and samples fell due between the connect and the capture."""
    session, link, _ = faked(**SUBSCRIBED)
    link.messages = [(0, WHOLE)]
    link.messages += [(500, {"Grid.Power": Heard("Int32", n)} if n % 3 else {}) for n in range(40)]
    link.messages.insert(4, (250, {"Battery.SoC": Heard("Double", 12.5)}))
    if not late:
        session.tap.sink = session.events.append
    await session.connect()
    await session.poll(4 if late else 0)
    if late:
        session.record()
    await session.poll(12)
    found = await played(session.events, **SUBSCRIBED)
    assert found.recorded == 12 and found.samples[-1].values[0] == 1250


async def test_a_session_that_was_lost_is_seen_and_the_next_one_played():
    session, link, clock = faked(**SUBSCRIBED)
    session.tap.sink = session.events.append
    link.messages = [(0, WHOLE), (1000, {})]
    await session.connect()
    await session.poll(2)
    clock.ms += 2000
    with pytest.raises(LinkError):
        await session.poll()
    link.messages, link.sequence = [(0, WHOLE), (1000, {"Grid.Power": Heard("Int32", 5)})], 1
    link.counters.sessions += 1
    await session.connect()
    await session.poll(2)
    assert [e["number"] for e in session.events if "link" in e] == [1, 2]
    assert [e["failed"] for e in session.events if "failed" in e] == ["nothing within"]
    assert (await played(session.events, **SUBSCRIBED)).recorded == 4


async def test_a_table_of_hundreds_of_nodes_passes_in_pieces():
    """The longest event has to fit into a line of the local socket."""
    points = {
        f"battery_{n}_temperature_cc": {"node": f"s={'long' * 100}{n}", "type": "Int16"} for n in range(300)
    }
    for updates in ("asked", "subscribed"):
        session, link, clock = faked(points=points, updates=updates)
        session.tap.sink = session.events.append
        link.messages = [(0, {name: Heard("Int16", at) for at, name in enumerate(_names(points))})]
        await session.connect()
        clock.ms += 1000
        await session.poll()
        assert max(len(json.dumps(event)) for event in session.events if "sample" not in event) < 20_000
        found = await played(session.events, points=points, updates=updates)
        assert len(found.samples[0].values) == 300


def _names(points):
    return [point["node"][2:] for point in points.values()]


async def test_another_profile_reads_the_same_values_its_way():
    session, link, _ = faked(**SUBSCRIBED)
    link.messages = [(0, WHOLE), (1000, {})]
    session.tap.sink = session.events.append
    await session.connect()
    await session.poll(2)
    points = yaml.safe_load(PROFILE)["points"]
    two = {name: points[name] for name in ("grid_power_w", "battery_soc_bp")}
    other = two | {"grid_power_w": {"node": "s=Grid.Power", "type": "Int32", "negate": True}}
    found = await replay(capture_of(session.events, points=other, **SUBSCRIBED), find_plugins())
    assert len(found.samples) == 2 and not found.missed
    assert {(d.point, d.now and d.now[0]) for d in found.differences} >= {("grid_power_w", 300)}
    assert "battery_soc_bp" not in {d.point for d in found.differences}
    more = two | {"battery_current_ma": {"node": "s=Battery.Current", "type": "Double"}}
    found = await replay(capture_of(session.events, points=more, **SUBSCRIBED), find_plugins())
    assert not found.samples and "Battery.Current: not asked while" in found.missed[0][1]


async def test_what_was_written_is_on_the_tape_and_nobodys_business_in_playing():
    session, link, _ = faked()
    written = []

    async def write(node, type_, value, *, timeout_s, opens=False):
        if node.identifier == "No":
            raise LinkError("refused")
        written.append((node, type_, value, opens))

    link.write = write
    session.tap.sink = session.events.append
    await session.connect()
    wire = session.driver._link
    await wire.write(parse("s=Control.Power", NAMESPACE), "Double", -1.5, timeout_s=1, opens=True)
    with pytest.raises(LinkError):
        await wire.write(parse("s=No", NAMESPACE), "Double", float("inf"), timeout_s=1)
    await session.poll()
    assert [(e["type"], e["value"], e.get("failed")) for e in session.events if "write" in e] == [
        ("Double", -1.5, None),
        ("Double", "Infinity", "refused"),
    ]
    assert written[0][2:] == (-1.5, True)
    await played(session.events)


async def test_masked_the_serial_number_is_gone_and_the_rest_stays():
    session, _, _ = faked()
    session.tap.sink = session.events.append
    await session.connect()
    await session.poll()
    mask = masker(model(changed(setpoint=None)).table())
    hidden = [mask(event) for event in session.events]
    assert "SN-1" in json.dumps(session.events) and "SN-1" not in json.dumps(hidden)
    assert sum(a != b for a, b in zip(session.events, hidden, strict=True)) == 1
    assert (await played(hidden)).identity["serial"] == "XXXXXX"
    assert (
        masker(model(changed(setpoint=None, identity=None)).table())(session.events[1]) is session.events[1]
    )


def test_nobody_listening_costs_nothing():
    async def main():
        session, link, _ = faked(**SUBSCRIBED)
        link.messages = [(0, WHOLE), (1000, {})]
        await session.driver.connect()
        await session.driver.read()
        assert not session.events and not session.tap.introduction

    asyncio.run(main())


def test_playing_needs_neither_library():
    """A capture is played on any computer: the extras are for talking to devices."""
    code = (
        "import sys; sys.modules['asyncua'] = sys.modules['bleak'] = None\n"
        "from gateway import cli\n"
        "sys.exit(max(cli.main(['replay', name]) for name in sys.argv[1:]))"
    )
    files = [f"tests/recorded/captures/{name}.jsonl" for name in ("node_opcua_ess", "bumble_jk")]
    words = [sys.executable, "-c", code, *files]
    done = subprocess.run(words, check=False, timeout=60, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("readings are as recorded") == 2


KEYS = ("read", "got", "subscribe", "left", "silence_ms", "told", "more", "failed")
LEAF = st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.just(SOC), st.floats(), st.text(max_size=3))
VALUE = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=4), max_leaves=6)
GOOD_VALUE = st.just([["Double", 1.0, 0, None]])
EVENT = st.dictionaries(st.sampled_from(KEYS), st.one_of(VALUE, GOOD_VALUE, st.just([SOC])), max_size=4)


@given(st.lists(EVENT, max_size=8))
async def test_whatever_stands_on_a_tape_is_an_answer_or_a_link_error(said):
    tape = Tape([{"ms": at, **event} for at, event in enumerate(said)])
    link, node = TapeLink(tape), parse(SOC)
    try:
        (heard,) = await link.read([node], timeout_s=1)
        assert isinstance(heard, Heard)
    except LinkError:
        pass
    try:
        made = await link.subscribe([Item(node, 500)], 500, timeout_s=1)
        await link.hear(made, timeout_s=1)
        assert isinstance(made.feed, Feed)
    except LinkError:
        pass
    await link.close()
