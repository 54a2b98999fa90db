"""The relayer on the real contract and the rig's EVM, in virtual time: all records once, whatever happens."""

import contextlib
import random

from rig.evmchain import Refused

from gateway.errors import ChainError
from gateway.evidence.typed import NO_CHAIN, Gap, GapCause
from gateway.fleet.plan import Parcel, Share
from gateway.fleet.relayer import STALE_MS
from gateway.fleet.settings import Pace
from gateway.store import intents
from tests.chain.people import delivery
from tests.fleet.scene import Killed, forged, scene
from tests.sim.loop import run


def simulate(tmp_path, scenario, count=3, **how):
    async def main(clock):
        async with scene(clock, tmp_path, count, **how) as s:
            return await scenario(s)

    return run(main)


def test_intervals_of_all_sites_share_one_transaction(tmp_path):
    async def scenario(s):
        for site in s.sites:
            site.sign()
        await s.rounds(4)
        assert len(s.carried()) == 0, "the batch is not full: it waits"
        await s.rounds(10)
        assert await s.last() == [1, 1, 1]
        assert len(s.carried()) == 1
        assert [m.brought for m in s.members] == [1, 1, 1]
        for site in s.sites:
            site.sign(), site.sign()
        await s.rounds(20)
        assert await s.last() == [3, 3, 3]
        assert len(s.carried()) == 2, "a site's backlog goes together"
        assert all(m.trouble == "" for m in s.members)

    simulate(tmp_path, scenario)


def test_a_full_batch_does_not_wait(tmp_path):
    async def scenario(s):
        for site in s.sites:
            site.sign()
        await s.rounds(2)
        assert await s.last() == [1, 1, 1]

    simulate(tmp_path, scenario, pace=Pace(3, 3_600_000))


def test_other_kinds_go_by_themselves_and_in_their_place(tmp_path):
    async def scenario(s):
        site, other = s.sites[:2]
        site.sign(), other.sign()
        site.sign(delivery("ab" * 32, 1_790_000_000_000, 1_790_000_600_000, 500))
        site.sign(), site.sign()
        site.sign(Gap(0, 1, 0, GapCause.READINGS_DROPPED))
        site.sign()
        await s.rounds(60)
        assert await s.last() == [6, 1, 0]
        assert [s.times(r) for r in site.made + other.made] == [1] * 7

    simulate(tmp_path, scenario)


def test_a_forged_record_is_refused_and_holds_up_nobody(tmp_path):
    async def scenario(s):
        bad = s.sites[0]
        for site in s.sites:
            site.sign(), site.sign()
        s.rest.lies[bad.name] = lambda found: [found[0], forged(found[1])]
        await s.rounds(20)
        assert await s.last() == [1, 2, 2]
        assert s.member(bad).refused == 1
        assert "digest" in s.member(bad).trouble
        assert s.times(bad.made[1]) == 0
        s.rest.lies.clear()
        await s.rounds(20)
        assert await s.last() == [2, 2, 2]
        assert (s.member(bad).refused, s.member(bad).trouble) == (1, "")

    simulate(tmp_path, scenario)


def test_a_site_that_is_down_is_asked_later_and_holds_up_nobody(tmp_path):
    async def scenario(s):
        for site in s.sites:
            site.sign()
        away = s.sites[1]
        s.rest.down.add(away.name)
        await s.rounds(20)
        assert await s.last() == [1, 0, 1]
        assert "not reachable" in s.member(away).trouble
        assert 2 <= [name for name, _ in s.rest.asked].count(away.name) <= 6, "later each time"
        s.rest.down.clear()
        s.w.pass_ms(900_000)
        s.w.block()
        await s.rounds(12)
        assert await s.last() == [1, 1, 1]
        assert s.member(away).trouble == ""

    simulate(tmp_path, scenario)


