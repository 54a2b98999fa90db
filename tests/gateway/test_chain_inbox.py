"""Orders from finalised blocks: once each, never from a liar, never on an untrusted clock. The blocks are
the rig's EVM; the logs in them are scripted (a mock)."""

import asyncio

import pytest
from eth_abi.abi import encode

from gateway.chain import inbox as module
from gateway.chain.inbox import Inbox
from gateway.chain.platforms.evm import Asset, EvmPlatform
from gateway.chain.platforms.storage import SYSTEM
from gateway.errors import ChainError
from gateway.model import ClockTrust
from gateway.store import cursors, intents
from tests.chain.world import world
from tests.sim.loop import run

SERVICES = "0x" + "bb" * 20
REVENUE = "0x" + "ee" * 20
CONTRACTS = {"verification": "0x" + "aa" * 20, "services": SERVICES, "revenue": REVENUE}
PLATFORM = EvmPlatform(SYSTEM, Asset(CONTRACTS, 7, pool=3))
COMMAND = "cc" * 32


class Orders:
    """Logs by block hash, the same from both endpoints, and a `submit` that knows ids as control does."""

    def __init__(self, w) -> None:
        self.w, self.logs = w, {}
        self.taken, self.carried_out = [], set()
        for endpoint in (w.a, w.b):
            endpoint.lies["eth_getLogs"] = lambda query: self.logs.get(query["blockHash"], [])

    def put(self, number: int, command: str = COMMAND, service: int = 4, **changed) -> None:
        block = self.w.evm.block(hex(number))
        data = encode(
            ("uint8", "uint64", "uint64", "int64", "int256[]", "uint256"), (2, 100, 200, 5, [1500], 9)
        )
        topics = [PLATFORM.topics[0], "0x" + command, f"0x{service:064x}", f"0x{7:064x}"]
        place = self.logs.setdefault(block["hash"], [])
        place.append(
            {
                "address": SERVICES, "topics": topics, "data": "0x" + data.hex(), "blockHash": block["hash"],
                "transactionHash": "0x" + "dd" * 32, "logIndex": hex(len(place)),
            } | changed
        )  # fmt: skip

    async def submit(self, command) -> None:
        self.taken.append(command.id)
        self.carried_out.add(command.id)

    def inbox(self, submit=None, **options) -> Inbox:
        taking = submit or self.submit
        return Inbox(self.w.store, self.w.quorum(), PLATFORM, self.w.clock, taking, self.signalled, **options)

    async def signalled(self, signal) -> str:
        self.taken.append(signal)
        return "" if signal.prices != (13,) else "thirteen"


def simulate(tmp_path, scenario, mined=10):
    async def main(clock):
        async with world(clock, tmp_path) as w:
            w.block(mined)
            return await scenario(w, Orders(w))

    return run(main)


async def drain(inbox) -> None:
    while await inbox.tick():
        pass


def test_an_order_is_handed_on_when_its_block_is_final_and_once(tmp_path):
    async def scenario(w, orders):
        inbox = orders.inbox()
        await drain(inbox)
        w.block(3)
        orders.put(12)
        await drain(inbox)
        assert orders.taken == [], "block 12 is not final at head 13"
        w.block()
        await drain(inbox)
        await drain(inbox)
        await drain(orders.inbox())
        assert orders.taken == [COMMAND]
        assert await w.store.call(intents.reference, COMMAND) == "services/4"
        assert inbox.status.block == inbox.status.finalised == 12
        assert inbox.status.commands == 1

    simulate(tmp_path, scenario)


def test_a_new_site_obeys_nothing_from_before_it_came(tmp_path):
    async def scenario(w, orders):
        orders.put(5)
        inbox = orders.inbox()
        await drain(inbox)
        assert orders.taken == []
        assert inbox.status.block == 8

    simulate(tmp_path, scenario)


@pytest.mark.parametrize(("start", "found"), [(5, 1), (6, 0), (1, 1), (99, 0)])
def test_the_start_block_counts_itself(tmp_path, start, found):
    async def scenario(w, orders):
        orders.put(5)
        await drain(orders.inbox(start_block=start))
        assert len(orders.taken) == found

    simulate(tmp_path, scenario)


def test_a_stop_before_the_cursor_moved_repeats_the_order_and_ids_catch_it(tmp_path):
    async def scenario(w, orders):
        await drain(orders.inbox())
        w.block(5)
        orders.put(11)
        orders.put(11, "ee" * 32)

        async def dies(command):
            await orders.submit(command)
            if command.id != COMMAND:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            await orders.inbox(dies).tick()
        assert await w.store.call(cursors.get, module.CURSOR) < 11
        await drain(orders.inbox())
        assert orders.taken == [COMMAND, "ee" * 32, COMMAND, "ee" * 32]
        assert orders.carried_out == {COMMAND, "ee" * 32}

    simulate(tmp_path, scenario)


def test_a_reorg_after_dispatch_gives_the_same_id_again(tmp_path):
    """Deeper than finality promised: the inbox stops. When it is pointed past it, the id is the same."""

    async def scenario(w, orders):
        await drain(orders.inbox())
        w.block(4)
        orders.put(12)
        inbox = orders.inbox()
        await drain(inbox)
        assert orders.taken == [COMMAND]
        w.evm.reorg(5)
        orders.put(13)
        w.block(3)
        for again in (inbox, orders.inbox()):
            with pytest.raises(ChainError, match="nothing is obeyed"):
                await drain(again)
        await w.store.call(cursors.put, module.CURSOR, 0, w.evm.block("0x0")["hash"])
        await drain(orders.inbox())
        assert orders.taken == [COMMAND, COMMAND]
        assert orders.carried_out == {COMMAND}

    simulate(tmp_path, scenario)


