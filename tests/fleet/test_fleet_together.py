"""A site that leaves its records to a relayer, and the relayer: each record once, whoever of them lives."""

import random
from contextlib import asynccontextmanager

import pytest

from gateway.fleet.gather import Gatherer
from gateway.fleet.member import Member
from gateway.fleet.relayer import Relayer
from gateway.fleet.settings import FleetSite, Pace
from gateway.store import records
from tests.chain.people import SITE, delivery, interval
from tests.chain.world import CHAIN_ID, Endpoint, KeySigner, World, world
from tests.fleet.scene import page_of
from tests.gateway.test_chain_outbox import Site
from tests.sim.loop import run

PATIENCE_MS = 1_200_000


class Left(Site):
    """The site, with its outbox and manager."""

    patience_ms = PATIENCE_MS


class Bringing:
    """The relayer, with a store and a key of its own, on the site's chain."""

    def __init__(self, site: Left, own: World) -> None:
        self.site, self.own = site, own
        contract = site.market.contracts["verification"].lower()
        named = FleetSite(SITE, "http://meadow", site.w.signer.address, contract)
        self.member = Member(named, 500)
        self.manager = own.manager()
        self.relayer = Relayer(
            [self.member], own.quorum(), own.store, own.clock, Pace(10, 60_000), own.signer.address,
            self.manager.wake,
        )  # fmt: skip
        self.gatherer = Gatherer(
            [self.member], self, own.quorum(), own.store, own.clock, lambda: 0.5,
            chain_id=CHAIN_ID, poll_ms=60_000,
        )  # fmt: skip

    async def page(self, _: FleetSite, after: int) -> bytes:
        entries = await self.site.w.store.call(records.entries, after)
        return page_of([entry.record for entry in entries], after)

    async def step(self) -> None:
        while (member := self.gatherer._next()) is not None:
            await self.gatherer.look(member)
        await self.relayer.tick()
        await self.manager.tick()


@asynccontextmanager
async def together(clock, folder):
    for name in ("site", "relayer"):
        (folder / name).mkdir(parents=True)
    async with world(clock, folder / "site") as w:
        site = await Left(w).begin()
        own = World(clock, folder / "relayer")
        own.evm, own.signer = w.evm, KeySigner(w.evm.keys[4])
        own.a, own.b = Endpoint("c.example", w.evm), Endpoint("d.example", w.evm)
        await own.store.open()
        try:
            yield site, Bringing(site, own)
        finally:
            await own.store.close()


def carried(site: Left, own: World, record) -> tuple[int, int]:
    """How often a record is in the site's and in the relayer's mined calls."""
    word = record.signature[:32]
    return sum(d.count(word) for d in site.w.payloads()), sum(d.count(word) for d in own.payloads())


async def a_minute_and_a_half(site: Left, bringing: Bringing | None) -> None:
    if bringing:
        await bringing.step()
    await site.outbox.tick()
    await site.manager.tick()
    site.w.pass_ms(78_000)
    site.w.block()


async def _played(clock, folder, seed: int) -> None:
    dice = random.Random(seed)
    async with together(clock, folder) as (site, bringing):
        alive, signed = True, 0
        for turn in range(80):
            if turn % 20 == 0:
                alive = turn == 0 or dice.random() < 0.5
            if dice.random() < 0.25:
                body = interval(signed) if dice.random() < 0.9 else delivery(f"{signed:064x}", 1, 2, 3)
                signed = await site.attestor.attest(body)
            await a_minute_and_a_half(site, bringing if alive else None)
        for _ in range(25):
            await a_minute_and_a_half(site, bringing)
        assert await site.last() == signed > 10
        assert await site.attestor.confirmed() == list(range(1, signed + 1))
        entries = await site.w.store.call(records.entries)
        shares = [carried(site, bringing.own, entry.record) for entry in entries]
        assert all(sum(share) == 1 for share in shares), shares
        assert all(sum(side) > 0 for side in zip(*shares, strict=True)), "both had something to do"
        assert bringing.member.brought == sum(brought for _, brought in shares)
        assert bringing.member.trouble == ""


@pytest.mark.parametrize("seed", [7])
def test_each_record_arrives_once_whether_the_relayer_lives_or_not(tmp_path, seed):
    async def main(clock):
        await _played(clock, tmp_path, seed)

    run(main)


def test_while_the_relayer_lives_the_site_sends_nothing(tmp_path):
    async def main(clock):
        async with together(clock, tmp_path) as (site, bringing):
            for turn in range(40):
                if turn < 28 and turn % 4 == 0:
                    await site.attestor.attest(interval(turn))
                await a_minute_and_a_half(site, bringing)
            assert await site.attestor.confirmed() == list(range(1, 8))
            assert site.w.used_nonces() == {}
            assert bringing.member.brought == 7

    run(main)
