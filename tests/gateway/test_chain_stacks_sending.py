"""The transaction manager on Stacks, over a mock of it that forks, forgets and lies, in virtual time: what is
sent, with which nonce and fee, and what survives."""

import contextlib
import dataclasses
import random

import pytest

from gateway.chain import txmgr
from gateway.chain.faults import Fault, RpcError
from gateway.chain.send_state import Draft, Fees
from gateway.chain.stacks import side
from gateway.chain.stacks.address import TESTNET_ID
from gateway.chain.stacks.codec import Err, Ok, UInt
from gateway.chain.stacks.side import BUMP_AFTER_MS
from gateway.chain.stacks.transaction import Invocation, size
from gateway.chain.txmgr import WINDOW
from gateway.errors import ChainError
from gateway.store import intents
from gateway.store.intents import NewIntent
from tests.chain.sending import settle, state
from tests.chain.stacks_fake import ACCOUNT, BLOCK_MS, KEY, SINK, read, sink, world
from tests.sim.loop import run

SIZE = size(sink(0))


def call(number: int, **more) -> NewIntent:
    return NewIntent(f"call/{number}", str(SINK), sink(number), size(sink(number)), **more)


def simulate(tmp_path, scenario):
    async def main(clock):
        async with world(clock, tmp_path) as w:
            return await scenario(w)

    return run(main)


def nonces(w) -> list[int]:
    return [s.nonce for b in w.chain.blocks for s in b.sent]


def test_one_call_goes_out_and_is_confirmed_only_when_deep(tmp_path):
    async def scenario(w):
        manager = w.manager()
        assert await manager.submit(call(0))
        await manager.tick()
        (waiting,) = w.chain.pool.values()
        assert (waiting.sender, waiting.nonce, waiting.fee, len(waiting.raw)) == (ACCOUNT, 0, SIZE, SIZE)
        seen = []
        for _ in range(4):
            w.block()
            await manager.tick()
            seen.append(await state(w))
        assert seen == ["sent", "sent", "confirmed", "confirmed"]
        done = await w.store.call(intents.get, "call/0")
        assert done.cost_wei == SIZE, "what was paid is what is noted"
        assert manager.status.queued == manager.status.sent == 0

    simulate(tmp_path, scenario)


def test_many_calls_keep_their_order_and_the_window(tmp_path):
    async def scenario(w):
        manager = w.manager()
        for n in range(3 * WINDOW):
            await manager.submit(call(n))
        await manager.tick()
        assert len(w.chain.pool) == manager.status.sent == WINDOW
        await settle(w, manager, 20)
        assert w.chain.calls() == [sink(n) for n in range(3 * WINDOW)]
        assert nonces(w) == list(range(3 * WINDOW))

    simulate(tmp_path, scenario)


def test_a_stop_between_the_durable_nonce_and_the_broadcast(tmp_path):
    async def scenario(w):
        class Killed(BaseException):
            pass

        def kill(status, said):
            raise Killed

        await w.manager().submit(call(0))
        w.a.lies["/v2/transactions"] = w.b.lies["/v2/transactions"] = kill
        with pytest.raises(Killed):
            await w.manager().tick()
        w.chain.pool.clear()
        w.a.lies.clear()
        w.b.lies.clear()
        ((_, before),) = await w.store.call(intents.sent, ACCOUNT)
        signed = KEY.signed
        await settle(w, w.manager())
        assert await state(w) == "confirmed"
        assert KEY.signed == signed, "the stored transaction was sent, no other was signed"
        assert [s.id for b in w.chain.blocks for s in b.sent] == [before[0].hash]

    simulate(tmp_path, scenario)