def test_reorgs_above_the_final_block_are_not_even_noticed(tmp_path):
    async def scenario(w, orders):
        inbox = orders.inbox()
        await drain(inbox)
        for _ in range(6):
            w.block(2)
            orders.put(w.evm.number, "ab" * 32)  # in a block that a reorg takes away
            w.evm.reorg(2)
            await drain(inbox)
        w.block(3)
        await drain(inbox)
        assert orders.taken == []

    simulate(tmp_path, scenario)


def test_an_untrusted_clock_makes_orders_wait(tmp_path):
    async def scenario(w, orders):
        inbox = orders.inbox()
        await drain(inbox)
        w.block(4)
        orders.put(11)
        for trust in (ClockTrust.UNTRUSTED, ClockTrust.BACKDATED):
            w.clock.trust = trust
            assert not await inbox.tick()
            assert "clock" in inbox.status.trouble
        assert orders.taken == []
        w.clock.trust = ClockTrust.TRUSTED
        await drain(inbox)
        assert orders.taken == [COMMAND]

    simulate(tmp_path, scenario)


@pytest.mark.parametrize("off_s", [-121, 121])
def test_a_clock_that_disagrees_with_the_chain_makes_orders_wait(tmp_path, off_s):
    async def scenario(w, orders):
        inbox = orders.inbox()
        await drain(inbox)
        w.block(4)
        orders.put(11)
        w.clock.step(off_s * 1000)
        with pytest.raises(ChainError, match="the clock"):
            await inbox.tick()
        w.clock.step(-off_s * 1000)
        await drain(inbox)
        assert orders.taken == [COMMAND]

    simulate(tmp_path, scenario)


def test_two_endpoints_that_disagree_about_logs(tmp_path):
    async def scenario(w, orders):
        inbox = orders.inbox()
        await drain(inbox)
        w.block(4)
        orders.put(11)
        w.b.lies["eth_getLogs"] = lambda query: []
        with pytest.raises(ChainError, match="disagree about the logs of block 11"):
            await inbox.tick()
        assert orders.taken == []
        w.b.lies["eth_getLogs"] = w.a.lies["eth_getLogs"]
        await drain(inbox)
        assert orders.taken == [COMMAND]

    simulate(tmp_path, scenario)


def test_an_unusable_event_is_noted_and_does_not_block(tmp_path):
    async def scenario(w, orders):
        inbox = orders.inbox()
        await drain(inbox)
        w.block(4)
        orders.put(11, data="0x")
        orders.put(11, "ee" * 32)
        await drain(inbox)
        assert orders.taken == ["ee" * 32]
        assert len(inbox.status.unusable) == 1
        assert "does not decode" in inbox.status.unusable[0]

    simulate(tmp_path, scenario)


def test_an_hour_away_is_read_in_batches(tmp_path):
    async def scenario(w, orders):
        inbox = orders.inbox()
        await drain(inbox)
        w.block(300)
        for number in (11, 150, 300):
            orders.put(number, f"{number:064x}")
        ticks = 1
        while await inbox.tick():
            ticks += 1
        assert ticks == -(-300 // module.BATCH)
        assert orders.taken == [f"{n:064x}" for n in (11, 150, 300)]

    simulate(tmp_path, scenario)


def test_far_behind_old_blocks_are_skipped_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BEHIND_MAX", 20)

    async def scenario(w, orders):
        inbox = orders.inbox()
        await drain(inbox)
        w.block(50)
        orders.put(12)
        orders.put(55, "ee" * 32)
        await drain(inbox)
        assert orders.taken == ["ee" * 32]
        assert inbox.status.skipped_blocks == 30

    simulate(tmp_path, scenario)


def test_run_follows_the_chain_until_it_fails(tmp_path):
    async def scenario(w, orders):
        inbox = orders.inbox(poll_ms=1000)

        async def chain():
            for _ in range(6):
                await asyncio.sleep(5)
                w.block()
                orders.put(w.evm.number, f"{w.evm.number:064x}")
            await asyncio.sleep(5)
            w.a.down = True

        async with asyncio.TaskGroup() as group:
            group.create_task(chain())
            with pytest.raises(ChainError):
                await inbox.run()
        assert orders.taken == [f"{n:064x}" for n in range(11, 15)]

    simulate(tmp_path, scenario)


def test_prices_are_handed_on_and_what_is_wrong_with_them_is_said(tmp_path):
    async def scenario(w, orders):
        inbox = orders.inbox()
        await drain(inbox)
        topic = next(t for t in PLATFORM.topics[1:] if t not in PLATFORM.stop_topics)
        for number, prices in ((11, [5, -6]), (12, [13])):
            w.block()
            data = encode(("uint64", "uint32", "int32[]"), (1_790_000_000, 900, prices))
            orders.put(number, address=REVENUE, topics=[topic, f"0x{3:064x}"], data="0x" + data.hex())
        w.block(2)
        await drain(inbox)
        assert [s.prices for s in orders.taken] == [(5, -6), (13,)]
        assert (orders.taken[0].start_ms, orders.taken[0].step_ms) == (1_790_000_000_000, 900_000)
        assert inbox.status.unusable == ("thirteen",)

    simulate(tmp_path, scenario)
