"""The driver over a link that is none: poll classes, subscriptions, qualities, and nothing but numbers."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua.codec import Heard
from drivers.opcua.driver import OpcUaDriver
from drivers.opcua.feed import Feed, Subscription
from drivers.opcua.link import Counters
from gateway.errors import DeviceRefused, LinkError
from gateway.model import ClockTrust, Quality, Stamp
from gateway.site import Device
from tests.drivers.test_opcua_codec import anything, names
from tests.drivers.test_opcua_profile import changed, model

BAD = 0x8003_0000
NOT_THERE = 0x8034_0000
TOLD = {
    "Battery.SoC": Heard("Double", 50.0),
    "Battery.Power": Heard("Double", -1.5),
    1002: Heard("Float", 51.25),
    "Grid.Power": Heard("Int32", -300),
    "Info.Serial": Heard("String", "SN-1\x00\n"),
}


class FakeClock:
    def __init__(self):
        self.ms = 10_000

    def mono_ms(self):
        return self.ms

    def now(self):
        return Stamp(self.ms, self.ms, ClockTrust.TRUSTED)


class FakeLink:
    """Says what it was told to; `messages` are what a subscription hears, one after the other."""

    url, certificate = "opc.tcp://x", "ab" * 32

    def __init__(self, clock, said=TOLD, silence_ms=1000):
        self.clock, self.said, self.silence_ms = clock, dict(said), silence_ms
        self.counters, self.ended = Counters(sessions=1), []
        self.asked, self.subscribed, self.messages, self.sequence = [], [], [], 1

    async def read(self, nodes, *, timeout_s):
        self.asked.append([node.identifier for node in nodes])
        return [self.said.get(node.identifier, Heard("Int16", 20)) for node in nodes]

    async def subscribe(self, items, interval_ms, *, timeout_s):
        self.subscribed.append((interval_ms, [item.sampling_ms for item in items]))
        self.nodes = [item.node.identifier for item in items]
        self.timed = {item.timed for item in items}
        return Subscription(Feed(len(items)), None, self.silence_ms)

    async def unsubscribe(self, subscription, *, timeout_s):
        self.ended.append(subscription)

    async def hear(self, subscription, *, timeout_s):
        if subscription.feed.fresh:
            return
        if not self.messages:
            raise LinkError("nothing within")
        after_ms, changes = self.messages.pop(0)
        self.clock.ms += after_ms
        pairs = [(self.nodes.index(name), heard) for name, heard in changes.items()]
        subscription.feed.take(
            pairs,
            sequence=self.sequence,
            empty=not pairs,
            more=False,
            stamp=self.clock.now(),
        )
        self.sequence += bool(pairs)


def driver(text=None, said=TOLD, **more):
    table = model(text or changed(setpoint=None)).table()
    clock = FakeClock()
    link = FakeLink(clock, said, **more)
    return OpcUaDriver(
        Device("ess", "p", "opcua", "inverter", "opc.tcp://x", table), table, link, clock
    ), link


SUBSCRIBED = changed(setpoint=None, updates="subscribed")
FIRST = {**{name: heard for name, heard in TOLD.items() if name != "Info.Serial"}}


async def test_it_says_what_it_is_and_reads_every_point_once():
    ess, link = driver()
    assert await ess.connect() == {
        "vendor": "Example",
        "model": "ESS-5",
        "serial": "SN-1",
        "certificate": f"sha256:{'ab' * 32}",
    }
    assert len(link.asked[-1]) == 5


async def test_slow_points_come_every_four_seconds_or_when_wanted():
    ess, link = driver()
    await ess.connect()
    sample = await ess.read()
    assert sample.values == (5000, 1500, 51250, -300) and set(sample.qualities) == {Quality.GOOD}
    assert sample.points is (await ess.read()).points
    link.clock.ms += 4000
    assert (await ess.read()).values == (5000, 1500, 51250, -300, 200)
    assert len((await ess.read()).values) == 4
    ess.refresh()
    assert len((await ess.read()).values) == 5


async def test_the_moment_is_that_before_the_question():
    ess, link = driver()
    await ess.connect()
    asked = link.read

    async def slowly(nodes, *, timeout_s):
        link.clock.ms += 700
        return await asked(nodes, timeout_s=timeout_s)

    link.read = slowly
    assert (await ess.read()).stamp.mono_ms == 10_000


async def test_a_server_without_the_nodes_is_another_device():
    ess, _ = driver(said=dict.fromkeys([*TOLD, *_ids()], Heard("", None, NOT_THERE)))
    with pytest.raises(DeviceRefused, match="none of the nodes of p; is the profile the right one"):
        await ess.connect()


def _ids():
    return [field.node.identifier for field in model().table().slow]


async def test_what_is_of_another_type_is_counted_and_no_number():
    ess, _ = driver(said=TOLD | {"Battery.SoC": Heard("String", "50"), "Grid.Power": Heard("Int32", 7, BAD)})
    await ess.connect()
    before = ess.dropped
    sample = await ess.read()
    assert (sample.values[0], sample.qualities[0]) == (0, Quality.INVALID)
    assert (sample.values[3], sample.qualities[3]) == (0, Quality.INVALID)
    assert ess.dropped == before + 1  # a bad status says nothing of its type


async def test_a_subscribed_device_is_sampled_when_it_speaks():
    ess, link = driver(SUBSCRIBED)
    link.messages = [
        (100, FIRST),
        (0, {_ids()[0]: Heard("Int16", 21)}),
        (1000, {}),
        (1000, {"Grid.Power": Heard("Int32", 5)}),
    ]
    await ess.connect()
    assert ess.pushed and link.subscribed == [(500, [500] * 4 + [4000])]
    first, second, third = [await ess.read() for _ in range(3)]
    assert first.values == (5000, 1500, 51250, -300, 210)
    assert second.values == first.values and second.stamp.mono_ms == first.stamp.mono_ms + 1000
    assert third.values[3] == 5


async def test_a_server_that_speaks_more_often_makes_no_more_samples():
    ess, link = driver(SUBSCRIBED)
    link.messages = [(0, FIRST | {_ids()[0]: Heard("Int16", 21)})]
    link.messages += [(250, {"Grid.Power": Heard("Int32", n)}) for n in range(6)]
    await ess.connect()
    await ess.read()
    sample = await ess.read()
    assert sample.values[3] == 2 and sample.stamp.mono_ms == 10_750


async def test_a_silent_server_is_an_error_and_no_old_value():
    ess, link = driver(SUBSCRIBED)
    link.messages = [(0, FIRST | {_ids()[0]: Heard("Int16", 21)})]
    await ess.connect()
    await ess.read()
    with pytest.raises(LinkError):
        await ess.read()


async def test_a_server_that_is_silent_for_long_by_itself_cannot_be_subscribed_to():
    ess, link = driver(SUBSCRIBED, silence_ms=10_000)
    with pytest.raises(LinkError, match=r"only each 10 s that it is alive: write updates: asked"):
        await ess.connect()
    assert len(link.ended) == 1


async def test_a_device_that_connects_again_is_subscribed_to_once():
    ess, link = driver(SUBSCRIBED)
    for n in (1, 2):
        link.messages, link.sequence = [(0, FIRST | {_ids()[0]: Heard("Int16", 21)})], 1
        await ess.connect()
        assert (len(link.subscribed), len(link.ended)) == (n, n - 1)


async def test_a_subscription_ages_by_the_servers_clock():
    ess, link = driver(changed(setpoint=None, updates="subscribed", source_age_s=5))
    said = {name: Heard(h.type, h.value, 0, 10_000) for name, h in FIRST.items()}
    said[_ids()[0]] = Heard("Int16", 21, 0, 10_000)
    moved = {"Grid.Power": Heard("Int32", 5, 0, 16_000)}
    time = {
        second: {2258: Heard("DateTime", datetime(1970, 1, 1, 0, 0, second, tzinfo=UTC))}
        for second in (12, 15, 16)
    }
    link.messages = [(0, said | time[12]), (3000, time[15]), (3000, moved | time[16])]
    await ess.connect()
    qualities = [list((await ess.read()).qualities) for _ in range(3)]
    assert link.timed == {True, False}  # a value that stays the same is told again when its time moves
    assert qualities[0] == qualities[1] == [Quality.GOOD] * 5
    assert qualities[2] == [Quality.STALE] * 3 + [Quality.GOOD, Quality.STALE]


async def test_what_is_asked_ages_by_the_servers_clock_too():
    ess, link = driver(
        changed(setpoint=None, source_age_s=5), {k: Heard(h.type, h.value, 0, 1_000) for k, h in TOLD.items()}
    )
    link.said[2258] = Heard("DateTime", datetime(1970, 1, 1, 0, 0, 6, tzinfo=UTC))
    await ess.connect()
    assert set((await ess.read()).qualities) == {Quality.GOOD}
    for said in (datetime(1970, 1, 1, 0, 0, 7, tzinfo=UTC), datetime(1970, 1, 1), "now", None):  # noqa: DTZ001
        link.said[2258] = Heard("DateTime", said)
        assert set((await ess.read()).qualities) == {Quality.STALE}


@pytest.mark.parametrize("updates", ["asked", "subscribed"])
async def test_a_server_whose_clock_stands_makes_nothing_look_young(updates):
    """Its values stand with it: source times that are as old as its own never get older."""
    ess, link = driver(changed(setpoint=None, updates=updates, source_age_s=5))
    time = {2258: Heard("DateTime", datetime(1970, 1, 1, 0, 0, 10, tzinfo=UTC))}
    said = {name: Heard(h.type, h.value, 0, 10_000) for name, h in FIRST.items()}
    said |= {_ids()[0]: Heard("Int16", 21, 0, 10_000)} | time
    link.said |= said
    link.messages = [(0, said)] + [(1000, {"Grid.Power": Heard("Int32", n, 0, 10_000)}) for n in range(8)]
    await ess.connect()
    qualities = []
    for _ in range(9):
        qualities.append(set((await ess.read()).qualities))
        link.clock.ms += 1000 * (updates == "asked")
    assert qualities[:5] == [{Quality.GOOD}] * 5 and qualities[6:] == [{Quality.STALE}] * 3
    moved = {2258: Heard("DateTime", datetime(1970, 1, 1, 0, 0, 12, tzinfo=UTC))}
    link.said |= moved
    link.messages.append((1000, moved))
    assert set((await ess.read()).qualities) == {Quality.GOOD}


async def test_it_reads_nothing_before_it_was_connected():
    ess, _ = driver(SUBSCRIBED)
    with pytest.raises(LinkError, match="not connected"):
        await ess.read()


@given(
    st.dictionaries(
        st.sampled_from([*TOLD, *_ids()]), st.builds(Heard, names, anything, st.integers(0, 2**32 - 1))
    )
)
async def test_whatever_a_server_says_makes_a_whole_sample_of_integers(said):
    ess, _ = driver(said=TOLD | said)
    try:
        await ess.connect()
    except DeviceRefused:
        return
    ess.refresh()
    sample = await ess.read()
    assert len(sample.values) == len(sample.qualities) == 5
    for name, value, quality in zip([*TOLD, *_ids()][:4], sample.values, sample.qualities, strict=False):
        assert type(value) is int
        if quality == Quality.GOOD and name in said:
            field = next(f for f in ess._fields if f.node.identifier == name)
            assert said[name].type == field.type and said[name].status >> 30 == 0