def test_a_key_that_is_not_bound_costs_no_gas_and_is_brought_when_it_is(tmp_path):
    async def scenario(s):
        for site in s.sites:
            site.sign()
        await s.rounds(15)
        assert await s.last() == [1, 1, 0]
        late = s.sites[2]
        assert s.times(late.made[0]) == 0, "what the contract would not take is not sent"
        assert "is the key bound" in s.member(late).trouble
        await s.bind(late)
        s.w.clock.wall_offset_ms += 5_000
        s.w.pass_ms(3_600_000)
        s.w.block()
        await s.rounds(12)
        assert await s.last() == [1, 1, 1]

    simulate(tmp_path, scenario, bound=2)


def test_what_the_site_sent_itself_is_not_sent_again(tmp_path):
    async def scenario(s):
        site = s.sites[0]
        for _ in range(3):
            site.sign()
        await s.round()
        other = s.members[0].pieces[:2]
        data = Parcel(site.contract, (Share(site.name, other),)).call.data
        await s.market.node.send(s.w.evm.keys[2], site.contract, data)
        s.w.clock.wall_offset_ms += 2_000
        await s.rounds(20)
        assert await s.last() == [3]
        assert [s.times(r) for r in site.made] == [0, 0, 1]
        assert s.members[0].trouble == ""

    simulate(tmp_path, scenario, 1)


def test_only_what_the_contract_took_from_it_counts_as_brought(tmp_path):
    async def scenario(s):
        site, other = s.sites
        site.sign(), other.sign()
        await s.gather()
        await s.relayer.tick()
        first = Parcel(site.contract, (Share(site.name, s.member(site).share),))
        await s.market.node.send(s.w.evm.keys[2], site.contract, first.call.data)  # quicker
        s.w.clock.wall_offset_ms += 1_000
        await s.rounds(10)
        assert await s.last() == [1, 1]
        assert (s.member(site).brought, s.member(other).brought) == (0, 1)
        site.sign(), other.sign()
        await s.rounds(10)
        assert (s.member(site).brought, s.member(other).brought) == (1, 2)

    simulate(tmp_path, scenario, 2, pace=Pace(2, 60_000))


def test_a_call_that_others_made_needless_is_taken_back(tmp_path):
    async def scenario(s):
        site = s.sites[0]
        site.sign()
        await s.gather()
        await s.relayer.tick()
        call = await s.w.store.call(intents.get, "relay/1")
        await s.market.node.send(s.w.evm.keys[2], site.contract, call.data)
        s.w.clock.wall_offset_ms += 1_000
        for _ in range(2):  # the manager does not come to send it: its budget is used up
            await s.relayer.tick()
            s.w.pass_ms(STALE_MS)
            s.w.block()
        await s.relayer.tick()
        assert (await s.w.store.call(intents.get, "relay/1")).state == "refused"
        await s.rounds(5)
        assert s.carried() == []
        assert (s.members[0].last, s.members[0].brought) == (1, 0)

    simulate(tmp_path, scenario, 1, pace=Pace(1, 0))


def test_a_restart_after_every_step_sends_nothing_twice_and_forgets_nothing(tmp_path):
    async def scenario(s):
        for n in range(24):
            if n % 6 == 0:
                for site in s.sites:
                    site.sign()
            for step in (s.gather, s.relayer.tick, s.manager.tick):
                await step()
            s.w.block()
            s.restart()
            await s.gather()
            await s.relayer.tick()
            s.restart()
        await s.rounds(30)
        assert await s.last() == [4, 4, 4]
        assert {s.times(r) for site in s.sites for r in site.made} == {1}

    simulate(tmp_path, scenario, pace=Pace(100, 1000))


