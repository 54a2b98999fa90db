"""An old backup under the real Daemon: no number is signed twice, no nonce used twice, and somebody is told.

An order of the chain that is still in its time goes on: the chain says so, and the backup cannot know better.
"""

import asyncio
import json
import shutil
from itertools import islice
from pathlib import Path

from tests.chain.world import Direct
from tests.sim.chained import chained
from tests.sim.loop import VirtualClock, run
from tests.sim.rigged import Rigged
from tests.system.ledger import chain_story

DIGESTS = "SELECT sequence, digest FROM record WHERE signature <> x''"


def test_an_old_backup_is_found_out_by_the_contract(tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    async def script(clock: VirtualClock) -> None:
        rigged = Rigged(clock, tmp_path, every="2 min", poll="2 s", commit="10 s")
        store, backup = tmp_path / "store.db", tmp_path / "backup.db"
        async with chained(rigged) as chain:
            async with rigged.running():
                await asyncio.sleep(400)
                service = await chain.open_market()
            shutil.copy(store, backup)
            async with rigged.running() as daemon:
                await chain.order(service, 1500, 60, 1800)
                await asyncio.sleep(150)
                assert daemon.control.status.commanded_w == 1500
                assert (await rigged.order(-2000, 60))["admitted"], (
                    "a person's, which the contract never sees"
                )
                await asyncio.sleep(130)
            before = dict(rigged.rows(DIGESTS))
            writes = rigged.plant.witness.writes
            shutil.copy(backup, store)
            assert set(dict(rigged.rows(DIGESTS))) < set(before)
            capsys.readouterr()
            async with rigged.running():
                await asyncio.sleep(400)
                told = capsys.readouterr().err
            assert "were signed, and the store ends with" in told and "old backup" in told
            after = dict(rigged.rows(DIGESTS))
            for number in set(before) & set(after):
                assert before[number] == after[number], "one number, one digest"
            ((kind, body),) = rigged.rows(
                "SELECT kind, body FROM record WHERE sequence > ? LIMIT 1", max(before)
            )
            assert (kind, json.loads(body)["cause"]) == ("gap", 2)
            accepted, mined = await chain_story(Direct(chain.evm), chain.address)
            assert {len(digests) for digests in accepted.values()} == {1}
            assert len({one["nonce"] for one in mined}) == len(mined)
            again = list(islice(rigged.plant.witness.entries, writes, None))
            assert again and all(entry.demand_w != -2000 for entry in again), "over, and not begun again"
            assert rigged.plant.witness.outside == 0

    run(script)
