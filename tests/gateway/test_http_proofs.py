"""Proofs of single readings: each leaf's leads to the root; what is gone, too much or too soon is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.evidence import merkle
from gateway.model import Interval, Sample
from gateway.store import records
from gateway.uplink.http import proofs
from gateway.uplink.http.proofs import PAUSE_MS, Proofs
from gateway.uplink.http.spec import Refused
from tests.gateway.evidence_samples import INTERVAL
from tests.gateway.http_site import Served, meter, served
from tests.gateway.stores import WALL_MS

END_MS = WALL_MS + 900_000


def over(found: list[Sample]) -> Interval:
    leaves = [leaf for sample in found for leaf in merkle.leaves(sample)]
    return replace(
        INTERVAL, start_ms=WALL_MS, end_ms=END_MS, count=len(leaves), merkle_root=merkle.root(leaves)
    )


async def sealed(site: Served, count: int = 450) -> tuple[list[Sample], Any]:
    found = [meter(n, wh=n) for n in range(count)]
    await site.keep(*found)
    await site.sign(over(found), 1, count)
    return found, await site.store.call(records.entry, 1)


async def test_every_reading_is_proven_from_one_tree(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        found, entry = await sealed(site)
        made = Proofs(site.store, site.clock)
        root = over(found).merkle_root
        for sample in found[::45]:
            for point, value in zip(sample.points[:3], sample.values, strict=False):
                at_ms = sample.stamp.wall_ms
                told, quality, proof = await made.of(entry, point.key, at_ms)
                assert (told, quality) == (value, 0)
                assert merkle.verify(root, merkle.leaf(point.key, at_ms, value, quality), proof)


async def refused(made: Proofs, entry: Any, point: str, at_ms: int) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        await made.of(entry, point, at_ms)
    return caught.value.status, str(caught.value)


async def test_what_cannot_be_proven_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        _, entry = await sealed(site, 5)
        made = Proofs(site.store, site.clock)
        for point, at_ms, said in (
            ("meter/grid_power_w", END_MS, "does not speak of that moment"),
            ("meter/grid_power_w", WALL_MS + 1, "is not stored"),
            ("meter/setpoint_w", WALL_MS, "is not stored"),  # no evidence
            ("bms/grid_power_w", WALL_MS, "is not stored"),
        ):
            status, text = await refused(made, entry, point, at_ms)
            assert status == 404 and said in text


async def test_readings_that_are_gone_are_no_proof(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        _, entry = await sealed(site, 5)
        await site.store.call(lambda conn: conn.execute("DELETE FROM sample WHERE seq = 2"))
        status, text = await refused(Proofs(site.store, site.clock), entry, "meter/grid_power_w", WALL_MS)
        assert status == 404 and "not all stored any more" in text


async def test_large_trees_and_many_trees_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path) as site:
        found, entry = await sealed(site, 5)
        await site.sign(over(found), 1, 5)
        other = await site.store.call(records.entry, 2)
        made = Proofs(site.store, site.clock)
        await made.of(entry, "meter/grid_power_w", WALL_MS)
        assert (await refused(made, other, "meter/grid_power_w", WALL_MS))[0] == 503
        await made.of(entry, "meter/grid_power_w", WALL_MS)  # the kept one is told at any time
        site.clock.mono += PAUSE_MS
        await made.of(other, "meter/grid_power_w", WALL_MS)
        monkeypatch.setattr(proofs, "LEAVES_MAX", 14)
        assert "use gridseal export" in (await refused(made, entry, "meter/grid_power_w", WALL_MS))[1]
