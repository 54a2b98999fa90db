"""`gridseal verify --against`: an export beside the contract of its site, on a node; what is judged of it."""

import asyncio
import json
from pathlib import Path

import pytest
from rig import deploy
from rig.evm import serve
from rig.evmchain import CHAIN_ID, Evm

from gateway import cli
from gateway.cli import against
from gateway.cli.against import Held
from gateway.errors import ChainError, ConfigError
from tests.chain.people import SITE, Attestor, interval
from tests.chain.world import KeySigner
from tests.gateway.cli_bench import write
from tests.gateway.stores import opened

KEY, OTHER = "0x" + "Aa" * 20, "0x" + "Bb" * 20
CONTRACT = "0x" + "cc" * 20


def with_chain(folder: Path, urls: tuple[str, str], contracts: dict[str, str]) -> Path:
    site = write(folder)
    named = ", ".join(f'{role}: "{address}"' for role, address in contracts.items())
    chain = (
        f"chain:\n  id: {CHAIN_ID}\n  rpc: {json.dumps(urls)}\n  platform: storage\n  storage: 1\n"
        f"  contracts: {{{named}}}\nattest: {{key: k.json}}\n"
    )
    site.write_text(site.read_text() + chain)
    return site


async def test_an_export_beside_the_contract(tmp_path, capsys) -> None:
    """Two of three records were handed in; the contract says so, and a shorter export is found short."""
    evm = Evm(finality=2)
    signer = KeySigner(evm.keys[3])

    async def verify(*words: object) -> dict:
        code = await asyncio.to_thread(cli.main, ["verify", *map(str, words), "--json"])
        return {"code": code, **json.loads(capsys.readouterr().out)}

    async with serve(evm, block_s=0) as url, deploy.Node(url) as node:
        contracts = await deploy.deploy(node, evm.keys[0])
        market = deploy.Market(node, contracts, evm.keys[0], evm.keys[1])
        await market.register_storage(signer, SITE)
        site = with_chain(tmp_path, (url, url.replace("127.0.0.1", "localhost")), contracts)
        async with opened(tmp_path / "g.db") as (store, _):
            attestor = Attestor(store, signer, CHAIN_ID, contracts["verification"])
            for number in range(3):
                await attestor.attest(interval(number))
            sent = await store.call(lambda conn: list(_calls(conn, contracts)))
        out = tmp_path / "e.jsonl"
        await asyncio.to_thread(
            cli.main, ["export", str(tmp_path / "g.db"), "--format", "records", "-o", str(out)]
        )
        capsys.readouterr()
        for data in sent[:2]:
            await node.send(evm.keys[1], contracts["verification"], data)
        found = await verify(out, "--against", site)
        assert (found["code"], found["faults"]) == (0, [])
        assert found["notes"] == [f"the contract has the records of {signer.address} up to 2"]
        out.write_text(out.read_text().splitlines()[0] + "\n")
        found = await verify(out, "--against", site)
        said = f"the contract has records of {signer.address} up to 2; here they end at 1"
        assert (found["code"], found["faults"]) == (1, [{"record": 1, "message": said}])


def _calls(conn, contracts: dict[str, str]):
    from gateway.chain.platforms.evm import Asset, EvmPlatform
    from gateway.chain.platforms.storage import SYSTEM
    from gateway.store import records

    adapter = EvmPlatform(SYSTEM, Asset(contracts, 1))
    for entry in records.entries(conn):
        yield adapter.record_call(entry.record).data


def test_what_does_not_go_together_is_wrong_and_what_is_only_young_is_not() -> None:
    held = Held(CONTRACT, KEY, {KEY: 5, OTHER: 0})
    assert list(against.faults(held, CONTRACT.upper().replace("0X", "0x"), 5)) == []
    assert list(against.faults(held, "0x" + "dd" * 20, 4)) == [
        f"the records are for the contract 0x{'dd' * 20}, the site's is {CONTRACT}",
        f"the contract has records of {KEY} up to 5; here they end at 4",
    ]
    assert list(against.notes(held, KEY))[1:] == [f"the contract has no record of {OTHER}"]
    assert f"bound in the contract is {KEY}, not {OTHER}" in against.notes(held, OTHER)
    assert "bound in the contract is no key, not any" not in against.notes(Held(CONTRACT, "", {}), "")


def test_without_a_chain_or_an_answer_it_is_one_line(tmp_path) -> None:
    with pytest.raises(ConfigError, match="has no chain"):
        against.held(write(tmp_path), [])
    site = with_chain(
        tmp_path,
        ("http://127.0.0.1:9/", "http://localhost:9/"),
        {"verification": CONTRACT, "services": CONTRACT},
    )
    with pytest.raises(ChainError) as caught:
        against.held(site, [])
    assert "\n" not in str(caught.value)
