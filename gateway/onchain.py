"""The chain side as the daemon makes it: what it tells of the site, and where orders and prices go."""

from collections.abc import Mapping

from gateway.chain.assembly import Chain, Ears
from gateway.chain.platforms import Platform
from gateway.chain.platforms.calls import Signal
from gateway.chain.txmgr import Signer
from gateway.clock import Clock
from gateway.control import Control
from gateway.device import DeviceTask
from gateway.facts import Gatherer
from gateway.model import Quantity
from gateway.pricing import Pricing
from gateway.site import Site
from gateway.state import SiteState
from gateway.store import Store
from gateway.timetable import Timetable


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
) -> tuple[Chain, Pricing]:
    """The chain's parts, and the plan by prices, whose `restore` is for the start."""
    assert site.chain is not None
    pricing = Pricing(site, store, lambda: state.view().good(Quantity.BATTERY_SOC), timetable.plan)

    async def signalled(signal: Signal) -> str:
        problem = await pricing.take(signal.start_ms, signal.step_ms, signal.prices)
        return f"{signal.origin}: {problem}" if problem else ""

    facts = Gatherer(site, clock, state, store, devices)
    ears = Ears(control.submit, signalled)
    return Chain(site.chain, platform, store, clock, signer, ears, facts), pricing
