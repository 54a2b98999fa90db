"""The transaction manager on the rig's EVM, with endpoints that fail and lie by script (a mock), in virtual
time: what is sent, how often, with which nonce, and what survives."""

import contextlib
import dataclasses
import itertools

import pytest
from rig.evmchain import Refused

from gateway.chain import transaction
from gateway.chain.send_state import Policy
from gateway.chain.txmgr import REFUSALS_MAX, WINDOW
from gateway.errors import ChainError
from gateway.model import ClockTrust
from gateway.store import intents
from gateway.store.intents import NewIntent
from tests.chain.sending import settle, state
from tests.chain.world import SINK, world
from tests.sim.loop import run


def call(number: int, **more) -> NewIntent:
    return NewIntent(f"call/{number}", SINK, bytes([number + 1]), 60_000, **more)


def simulate(tmp_path, scenario):
    async def main(clock):
        async with world(clock, tmp_path) as w:
            return await scenario(w)

    return run(main)


def test_one_call_goes_out_and_is_confirmed_only_when_deep(tmp_path):
    async def scenario(w):
        manager = w.manager()
        assert await manager.submit(call(0))
        assert not await manager.submit(call(0))
        await manager.tick()
        seen = []
        for _ in range(4):
            w.block()
            await manager.tick()
            seen.append(await state(w))
        assert seen == ["sent", "sent", "confirmed", "confirmed"]
        done = await w.store.call(intents.get, "call/0")
        assert done.gas_used > 21_000
        assert 0 < done.cost_wei < done.gas * w.policy.fee_cap_wei
        assert manager.status.queued == manager.status.sent == 0

    simulate(tmp_path, scenario)


def test_many_calls_keep_their_order_and_the_window(tmp_path):
    async def scenario(w):
        manager = w.manager()
        for n in range(3 * WINDOW):
            await manager.submit(call(n))
        await manager.tick()
        assert manager.status.sent == WINDOW
        await settle(w, manager, 20)
        assert w.payloads() == [bytes([n + 1]) for n in range(3 * WINDOW)]
        assert w.used_nonces() == dict.fromkeys(range(3 * WINDOW), 1)
        assert await state(w, 3 * WINDOW - 1) == "confirmed"

    simulate(tmp_path, scenario)


def test_a_stop_at_any_moment_reuses_no_nonce_and_sends_nothing_twice(tmp_path):
    """A new manager on the same store after every round; endpoints fall silent in between."""

    async def scenario(w):
        for n in range(5):
            await w.manager().submit(call(n))
        for turn in range(16):
            w.a.down = w.b.down = turn % 3 == 0
            with contextlib.suppress(ChainError):
                await w.manager().tick()
            w.block()
        assert w.payloads() == [bytes([n + 1]) for n in range(5)]
        assert w.used_nonces() == dict.fromkeys(range(5), 1)

    simulate(tmp_path, scenario)


def test_a_stop_between_the_durable_nonce_and_the_broadcast(tmp_path):
    async def scenario(w):
        class Killed(BaseException):
            pass

        def kill(raw):
            raise Killed

        await w.manager().submit(call(0))
        w.a.lies["eth_sendRawTransaction"] = kill
        with pytest.raises(Killed):
            await w.manager().tick()
        w.a.lies.clear()
        ((_, before),) = await w.store.call(intents.sent, w.signer.address)
        signed = w.signer.signed
        await settle(w, w.manager())
        assert await state(w) == "confirmed"
        assert w.signer.signed == signed, "the stored transaction was sent, no other was signed"
        assert [d.hex() for d in w.evm._done] == [before[0].hash[2:]]

    simulate(tmp_path, scenario)


def test_underpriced_raises_both_fees(tmp_path):
    async def scenario(w):
        manager = w.manager()
        await manager.submit(call(0))
        refusals = [3]

        def stingy(raw):
            if refusals[0]:
                refusals[0] -= 1
                raise Refused("transaction underpriced")
            return w.a.truth["eth_sendRawTransaction"](raw)

        w.a.lies["eth_sendRawTransaction"] = stingy
        w.b.lies["eth_sendRawTransaction"] = stingy
        await manager.tick()
        ((_, sent),) = await w.store.call(intents.sent, w.signer.address)
        assert len(sent) == 2
        assert sent[1].tip_wei * 10 >= sent[0].tip_wei * 11
        assert sent[1].max_wei * 10 >= sent[0].max_wei * 11
        await settle(w, manager)
        assert await state(w) == "confirmed"
        assert w.used_nonces() == {0: 1}

    simulate(tmp_path, scenario)


