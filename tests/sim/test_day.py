"""A full day of the rig through the real Daemon in virtual time, and half an hour at full rate twice.

The day polls and decides each 4 s (a limit may be 5 s old), the BMS speaks each 2 s: 21,600 cycles and
polls a device. The half hour runs at the rates of a site, 1 s, and must give the same trace again.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import LinkError
from gateway.model import IntervalFlag
from tests.processes import gridseal
from tests.sim.loop import VirtualClock, run
from tests.sim.rigged import DAY_MS, MIDNIGHT_MS, Rigged

HOUR_MS = 3_600_000
QUARTER_MS = 900_000
ORDERS = (  # hour of the day, W (+ discharges), seconds
    (1.0, -3000, 1800),
    (3.5, -1500, 3600),
    (7.0, 2500, 1200),
    (12.25, -4000, 900),
    (18.0, 3000, 2700),
    (18.5, 1000, 600),  # the operator changes his mind: the one before is cut short
    (21.0, 2000, 1800),
)
SLOW = {"poll": "4 s", "control": "4 s", "commit": "30 s", "bms_s": 2}
ENERGIES = ("charged", "discharged", "imported", "exported")


def meters_j(rigged: Rigged) -> dict[str, float]:
    """The rig's own account of energy, in J, as its physics has it now."""
    state = rigged.plant.advance(rigged.clock.mono_ms())
    return {name: getattr(state, f"{name}_j") for name in ENERGIES}


def intervals(rigged: Rigged) -> list[dict[str, Any]]:
    rows = rigged.rows("SELECT body FROM record WHERE kind = 'interval' ORDER BY sequence")
    return [json.loads(body) for (body,) in rows]


async def a_day(clock: VirtualClock, folder: Path) -> tuple[Rigged, dict[str, float]]:
    rigged = Rigged(clock, folder, **SLOW)
    async with rigged.running():
        await rigged.until_wall(MIDNIGHT_MS)
        before = meters_j(rigged)
        for hour, power_w, seconds in ORDERS:
            await rigged.until_wall(MIDNIGHT_MS + int(hour * HOUR_MS))
            assert (await rigged.order(power_w, seconds))["admitted"]
        refused = await rigged.order(6000, 60)
        assert refused["reason"] == "discharging with 6000 W is above the site's limit of 5000 W"
        await rigged.until_wall(MIDNIGHT_MS + DAY_MS)
        energy = {name: j - before[name] for name, j in meters_j(rigged).items()}
        await asyncio.sleep(60)  # the last interval is sealed when its samples are on the disk
    return rigged, energy


@pytest.mark.timeout(400)
def test_a_day(tmp_path: Path) -> None:
    rigged, energy_j = run(lambda clock: a_day(clock, tmp_path))
    found = [i for i in intervals(rigged) if MIDNIGHT_MS <= i["start_ms"] < MIDNIGHT_MS + DAY_MS]
    starts = [i["start_ms"] for i in found]
    assert starts == list(range(MIDNIGHT_MS, MIDNIGHT_MS + DAY_MS, QUARTER_MS)), "96, without a hole"
    assert all(i["end_ms"] == i["start_ms"] + QUARTER_MS for i in found)
    # Before the first sun of its life the rig's PV counter is 0, which SunSpec reads as "none".
    assert {i["flags"] for i in found} == {0, IntervalFlag.ENERGY_INTEGRATED}
    for name in ENERGIES:
        told, real = sum(i[f"{name}_wh"] for i in found), energy_j[name] / 3600
        assert told == pytest.approx(real, rel=0.01, abs=2), f"{name}: {told} Wh told, {real:.0f} Wh real"
    states = rigged.rows("SELECT state, json_extract(parameters, '$.power_w') FROM command ORDER BY rowid")
    done = [power for state, power in states if state == "done"]
    assert done == [-3000, -1500, 2500, -4000, 1000, 2000]
    assert states[4] == ("cut-short", 3000) and states[-1] == ("refused", 6000)
    assert rigged.plant.witness.outside == 0
    assert rigged.plant.witness.refused == 0
    audit = gridseal(tmp_path, "verify", "site.yaml", "--json")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    counts = {
        "intervals": len(found),
        "deliveries": len(rigged.rows("SELECT 1 FROM record WHERE kind = 'delivery'")),
        "samples": rigged.rows("SELECT count(*) FROM sample")[0][0],
        "writes": rigged.plant.witness.writes,
        "writes_outside_envelope": rigged.plant.witness.outside,
    }
    print(json.dumps(counts))
    assert counts["deliveries"] == len(ORDERS)


async def half_an_hour(clock: VirtualClock, folder: Path, seed: int) -> Rigged:
    """Full rate, with what goes wrong on a site: a dead BMS, a device that answers late or not at all."""
    rigged = Rigged(clock, folder, seed=seed, every="5 min", commit="10 s")
    async with rigged.running():
        await rigged.until_wall(MIDNIGHT_MS + 60_000)
        assert (await rigged.order(2000, 600))["admitted"]
        await asyncio.sleep(120)
        rigged.bms.break_as("silent")
        await asyncio.sleep(60)
        rigged.bms.clear()
        await asyncio.sleep(600)
        assert (await rigged.order(-2500, 900))["admitted"]
        await asyncio.sleep(300)
        rigged.plant.set_soc(0.05)
        await rigged.until_wall(MIDNIGHT_MS + HOUR_MS // 2)
    return rigged


def test_the_same_seed_gives_the_same_trace(tmp_path: Path) -> None:
    first = run(lambda clock: half_an_hour(clock, tmp_path / "first", 7))
    again = run(lambda clock: half_an_hour(clock, tmp_path / "again", 7))
    assert first.trace() == again.trace()
    assert first.plant.witness.outside == 0
    other = [e["merkle_root"] for e in intervals(first)]
    assert len(other) == len(set(other)) >= 6, "five minutes each, none like another"


def test_nobody_asks_a_daemon_that_has_ended(tmp_path: Path) -> None:
    async def script(clock: VirtualClock) -> None:
        rigged = Rigged(clock, tmp_path)
        async with rigged.running():
            await asyncio.sleep(5)
        with pytest.raises(LinkError, match="no daemon runs here"):
            await rigged.ask("status")

    run(script)
