"""What a reorg deeper than `confirmations` takes out of the chain goes out again: each call once, in order,
with the nonce it had. Found by the seeded world (seed 177 with two confirmations)."""

import pytest
from rig.evmchain import Refused

from gateway.chain import txmgr
from gateway.chain.send_state import Policy
from gateway.errors import ChainError
from gateway.store import intents
from tests.gateway.test_chain_txmgr import call, settle, simulate, state

SHALLOW = Policy(confirmations=2)
CALLS = 3


async def confirmed(w, manager) -> None:
    """Each call in a block of its own, all taken for deep."""
    for number in range(CALLS):
        await manager.submit(call(number))
        await manager.tick()
        w.block()
    await settle(w, manager, 3)
    assert [await state(w, n) for n in range(CALLS)] == ["confirmed"] * CALLS


@pytest.mark.parametrize("keep", [True, False], ids=["waits-again", "forgotten"])
@pytest.mark.parametrize("depth", range(3, 7))
def test_what_was_confirmed_and_is_gone_goes_out_again(tmp_path, depth, keep):
    async def scenario(w):
        manager = w.manager(SHALLOW)
        await confirmed(w, manager)
        w.evm.reorg(depth, keep=keep)
        await manager.submit(call(CALLS))
        await settle(w, manager)
        assert [await state(w, n) for n in range(CALLS + 1)] == ["confirmed"] * (CALLS + 1)
        assert w.payloads() == [bytes([n + 1]) for n in range(CALLS + 1)]
        assert w.used_nonces() == dict.fromkeys(range(CALLS + 1), 1)
        assert manager.status.trouble == ""

    simulate(tmp_path, scenario)


def test_those_on_their_way_wait_for_those_before_them(tmp_path):
    async def scenario(w):
        manager = w.manager(SHALLOW)
        await confirmed(w, manager)
        await manager.submit(call(CALLS))
        await manager.tick()
        w.evm.reorg(6, keep=False)
        w.evm.forget_pool()
        await settle(w, w.manager(SHALLOW))  # and after a restart
        assert w.payloads() == [bytes([n + 1]) for n in range(CALLS + 1)]
        assert w.used_nonces() == dict.fromkeys(range(CALLS + 1), 1)

    simulate(tmp_path, scenario)


def test_one_endpoint_that_lags_or_lies_takes_nothing_back(tmp_path):
    async def scenario(w):
        manager = w.manager(SHALLOW)
        await confirmed(w, manager)
        signed = w.signer.signed
        w.a.lies["eth_getTransactionCount"] = lambda *_: "0x0"
        await manager.submit(call(CALLS))
        with pytest.raises(ChainError, match="lag, or this is another chain"):
            await manager.tick()
        assert [await state(w, n) for n in range(CALLS)] == ["confirmed"] * CALLS
        assert w.signer.signed == signed

    simulate(tmp_path, scenario)


def test_a_chain_that_lacks_more_than_a_reorg_takes_is_another_one(tmp_path, monkeypatch):
    async def scenario(w):
        manager = w.manager(SHALLOW)
        await confirmed(w, manager)
        monkeypatch.setattr(txmgr, "REORG_MAX", 2)
        for endpoint in (w.a, w.b):
            endpoint.lies["eth_getTransactionCount"] = lambda *_: "0x0"
        with pytest.raises(ChainError, match=r"counts 0 transactions .* but 3 were confirmed"):
            await manager.tick()
        assert [await state(w, n) for n in range(CALLS)] == ["confirmed"] * CALLS

    simulate(tmp_path, scenario)


def test_both_that_lag_cost_nothing_but_a_look(tmp_path):
    async def scenario(w):
        manager = w.manager(SHALLOW)
        await confirmed(w, manager)
        for endpoint in (w.a, w.b):
            endpoint.lies["eth_getTransactionCount"] = lambda *_: "0x1"
        await manager.tick()
        assert await state(w, 0) == "confirmed"
        for endpoint in (w.a, w.b):
            endpoint.lies.clear()
        await settle(w, manager)
        assert [await state(w, n) for n in range(CALLS)] == ["confirmed"] * CALLS
        assert w.payloads() == [bytes([n + 1]) for n in range(CALLS)]

    simulate(tmp_path, scenario)


def test_it_waits_while_gas_costs_more_than_the_cap(tmp_path):
    async def scenario(w):
        manager = w.manager(SHALLOW)
        await confirmed(w, manager)
        w.evm.reorg(6, keep=False)
        for endpoint in (w.a, w.b):
            endpoint.lies["eth_maxPriorityFeePerGas"] = lambda: hex(10**12)
        await manager.tick()
        assert "gas costs more than the fee cap" in manager.status.trouble
        for endpoint in (w.a, w.b):
            endpoint.lies.clear()
        await settle(w, manager)
        assert w.payloads() == [bytes([n + 1]) for n in range(CALLS)]

    simulate(tmp_path, scenario)


def test_a_transaction_that_comes_back_by_itself_is_known_by_its_old_name(tmp_path):
    """The endpoints refuse the new one of the same nonce, and mine the one that they had kept."""

    async def scenario(w):
        manager = w.manager(SHALLOW)
        await confirmed(w, manager)
        before = [(await w.store.call(intents.get, f"call/{n}")).nonce for n in range(CALLS)]
        w.evm.reorg(6, keep=True)

        def refuse(*_):
            raise Refused("transaction type not supported")

        for endpoint in (w.a, w.b):
            endpoint.lies["eth_sendRawTransaction"] = refuse
        await settle(w, manager)
        assert [(await w.store.call(intents.get, f"call/{n}")).nonce for n in range(CALLS)] == before
        assert [await state(w, n) for n in range(CALLS)] == ["confirmed"] * CALLS
        assert w.used_nonces() == dict.fromkeys(range(CALLS), 1)

    simulate(tmp_path, scenario)
