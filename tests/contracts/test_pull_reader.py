"""PullReader on a real node, asked with unmodified ethers and viem: they fetch from the real HTTP server, and
the contract believes what the bound key signed and nothing else."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rig import deploy
from rig.evmchain import CHAIN_ID

from gateway.clock import SystemClock
from gateway.evidence import merkle
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import Domain, Gap, GapCause
from gateway.model import Interval, Sample, Stamp
from tests import tools
from tests.chain.ground import NODES
from tests.gateway.evidence_samples import INTERVAL
from tests.gateway.http_site import KEY, METER, Served, served

HERE = Path("hardware-in-loop/contracts")
HOUR_MS = 3_600_000
COUNT = 300
FORMS = ("/ccip/{sender}/{data}", "/ccip")  # GET, and POST


def readings(now_ms: int) -> list[Sample]:
    stamps = [Stamp(n, now_ms - 900_000 + n * 1000, INTERVAL.clock) for n in range(COUNT)]
    return [
        Sample("meter", stamp, METER, (n - 150, 5 * n, 0, 1), bytes((0, n % 4, 0, 0)))
        for n, stamp in enumerate(stamps)
    ]


def interval(found: list[Sample], now_ms: int) -> Interval:
    leaves = [leaf for sample in found for leaf in merkle.leaves(sample)]
    root = merkle.root(leaves)
    return replace(
        INTERVAL,
        start_ms=now_ms - 900_000,
        end_ms=now_ms,
        count=len(leaves),
        merkle_root=root,
        charged_wh=1250,
    )


async def asked(node: str, rpc: str, reader: str, calls: list[Any]) -> list[dict[str, Any]]:
    """What the clients got; both the same, or this fails."""
    abi = deploy.artifact("PullReader")["abi"]
    child = await asyncio.create_subprocess_exec(
        node, "pull.mjs", cwd=HERE, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    said = json.dumps({"rpc": rpc, "reader": reader, "abi": abi, "calls": calls})
    async with asyncio.timeout(100):
        out, _ = await child.communicate(said.encode())
    found = json.loads(out)
    for ethers, viem in zip(found["ethers"], found["viem"], strict=True):
        assert {k: ethers.get(k) for k in ("value", "error")} == {k: viem.get(k) for k in ("value", "error")}
    return list(found["ethers"])


@pytest.mark.parametrize("form", FORMS)
async def test_clients_read_what_the_bound_key_signed(tmp_path: Path, form: str) -> None:
    node = tools.need("node")
    if not (HERE / "node_modules" / "viem").is_dir():
        tools.missing("viem (npm)")
    clock = SystemClock(assume_synchronised=True)
    now_ms = clock.now().wall_ms - 10_000  # before the newest block, whose time is in whole seconds
    async with NODES["anvil"]() as (rpc, keys), deploy.Node(rpc) as client:
        contracts = await deploy.deploy(client, keys[0])
        market = deploy.Market(client, contracts, keys[0], keys[1])
        bound = await market.register_storage(KEY, "mocked")
        other = await market.register_storage(KeySigner(b"\x77" * 32), "mocked")
        empty = await market.add_storage()
        domain = Domain(CHAIN_ID, contracts["verification"])
        async with served(tmp_path, clock=clock, domain=domain) as site:
            found = readings(now_ms)
            await _fill(site, found, now_ms)
            reader = await deploy.create(
                client, keys[0], "PullReader", contracts["verification"], [site.url + form]
            )
            point, at_ms = "meter/grid_power_w", found[7].stamp.wall_ms
            calls = [
                ["latest", [bound, HOUR_MS]],
                ["numbered", [bound, 1]],
                ["reading", [bound, 3, point, at_ms]],
                ["latest", [other, HOUR_MS]],  # the same site, another key
                ["latest", [empty, HOUR_MS]],
                ["numbered", [bound, 2]],  # a gap is no interval
                ["numbered", [bound, 1]],
                ["numbered", [bound, 99]],
                ["latest", [bound, 0]],
            ]
            latest, first, reading, wrong, unbound, gap, again, none, old = await asked(
                node, rpc, reader, calls
            )
        assert latest["value"][1] == "3" and latest["value"][7] == "1250"
        assert first["value"][1] == "1" and again == first
        assert reading["value"] == [str(found[7].values[0]), "0"]
        assert [r["error"] for r in (wrong, unbound, gap, old)] == [
            "NotSigned", "UnknownGateway", "NotAsked", "TooOld",
        ]  # fmt: skip
        assert none["error"] == "refused"


async def _fill(site: Served, found: list[Sample], now_ms: int) -> None:
    await site.keep(*found)
    await site.sign(interval(found[:100], now_ms - 2 * HOUR_MS))
    await site.sign(Gap(now_ms - HOUR_MS, now_ms - HOUR_MS + 1, 0, GapCause.RESTORED))
    await site.sign(interval(found, now_ms), 1, COUNT)
