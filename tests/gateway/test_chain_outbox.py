"""Signed records to the real contracts on the rig's EVM, in virtual time: in order, once, through outages,
and what happens when the contract refuses or somebody else was quicker."""

import contextlib
import dataclasses

import pytest
from rig import deploy

from gateway.chain import outbox as module
from gateway.chain.outbox import AHEAD, Outbox, last_sequence
from gateway.chain.platforms.evm import Asset, EvmPlatform
from gateway.chain.platforms.storage import SYSTEM
from gateway.chain.txmgr import WINDOW
from gateway.errors import ChainError
from gateway.evidence.typed import NO_CHAIN, Gap, GapCause
from gateway.store import intents, records
from tests.chain.people import SITE, Attestor, delivery, interval
from tests.chain.world import CHAIN_ID, Direct, world
from tests.sim.loop import run


class Site:
    """Contracts, a bound key, attestor, manager and outbox on one world."""

    patience_ms = 0

    def __init__(self, w) -> None:
        self.w = w

    async def begin(self, *, bind=True) -> "Site":
        w = self.w
        contracts = await deploy.deploy(Direct(w.evm), w.evm.keys[0])
        self.market = deploy.Market(Direct(w.evm), contracts, w.evm.keys[0], w.evm.keys[1])
        if bind:
            await self.bind()
        self.platform = EvmPlatform(SYSTEM, Asset(contracts, 1))
        self.attestor = Attestor(w.store, w.signer, CHAIN_ID, contracts["verification"])
        w.clock.wall_offset_ms += 20_000  # each block above took a second of the chain's time
        w.block(w.policy.confirmations)
        self.restart()
        return self

    async def bind(self):
        self.storage = await self.market.register_storage(self.w.signer, SITE, fund_wei=0)

    def restart(self):
        w = self.w
        self.manager = w.manager()
        self.outbox = Outbox(
            w.store, w.quorum(), self.platform, w.signer.address, w.clock, self.manager.wake,
            confirmations=w.policy.confirmations, patience_ms=self.patience_ms,
        )  # fmt: skip

    async def rounds(self, count: int) -> None:
        for _ in range(count):
            await self.outbox.tick()
            await self.manager.tick()
            self.w.block()
        await self.outbox.tick()

    async def last(self) -> int:
        return await self.market.last_sequence(self.w.signer.address)


def simulate(tmp_path, scenario, **options):
    async def main(clock):
        async with world(clock, tmp_path) as w:
            return await scenario(await Site(w).begin(**options))

    return run(main)


def test_records_go_in_order_and_are_confirmed_only_deep(tmp_path):
    async def scenario(site):
        for n in range(20):
            await site.attestor.attest(interval(n))
        await site.rounds(1)
        assert await site.last() == WINDOW
        await site.rounds(2)
        assert await site.last() == 20
        assert await site.attestor.confirmed() == []
        await site.rounds(12)
        assert await site.attestor.confirmed() == list(range(1, 21))
        assert await site.last() == 20
        assert site.w.used_nonces() == dict.fromkeys(range(20), 1)

    simulate(tmp_path, scenario)


def test_an_hour_without_rpc_then_drained_in_order_and_bounded(tmp_path):
    async def scenario(site):
        w = site.w
        await site.attestor.attest(interval(0))
        await site.rounds(5)
        w.a.down = w.b.down = True
        for n in range(1, 101):  # records go on being signed; every tick fails, with a restart now and then
            await site.attestor.attest(interval(n))
            w.pass_ms(36_000)
            w.evm.mine()
            if n % 20 == 0:
                site.restart()
            with contextlib.suppress(ChainError):
                await site.outbox.tick()
            with pytest.raises(ChainError):
                await site.manager.tick()
            assert await w.store.call(intents.count_open) <= AHEAD
        w.a.down = w.b.down = False
        for _ in range(60):
            await site.rounds(1)
            assert await w.store.call(intents.count_open) <= AHEAD
        assert await site.attestor.confirmed() == list(range(1, 102))
        assert w.used_nonces() == dict.fromkeys(range(101), 1)

    simulate(tmp_path, scenario)


def test_a_restart_after_every_round_sends_nothing_twice(tmp_path):
    async def scenario(site):
        for n in range(5):
            await site.attestor.attest(interval(n))
        for _ in range(12):
            site.restart()
            await site.rounds(1)
        assert await site.attestor.confirmed() == [1, 2, 3, 4, 5]
        assert site.w.used_nonces() == dict.fromkeys(range(5), 1)

    simulate(tmp_path, scenario)


