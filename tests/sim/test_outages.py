"""What is gone for a while, or lies, with the real Daemon in virtual time: calendar, wires, chain.

The whole site here; the many ways of each chain outage are tested where its parts are: test_chain_txmgr.py,
test_chain_outbox.py, test_chain_quorum.py, test_chain_inbox.py. A full disk and kill -9 need a process:
tests/system.
"""

import asyncio
import json
from pathlib import Path

import pytest
from rig.faults import Fault

from gateway.model import ClockTrust, Command, ServiceKind, Source
from tests.sim.chained import chained
from tests.sim.loop import VirtualClock, run
from tests.sim.rigged import MIDNIGHT_MS, Rigged

WRONG_MS = -365 * 86_400_000  # a computer without a clock begins where it was switched off


def from_chain(clock: VirtualClock, name: str) -> Command:
    now_ms = clock.now().wall_ms
    return Command(
        name * 64, Source.CHAIN, ServiceKind.FIXED_POWER, now_ms, now_ms + 60_000, {"power_w": 1000}
    )


def test_an_unsure_clock_signs_nothing_and_readings_get_their_date_later(tmp_path: Path) -> None:
    async def script(clock: VirtualClock) -> Rigged:
        rigged = Rigged(clock, tmp_path, every="1 min")
        clock.trust = ClockTrust.UNTRUSTED
        clock.step(WRONG_MS)
        async with rigged.running() as daemon:
            await asyncio.sleep(300)
            assert rigged.rows("SELECT count(*) FROM record") == [(0,)]
            assert rigged.rows("SELECT DISTINCT trust FROM sample") == [(ClockTrust.UNTRUSTED,)]
            refused = await daemon.control.submit(from_chain(clock, "a"))
            assert (refused.admitted, refused.reason) == (
                False,
                "the clock of this gateway is not synchronised yet",
            )
            assert (await rigged.order(1500, 30))["admitted"], "a person on the spot needs no calendar"
            await asyncio.sleep(40)
            assert rigged.rows("SELECT count(*) FROM record") == [(0,)]
            clock.step(-WRONG_MS)
            clock.trust = ClockTrust.TRUSTED
            await asyncio.sleep(180)
            assert (await daemon.control.submit(from_chain(clock, "b"))).admitted
            await asyncio.sleep(70)
        return rigged

    rigged = run(script)
    before_ms = MIDNIGHT_MS + 330_000  # 340 s after a start at 10 s before midnight
    early = rigged.rows("SELECT wall_ms, trust FROM sample WHERE wall_ms < ?", before_ms - 2_000)
    assert min(early)[0] >= MIDNIGHT_MS - 10_000, "dated to the second they were taken, not a year ago"
    assert {trust for _, trust in early} == {ClockTrust.BACKDATED}
    assert rigged.rows("SELECT count(*) FROM sample WHERE trust = 0") == [(0,)]
    bodies = [json.loads(b) for (b,) in rigged.rows("SELECT body FROM record WHERE kind = 'interval'")]
    assert [b["start_ms"] for b in bodies] == sorted({b["start_ms"] for b in bodies})
    assert {b["clock"] for b in bodies if b["end_ms"] <= before_ms - 60_000} == {ClockTrust.BACKDATED}
    assert bodies[-1]["clock"] == ClockTrust.TRUSTED
    assert rigged.plant.witness.outside == 0


def test_an_inverter_away_for_minutes_is_found_again_in_its_fallback(tmp_path: Path) -> None:
    async def script(clock: VirtualClock) -> Rigged:
        rigged = Rigged(clock, tmp_path)
        async with rigged.running() as daemon:
            await asyncio.sleep(20)
            assert (await rigged.order(2000, 3600))["admitted"]
            await asyncio.sleep(60)
            assert daemon.control.status.commanded_w == 2000
            for link in rigged.links:
                link.faults.add(Fault("silence"))
            away_ms = clock.mono_ms()
            await asyncio.sleep(600)
            assert daemon.control.status.commanded_w == 0
            assert not daemon.devices["inverter"].health.online
            assert daemon.devices["bms"].health.online, "a dead neighbour slows nobody"
            assert rigged.plant.advance(clock.mono_ms()).order.kind == "self", "the device's own timer"
            for link in rigged.links:
                link.faults.clear()
            await asyncio.sleep(60)
            assert daemon.devices["inverter"].health.online
            assert daemon.control.status.commanded_w == 2000, "its hour is not over"
            after = [e for e in rigged.plant.witness.entries if e.at_ms > away_ms]
            assert not after[0].demand_w, "the fallback first, then the ramp"
        return rigged

    rigged = run(script)
    assert rigged.plant.witness.outside == 0
    assert not rigged.plant.witness.entries[-1].demand_w, "the last write of the daemon is the fallback"