@pytest.mark.parametrize(
    "said",
    ["rate limit exceeded", "insufficient funds for gas * price + value", "header not found", "whatever", ""],
)
def test_other_trouble_never_costs_a_fee(tmp_path, said):
    async def scenario(w):
        manager = w.manager()
        await manager.submit(call(0))

        def refuse(raw):
            raise Refused(said)

        for endpoint in (w.a, w.b):
            endpoint.lies["eth_sendRawTransaction"] = refuse
        for _ in range(20):
            w.block()
            await manager.tick()
        assert manager.status.trouble
        ((_, sent),) = await w.store.call(intents.sent, w.signer.address)
        assert len(sent) == 1
        w.a.lies.clear()
        await settle(w, manager)
        assert await state(w) == "confirmed"

    simulate(tmp_path, scenario)


def test_already_known_counts_as_published(tmp_path):
    async def scenario(w):
        manager = w.manager()
        await manager.submit(call(0))

        def known(raw):
            w.a.truth["eth_sendRawTransaction"](raw)  # the second endpoint's node has it from the first
            raise Refused("already known")

        w.a.lies["eth_sendRawTransaction"] = w.b.lies["eth_sendRawTransaction"] = known
        await settle(w, manager)
        assert await state(w) == "confirmed"

    simulate(tmp_path, scenario)


def test_a_slow_transaction_is_replaced_and_only_one_is_mined(tmp_path):
    async def scenario(w):
        manager = w.manager()
        await manager.submit(call(0))
        await manager.tick()
        for _ in range(12):
            w.block(empty=True)
            await manager.tick()
        ((_, sent),) = await w.store.call(intents.sent, w.signer.address)
        assert len(sent) >= 3
        assert all(b.tip_wei * 10 >= a.tip_wei * 11 for a, b in itertools.pairwise(sent))
        await settle(w, manager)
        assert await state(w) == "confirmed"
        assert w.used_nonces() == {0: 1}

    simulate(tmp_path, scenario)


def test_a_dropped_transaction_is_found_and_resent(tmp_path):
    async def scenario(w):
        manager = w.manager()
        await manager.submit(call(0))
        await manager.tick()
        w.evm._pool.clear()
        await settle(w, manager)
        assert await state(w) == "confirmed"
        assert w.used_nonces() == {0: 1}

    simulate(tmp_path, scenario)


@pytest.mark.parametrize("depth", range(1, 9))
@pytest.mark.parametrize("keep", [True, False], ids=["waits-again", "forgotten"])
def test_a_reorg_unmines(tmp_path, depth, keep):
    async def scenario(w):
        manager = w.manager(Policy(confirmations=9))
        await manager.submit(call(0))
        await manager.tick()
        w.block()
        for _ in range(depth - 1):
            w.block()
        await manager.tick()
        assert (await w.store.call(intents.get, "call/0")).block_number
        w.evm.reorg(depth, keep=keep)
        await manager.tick()
        gone = await w.store.call(intents.get, "call/0")
        assert (gone.state, gone.block_number) == ("sent", 0)
        await settle(w, manager, 16)
        assert await state(w) == "confirmed"
        assert w.payloads() == [b"\x01"]

    simulate(tmp_path, scenario)


def test_a_nonce_spent_by_a_stranger_is_replaced_only_when_final(tmp_path):
    async def scenario(w):
        manager = w.manager()
        # The same key, another store's transaction: same nonce, other call.
        fields = transaction.Fields(31337, 0, SINK, b"\xff", 60_000, 4 * 10**9, 2 * 10**9)
        _, raw = transaction.sign(fields, w.signer.sign)
        await manager.submit(call(0))
        w.evm.send(raw)

        await manager.tick()  # "replacement underpriced": dearer; the stranger's is mined all the same
        w.evm._pool[bytes.fromhex(w.signer.address[2:])][0] = (
            w.evm._chain.get_vm().get_transaction_builder().decode(raw)
        )
        w.block()
        await manager.tick()
        assert (await w.store.call(intents.get, "call/0")).nonce == 0
        await settle(w, manager)
        assert w.payloads() == [b"\xff", b"\x01"]
        assert await state(w) == "confirmed"
        assert (await w.store.call(intents.next_nonce, w.signer.address)) == 2

    simulate(tmp_path, scenario)


