"""Which of the site's keys signs now, and what people may ask of it: to hand over, or to end.

The chain of records in the store decides, not site.yaml: behind a rotation it is the turn of the key that
the rotation names, whichever of the two was configured first. So a stop at any moment, between any two
steps, changes nothing. It refuses to start with a key whose turn it is not.
"""

import asyncio
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from gateway.attest import Attestor
from gateway.clock import Clock
from gateway.errors import ConfigError
from gateway.evidence import records as chains
from gateway.evidence import setup
from gateway.evidence.signer import Signer, open_signer
from gateway.evidence.typed import Domain, RevocationReason
from gateway.site import AttestSettings, Site
from gateway.store import Store, records
from gateway.uplink.local import Handler

if TYPE_CHECKING:
    from gateway.chain.platforms import Platform

HINT = "give that key back, or give store.path another file"


async def holder(store: Store, attest: AttestSettings, signer: Signer) -> Signer:
    """The key whose turn it is: `signer` (attest.key), or the one of attest.next."""
    last = await store.call(records.last_signed)
    if last is None or (turn := chains.turn(last)) == signer.address:
        return signer
    if not turn:
        raise ConfigError(f"attest.key: it was revoked, by record {last.sequence} in {store.path}: {HINT}")
    if attest.next:
        following = await asyncio.to_thread(open_signer, attest.next)
        if following.address == turn:
            return following
    assert attest.key is not None
    said = "took over" if last.kind == "rotation" else "signed"
    raise ConfigError(
        f"attest.key: {attest.key.source} is the key of {signer.address}, but {turn} {said} the records in"
        f" {store.path}: {HINT}"
    )


def attestor(
    site: Site, store: Store, clock: Clock, signer: Signer, domain: Domain, platform: "Platform | None"
) -> Attestor:
    """The writer of the chain, on the key whose turn it is; it says first under what it works."""
    made = setup.of(site, f"gridseal {version('gridseal')}")
    fits = platform.fits if platform else lambda _: True
    return Attestor(site, store, clock, signer, domain, fits, made)


def requests(attestor: Attestor) -> dict[str, Handler]:
    """What `gridseal keys` asks of a running daemon."""
    desk = KeyDesk(attestor)
    return {"rotate": desk.rotate, "revoke": desk.revoke}


class KeyDesk:
    """Ends the key's part of the chain. KeyError and ValueError for a request that is none."""

    def __init__(self, attestor: Attestor) -> None:
        self._attestor = attestor

    async def rotate(self, request: Mapping[str, Any]) -> dict[str, Any]:
        agreed = bytes.fromhex(str(request["possession"]).removeprefix("0x"))
        record = await self._attestor.rotate(str(request["next"]), int(request["asset"]), agreed)
        return {"record": record.sequence, "digest": "0x" + record.digest.hex()}

    async def revoke(self, request: Mapping[str, Any]) -> dict[str, Any]:
        record = await self._attestor.revoke(RevocationReason[str(request["reason"]).upper()])
        return {"record": record.sequence, "digest": "0x" + record.digest.hex()}
