"""Who is asked when, and what is known of a site afterwards; hand-overs of its key are followed."""

import asyncio

import pytest

from gateway.errors import ChainError
from gateway.evidence import possession
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import (
    NO_CHAIN,
    Domain,
    Gap,
    GapCause,
    Revocation,
    RevocationReason,
    Rotation,
)
from gateway.fleet import flights, gather
from gateway.fleet.gather import Gatherer
from gateway.fleet.member import Member
from gateway.site import StoreSettings
from gateway.store import Store
from tests.chain.world import CHAIN_ID
from tests.fleet.scene import Rest, Signing
from tests.gateway.stores import HandClock

POLL_MS = 60_000


class Contract:
    """A mock of the chain: what lastSequence answers, by address."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}
        self.down = False
        self.asked = 0

    async def view(self, to: str, data: bytes, depth: int = 1) -> bytes:
        self.asked += 1
        if self.down:
            raise ChainError("scripted outage")
        return self.last.get("0x" + data[-20:].hex(), 0).to_bytes(32, "big")


class Bench:
    def __init__(self, store: Store, count: int) -> None:
        self.sites = [Signing(n) for n in range(1, count + 1)]
        self.members = [Member(site.settings, 100) for site in self.sites]
        self.rest, self.contract, self.clock, self.store = (
            Rest(self.sites),
            Contract(),
            HandClock(1000),
            store,
        )
        self.gatherer = Gatherer(
            self.members, self.rest, self.contract, store, self.clock, lambda: 0.5,
            chain_id=CHAIN_ID, poll_ms=POLL_MS,
        )  # fmt: skip

    async def look(self, times: int = 1) -> Member:
        for _ in range(times):
            await self.gatherer.look(self.members[0])
        return self.members[0]

    def found(self) -> list[int]:
        return [piece.sequence for piece in self.members[0].pieces]


@pytest.fixture
async def bench(tmp_path):
    store = Store(StoreSettings(tmp_path / "store.db"), HandClock(), threaded=False)
    await store.open()
    yield Bench(store, 3)
    await store.close()


async def test_a_first_look_asks_the_contract_then_the_site(bench):
    for _ in range(4):
        bench.sites[0].sign()
    bench.contract.last[bench.sites[0].key.address.lower()] = 2
    member = await bench.look()
    assert (member.last, bench.found()) == (2, [3, 4])
    assert bench.rest.asked == [(member.site.name, 1)], "with the record that the next one names"
    assert member.due_ms == 1000 + POLL_MS
    await bench.look()
    assert bench.contract.asked == 1, "what is known is not asked again"


async def test_what_flew_before_a_start_is_waited_for(bench):
    bench.sites[0].sign()
    await bench.store.call(flights.begin, "0x" + "c0" * 20, b"", 1, [bench.sites[0].name], 0)
    member = await bench.look()
    assert (member.flying, member.last, bench.rest.asked) == ("relay/1", None, [])
    assert bench.gatherer._next() is not member, "it is asked when that has ended"


async def test_a_key_that_handed_over_is_followed(bench):
    site, after = bench.sites[0], KeySigner(b"\x77" * 32)
    site.sign()
    domain = Domain(CHAIN_ID, site.contract)
    agreed = after.sign(possession.digest(domain, site.key.address, 7, site.name))
    site.sign(Rotation(5, after.address.lower(), 7, agreed))
    first = site.key
    member = await bench.look()
    assert bench.found() == [1, 2]
    site.key = after
    site.sign(), site.sign()
    await bench.look()
    assert bench.found() == [1, 2], "what the next key signed waits until the contract knows it"
    bench.contract.last |= {first.address.lower(): 2, after.address.lower(): 2}
    member.doubt()
    await bench.look(2)
    assert (member.key, member.last, bench.found(), member.trouble) == (after.address, 2, [3, 4], "")


async def test_a_long_stretch_for_another_contract_is_passed_over_in_several_looks(bench, monkeypatch):
    monkeypatch.setattr(gather, "PAGES_MAX", 2)
    site = bench.sites[0]
    for _ in range(100):
        site.sign(contract=NO_CHAIN.contract)
    member = await bench.look()
    assert member.due_ms == bench.clock.mono, "at once, in its turn"
    await bench.look()
    assert "record 1 stays at the site" in member.trouble
    await bench.look(2)
    assert [after for _, after in bench.rest.asked] == [0, 32, 64, 96, 100, 100], "not from the beginning"
    site.sign(Gap(0, 1, 0, GapCause.NOT_ENCODABLE))
    await bench.look()
    assert (bench.found(), member.trouble) == ([101], "")


async def test_a_revoked_key_is_said(bench):
    bench.sites[0].sign(Revocation(1, RevocationReason.RETIRED))
    bench.contract.last[bench.sites[0].key.address.lower()] = 1
    member = await bench.look()
    assert (member.pieces, member.trouble) == (
        (), f"its key {member.key} was revoked: name the next one in fleet.yaml",
    )  # fmt: skip


async def test_trouble_of_site_or_chain_is_the_member_s_and_ends(bench):
    bench.sites[0].sign()
    bench.contract.down = True
    member = await bench.look()
    assert member.trouble == "scripted outage" and member.due_ms > 1000
    bench.contract.down = False
    bench.rest.down.add(member.site.name)
    await bench.look()
    assert "not reachable" in member.trouble and member.failures == 2
    bench.rest.down.clear()
    await bench.look()
    assert (member.trouble, bench.found(), member.failures) == ("", [1], 0)


async def test_an_answer_that_is_no_page_is_counted_as_refused(bench):
    async def page(*_):
        return b"<html>"

    bench.rest.page = page
    member = await bench.look(2)
    assert (member.refused, member.failures) == (1, 2)
    assert "the answer is not JSON" in member.trouble


async def test_what_left_while_the_site_was_asked_is_not_taken_again(bench):
    bench.sites[0].sign()
    member = await bench.look()
    asked = bench.rest.page

    async def meanwhile(site, after):
        member.flying = "relay/9"
        return await asked(site, after)

    bench.rest.page = meanwhile
    member.pieces = ()
    await bench.look()
    assert member.pieces == ()


async def test_all_are_asked_and_a_silent_one_holds_up_nobody(bench, monkeypatch):
    monkeypatch.setattr(gather, "WORKERS", 2)
    monkeypatch.setattr(gather, "IDLE_S", 0.001)
    silent, asked = bench.sites[0].name, bench.rest.page

    async def page(site, after):
        if site.name == silent:
            await asyncio.Event().wait()
        return await asked(site, after)

    bench.rest.page = page
    for site in bench.sites:
        site.sign()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        task = group.create_task(bench.gatherer.run())
        while not all(m.pieces for m in bench.members[1:]):
            await asyncio.sleep(0.001)
        task.cancel()
    assert bench.members[0].pieces == ()