def on_chain(rigged: Rigged) -> list[int]:
    return [n for (n,) in rigged.rows("SELECT sequence FROM record WHERE state = 'confirmed' ORDER BY 1")]


def powers(rigged: Rigged) -> list[int]:
    return [e.demand_w for e in rigged.plant.witness.entries if e.demand_w]


@pytest.mark.timeout(400)
def test_rpc_down_for_an_hour_then_drained_in_order(tmp_path: Path) -> None:
    async def script(clock: VirtualClock) -> Rigged:
        rigged = Rigged(clock, tmp_path, every="2 min", poll="2 s", commit="10 s")
        async with chained(rigged) as chain, rigged.running() as daemon:
            await asyncio.sleep(400)
            service = await chain.open_market()
            ordered = await chain.order(service, 1500, 60, 1200)
            await asyncio.sleep(120)
            assert daemon.control.status.commanded_w == 1500
            before = on_chain(rigged)
            assert before
            chain.down(True)
            await asyncio.sleep(3600)
            assert on_chain(rigged) == before
            (done,) = rigged.rows("SELECT state FROM command WHERE id = ?", ordered)
            assert done == ("done",), "13: it ran to its end, the chain away"
            sealed = rigged.rows("SELECT count(*) FROM record WHERE state = 'signed'")[0][0]
            assert sealed >= 30, "an hour of two minutes each, and the delivery"
            chain.down(False)
            await asyncio.sleep(900)
            found = on_chain(rigged)
            assert found == list(range(1, len(found) + 1)) and len(found) >= sealed + len(before)
            assert await chain.market.last_sequence(chain.address) >= len(found)
            assert (await chain.market.order_state(service))["state"] == "settled"
        return rigged

    rigged = run(script)
    assert rigged.plant.witness.outside == 0


def test_two_rpcs_that_disagree_are_not_obeyed(tmp_path: Path) -> None:
    async def script(clock: VirtualClock) -> Rigged:
        rigged = Rigged(clock, tmp_path, every="2 min", poll="2 s", commit="10 s")
        async with chained(rigged) as chain, rigged.running():
            await asyncio.sleep(400)
            service = await chain.open_market()
            liar = chain.endpoints["http://b.example"]
            liar.lies["eth_getLogs"] = lambda query: []
            await chain.order(service, 1500, 60, 1200)
            await asyncio.sleep(300)
            assert rigged.rows("SELECT count(*) FROM command") == [(0,)] and powers(rigged) == []
            assert "orders" in (await rigged.ask("status"))["troubles"]
            liar.lies.clear()
            await asyncio.sleep(300)
            assert 1500 in powers(rigged), "they agree again: the order is carried out in what is left"
        return rigged

    assert run(script).plant.witness.outside == 0


def test_a_reorg_after_dispatch_carries_nothing_out_twice(tmp_path: Path) -> None:
    async def script(clock: VirtualClock) -> Rigged:
        rigged = Rigged(clock, tmp_path, every="2 min", poll="2 s", commit="10 s")
        async with chained(rigged) as chain, rigged.running() as daemon:
            await asyncio.sleep(400)
            service = await chain.open_market()
            await chain.order(service, 1500, 60, 300)
            await asyncio.sleep(120)
            assert daemon.control.status.commanded_w == 1500
            chain.evm.reorg(12)  # deeper than finality: the order is mined again in another block
            await asyncio.sleep(900)
        return rigged

    rigged = run(script)
    assert rigged.rows("SELECT state FROM command") == [("done",)]
    ((outcome,),) = rigged.rows("SELECT outcome FROM command")
    told = json.loads(outcome)
    assert told["end_ms"] - told["start_ms"] <= 300_000
    at_ms = [e.at_ms for e in rigged.plant.witness.entries if e.demand_w == 1500]
    assert at_ms[-1] - at_ms[0] < 300_000, "one stretch"
    assert rigged.rows("SELECT count(*) FROM record WHERE kind = 'delivery'") == [(1,)]
