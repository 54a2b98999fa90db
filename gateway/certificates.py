"""What the daemon needs of commissioning: the certificates in force, and with a key what makes new ones.

A site without certificate and key loads nothing more than this file. It refuses to decide anything:
certified.py says what follows from a certificate, commissioner.py what a test is.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gateway.clock import Clock
from gateway.control import Control
from gateway.errors import ServiceRefused
from gateway.model import Sample
from gateway.setpoint import SetpointWriter
from gateway.site import Site
from gateway.state import SiteState
from gateway.store import Store, certificates

if TYPE_CHECKING:  # what a site without a key must not load
    from gateway.certified import Certified
    from gateway.commissioner import Commissioner
    from gateway.evidence.signer import Signer
    from gateway.evidence.typed import Domain

LEVEL = "<4>"  # of the journal: whoever reads it later must find what was done to the battery
NO_KEY = "a certificate is signed: name a key (attest: {key: …}) in site.yaml, made with gridseal keys new"


class Certificates:
    """Of one site. `load`, then `attach` the parts that came to be; `say` writes a line into the journal."""

    def __init__(
        self, site: Site, clock: Clock, store: Store, say: Callable[[str], None], stored: Sequence[Any]
    ) -> None:
        self._site, self._clock, self._store, self._say, self._stored = site, clock, store, say, stored
        self._hands: dict[str, SetpointWriter] = {}
        self._certified: Certified | None = None
        self._commissioner: Commissioner | None = None

    @classmethod
    async def load(cls, site: Site, clock: Clock, store: Store, say: Callable[[str], None]) -> "Certificates":
        return cls(site, clock, store, say, await store.call(certificates.newest))

    def attach(
        self,
        state: SiteState,
        control: Control,
        hands: Sequence[SetpointWriter],
        signer: "Signer | None",
        domain: "Callable[[], Domain]",
    ) -> None:
        """With a `signer` certificates can be made, for the contract of `domain`."""
        self._hands = {hand.hold.device: hand for hand in hands}
        if not self._stored and signer is None:
            return
        from gateway.certified import Certified

        self._certified = Certified(self._site, self._hands, self._stored)
        if signer is None:
            return
        from gateway.certify import Certifier
        from gateway.commissioner import Commissioner

        site, clock = self._site, self._clock
        certifier = Certifier(site, clock, self._store, signer, domain(), self._certified)
        self._commissioner = Commissioner(
            site, clock, state, control, self._hands, certifier, lambda line: self._say(LEVEL + line)
        )

    def identified(self, device: str, identity: Mapping[str, str]) -> None:
        if self._certified:
            self._certified.identified(device, identity)

    def take(self, sample: Sample) -> None:
        if self._commissioner:
            self._commissioner.take(sample)

    def days(self) -> dict[str, str]:
        """When each commanded device was commissioned; empty: it never was."""
        proven = ((name, hand.hold.proven) for name, hand in self._hands.items())
        return {name: found.day if found else "" for name, found in proven}

    async def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The verb `commission` of the local socket."""
        if self._commissioner is None:
            raise ServiceRefused(NO_KEY)
        return await self._commissioner.answer(request)

    async def run(self) -> None:
        if self._commissioner:
            await self._commissioner.run()
