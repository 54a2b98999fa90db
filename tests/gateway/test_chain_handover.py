"""Orders from a chain on their way: counted, referred to, and never handed on by an untrusted clock."""

import pytest

from gateway.chain.handover import UNUSABLE_KEPT, Handover
from gateway.chain.platforms.calls import Order
from gateway.errors import ChainError
from gateway.model import ClockTrust, Command, ServiceKind, Source
from gateway.site import StoreSettings
from gateway.store import Store, intents
from tests.sim.loop import run

COMMAND = Command("ab" * 32, Source.CHAIN, ServiceKind.STOP, 0, 1, {}, "test")


def simulate(tmp_path, scenario):
    async def main(clock):
        store = Store(StoreSettings(tmp_path / "store.db"), clock, threaded=False)
        await store.open()
        taken = []

        async def submit(command):
            taken.append(command)

        try:
            return await scenario(Handover(store, clock, submit), store, clock, taken)
        finally:
            await store.close()

    return run(main)


def test_an_order_is_handed_on_with_its_reference_and_counted(tmp_path):
    async def scenario(handover, store, clock, taken):
        assert handover.ready()
        await handover.order(Order(COMMAND, "market/7"))
        await handover.order(Order(COMMAND, ""))
        assert taken == [COMMAND] * 2
        assert await store.call(intents.reference, COMMAND.id) == "market/7"
        status = handover.status(4, 5, 6)
        assert (status.block, status.finalised, status.skipped_blocks) == (4, 5, 6)
        assert (status.commands, status.unusable, status.trouble) == (2, (), "")

    simulate(tmp_path, scenario)


def test_an_untrusted_clock_hands_nothing_on_and_says_so(tmp_path):
    async def scenario(handover, store, clock, taken):
        clock.trust = ClockTrust.UNTRUSTED
        with pytest.raises(ChainError, match="no longer synchronised"):
            await handover.order(Order(COMMAND, "market/7"))
        assert not handover.ready()
        assert "until the clock is synchronised" in handover.status(0, 0).trouble
        assert (taken, await store.call(intents.reference, COMMAND.id)) == ([], "")
        clock.trust = ClockTrust.TRUSTED
        assert handover.ready()
        assert handover.status(0, 0).trouble == ""

    simulate(tmp_path, scenario)


def test_what_cannot_be_used_is_kept_for_people_up_to_a_bound(tmp_path):
    async def scenario(handover, store, clock, taken):
        for number in range(UNUSABLE_KEPT + 1):
            handover.unusable(str(number))
        assert handover.status(0, 0).unusable == tuple(str(n) for n in range(1, UNUSABLE_KEPT + 1))

    simulate(tmp_path, scenario)
