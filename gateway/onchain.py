"""The chain side as the daemon makes it: what it tells of the site, and where orders and prices go."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from gateway.chain.assembly import Chain
from gateway.chain.platforms import Platform
from gateway.chain.platforms.calls import Signal
from gateway.chain.side import Ears
from gateway.clock import Clock
from gateway.control import Control
from gateway.days import Days
from gateway.device import DeviceTask
from gateway.errors import ChainError
from gateway.evidence.signer import Signer
from gateway.facts import Gatherer
from gateway.model import Quantity
from gateway.pricing import Pricing
from gateway.site import Site
from gateway.state import SiteState
from gateway.store import Store
from gateway.timetable import Timetable
from gateway.uplink.meterpost import MeterPost

CHECK_S = 1.5  # at start: an endpoint that is slow or dead must not keep the battery from its fallback


@dataclass(frozen=True, slots=True)
class OnChain:
    """The chain's parts; the plan by prices, whose `restore` is for the start; the platform's REST."""

    chain: Chain
    pricing: Pricing
    post: MeterPost | None

    async def check(self) -> None:
        """ConfigError when the chain is not the one of site.yaml; when it does not answer, it will later."""
        try:
            async with asyncio.timeout(CHECK_S):
                await self.chain.check()
        except (ChainError, TimeoutError):
            return

    @property
    def parts(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What to keep running, by name."""
        return {**self.chain.parts, **({"meter-rest": self.post.run} if self.post else {})}

    @property
    def troubles(self) -> dict[str, str]:
        return {"meter-rest": self.post.refused} if self.post and self.post.refused else {}


def make(
    site: Site,
    platform: Platform,
    store: Store,
    clock: Clock,
    signer: Signer,
    state: SiteState,
    devices: Mapping[str, DeviceTask],
    control: Control,
    timetable: Timetable,
    days: Days,
) -> OnChain:
    assert site.chain is not None
    pricing = Pricing(site, store, lambda: state.view().good(Quantity.BATTERY_SOC), timetable.plan)

    async def signalled(signal: Signal) -> str:
        problem = await pricing.take(signal.start_ms, signal.step_ms, signal.prices)
        return f"{signal.origin}: {problem}" if problem else ""

    facts = Gatherer(site, clock, state, days, devices)
    ears = Ears(control.submit, signalled)
    rest = site.chain.rest
    return OnChain(
        Chain(site.chain, platform, store, clock, signer, ears, facts),
        pricing,
        MeterPost(rest, site.chain.asset_id, store) if rest else None,
    )