def test_a_dropped_transaction_and_a_reorg_lose_nothing(tmp_path):
    async def scenario(s):
        for site in s.sites:
            site.sign()
        await s.gather()
        await s.relayer.tick()
        await s.manager.tick()
        s.w.evm.forget_pool()
        await s.rounds(3)
        assert await s.last() == [1, 1, 1]
        s.w.evm.reorg(2, keep=False)
        await s.rounds(20)
        assert await s.last() == [1, 1, 1]
        s.w.evm.reorg(10, keep=False)  # deeper than `confirmations`
        for site in s.sites:
            site.sign()
        await s.rounds(40)
        assert await s.last() == [2, 2, 2]
        assert {s.times(r) for site in s.sites for r in site.made} == {1}

    simulate(tmp_path, scenario, pace=Pace(3, 3_600_000))


def test_records_for_another_contract_are_passed_over_by_their_gap(tmp_path):
    async def scenario(s):
        site = s.sites[0]
        for _ in range(40):
            site.sign(contract=NO_CHAIN.contract)
        site.sign(Gap(0, 1, 0, GapCause.NOT_ENCODABLE))
        site.sign()
        await s.rounds(30)
        assert await s.last() == [42]
        assert s.members[0].trouble == ""

    simulate(tmp_path, scenario, 1)


def test_the_budget_of_a_day_holds_a_greedy_site(tmp_path):
    async def scenario(s):
        s.members[0].a_day = 2
        for _ in range(5):
            s.sites[0].sign()
        await s.rounds(30)
        assert await s.last() == [2]

    simulate(tmp_path, scenario, 1)


def test_operators_that_disagree_stop_it_and_lose_nothing(tmp_path):
    async def scenario(s):
        s.w.b.lies["eth_call"] = lambda *_: "0x" + "00" * 31 + "09"
        for site in s.sites:
            site.sign()
        for _ in range(5):
            with contextlib.suppress(ChainError):
                await s.round()
            s.w.block()
        assert s.carried() == []
        s.w.b.lies.clear()
        await s.rounds(60)
        assert await s.last() == [1, 1, 1]

    simulate(tmp_path, scenario)


def test_nothing_is_forgotten_or_doubled_under_seeded_trouble(tmp_path):
    """Kills before and after any transaction of the store, outages of sites and operators, lies of one
    operator, dropped transactions and shallow reorgs, by seed; then quiet."""
    for seed in range(2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        simulate(folder, lambda s, seed=seed: _troubled(s, random.Random(seed), seed), pace=Pace(4, 20_000))


LIES = (
    {"eth_call": lambda *_: "0x" + "00" * 32},
    {"eth_getLogs": lambda *_: []},
    {"eth_getTransactionReceipt": lambda *_: None},
    {"eth_estimateGas": lambda *_: "0x5208"},
)


async def _troubled(s, dice, seed):
    for _ in range(30):
        for site in s.sites:
            if dice.random() < 0.2:
                site.sign()
            if dice.random() < 0.03:
                site.sign(delivery(f"{len(site.made):02x}{site.number:02x}" * 16, 1, 2, 3))
            (s.rest.down.add if dice.random() < 0.1 else s.rest.down.discard)(site.name)
        s.w.a.down = dice.random() < 0.05
        s.w.b.lies = dice.choice(LIES) if dice.random() < 0.1 else {}
        if dice.random() < 0.05:
            s.w.evm.forget_pool()
        if dice.random() < 0.05:
            s.w.evm.reorg(dice.choice((1, 2)), keep=dice.random() < 0.5)
        for step in (s.gather, s.relayer.tick, s.manager.tick):
            s.kill_in = dice.randrange(12) if dice.random() < 0.2 else None
            try:
                with contextlib.suppress(ChainError, Refused):
                    await step()
            except Killed:
                s.restart()
            s.kill_in = None
        s.w.block()
        assert await s.w.store.call(intents.count_open) <= 32, f"seed {seed}"
    s.w.a.down, s.w.b.lies, s.rest.down = False, {}, set()
    await s.rounds(80)
    assert await s.last() == [len(site.made) for site in s.sites], f"seed {seed}"
    assert {s.times(r) for site in s.sites for r in site.made} == {1}, f"seed {seed}"
    assert all(m.trouble == "" for m in s.members), f"seed {seed}"