@pytest.mark.parametrize("seed", range(25))
def test_stops_outages_drops_and_forks_use_no_nonce_twice_and_lose_nothing(tmp_path, seed):
    """A new manager on the same store at any round, and everything a chain may do in between."""

    async def scenario(w):
        chance = random.Random(seed)
        manager, given = w.manager(), 0
        for _ in range(60):
            if given < 8 and chance.random() < 0.4:
                await manager.submit(call(given))
                given += 1
            w.a.down, w.b.down = chance.random() < 0.2, chance.random() < 0.2
            with contextlib.suppress(ChainError):
                await manager.tick()
            if chance.random() < 0.2:
                manager = w.manager()
            if w.chain.pool and chance.random() < 0.2:
                w.chain.pool.pop(chance.choice(sorted(w.chain.pool)))
            if chance.random() < 0.15:
                w.chain.fork(chance.randint(1, 4), forget=chance.random() < 0.5)
                w.block(4)
            w.block(empty=chance.random() < 0.3)
        w.a.down = w.b.down = False
        await settle(w, w.manager(), 30)
        assert w.chain.calls() == [sink(n) for n in range(given)]
        assert nonces(w) == list(range(given))
        by_nonce: dict[int, set[bytes]] = {}
        for sent in w.chain.known.values():
            by_nonce.setdefault(sent.nonce, set()).add(sent.call)
        assert all(len(calls) == 1 for calls in by_nonce.values()), "one nonce, one call, for ever"

    simulate(tmp_path, scenario)


def test_what_the_mempool_forgot_is_found_and_handed_in_again(tmp_path):
    async def scenario(w):
        manager = w.manager()
        await manager.submit(call(0))
        await manager.tick()
        (name,) = w.chain.pool
        w.chain.pool.clear()
        w.block()
        signed = KEY.signed
        await manager.tick()
        assert list(w.chain.pool) == [name]
        assert KEY.signed == signed
        w.chain.pool.clear()
        w.chain.known.clear()  # and where the API does not even know that it was dropped
        await manager.tick()
        assert list(w.chain.pool) == [name]
        await settle(w, manager)
        assert await state(w) == "confirmed"

    simulate(tmp_path, scenario)


