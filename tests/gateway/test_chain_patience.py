"""A site whose records a relayer brings: it sends none while they arrive, and all when they do not."""

from pathlib import Path

import pytest

from gateway import chainfile, config
from gateway.chain.patience import CURSOR, Patience
from gateway.errors import ConfigError
from gateway.model import ClockTrust
from gateway.store import cursors, records
from tests.chain.people import delivery, interval
from tests.chain.world import world
from tests.gateway.stores import HandClock, opened
from tests.gateway.test_chain_outbox import Site
from tests.gateway.test_httpfile import SITE
from tests.sim.loop import run

HOUR_MS = 3_600_000


@pytest.fixture
async def bench(tmp_path):
    clock = HandClock(1000)
    async with opened(tmp_path / "store.db", clock) as (store, _):
        yield clock, store, Patience(store, clock, HOUR_MS)


async def test_the_wait_begins_with_the_first_record_and_ends_with_the_last(bench):
    clock, _, patience = bench
    assert not await patience.over(waiting=True)
    clock.mono += HOUR_MS - 1
    assert not await patience.over(waiting=True)
    clock.mono += 1
    assert await patience.over(waiting=True)
    assert await patience.over(waiting=True), "until nothing waits"
    assert not await patience.over(waiting=False)
    assert not await patience.over(waiting=True)


async def test_what_a_relayer_brings_begins_the_wait_anew(bench):
    clock, _, patience = bench
    await patience.over(waiting=True)
    clock.mono += HOUR_MS
    await patience.brought()
    assert not await patience.over(waiting=True)
    clock.mono += HOUR_MS
    assert await patience.over(waiting=True)


async def test_a_restart_does_not_begin_it_anew(bench):
    clock, store, patience = bench
    await patience.over(waiting=True)
    clock.mono += HOUR_MS
    assert await Patience(store, clock, HOUR_MS).over(waiting=True)


async def test_a_calendar_that_is_not_trusted_or_went_back_counts_for_nothing(bench):
    clock, store, patience = bench
    clock.trust = ClockTrust.UNTRUSTED
    assert not await patience.over(waiting=True)
    assert await store.call(cursors.get, CURSOR) == 0
    clock.trust = ClockTrust.TRUSTED
    await store.call(cursors.put, CURSOR, clock.now().wall_ms + 10**9)
    assert not await patience.over(waiting=True)
    clock.mono += HOUR_MS
    assert await patience.over(waiting=True)


async def test_without_a_relayer_the_site_always_sends(bench):
    clock, store, _ = bench
    patience = Patience(store, clock, 0)
    assert await patience.over(waiting=True) and await patience.over(waiting=False)
    await patience.brought()
    assert await store.call(cursors.get, CURSOR) == 0


# ---- the outbox, on the real contract ----------------------------------------------------------------------


class Relayed(Site):
    """A site with `records: relayed`, and a stranger who can bring them."""

    patience_ms = HOUR_MS

    async def bring(self, *sequences: int) -> None:
        for sequence in sequences:
            entry = await self.w.store.call(records.entry, sequence)
            call = self.platform.record_call(entry.record)
            await self.market.node.send(self.w.evm.keys[2], call.contract, call.data)
            self.w.clock.wall_offset_ms += 1_000

    def pass_hour(self) -> None:
        self.w.pass_ms(HOUR_MS)
        self.w.block()


def simulate(tmp_path, scenario):
    async def main(clock):
        async with world(clock, tmp_path) as w:
            return await scenario(await Relayed(w).begin())

    return run(main)


def test_records_that_arrive_are_confirmed_and_none_is_sent(tmp_path):
    async def scenario(site):
        for n in range(3):
            await site.attestor.attest(interval(n))
        await site.attestor.attest(delivery("ab" * 32, 1, 2, 3))
        await site.rounds(3)
        await site.bring(1, 2, 3, 4)
        await site.rounds(3)
        site.w.pass_ms(700_000)  # it asks the contract every ten minutes
        site.w.block()
        await site.rounds(5)
        assert await site.attestor.confirmed() == [1, 2, 3, 4]
        assert site.w.used_nonces() == {}
        assert site.outbox.stuck == ""

    simulate(tmp_path, scenario)


def test_a_dead_relayer_loses_nothing_also_over_restarts(tmp_path):
    async def scenario(site):
        for n in range(34):
            await site.attestor.attest(interval(n))
        await site.rounds(3)
        await site.bring(1)
        for _ in range(4):
            site.w.pass_ms(HOUR_MS // 4)
            site.w.block()
            site.restart()
            await site.rounds(1)
        assert site.w.used_nonces() == {}, "the one that arrived gave the relayer another hour"
        site.pass_hour()
        await site.rounds(1)
        assert "no relayer has brought records for 60 min" in site.outbox.stuck
        await site.rounds(30)
        assert await site.attestor.confirmed() == list(range(1, 35))
        assert set(site.w.used_nonces()) == set(range(33)), "all but the one that was brought, once each"
        assert site.outbox.stuck == ""
        await site.attestor.attest(interval(34))
        await site.rounds(5)
        assert await site.last() == 34, "then the relayer has its turn again"

    simulate(tmp_path, scenario)


def test_what_the_relayer_brings_late_is_not_sent_twice(tmp_path):
    async def scenario(site):
        await site.attestor.attest(interval(0))
        await site.rounds(2)
        site.w.pass_ms(HOUR_MS - 60_000)
        site.w.block()
        await site.rounds(2)
        await site.bring(1)
        site.w.block(site.w.policy.confirmations)
        site.pass_hour()
        await site.rounds(3)
        assert await site.attestor.confirmed() == [1]
        assert site.w.used_nonces() == {}

    simulate(tmp_path, scenario)


@pytest.mark.parametrize(
    ("said", "patience_ms"),
    [
        ({}, 0),
        ({"patience": "5 min"}, 0),
        ({"records": "relayed"}, 2 * HOUR_MS),
        ({"records": "relayed", "patience": "5 min"}, 300_000),
    ],
)
def test_site_yaml_says_whether_a_relayer_is_waited_for(said, patience_ms):
    chain = {
        "platform": "storage", "id": 10, "rpc": ["https://a.example", "https://b.example"], "storage": 7,
        "contracts": {"verification": "0x" + "a1" * 20, "services": "0x" + "a2" * 20},
    }  # fmt: skip
    found = chainfile.settings(chainfile.StorageChain.model_validate(chain | said), Path())
    assert found.patience_ms == patience_ms


CHAIN = """\
attest: {key: key.json}
chain:
  platform: storage
  id: 10
  rpc: ["https://a.example", "https://b.example"]
  storage: 7
  contracts:
    verification: "0x00000000000000000000000000000000000000a1"
    services: "0x00000000000000000000000000000000000000a2"
  records: relayed
"""


def test_a_relayer_must_be_able_to_fetch_them(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(SITE + CHAIN)
    with pytest.raises(ConfigError, match="a relayer fetches the records over HTTP: add http") as found:
        config.load(path)
    (problem,) = found.value.problems
    assert path.read_text().splitlines()[problem.line - 1] == "  records: relayed"
    path.write_text(SITE + CHAIN + "http: {}\n")
    assert config.load(path).chain.patience_ms == 2 * HOUR_MS
