"""Sites of a fleet for tests: each signs a real chain of records; what their REST says is made of them.

`Rest` is a mock of the sites' HTTP (test_fleet_ask and test_fleet_process have the real one): it can be
down, or lie. `Scene` is the real contract on the rig's EVM, in virtual time, with relayers that come and go.
"""

import json
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from rig import deploy

from gateway.errors import LinkError
from gateway.evidence import records
from gateway.evidence.shown import shown
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import GENESIS, Body, Domain
from gateway.fleet.gather import Gatherer
from gateway.fleet.member import Member
from gateway.fleet.page import LIMIT
from gateway.fleet.relayer import Relayer
from gateway.fleet.settings import FleetSite, Pace
from gateway.model import Record
from tests.chain.people import interval
from tests.chain.world import CHAIN_ID, Direct, World, world

CONTRACT = "0x" + "c0" * 20


@dataclass
class Signing:
    """A site: its key and what it has signed."""

    number: int
    contract: str = CONTRACT
    chain_id: int = CHAIN_ID
    made: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = KeySigner((1000 + self.number).to_bytes(32, "big"))

    @property
    def name(self) -> str:
        return f"site-{self.number}"

    @property
    def settings(self) -> FleetSite:
        return FleetSite(self.name, f"http://{self.name}", self.key.address, self.contract.lower())

    def sign(self, body: Body | None = None, *, contract: str = "", sequence: int = 0) -> Record:
        """The next record; an interval unless told otherwise. `sequence`: a jump, as a gap may."""
        last = self.made[-1] if self.made else None
        place = (last.sequence + 1, last.digest) if last else (1, GENESIS)
        domain = Domain(self.chain_id, (contract or self.contract).lower())
        body = body or interval(place[0])
        sealed = records.seal(domain, self.name, sequence or place[0], place[1], body)
        record = records.signed(sealed, self.key.sign(sealed.digest))
        self.made.append(record)
        return record


def page_of(found: list[Record], after: int) -> bytes:
    """The answer of the route, as gateway.uplink.http.evidence makes it."""
    rows = [{**shown(r), "state": "signed"} for r in found if r.sequence > after][:LIMIT]
    return json.dumps(
        {"records": rows, "next": rows[-1]["sequence"] if len(rows) == LIMIT else None}
    ).encode()


def forged(record: Record) -> Record:
    """The same with another energy in it: somebody would be paid more."""
    body = json.loads(record.body)
    body["charged_wh"] += 1
    return replace(record, body=json.dumps(body, sort_keys=True, separators=(",", ":")))


class Rest:
    """The sites' REST without a wire. `down`: names that do not answer; `lies`: what they say instead."""

    def __init__(self, sites: list[Signing]) -> None:
        self.sites = {site.name: site for site in sites}
        self.down: set[str] = set()
        self.lies: dict[str, Callable[[list[Record]], list[Record]]] = {}
        self.asked: list[tuple[str, int]] = []

    async def page(self, site: FleetSite, after: int) -> bytes:
        self.asked.append((site.name, after))
        if site.name in self.down:
            raise LinkError(f"{site.url}: not reachable: scripted outage")
        found = self.sites[site.name].made
        return page_of(self.lies.get(site.name, list)(found), after)


class Killed(Exception):
    """The process is no more; what the store has committed is all that is left."""


class Scene:
    """Sites with bound keys on one world, and a relayer that can be killed and begun again."""

    def __init__(self, w: World) -> None:
        self.w = w
        self.kill_in: int | None = None  # half steps around transactions of the store until a kill
        self._store_call, w.store.call = w.store.call, self._call
        self.jitter = lambda: 0.5

    async def begin(self, count: int, *, pace: Pace | None = None, bound: int | None = None) -> "Scene":
        w, self.pace = self.w, pace or Pace(100, 60_000)
        contracts = await deploy.deploy(Direct(w.evm), w.evm.keys[0])
        self.contract = contracts["verification"]
        self.market = deploy.Market(Direct(w.evm), contracts, w.evm.keys[0], w.evm.keys[1])
        self.sites = [Signing(n, self.contract) for n in range(1, count + 1)]
        for site in self.sites[:bound]:
            await self.bind(site)
        self.rest = Rest(self.sites)
        w.clock.wall_offset_ms += 20_000 + 3_000 * count  # each block above took a second of the chain's time
        w.block(w.policy.confirmations)
        self.restart()
        return self

    async def _call(self, *words):
        """A transaction of the store: a kill may come before it or after it."""
        self._near_death()
        found = await self._store_call(*words)
        self._near_death()
        return found

    def _near_death(self) -> None:
        if self.kill_in is not None:
            self.kill_in -= 1
            if self.kill_in < 0:
                raise Killed

    async def bind(self, site: Signing) -> None:
        await self.market.register_storage(site.key, site.name, fund_wei=0)

    def restart(self) -> None:
        """Another process on the same store."""
        w = self.w
        self.manager = w.manager()
        self.members = [Member(site.settings, 200) for site in self.sites]
        self.relayer = Relayer(
            self.members, w.quorum(), w.store, w.clock, self.pace, w.signer.address, self.manager.wake
        )
        self.gatherer = Gatherer(
            self.members, self.rest, w.quorum(), w.store, w.clock, self.jitter,
            chain_id=CHAIN_ID, poll_ms=60_000,
        )  # fmt: skip

    async def gather(self) -> None:
        """Ask whoever is due, as the workers do."""
        for _ in range(8 * len(self.members)):
            if (member := self.gatherer._next()) is None:
                return
            await self.gatherer.look(member)

    async def round(self) -> None:
        await self.gather()
        await self.relayer.tick()
        await self.manager.tick()
        self.w.block()

    async def rounds(self, count: int) -> None:
        for _ in range(count):
            await self.round()

    async def last(self) -> list[int]:
        return [await self.market.last_sequence(site.key.address) for site in self.sites]

    def carried(self) -> list[bytes]:
        """The calldata of every call that was mined for the relayer."""
        return self.w.payloads()

    def times(self, record: Record) -> int:
        """How often a record was in a mined call: its signature's r is in each of them."""
        return sum(data.count(record.signature[:32]) for data in self.carried())

    def member(self, site: Signing) -> Member:
        return next(m for m in self.members if m.site.name == site.name)


@asynccontextmanager
async def scene(clock, folder: Path, count: int, **how):
    async with world(clock, folder) as w:
        yield await Scene(w).begin(count, **how)
