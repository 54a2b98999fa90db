"""A week without network: then everything goes out, in order, in small pieces, and control is on time.

The gateway was started without network, so nothing of the week is sealed: the contract must be asked first.
The week's readings are put into the store (every four minutes, instead of a week simulated); all else is the
real Daemon in virtual time, with a broker and a chain that are away, come back, and go once more in between.
"""

import asyncio
import json
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiomqtt import MqttError

from gateway.daemon import Daemon
from gateway.model import ClockTrust, Point, Sample, Stamp
from gateway.site import StoreSettings
from gateway.store import Store, intents, retention, samples
from gateway.store.records import RecordState
from gateway.store.retention import Policy
from gateway.uplink import mqtt
from tests.chain.world import Direct
from tests.sim.chained import Chained, chained
from tests.sim.loop import VirtualClock, run
from tests.sim.rigged import MIDNIGHT_MS, Rigged
from tests.system.ledger import chain_story

WEEK_MS, EVERY_MS = 7 * 86_400_000, 240_000
PERIODS = 7 * 12
POINTS = {
    "meter": (Point("meter", "grid_power_w"), Point("meter", "grid_voltage_mv")),
    "inverter": (Point("inverter", "battery_power_w"), Point("inverter", "pv_power_w")),
    "bms": (Point("bms", "battery_soc_bp"),),
}
ROWS_MAX = 1000  # of any answer of the store: no reader takes the week at once
OPEN_MAX = 24  # calls of the chain: fewer than there are periods, so that the queue is full for long


class Broker:
    """A broker by its client's interface: what it is given, how much of it at once, and when it is away."""

    def __init__(self) -> None:
        self.away = True
        self.texts: list[tuple[str, str]] = []
        self.flying = self.most = 0
        self.connections = 0

    def client(self, *_: Any, **__: Any) -> "Client":
        return Client(self)

    def readings(self) -> list[tuple[str, str]]:
        return [(topic, text) for topic, text in self.texts if topic.split("/")[-1] in POINTS]

    def samples(self) -> list[int]:
        """The numbers of the samples that came, as they came."""
        return [int(json.loads(text)["id"].rpartition("-")[2]) for _, text in self.readings()]


class Client:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def __aenter__(self) -> "Client":
        await asyncio.sleep(1)
        if self._broker.away:
            raise MqttError("no route to host")
        self._broker.connections += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    @property
    def messages(self) -> AsyncIterator[Any]:
        return self._none()

    async def _none(self) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield

    async def publish(self, topic: str, text: str, **_: Any) -> None:
        broker = self._broker
        broker.flying += 1
        broker.most = max(broker.most, broker.flying)
        try:
            broker.texts.append((topic, text))  # it arrives, whether or not its acknowledgement does
            await asyncio.sleep(0.05)
            if broker.away:
                raise MqttError("the connection is gone")
        finally:
            broker.flying -= 1


async def fill(rigged: Rigged) -> int:
    """The week that was: its last sample's number."""
    store = Store(StoreSettings(rigged.folder / "store.db"), rigged.clock, threaded=False)
    await store.open()
    week = [
        Sample(
            name,
            Stamp(at_ms, at_ms, ClockTrust.TRUSTED),
            points,
            tuple(range(len(points))),
            bytes(len(points)),
        )
        for at_ms in range(MIDNIGHT_MS - WEEK_MS, MIDNIGHT_MS - 60_000, EVERY_MS)
        for name, points in POINTS.items()
    ]
    last = await store.call(samples.insert_many, week, store.boot, store.sets)
    await store.close()
    return last


class Watch:
    """How much the store was asked for at once, and how many calls of the chain were open at once."""

    def __init__(self, daemon: Daemon, patch: pytest.MonkeyPatch) -> None:
        self.rows = self.open = 0
        self._call = daemon.store.call
        patch.setattr(daemon.store, "call", self._counted)

    async def _counted(self, fn: Any, *args: Any, **named: Any) -> Any:
        found = await self._call(fn, *args, **named)
        if isinstance(found, list):
            self.rows = max(self.rows, len(found))
        if fn is intents.add:
            self.open = max(self.open, await self._call(intents.count_open))
        return found