def test_a_key_bound_late_loses_no_record(tmp_path):
    async def scenario(site):
        for n in range(3):
            await site.attestor.attest(interval(n))
        await site.rounds(30)
        assert await site.attestor.confirmed() == []
        assert "contract refuses" in site.manager.status.trouble
        assert site.w.used_nonces() == {}, "what would fail is not sent"
        await site.bind()
        site.w.clock.wall_offset_ms += 5_000
        site.w.pass_ms(3_600_000)
        site.w.block()
        await site.rounds(12)
        assert await site.attestor.confirmed() == [1, 2, 3]

    simulate(tmp_path, scenario, bind=False)


def test_records_that_somebody_else_submitted_are_confirmed_without_sending(tmp_path):
    async def scenario(site):
        w = site.w
        for n in range(3):
            await site.attestor.attest(interval(n))
        stranger = w.evm.keys[5]
        for entry in (await w.store.call(records.unconfirmed))[:2]:
            call = site.platform.record_call(entry.record)
            await site.market.node.send(stranger, call.contract, call.data)
        w.clock.wall_offset_ms += 5_000
        w.block(4)
        await site.rounds(8)
        assert await site.attestor.confirmed() == [1, 2, 3]
        assert len(w.used_nonces()) == 1
        assert await last_sequence(w.quorum(), site.platform, (w.signer.address,)) == 3

    simulate(tmp_path, scenario)


def test_one_overtaken_in_the_queue_is_found_and_let_go(tmp_path):
    async def scenario(site):
        w = site.w
        await site.attestor.attest(interval(0))
        await site.outbox.tick()  # queued here, and submitted by a stranger meanwhile
        (entry,) = await w.store.call(records.unconfirmed)
        call = site.platform.record_call(entry.record)
        await site.market.node.send(w.evm.keys[5], call.contract, call.data)
        w.clock.wall_offset_ms += 5_000
        w.block(4)
        await site.manager.tick()  # refused: the contract has it
        w.pass_ms(module.LAST_AGE_MS)
        w.block()
        await site.rounds(1)
        assert await site.attestor.confirmed() == [1]
        assert w.used_nonces() == {}
        assert await w.store.call(intents.count_open) == 0

    simulate(tmp_path, scenario)


def test_a_reverted_record_is_sent_again(tmp_path):
    """Unbound between the estimate and the block: mined as failed, deep; then bound to a new storage."""

    async def scenario(site):
        w = site.w
        await site.attestor.attest(interval(0))
        await site.outbox.tick()
        for endpoint in (w.a, w.b):  # the estimate was made before the key was bound: scripted
            endpoint.lies["eth_estimateGas"] = lambda *_: hex(60_000)
        await site.manager.tick()
        w.block()
        for endpoint in (w.a, w.b):
            endpoint.lies.clear()
        await site.rounds(5)
        found = await w.store.call(lambda conn: conn.execute("SELECT state, paid_wei FROM intent").fetchone())
        assert found[0] == "queued", "reverted once, waits for the contract to take it"
        assert found[1] > 0
        await site.bind()
        w.clock.wall_offset_ms += 5_000
        w.pass_ms(3_600_000)
        w.block()
        await site.rounds(8)
        assert await site.attestor.confirmed() == [1]
        assert w.used_nonces() == {0: 1, 1: 1}

    simulate(tmp_path, scenario, bind=False)


def test_a_record_without_room_in_the_contract_stays_and_is_named(tmp_path):
    async def scenario(site):
        await site.attestor.attest(dataclasses.replace(interval(0), available_wh=2**31))
        await site.outbox.tick()
        assert "record 1 stays here" in site.outbox.stuck
        assert "available_wh" in site.outbox.stuck
        assert await site.w.store.call(intents.count_open) == 0
        await site.attestor.attest(interval(1))
        await site.rounds(3)
        assert site.w.used_nonces() == {}, "what cannot be accepted is not tried"

    simulate(tmp_path, scenario)


def test_a_gap_record_passes_over_what_has_no_room(tmp_path):
    async def scenario(site):
        await site.attestor.attest(interval(0))
        await site.attestor.attest(dataclasses.replace(interval(1), available_wh=2**31))
        await site.attestor.attest(Gap(0, 9, 1, GapCause.NOT_ENCODABLE))
        await site.attestor.attest(interval(2))
        await site.rounds(12)
        assert await site.attestor.confirmed() == [1, 3, 4], "what no contract holds is not called confirmed"
        assert await site.last() == 4
        states = {e.record.sequence: e.state for e in await site.w.store.call(records.entries)}
        assert states[2] is records.RecordState.PASSED, "its readings are settled as far as they can be"
        assert site.outbox.stuck == ""


