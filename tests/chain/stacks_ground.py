"""The stand-in for a Stacks node, and the people around its contracts, for tests of platform `stacks`.

hardware-in-loop/contracts/stacks-node.mjs speaks the paths of a node's HTTP API over the Clarity simulator; a
real node cannot run here.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from gateway.chain.stacks.address import TESTNET_ID, of_key, version_of
from gateway.chain.stacks.codec import Ok, UInt, Utf8, Value, decode, encode
from gateway.evidence import possession
from gateway.evidence.typed import Domain, site_hash
from gateway.principal import parse
from gateway.site import ChainSettings
from tests import tools
from tests.chain.people import SITE

HERE = Path("hardware-in-loop/contracts")
STX = 10**6
OWNER, OPERATOR, STRANGER = (
    str(of_key(b"\x04" + bytes((n,)) * 64, version_of(TESTNET_ID))) for n in (1, 2, 3)
)
ROLES = {
    "facility": "facility-verification",
    "records": "record-chain",
    "capacity": "capacity-tracking",
    "actions": "charge-discharge",
    "services": "grid-services",
}


@dataclass
class StacksNode:
    url: str
    admin: str
    contracts: dict[str, str]
    session: aiohttp.ClientSession

    async def people(self, what: str, **said: Any) -> Any:
        async with self.session.post(f"{self.url}/people/{what}", json=said) as answer:
            found = await answer.json()
            assert answer.status == 200, found
            return found

    async def do(self, contract: str, function: str, *arguments: Value, sender: str = "") -> Value:
        """A public function, called in a block of its own, by the administrator unless another is given."""
        given = [encode(a).hex() for a in arguments]
        found = await self.people(
            "call", contract=contract, function=function, arguments=given, sender=sender or self.admin
        )
        return decode(bytes.fromhex(found["result"][2:]))

    async def ask(self, contract: str, function: str, *arguments: Value) -> Value:
        where = self.contracts[contract].replace(".", "/")
        body = {"sender": self.admin, "arguments": ["0x" + encode(a).hex() for a in arguments]}
        url = f"{self.url}/v2/contracts/call-read/{where}/{function}"
        async with self.session.post(url, json=body) as answer:
            found = await answer.json()
            assert found.get("okay"), found
            return decode(bytes.fromhex(found["result"][2:]))

    async def publish(self, raw: bytes) -> str:
        """Hand a transaction in; its id."""
        async with self.session.post(f"{self.url}/v2/transactions", data=raw) as answer:
            found = await answer.json()
            assert answer.status == 200, found
            return f"0x{found}"

    async def mine(self) -> Any:
        return await self.people("mine")

    async def time_s(self) -> int:
        """Of the newest block."""
        return int(await self.people("time"))

    async def balance(self, of: str) -> int:
        return int(await self.people("balance", of=of))

    def settings(self, asset: int = 1, **further: Any) -> ChainSettings:
        contracts = {role: self.contracts[name] for role, name in ROLES.items()}
        urls = (self.url, self.url.replace("127.0.0.1", "localhost"))
        return ChainSettings(
            TESTNET_ID, urls, "stacks", contracts, asset, confirmations=2, fee_cap_wei=100,
            spend_per_day_wei=100 * STX, poll_ms=50, **further,
        )  # fmt: skip

    async def register(self, *, approve: bool = True) -> int:
        """A facility of the owner."""
        made = await self.do(
            "facility-verification",
            "register-facility",
            UInt(10_000),
            UInt(5000),
            Utf8("Lane 7"),
            sender=OWNER,
        )
        assert isinstance(made, Ok)
        facility = made.value.value
        if approve:
            await self.do("facility-verification", "approve-facility", UInt(facility))
        return facility

    async def bind(
        self, facility: int, signer: Any, contract: str, *, binder: str = OWNER, site: str = SITE
    ) -> Value:
        """The owner binds the gateway's key, which agrees; what the contract said."""
        who = "0x" + parse(binder).hash.hex()
        consent = signer.sign(possession.digest(Domain(TESTNET_ID, contract), who, facility, site))
        return await self.do(
            "record-chain", "set-gateway-key", UInt(facility), signer.public_key[1:], site_hash(site),
            consent, sender=OWNER,
        )  # fmt: skip

    async def fund(self, signer: Any, amount: int = 1000 * STX) -> str:
        account = str(of_key(signer.public_key, version_of(TESTNET_ID)))
        await self.people("mint", to=account, amount=str(amount))
        return account


@asynccontextmanager
async def stacks_node() -> AsyncIterator[StacksNode]:
    node = tools.need("node")
    if not (HERE / "node_modules/@stacks/clarinet-sdk").is_dir():
        tools.missing("@stacks/clarinet-sdk (npm)")
    process = await asyncio.create_subprocess_exec(
        node, "stacks-node.mjs", cwd=HERE, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(60):
            ready = json.loads(await process.stdout.readline())
        async with aiohttp.ClientSession() as session:
            found = StacksNode(
                f"http://127.0.0.1:{ready['port']}", ready["deployer"], ready["contracts"], session
            )
            for who in (OWNER, OPERATOR, STRANGER):
                await found.people("mint", to=who, amount=str(100 * STX))
            yield found
    finally:
        process.kill()
        await process.wait()
