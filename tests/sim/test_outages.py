"""What is gone for a while, with the real Daemon in virtual time: the calendar and the wires.

The chain's own outages are tested where its parts are: RPC down for an hour and drained in order, a dropped
or reorganised transaction (tests/gateway/test_chain_txmgr.py, test_chain_outbox.py); two RPCs that disagree
(test_chain_quorum.py); a reorg after dispatch, orders on an unsure clock (test_chain_inbox.py). A full disk
and kill -9 need a process: tests/system.
"""

import asyncio
import json
from pathlib import Path

from rig.faults import Fault

from gateway.model import ClockTrust, Command, ServiceKind, Source
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