def test_one_that_waits_too_long_is_replaced_by_a_dearer_one_until_the_cap(tmp_path):
    async def scenario(w):
        manager = w.manager(dataclasses.replace(w.policy, fee_cap_wei=4))
        await manager.submit(call(0))
        await manager.tick()
        fees = []
        for _ in range(8):
            for _ in range(BUMP_AFTER_MS // BLOCK_MS):
                w.block(empty=True)
            await manager.tick()
            (waiting,) = w.chain.pool.values()
            fees.append(waiting.fee // SIZE)
        assert fees == [2, 3, 4, 4, 4, 4, 4, 4]
        assert "pass the fee cap" in manager.status.trouble
        assert {s.nonce for s in w.chain.known.values()} == {0}
        assert sorted(s.fee for s in w.chain.known.values()) == [SIZE * n for n in (1, 2, 3, 4)]
        await settle(w, manager)
        assert (await w.store.call(intents.get, "call/0")).cost_wei == 4 * SIZE

    simulate(tmp_path, scenario)


def test_fee_too_low_is_answered_by_more_within_the_cap(tmp_path):
    """The node wants more than its own /v2/fees/transfer says."""

    async def scenario(w):
        w.chain.rate = 3
        for endpoint in (w.a, w.b):
            endpoint.lies["/v2/fees"] = lambda status, said: (status, 1)
        manager = w.manager()
        await manager.submit(call(0))
        await settle(w, manager)
        assert (await state(w), (await w.store.call(intents.get, "call/0")).cost_wei) == (
            "confirmed",
            3 * SIZE,
        )

    simulate(tmp_path, scenario)


def test_a_rate_over_the_cap_is_never_paid(tmp_path):
    async def scenario(w):
        w.chain.rate = 101
        manager = w.manager()
        await manager.submit(call(0))
        await manager.tick()
        assert "costs more than the fee cap" in manager.status.trouble
        assert (w.chain.known, await w.store.call(intents.next_nonce, ACCOUNT)) == ({}, 0)

    simulate(tmp_path, scenario)


def test_a_days_budget_is_kept_over_restarts(tmp_path):
    async def scenario(w):
        thrifty = dataclasses.replace(w.policy, spend_per_day_wei=2 * SIZE)
        for n in range(4):
            await w.manager().submit(call(n))
        for _ in range(8):
            manager = w.manager(thrifty)
            await manager.tick()
            w.block()
        assert w.chain.calls() == [sink(0), sink(1)]
        assert "day's budget" in manager.status.trouble
        w.block(86_400_000 // BLOCK_MS)
        await settle(w, w.manager(thrifty), 6)
        assert w.chain.calls() == [sink(n) for n in range(4)]

    simulate(tmp_path, scenario)


@pytest.mark.parametrize("forget", [False, True], ids=["waits-again", "forgotten"])
@pytest.mark.parametrize("depth", range(1, 7))
def test_what_a_fork_takes_out_goes_out_again_with_its_nonce(tmp_path, depth, forget):
    async def scenario(w):
        manager = w.manager()
        for n in range(3):
            await manager.submit(call(n))
            await manager.tick()
            w.block()
        await settle(w, manager, 3)
        assert [await state(w, n) for n in range(3)] == ["confirmed"] * 3
        w.chain.fork(depth, forget=forget)
        w.block(depth, empty=True)
        await manager.submit(call(3))
        await settle(w, manager)
        assert [await state(w, n) for n in range(4)] == ["confirmed"] * 4
        assert w.chain.calls() == [sink(n) for n in range(4)]
        assert nonces(w) == list(range(4))

    simulate(tmp_path, scenario)


def test_what_one_operator_alone_says_confirms_nothing(tmp_path):
    async def scenario(w):
        manager = w.manager()
        await manager.submit(call(0))
        await manager.tick()
        (name,) = w.chain.pool
        lie = {"tx_status": "success", "canonical": True, "block_height": 4, "block_hash": "0x" + "66" * 32}
        w.a.lies["/extended/v1/tx"] = lambda status, said: (200, said | lie)
        w.a.lies["/v2/accounts"] = lambda status, said: (200, {"nonce": 1})
        for _ in range(6):
            await manager.tick()
            w.block(empty=True)
        assert (await state(w), list(w.chain.pool)) == ("sent", [name])
        w.a.lies.clear()
        await settle(w, manager)
        assert await state(w) == "confirmed"

    simulate(tmp_path, scenario)


def test_a_lie_about_the_fee_paid_stays_within_what_was_signed(tmp_path):
    async def scenario(w):
        manager = w.manager()
        await manager.submit(call(0))
        await manager.tick()
        for endpoint in (w.a, w.b):
            endpoint.lies["/extended/v1/tx"] = lambda status, said: (status, said | {"fee_rate": "9" * 19})
        await settle(w, manager)
        assert (await w.store.call(intents.get, "call/0")).cost_wei == SIZE

    simulate(tmp_path, scenario)


def test_a_call_that_the_contract_aborts_has_spent_its_nonce_and_is_not_sent_again(tmp_path):
    async def scenario(w):
        w.chain.failing.add(sink(0))
        manager = w.manager()
        await manager.submit(call(0))
        await manager.submit(call(1))
        await settle(w, manager)
        assert (await state(w, 0), await state(w, 1)) == ("reverted", "confirmed")
        assert nonces(w) == [0, 1]

    simulate(tmp_path, scenario)


def test_a_call_that_would_fail_costs_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(txmgr, "REFUSAL_PAUSE_MS", 5000)

    async def scenario(w):
        answers = [Err(UInt(201))]
        w.chain.views["check"] = lambda arguments, height: answers[0]
        manager = w.manager(trial=lambda call: Invocation(SINK, "check", call.arguments))
        await manager.submit(call(0))
        await settle(w, manager, 3)
        assert "check says error 201" in manager.status.trouble
        assert (w.chain.known, await state(w)) == ({}, "queued")
        answers[0] = Ok(True)
        await settle(w, manager, 6)
        assert await state(w) == "confirmed"

    simulate(tmp_path, scenario)


@pytest.mark.parametrize(
    "garbage",
    [
        b"", b"null", b"[]", b'"x"', b"{}", b"\xff" * 64, b"[" * 9000, b'{"nonce":-1}', b'{"nonce":1e400}',
        b'{"nonce":"0"}', b"<html>502</html>", b'{"results":[{"height":99999999999}]}',
    ],
    ids=range(12),
)  # fmt: skip
def test_garbage_at_any_path_is_a_chain_that_does_not_answer(tmp_path, garbage):
    """From one endpoint and from both: never anything but ChainError, and afterwards all goes on."""

    async def scenario(w):
        manager = w.manager()
        await manager.submit(call(0))
        await manager.submit(call(1))
        paths = ("/v2/info", "/v2/accounts", "/extended/v2", "/extended/v1", "/v2/fees", "/v2/transactions")
        for both in (False, True):
            for path in paths:
                for endpoint in (w.a, w.b) if both else (w.a,):
                    endpoint.lies[path] = lambda status, said: (200, garbage)
                for _ in range(2):
                    with contextlib.suppress(ChainError):
                        await manager.tick()
                    w.block(empty=True)
                w.a.lies.clear()
                w.b.lies.clear()
        await settle(w, manager)
        assert w.chain.calls() == [sink(0), sink(1)]

    simulate(tmp_path, scenario)


def test_a_chain_that_counts_too_few_of_our_transactions_is_not_sent_to(tmp_path):
    async def scenario(w):
        manager = w.manager()
        await manager.submit(call(0))
        await settle(w, manager, 5)
        w.chain.blocks = w.chain.blocks[:1]  # another chain, or a node that syncs from the beginning
        w.block(2000)
        await manager.submit(call(1))
        with pytest.raises(ChainError, match="counts 0 transactions"):
            await manager.tick()
        assert w.chain.calls() == []

    simulate(tmp_path, scenario)


def test_nothing_is_sent_when_the_operators_disagree_about_the_block(tmp_path):
    async def scenario(w):
        manager = w.manager()
        await manager.submit(call(0))
        w.b.lies["/extended/v2/blocks"] = lambda status, said: (status, said | {"hash": "0x" + "66" * 32})
        with pytest.raises(ChainError, match="disagree"):
            await manager.tick()
        assert w.chain.known == {}

    simulate(tmp_path, scenario)


def test_a_key_without_money_waits_and_says_so(tmp_path):
    async def scenario(w):
        manager = w.manager()
        await manager.submit(call(0))
        for endpoint in (w.a, w.b):
            endpoint.lies["/v2/transactions"] = lambda status, said: (400, {"reason": "NotEnoughFunds"})
        w.chain.pool.clear()
        await manager.tick()
        w.chain.pool.clear()
        assert "too little to pay" in manager.status.trouble
        assert (
            str(RpcError("a.example", Fault.INSUFFICIENT_FUNDS, "NotEnoughFunds")) in manager.status.trouble
        )
        w.a.lies.clear()
        w.b.lies.clear()
        await settle(w, manager)
        assert await state(w) == "confirmed"

    simulate(tmp_path, scenario)


def test_the_mock_sees_what_was_meant(tmp_path):
    """It reads by SIP-005's offsets; that the bytes are right is test_chain_stacks_transaction.py's."""

    async def scenario(w):
        name, raw = side.wallet(TESTNET_ID, KEY).sign(Draft(9, str(SINK), sink(5), 200, Fees(7, 7)))
        seen = read(raw)
        assert (seen.id, seen.sender, seen.nonce, seen.fee, seen.call) == (name, ACCOUNT, 9, 1400, sink(5))

    simulate(tmp_path, scenario)
