"""Emergency stops at the head: at once, once, from agreeing endpoints, and nothing but stops. The blocks are
the rig's EVM; the logs in them are scripted (a mock)."""

import pytest

from gateway.chain.alarm import BEHIND_MAX, Alarm
from gateway.errors import ChainError
from gateway.model import ServiceKind
from tests.chain.world import world
from tests.gateway.test_chain_inbox import PLATFORM, SERVICES, Orders
from tests.sim.loop import run


class Stops(Orders):
    """Stops by block, beside the orders."""

    def stop(self, number: int, transaction: str = "ee" * 32, index: int = 0) -> None:
        block = self.w.evm.block(hex(number))
        topics = [PLATFORM.stop_topics[0], f"0x{7:064x}", "0x" + "00" * 12 + "42" * 20]
        self.logs.setdefault(block["hash"], []).append(
            {
                "address": SERVICES, "topics": topics, "data": "0x", "blockHash": block["hash"],
                "transactionHash": "0x" + transaction, "logIndex": hex(index),
            }
        )  # fmt: skip

    async def submit(self, command) -> None:
        assert command.kind is ServiceKind.STOP
        await super().submit(command)

    def alarm(self) -> Alarm:
        return Alarm(self.w.quorum(), PLATFORM, self.submit)


def simulate(tmp_path, scenario):
    async def main(clock):
        async with world(clock, tmp_path) as w:
            w.block(10)
            return await scenario(w, Stops(w))

    return run(main)


def test_a_stop_is_heard_in_the_newest_block_and_once(tmp_path):
    async def scenario(w, stops):
        alarm = stops.alarm()
        await alarm.tick()
        w.block()
        stops.stop(11)
        stops.put(11)  # an order waits for finality
        await alarm.tick()
        assert len(stops.taken) == 1
        await alarm.tick()
        assert len(stops.taken) == 1

    simulate(tmp_path, scenario)


def test_what_came_before_the_start_is_the_inboxes(tmp_path):
    async def scenario(w, stops):
        stops.stop(9)
        await stops.alarm().tick()
        assert stops.taken == []

    simulate(tmp_path, scenario)


def test_the_same_transaction_in_another_block_is_the_same_stop(tmp_path):
    async def scenario(w, stops):
        alarm = stops.alarm()
        await alarm.tick()
        w.block(2)
        stops.stop(11, index=3)
        stops.stop(12, index=0)
        stops.stop(12, transaction="ef" * 32, index=1)
        await alarm.tick()
        assert len(stops.taken) == 3 and len(stops.carried_out) == 2

    simulate(tmp_path, scenario)


def test_after_an_outage_only_so_many_blocks_are_read(tmp_path):
    async def scenario(w, stops):
        alarm = stops.alarm()
        await alarm.tick()
        w.block(BEHIND_MAX + 5)
        head = 10 + BEHIND_MAX + 5
        stops.stop(head - BEHIND_MAX, "e1" * 32)
        stops.stop(head + 1 - BEHIND_MAX, "e2" * 32)
        stops.stop(head, "e3" * 32)
        await alarm.tick()
        assert len(stops.taken) == 2

    simulate(tmp_path, scenario)


def test_one_endpoint_alone_stops_nothing(tmp_path):
    async def scenario(w, stops):
        alarm = stops.alarm()
        await alarm.tick()
        w.block()
        stops.stop(11)
        w.b.lies["eth_getLogs"] = lambda query: []
        with pytest.raises(ChainError, match="disagree"):
            await alarm.tick()
        assert stops.taken == []
        w.b.lies["eth_getLogs"] = w.a.lies["eth_getLogs"]
        await alarm.tick()  # what was not read is read again
        assert len(stops.taken) == 1

    simulate(tmp_path, scenario)