def test_a_store_behind_the_chain_skips_the_nonces_already_used(tmp_path):
    async def scenario(w):
        first = w.manager()
        for n in range(3):
            await first.submit(call(n))
        await settle(w, first)
        await w.store.call(lambda conn: conn.execute("DELETE FROM nonce"))  # as from an old backup
        await w.store.call(lambda conn: conn.execute("DELETE FROM intent"))
        await first.submit(call(9))
        await settle(w, w.manager())
        assert w.used_nonces() == {0: 1, 1: 1, 2: 1, 3: 1}

    simulate(tmp_path, scenario)


def test_the_days_budget_holds_and_the_next_day_goes_on(tmp_path):
    async def scenario(w):
        one = 60_000 * 3 * 10**9
        policy = Policy(confirmations=1, spend_per_day_wei=3 * one)
        manager = w.manager(policy)
        for n in range(40):
            await manager.submit(call(n))
        spent = 0
        for _ in range(60):
            await manager.tick()
            w.block()
            spent = await w.store.call(intents.spent_since, 0)
            assert spent <= policy.spend_per_day_wei
        first_day = len(w.payloads())
        assert 0 < first_day < 40
        assert "budget" in manager.status.trouble
        w.pass_ms(86_400_000)
        w.block()
        await settle(w, manager)
        assert len(w.payloads()) > first_day

    simulate(tmp_path, scenario)


def test_gas_above_the_cap_waits(tmp_path):
    async def scenario(w):
        manager = w.manager(dataclasses.replace(w.policy, fee_cap_wei=10**8))
        await manager.submit(call(0))
        await manager.tick()
        assert "fee cap" in manager.status.trouble
        assert manager.status == dataclasses.replace(manager.status, queued=1, sent=0)
        assert await w.store.call(intents.next_nonce, w.signer.address) == 0

    simulate(tmp_path, scenario)


def test_a_call_the_contract_refuses_is_never_sent_and_holds_up_only_the_ordered(tmp_path):
    async def scenario(w):
        def estimate(query, *_):
            if query["data"] == "0x01":
                raise Refused("execution reverted: WrongSequence", 3)
            return w.a.truth["eth_estimateGas"](query)

        w.a.lies["eth_estimateGas"] = w.b.lies["eth_estimateGas"] = estimate
        manager = w.manager()
        await manager.submit(call(0))
        await manager.submit(call(1))
        await manager.submit(call(2, ordered=False))
        await settle(w, manager)
        assert [await state(w, n) for n in range(3)] == ["queued", "queued", "confirmed"]
        for _ in range(REFUSALS_MAX + 5):
            w.pass_ms(3_600_000)
            w.block()
            await manager.tick()
        await settle(w, manager)
        assert [await state(w, n) for n in range(3)] == ["refused", "confirmed", "confirmed"]
        assert w.used_nonces() == {0: 1, 1: 1}

    simulate(tmp_path, scenario)


def test_rpc_down_for_an_hour_then_drained_in_order(tmp_path):
    async def scenario(w):
        manager = w.manager()
        w.a.down = w.b.down = True
        for n in range(40):  # the world goes on: blocks come, calls are queued
            await manager.submit(call(n))
            w.pass_ms(90_000)
            w.evm.mine()
            with pytest.raises(ChainError):
                await manager.tick()
        w.a.down = w.b.down = False
        await settle(w, manager, 30)
        assert w.payloads() == [bytes([n + 1]) for n in range(40)]
        assert w.used_nonces() == dict.fromkeys(range(40), 1)

    simulate(tmp_path, scenario)