def test_more_records_without_room_than_are_looked_at_at_once(tmp_path):
    """A site that ran without a contract, and then gets one."""

    async def scenario(site):
        contract, site.attestor.domain = site.attestor.domain, NO_CHAIN
        for n in range(AHEAD + 5):
            await site.attestor.attest(interval(n))
        await site.rounds(2)
        assert "record 1 stays here: it is for the contract 0x0000" in site.outbox.stuck
        assert site.w.used_nonces() == {}
        site.attestor.domain = contract
        await site.attestor.attest(Gap(0, 9, 0, GapCause.NOT_ENCODABLE))
        await site.attestor.attest(interval(AHEAD + 5))
        await site.rounds(12)
        assert await site.attestor.confirmed() == [AHEAD + 6, AHEAD + 7]
        assert await site.last() == AHEAD + 7
        assert await site.w.store.call(records.unconfirmed) == []

    simulate(tmp_path, scenario)


def test_a_full_queue_waits_and_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(intents, "OPEN_MAX", 2)

    async def scenario(site):
        for n in range(5):
            await site.attestor.attest(interval(n))
        await site.outbox.tick()
        assert "2 calls are open" in site.outbox.stuck
        await site.rounds(30)
        assert await site.attestor.confirmed() == [1, 2, 3, 4, 5]

    simulate(tmp_path, scenario)


def test_a_delivery_is_validated_and_settled_after_it_is_confirmed(tmp_path):
    async def scenario(site):
        w = site.w
        await site.attestor.attest(interval(0))
        await site.rounds(5)
        await site.market.verify_installation(site.storage)
        service = await site.market.register_service(site.storage, "load-shifting")
        begin = w.clock.now().wall_ms // 1000
        command = await site.market.order(service, begin, begin + 900, -200, [-800], 10**16)
        w.clock.wall_offset_ms += 5_000
        await w.store.call(intents.refer, command, f"services/{service}")
        await site.attestor.attest(delivery(command, begin * 1000, begin * 1000 + 900_000, -150))
        await site.rounds(4)
        assert (await site.market.order_state(service))["state"] == "ordered"
        assert await w.store.call(intents.count_open) == 2
        await site.rounds(12)
        state = await site.market.order_state(service)
        assert (state["state"], state["share_bp"]) == ("settled", 7500)
        assert await w.store.call(intents.count_open) == 0

    simulate(tmp_path, scenario)


def test_a_contract_that_answers_nonsense(tmp_path):
    async def scenario(site):
        for endpoint in (site.w.a, site.w.b):
            endpoint.lies["eth_call"] = lambda *_: "0x01"
        with pytest.raises(ChainError, match="1 bytes, not 32"):
            await last_sequence(site.w.quorum(), site.platform, (site.w.signer.address,))

    simulate(tmp_path, scenario)


def test_one_that_gets_its_nonce_while_the_contract_is_asked_is_followed_to_its_end(tmp_path):
    """Ended then, its transactions would be forgotten, and an unpublished nonce holds up all after it."""

    async def scenario(site):
        w = site.w
        await site.attestor.attest(interval(0))
        await site.outbox.tick()
        (entry,) = await w.store.call(records.unconfirmed)
        call = site.platform.record_call(entry.record)
        await site.market.node.send(w.evm.keys[5], call.contract, call.data)  # a stranger was quicker
        w.clock.wall_offset_ms += 5_000
        w.pass_ms(module.LAST_AGE_MS)
        w.block(4)
        key = f"record/{entry.record.digest.hex()}"
        intent = await w.store.call(intents.get, key)
        first = intents.Outgoing("0x" + "11" * 32, b"raw", 10**9, 1)

        def given(*query):
            args = (intent.id, w.signer.address, 0, first, 60_000, w.clock.now().wall_ms)
            w.store._transact(lambda conn: intents.claim(conn, *args))
            del w.a.lies["eth_call"]
            return w.a.truth["eth_call"](*query)

        w.a.lies["eth_call"] = given
        await site.outbox.tick()
        ((found, outgoing),) = await w.store.call(intents.sent, w.signer.address)
        assert (found.key, outgoing) == (key, [first])

    simulate(tmp_path, scenario)


def test_a_sequence_that_no_record_has_is_not_believed(tmp_path):
    async def scenario(site):
        for endpoint in (site.w.a, site.w.b):
            endpoint.lies["eth_call"] = lambda *_: "0x" + "ff" * 32
        with pytest.raises(ChainError, match="no record's"):
            await last_sequence(site.w.quorum(), site.platform, (site.w.signer.address,))

    simulate(tmp_path, scenario)