@dataclass
class Site:
    """The site, the two it speaks to, and what is watched."""

    rigged: Rigged
    daemon: Daemon
    broker: Broker
    chain: Chained
    watch: Watch
    week: int  # the last sample of it

    def network(self, *, there: bool) -> None:
        self.chain.down(not there)
        self.broker.away = not there

    @property
    def published(self) -> int:
        return (self.daemon.uplink.position if self.daemon.uplink else 0) or 0

    def count(self, table: str, where: str) -> int:
        ((found,),) = self.rigged.rows(f"SELECT count(*) FROM {table} WHERE {where}")
        return int(found)

    async def until(self, holds: Callable[[], bool], seconds: int) -> None:
        for _ in range(0, seconds, 2):
            if holds():
                return
            await asyncio.sleep(2)
        raise AssertionError(f"not within {seconds} s: {self.daemon.supervisor.troubles}")

    async def carries_out(self, power_w: int) -> None:
        """An order of a minute, begun and ended as in any week."""
        assert (await self.rigged.order(power_w, 60))["admitted"]
        await asyncio.sleep(30)
        assert self.daemon.control.status.commanded_w == power_w
        await asyncio.sleep(40)
        assert self.daemon.control.status.command is None


@asynccontextmanager
async def after_a_week(clock: VirtualClock, folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    broker = Broker()
    patch.setattr(mqtt, "Client", broker.client)
    patch.setattr(intents, "OPEN_MAX", OPEN_MAX)
    rigged = Rigged(clock, folder, every="120 min", poll="2 s", commit="10 s", before_midnight_s=-10)
    rigged.add('mqtt: {url: "mqtt://broker.example:1883"}\n')
    async with chained(rigged) as chain:
        week = await fill(rigged)
        daemon = rigged.daemon()
        site = Site(rigged, daemon, broker, chain, Watch(daemon, patch), week)
        site.network(there=False)
        async with rigged.running(daemon):
            yield site


def test_a_week_goes_out_in_order_and_control_is_on_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(clock: VirtualClock) -> Site:
        async with after_a_week(clock, tmp_path, monkeypatch) as site:
            began_ms = clock.mono_ms()
            await asyncio.sleep(60)
            await site.carries_out(2000)
            assert (site.broker.texts, site.count("record", "1")) == ([], 0), "nothing is sealed unasked"
            site.network(there=True)
            await site.until(lambda: len(site.broker.texts) > 2000, 60)
            await site.until(lambda: site.count("record", "state = 'confirmed'") > 10, 300)
            assert site.count("record", "state <> 'confirmed'") > 30
            site.network(there=False)
            await site.carries_out(-1500)
            site.network(there=True)
            await site.carries_out(1000)
            await site.until(lambda: site.published > site.week, 900)
            await site.until(lambda: site.count("record", "state <> 'confirmed'") == 0, 1800)
            status = site.daemon.control.status
            assert status.late_cycles == 0
            assert abs(status.cycles - (clock.mono_ms() - began_ms) / 1000) <= 1
            await landed_once_and_in_order(site)
        return site

    site = run(script)
    published_in_order(site)
    assert site.rigged.plant.witness.outside == 0
    assert site.rigged.rows("SELECT state FROM command") == [("done",)] * 3
    assert site.watch.rows <= ROWS_MAX < site.week
    assert 0 < site.broker.most <= mqtt.WINDOW
    assert OPEN_MAX // 2 < site.watch.open <= OPEN_MAX < PERIODS
    policy = Policy(RecordState.CONFIRMED, (mqtt.CURSOR,))
    with closing(sqlite3.connect(tmp_path / "store.db")) as conn:
        assert retention.settled_through(conn, policy) >= site.week, "all of the week may go now"


def published_in_order(site: Site) -> None:
    """At least once, the same each time; without the repeats one after the other, none left out."""
    came = site.broker.samples()
    once = list(dict.fromkeys(came))
    assert once == list(range(1, len(once) + 1)) and len(once) >= site.week
    assert len(came) > len(once), "what was not acknowledged came again"
    assert site.broker.connections == 2
    texts: dict[int, set[str]] = defaultdict(set)
    for number, (_, text) in zip(came, site.broker.readings(), strict=True):
        texts[number].add(text)
    assert {len(found) for found in texts.values()} == {1}


async def landed_once_and_in_order(site: Site) -> None:
    accepted, _ = await chain_story(Direct(site.chain.evm), site.chain.address)
    assert list(accepted) == sorted(accepted) and len(accepted) >= PERIODS
    assert {len(digests) for digests in accepted.values()} == {1}
    stored = dict(
        site.rigged.rows("SELECT sequence, digest FROM record WHERE kind IN ('interval', 'delivery')")
    )
    assert {n: digests[0] for n, digests in accepted.items() if n in stored} == stored
    assert site.count("record", "kind = 'interval'") >= PERIODS