def test_a_call_that_follows_another_waits_and_falls_with_it(tmp_path):
    async def scenario(w):
        def estimate(query, *_):
            if query["data"] == "0x03":
                raise Refused("execution reverted", 3)
            return w.a.truth["eth_estimateGas"](query)

        w.a.lies["eth_estimateGas"] = w.b.lies["eth_estimateGas"] = estimate
        manager = w.manager()
        await manager.submit(call(1, ordered=False, after="call/0"))
        await manager.submit(call(0, ordered=False))
        await manager.submit(call(3, ordered=False, after="call/2"))
        await manager.submit(call(2, ordered=False))
        await settle(w, manager)
        assert w.payloads() == [b"\x01", b"\x02"]
        for _ in range(REFUSALS_MAX + 5):
            w.pass_ms(3_600_000)
            w.block()
            await manager.tick()
        assert await state(w, 3) == "refused"

    simulate(tmp_path, scenario)


def test_a_receipt_that_one_endpoint_has_lost_sends_nothing_again(tmp_path):
    """A pruned or lying endpoint says null for ever: the nonce is ours all the same, not a stranger's."""

    async def scenario(w):
        manager = w.manager()
        await manager.submit(call(0))
        await manager.tick()
        w.b.lies["eth_getTransactionReceipt"] = lambda name: None
        await settle(w, manager)
        assert await state(w) == "sent"
        assert w.used_nonces() == {0: 1}
        w.b.lies.clear()
        await settle(w, manager, 3)
        assert await state(w) == "confirmed"
        assert w.used_nonces() == {0: 1}

    simulate(tmp_path, scenario)


@pytest.mark.parametrize("asked", ["eth_estimateGas", "eth_maxPriorityFeePerGas"])
def test_a_call_withdrawn_while_endpoints_are_asked_is_let_go(tmp_path, asked):
    """The outbox ends a queued call at any moment: nothing is sent, and nothing fails."""

    async def scenario(w):
        manager = w.manager()
        await manager.submit(call(0))
        await manager.submit(call(1))
        number = (await w.store.call(intents.get, "call/0")).id

        def withdraw(*_):
            w.store._transact(lambda conn: intents.withdraw(conn, number))
            return w.b.truth[asked](*_)

        w.a.lies[asked] = withdraw
        await settle(w, manager)
        assert [await state(w, n) for n in range(2)] == ["refused", "confirmed"]
        assert w.payloads() == [b"\x02"]

    simulate(tmp_path, scenario)


def test_what_is_still_on_its_way_counts_in_the_budget_however_old(tmp_path):
    """Sent yesterday, mined today: a budget that forgets it would be spent twice."""

    async def scenario(w):
        one = 60_000 * 3 * 10**9
        manager = w.manager(Policy(confirmations=1, spend_per_day_wei=3 * one))
        for n in range(12):
            await manager.submit(call(n))
        await manager.tick()
        first = manager.status.sent
        assert 0 < first < 12
        for _ in range(30):  # a day and more without a block for us
            w.pass_ms(3_600_000)
            w.block(empty=True)
            await manager.tick()
        assert await w.store.call(intents.spent_since, w.clock.now().wall_ms) <= 3 * one
        assert manager.status.sent == first

    simulate(tmp_path, scenario)


def test_on_a_clock_that_is_not_synchronised_nothing_is_spent(tmp_path):
    """A clock that starts in the past and jumps would give a new day's budget at each start."""

    async def scenario(w):
        manager = w.manager()
        await manager.submit(call(0))
        w.clock.trust = ClockTrust.UNTRUSTED
        await settle(w, manager, 3)
        assert "synchronised" in manager.status.trouble
        assert await w.store.call(intents.next_nonce, w.signer.address) == 0
        w.clock.trust = ClockTrust.TRUSTED
        await settle(w, manager)
        assert await state(w) == "confirmed"

    simulate(tmp_path, scenario)


def test_a_price_beyond_what_a_row_holds_is_not_paid(tmp_path):
    async def scenario(w):
        def dear(tag, full=False):
            block = w.a.truth["eth_getBlockByNumber"](tag)
            return block and block | {"baseFeePerGas": hex(2**60)}

        w.a.lies["eth_getBlockByNumber"] = w.b.lies["eth_getBlockByNumber"] = dear
        manager = w.manager(Policy(fee_cap_wei=10**24, spend_per_day_wei=10**24))
        await manager.submit(call(0))
        await manager.tick()
        assert "budget" in manager.status.trouble

    simulate(tmp_path, scenario)
