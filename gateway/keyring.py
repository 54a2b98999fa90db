"""Which of the site's keys signs now, and what people may ask of it: to hand over, or to end.

The chain of records in the store decides, not site.yaml: behind a rotation it is the turn of the key that
the rotation names, whichever of the two was configured first. So a stop at any moment, between any two
steps, changes nothing. It refuses to start with a key whose turn it is not.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from gateway.attest import Attestor
from gateway.clock import Clock
from gateway.errors import ConfigError, LinkError
from gateway.evidence import endorsement, setup
from gateway.evidence import records as chains
from gateway.evidence.signer import Signer, open_signer, read_pin
from gateway.evidence.token import P256, Token
from gateway.evidence.typed import Domain, RevocationReason
from gateway.model import ClockTrust
from gateway.site import AttestSettings, Site, TokenKey
from gateway.store import Store, endorsements, records
from gateway.uplink.local import Handler

if TYPE_CHECKING:
    from gateway.chain.platforms import Platform

IDLE_WAIT_S = 900  # for orders to end: what is measured meanwhile is sealed after the restart
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


class Identity:
    """Has the token's P-256 key vouch for the key that signs, once for each."""

    def __init__(self, site: Site, store: Store, clock: Clock, domain: Domain, key: str) -> None:
        self._site, self._store, self._clock, self._domain, self._key = site, store, clock, domain, key

    async def run(self) -> None:
        """Until it is done. LinkError when the token is away (run it again later)."""
        settings = self._site.attest.identity
        assert settings is not None and isinstance(settings.source, TokenKey)
        if self._clock.now().trust is not ClockTrust.TRUSTED:
            raise LinkError("the identity waits until the clock is synchronised")
        if await self._store.call(endorsements.of, self._key) is not None:
            return
        try:
            pin = read_pin(settings.source, settings.pin)
            made = await asyncio.to_thread(self._vouched, settings.source, pin)
        except ConfigError as error:  # what stands in site.yaml for it holds up nothing else
            raise LinkError(str(error))
        await self._store.call(endorsements.put, self._key, made)

    def _vouched(self, place: TokenKey, pin: bytes) -> endorsements.Kept:
        token = Token(place, pin, P256)
        try:
            now_ms = self._clock.now().wall_ms
            said = endorsement.of(self._site.id, self._key, now_ms, token.public_key)
            digest = endorsement.digest(self._domain, said)
            signature = endorsement.low(token.sign(endorsement.hashed(digest)))
        finally:
            token.close()
        body = endorsement.write(self._domain, said)
        if wrong := endorsement.check(body, digest, signature):
            raise LinkError(f"{place}: {wrong[0]}")
        return endorsements.Kept(body, digest, signature)


class Keys:
    """What the daemon has of its key: the writer of the chain, what people may ask, what is kept running."""

    def __init__(
        self,
        site: Site,
        store: Store,
        clock: Clock,
        signer: Signer,
        domain: Domain,
        platform: "Platform | None",
        handover: "Handover | None" = None,
    ) -> None:
        """`handover` where somebody starts the daemon again."""
        self.attestor = attestor(site, store, clock, signer, domain, platform)
        desk = KeyDesk(self.attestor, handover)
        self.requests: Mapping[str, Handler] = {"rotate": desk.rotate, "revoke": desk.revoke}
        identity = Identity(site, store, clock, domain, signer.address)
        self.parts = {"identity": identity.run} if site.attest.identity else {}
        if handover:
            self.parts["handover"] = handover.run


class Handover:
    """Behind a rotation the daemon begins anew, with the key that took over: for its records, its
    transactions and what contracts ask of it alike. Not while it is `busy`, if that ends in time."""

    def __init__(self, busy: Callable[[], bool], end: Callable[[], None]) -> None:
        self._busy, self._end = busy, end
        self.due = asyncio.Event()

    async def run(self) -> None:
        await self.due.wait()
        for _ in range(IDLE_WAIT_S):
            if not self._busy():
                break
            await asyncio.sleep(1)
        self._end()


class KeyDesk:
    """Ends the key's part of the chain. KeyError and ValueError for a request that is none."""

    def __init__(self, attestor: Attestor, handover: Handover | None = None) -> None:
        self._attestor, self._handover = attestor, handover

    async def rotate(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """LinkError, and nothing is handed over, when `files` of the next key are not ours to read."""
        for path in request.get("files", ()):
            if not os.access(str(path), os.R_OK):
                raise LinkError(
                    f"the daemon may not read {path} and could not start with it: give it that file"
                )
        agreed = bytes.fromhex(str(request["possession"]).removeprefix("0x"))
        record = await self._attestor.rotate(str(request["next"]), int(request["asset"]), agreed)
        if self._handover:
            self._handover.due.set()
        made = {"record": record.sequence, "digest": "0x" + record.digest.hex()}
        return {**made, "restarts": self._handover is not None}

    async def revoke(self, request: Mapping[str, Any]) -> dict[str, Any]:
        record = await self._attestor.revoke(RevocationReason[str(request["reason"]).upper()])
        return {"record": record.sequence, "digest": "0x" + record.digest.hex()}
