"""Makes a certificate of what a commissioning test found: signed, stored, in force.

It refuses to judge; whoever calls has. A signature may take seconds (a token), so it is made in a thread.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.certified import Certified
from gateway.clock import Clock
from gateway.commissioning import Fallback, Result
from gateway.evidence import certificate, setup
from gateway.evidence.certificate import Commissioning, Part, Timer
from gateway.evidence.signer import Signer
from gateway.evidence.typed import Domain, keccak
from gateway.model import SetpointSpec
from gateway.setpoint import OWN_TIMER
from gateway.site import Site
from gateway.store import Store, certificates
from gateway.store.certificates import Certificate

UINT32_MAX = 2**32 - 1


class Certifier:
    """Of one site with one key, for the contract of `domain`."""

    def __init__(
        self, site: Site, clock: Clock, store: Store, signer: Signer, domain: Domain, certified: Certified
    ) -> None:
        self._site, self._clock, self._store = site, clock, store
        self._signer, self._domain, self._certified = signer, domain, certified

    def set_aside(self, device: str) -> Commissioning | None:
        """Somebody commissions it again; give what this returns to `restore` if that comes to nothing."""
        return self._certified.set_aside(device)

    def restore(self, said: Commissioning | None) -> None:
        if said is not None:
            self._certified.adopt(said)

    async def make(
        self, device: str, power_w: int, spec: SetpointSpec, result: Result, fallback: Fallback | None
    ) -> Mapping[str, Any]:
        """`fallback` None: it was not measured. Returns what `gridseal export` will say of it."""
        now = self._clock.now()
        said = Commissioning(
            at_ms=now.wall_ms,
            clock=now.trust,
            config=keccak(setup.configuration(self._site).encode()),
            power_w=power_w,
            changes=result.changes,
            confidence_bp=result.confidence_bp,
            noise_w=_bound(result.noise_w),
            response_ms=_bound(result.response_ms),
            error_w=_bound(result.error_w),
            timer=_timer(spec, fallback),
            obeyed_ms=_bound(fallback.obeyed_ms if fallback else 0),
            reverted_ms=_bound(fallback.reverted_ms if fallback else 0),
            parts=self._parts(device, result),
        )
        digest = certificate.digest(self._domain, self._site.id, said)
        body = certificate.write(self._domain, self._site.id, said)
        signature = await asyncio.to_thread(self._signer.sign, digest)
        made = Certificate(device, body, digest, signature)
        await self._store.call(certificates.add, made)
        self._certified.adopt(said)
        return certificates.row(made)

    def _parts(self, device: str, result: Result) -> tuple[Part, ...]:
        """The commanded device first, then whoever says a power."""
        names = dict.fromkeys([device, *(found.channel.device for found in result.findings)])
        parts = []
        for name in names:
            part = self._certified.part(name)
            for found in (f for f in result.findings if f.channel.device == part.device):
                meter, gain_bp = found.channel.meter, found.gain_bp
                part = replace(part, grid_bp=gain_bp) if meter else replace(part, battery_bp=gain_bp)
            parts.append(part)
        return tuple(parts)


def _timer(spec: SetpointSpec, fallback: Fallback | None) -> Timer:
    if spec.command_class not in OWN_TIMER:
        return Timer.NONE
    if fallback is None:
        return Timer.NOT_MEASURED
    return Timer.MEASURED if fallback.found else Timer.NOT_FOUND


def _bound(value: int) -> int:
    return min(max(value, 0), UINT32_MAX)
