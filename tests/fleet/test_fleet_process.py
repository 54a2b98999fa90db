"""`gridseal relay` end to end: the sites' real HTTP servers, anvil, and a process that is killed."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from eth_account import Account
from eth_utils import keccak
from rig import deploy

from gateway.clock import SystemClock
from gateway.errors import ConfigError
from gateway.fleet import file
from gateway.fleet.process import Process
from gateway.site import HttpSettings, StoreSettings
from gateway.store import Store, records
from gateway.uplink.http import routes, schemas
from gateway.uplink.http.evidence import Evidence
from gateway.uplink.http.gate import Gate
from gateway.uplink.http.server import HttpServer
from gateway.uplink.http.spec import Access, Route
from gateway.uplink.local import ask
from tests.chain.ground import ground
from tests.fleet.scene import Signing, forged

WAIT_S = 60.0
TOKEN = "5a" * 32
RELAYER_KEY = "0x" + "7b" * 32
ACCEPTED = "0x" + keccak(text="IntervalAccepted(address,uint256,bytes32)").hex()


@dataclass
class Served:
    """A site's store behind its real HTTP server."""

    signing: Signing
    store: Store
    port: int = 0

    async def sign(self, *, falsely: bool = False) -> None:
        record = self.signing.sign()
        shown = forged(record) if falsely else record

        def put(conn):
            conn.execute(
                "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, 0, 0, 'signed')",
                (shown.sequence, shown.kind, shown.previous, shown.digest, shown.body, shown.signature),
            )

        await self.store.call(put)


@asynccontextmanager
async def serving(site: Served):
    """Its HTTP server, until the block ends."""
    clock = SystemClock(assume_synchronised=True)
    route = Route(
        "GET", "/api/v1/records", "records", Access.RECORDS, Evidence(site.store).page, "signed records",
        schemas.RECORDS, parameters=(routes.AFTER, routes.LIMIT),
    )  # fmt: skip
    server = HttpServer(
        HttpSettings(site.store.path, port=site.port), [route], Gate("0" * 64, (), clock, TOKEN)
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.run())
        while not server.port:
            await asyncio.sleep(0.01)
        site.port = server.port
        yield
        task.cancel()


@dataclass
class Stage:
    """Anvil with the contract, the sites, and the relayer's configuration."""

    made: object
    contract: str
    sites: list[Served]
    folder: object

    def configured(self):
        """fleet.yaml and what it names; written when the sites' ports are known."""
        url = self.made.node.url
        (self.folder / "token").write_text(TOKEN)
        (self.folder / "words").write_text("a long passphrase of tests")
        key = Account.encrypt(RELAYER_KEY, "a long passphrase of tests", kdf="pbkdf2", iterations=1000)
        (self.folder / "key.json").write_text(json.dumps(key))
        (self.folder / "key.json").chmod(0o600)
        (self.folder / "words").chmod(0o600)
        said = {
            "chain": {
                "id": 31337, "rpc": [url, url.replace("127.0.0.1", "localhost")], "contract": self.contract,
                "confirmations": 2, "poll": "50 ms",
            },
            "key": "key.json",
            "passphrase": "words",
            "batch": {"records": 3, "wait": "1 s"},
            "poll": "1 s",
            "store": "relayer.db",
            "socket": "relayer.sock",
            "clock": {"trust": "host"},
            "sites": {
                s.signing.name: {
                    "url": f"http://127.0.0.1:{s.port}", "gateway": s.signing.key.address, "token": "token",
                }
                for s in self.sites
            },
        }  # fmt: skip
        path = self.folder / "fleet.yaml"
        path.write_text(json.dumps(said))  # which is YAML
        return path

    async def last(self) -> list[int]:
        found = [
            await self.made.node.view(
                "StorageVerification", self.contract, "lastSequence", s.signing.key.address
            )
            for s in self.sites
        ]
        return [last for (last,) in found]

    async def until(self, wanted: list[int]) -> None:
        async with asyncio.timeout(WAIT_S):
            while await self.last() != wanted:
                await self.made.node.call("evm_mine")
                await asyncio.sleep(0.1)

    async def accepted(self) -> list[str]:
        """The digests of all accepted intervals."""
        query = {"address": self.contract, "fromBlock": "0x0", "topics": [ACCEPTED]}
        return [log["data"][66:130] for log in await self.made.node.call("eth_getLogs", query)]


@asynccontextmanager
async def staged(folder):
    async with ground("anvil") as made, contextlib.AsyncExitStack() as stack:
        contracts = await deploy.deploy(made.node, made.admin_key)
        market = deploy.Market(made.node, contracts, made.admin_key, made.owner_key)
        await made.node.send(made.owner_key, Account.from_key(RELAYER_KEY).address, b"", deploy.ETHER)
        sites = []
        for number in (1, 2, 3):
            signing = Signing(number, contracts["verification"], 31337)
            await market.register_storage(signing.key, signing.name, fund_wei=0)
            store = Store(StoreSettings(folder / f"{signing.name}.db"), SystemClock())
            await store.open()
            stack.push_async_callback(store.close)
            sites.append(Served(signing, store))
        yield Stage(made, contracts["verification"], sites, folder)


@asynccontextmanager
async def relaying(config):
    """The relayer as a process. Killed when the block ends, as by a power cut."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.cli", "relay", str(config),
        stderr=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_three_sites_one_lies_one_is_away_and_the_relayer_is_killed(tmp_path):
    async with staged(tmp_path) as stage, contextlib.AsyncExitStack() as servers:
        honest, liar, away = stage.sites
        for site in stage.sites:
            await servers.enter_async_context(serving(site))
        for site in stage.sites:
            await site.sign()
        config = stage.configured()
        async with relaying(config):
            await stage.until([1, 1, 1])
            await liar.sign(falsely=True)
            await honest.sign()
            await stage.until([2, 1, 1])
            await honest.sign()
            await away.sign()
        await stage.made.node.call("evm_mine")
        async with relaying(config) as relayer:  # whatever it was at: it goes on from there
            await stage.until([3, 1, 2])
            await servers.aclose()
            async with serving(honest):
                await honest.sign()
                await stage.until([4, 1, 2])
                status = await ask(tmp_path / "relayer.sock", {"do": "status"})
            relayer.send_signal(signal.SIGTERM)
            async with asyncio.timeout(WAIT_S):
                assert await relayer.wait() == 0
        assert set(status["troubles"]) == {liar.signing.name, away.signing.name}
        assert (status["sites"], status["refused"]) == (3, 1)
        found = await stage.accepted()
        assert len(found) == len(set(found)) == 7
        wanted = honest.signing.made + liar.signing.made[:1] + away.signing.made
        assert set(found) == {r.digest.hex() for r in wanted}


async def test_a_contract_that_is_not_there_is_said_at_once(tmp_path):
    async with ground("anvil") as made:
        stage = Stage(made, "0x" + "00" * 19 + "11", [Served(Signing(1), None, 9)], tmp_path)
        process = Process(file.load(stage.configured()))
        with pytest.raises(ConfigError, match="has no code on chain 31337"):
            await process.run()


def test_records_table_is_as_this_file_writes_it():
    assert list(records.TABLES[0].columns) == [
        "sequence", "kind", "previous", "digest", "body", "signature", "first_seq", "last_seq", "state",
    ]  # fmt: skip
