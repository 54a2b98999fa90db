"""What the contract of a site says beside an audit of its records: how far it has them, and whose they are.

Asks the RPC operators of site.yaml, which must agree. It changes nothing and needs no key. It refuses to
call an export wrong for what only the contract does not have yet.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import config
from gateway.errors import ChainError, ConfigError
from gateway.site import ChainSettings

if TYPE_CHECKING:
    from gateway.chain.platforms import Platform
    from gateway.chain.side import Operators

ASK_S = 30.0


@dataclass(frozen=True, slots=True)
class Held:
    """By the contract: the key bound now (empty: none), and the last sequence taken of each key asked for."""

    contract: str
    bound: str
    last: dict[str, int]


def held(path: Path, keys: list[str]) -> Held:
    """ConfigError for a site without a chain, ChainError when it does not answer."""
    chain = config.load(path).chain
    if chain is None:
        raise ConfigError(f"{path}: has no chain: to ask")
    return asyncio.run(_within(chain, keys))


async def _within(chain: ChainSettings, keys: list[str]) -> Held:
    try:
        async with asyncio.timeout(ASK_S):
            return await _ask(chain, keys)
    except TimeoutError:
        raise ChainError(f"the chain did not answer within {ASK_S:g} s") from None


async def _ask(chain: ChainSettings, keys: list[str]) -> Held:
    from gateway.chain import platforms, side
    from gateway.clock import SystemClock

    platform = platforms.platform(chain)
    asked = side.of(chain, platform, SystemClock())
    try:
        await asked.operators.check()
        return await _views(asked.operators, platform, keys)
    finally:
        await asked.close()


async def _views(operators: "Operators", platform: "Platform", keys: list[str]) -> Held:
    from gateway.chain.outbox import last_sequence
    from gateway.evidence.address import checksum

    call = platform.key_call()
    word = await operators.view(call.contract, call.data)
    bound = checksum(word[-20:].hex()) if any(word) else ""
    last = {key: await last_sequence(operators, platform, (key,)) for key in keys}
    return Held(platform.evidence_contract, bound, last)


def faults(found: Held, contract: str, last: int) -> Iterator[str]:
    """What of the contract's word does not go with records that end at `last`, for `contract`."""
    if contract.lower() != found.contract:
        yield f"the records are for the contract {contract}, the site's is {found.contract}"
    for key, sequence in found.last.items():
        if sequence > last:
            yield f"the contract has records of {key} up to {sequence}; here they end at {last}"


def notes(found: Held, turn: str) -> Iterator[str]:
    """What people should know: how far it has them, and whether the key whose turn it is, is bound."""
    for key, sequence in found.last.items():
        extent = f"the records of {key} up to {sequence}" if sequence else f"no record of {key}"
        yield f"the contract has {extent}"
    if found.bound != turn:
        yield f"bound in the contract is {found.bound or 'no key'}, not {turn or 'any'}"
