"""The technician's side of commissioning: what will be done, whether the site is fit for it, how it goes.

Whoever watches is the test's dead-man: a terminal that falls silent ends it, and however it ends the device
is in its fallback. It refuses to begin beside anything else that happens at the site.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from gateway import commissioning, units
from gateway.certify import Certifier
from gateway.clock import Clock
from gateway.commissioning import Channel, Unsure
from gateway.control import Control
from gateway.errors import LinkError, ServiceRefused
from gateway.latch import TEXT_MAX
from gateway.model import ClockTrust, Quality, Quantity, Sample, SetpointSpec
from gateway.setpoint import OWN_TIMER, SetpointWriter
from gateway.site import Site
from gateway.state import SiteState, View
from gateway.trial import Ended, Plan, Progress, Trial

SOC_ROOM_BP = 500  # from the site's bounds
PATIENCE_S_MAX = 4 * 3600
ROLES = frozenset({"inverter", "battery", "meter"})
POWERS = (Quantity.BATTERY_POWER, Quantity.GRID_POWER)


class Commissioner:
    """`take` gets every sample of the site; `say` writes a line into the journal."""

    def __init__(
        self,
        site: Site,
        clock: Clock,
        state: SiteState,
        control: Control,
        hands: Mapping[str, SetpointWriter],
        certifier: Certifier,
        say: Callable[[str], None],
    ) -> None:
        self._site, self._clock, self._state, self._control = site, clock, state, control
        self._hands, self._certifier, self._say = hands, certifier, say
        self._wanted: asyncio.Queue[Trial] = asyncio.Queue(1)
        self._trial: Trial | None = None
        self._running = False

    async def run(self) -> None:
        """Tests, one after another, until cancelled."""
        while True:
            trial = await self._wanted.get()
            try:
                await self._certified(trial)
            finally:
                self._running = False

    async def _certified(self, trial: Trial) -> None:
        plan = trial.plan
        self._say(f"commissioning of {plan.device} begins, with {plan.power_w} W")
        before = self._certifier.set_aside(plan.device)
        if self._control.status.fault:  # of the certificate that was set aside: `_unfit` knows no other
            with suppress(ServiceRefused):
                self._control.clear()
            await asyncio.sleep(self._site.control_ms / 1000)
        try:
            result, fallback = await trial.measure()
            trial.step("signs the certificate", 1, 1)
            made = await self._certifier.make(plan.device, plan.power_w, plan.spec, result, fallback)
        except (Unsure, Ended, LinkError) as error:
            trial.progress = replace(trial.progress, state="failed", reason=str(error))
            self._say(f"commissioning of {plan.device} ended without a certificate: {error}")
            self._certifier.restore(before)
            return
        trial.progress = replace(trial.progress, state="passed", certificate=made)
        self._say(f"{plan.device} is commissioned: certificate {made['digest']}")

    def take(self, sample: Sample) -> None:
        if self._running and self._trial:
            self._trial.take(sample)

    # -- what the technician asks -----------------------------------------------------------------

    async def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The verb `commission` of the local socket."""
        match request["step"]:
            case "plan":
                return self.plan(request).as_json()
            case "begin":
                plan = self.plan(request)
                self._trial = Trial(plan, self._site, self._clock, self._control, self._hands, self._say)
                self._running = True
                self._wanted.put_nowait(self._trial)
            case "watch":
                pass
            case "abort":
                if self._trial:
                    self._trial.ended = "the technician ended it"
            case other:
                raise ValueError(f"step {other!r}")
        if self._trial:
            self._trial.watched()
        return (self._trial.progress if self._trial else Progress()).as_json()

    def plan(self, request: Mapping[str, Any]) -> Plan:
        """ServiceRefused in words when the site is not fit for a test."""
        hand = self._hand(str(request.get("device", "")))
        hold = hand.hold
        if reason := self._unfit(hand):
            raise ServiceRefused(f"{hold.device} cannot be commissioned now: {reason}")
        assert hold.spec is not None
        channels = self._channels(hold.device)
        limits, spec = self._site.limits, hold.spec
        parts = len(self._hands)  # each order is for all batteries
        charge_w, discharge_w = limits.charge_w // parts, limits.discharge_w // parts
        allowed = min(charge_w, spec.charge_max_w), min(discharge_w, spec.discharge_max_w)
        try:
            power_w = int(request.get("power_w", 0)) or commissioning.pulse_w(*allowed)
        except Unsure as error:
            raise ServiceRefused(f"{hold.device} cannot be commissioned: {error}") from None
        if not commissioning.POWER_W_MIN <= power_w <= min(allowed):
            least, most = units.show(commissioning.POWER_W_MIN, "w"), units.show(min(allowed), "w")
            raise ServiceRefused(f"{units.show(power_w, 'w')} is not between {least} and {most}")
        patience_s, why = self._patience(spec, int(request.get("patience_s", -1)))
        return Plan(hold.device, power_w, spec, channels, patience_s, why)

    def _hand(self, name: str) -> SetpointWriter:
        if not name and len(self._hands) == 1:
            return next(iter(self._hands.values()))
        if name not in self._hands:
            known = ", ".join(self._hands) or "none"
            wrong = f"{name!r} takes no setpoints" if name else "say which device is commissioned"
            raise ServiceRefused(f"{wrong}; those that can be commanded: {known}")
        return self._hands[name]

    def _unfit(self, hand: SetpointWriter) -> str:
        status, hold, view = self._control.status, hand.hold, self._state.view()
        soc = view.of(self._site.battery_of(hold.device)).good(Quantity.BATTERY_SOC)
        low = self._site.limits.soc_min_bp + SOC_ROOM_BP
        high = self._site.limits.soc_max_bp - SOC_ROOM_BP
        unheard = self._unheard(view)
        others = next((h.hold.fault for h in self._hands.values() if h is not hand and h.hold.fault), "")
        own = bool(hand.distrusted) and status.fault == hand.distrusted[:TEXT_MAX]
        fault = others or ("" if own else status.fault)
        reasons = (
            (self._running, "another test runs"),
            (self._clock.now().trust is not ClockTrust.TRUSTED, "the clock is not trusted yet"),
            (not all(map(_reached, self._hands.values())), "not every inverter is reached"),
            (bool(status.stop), f"the site is stopped ({status.stop}): gridseal setpoint --release"),
            (bool(fault), f"a fault is latched ({fault}): gridseal setpoint --release"),
            (bool(status.grid), "the grid is lost, or back only lately"),
            (status.open_orders > 0, "an order runs or waits: let it end, or stop and release the site"),
            (bool(status.doubts), f"what is measured is not believed: {' '.join(status.doubts)}"),
            (soc is None, "the battery's state of charge is not known"),
            (
                soc is not None and not low <= soc <= high,
                f"state of charge {units.show(soc or 0, 'bp')} is too near its bounds: "
                f"bring it between {units.show(low, 'bp')} and {units.show(high, 'bp')}",
            ),
            (bool(unheard), f"{unheard} is not heard"),
            (not self._channels(hold.device), "no device says the battery's power"),
        )
        return next((text for bad, text in reasons if bad), "")

    def _channels(self, device: str) -> tuple[Channel, ...]:
        """The battery's power as each of its devices says it, and the meter's; empty without the former."""
        view, names = self._state.view(), self._site.battery_of(device)
        said = [channel for name in sorted(view.declared) for channel in _heard(view, name)]
        battery = [c for c in said if not c.meter and c.device in names]
        return (*battery, *(c for c in said if c.meter)) if battery else ()

    def _unheard(self, view: View) -> str:
        """A device that is not reached, or does not say now what it said before."""
        missing = {d.name for d in self._site.devices if d.role in ROLES} - view.declared
        stale = (m.device for q in POWERS for m in view.all(q) if m.quality is Quality.STALE)
        return next(iter(sorted(missing)), "") or next(stale, "")

    def _patience(self, spec: SetpointSpec, wanted_s: int) -> tuple[int, str]:
        """How long it is left alone at most; 0, and why not. `wanted_s` 0: not at all, -1: as need be."""
        if spec.command_class not in OWN_TIMER:
            return 0, "its commands latch: it has no timer of its own, the last power stays"
        if wanted_s == 0:
            return 0, "it is left out, as asked"
        if wanted_s > PATIENCE_S_MAX:
            raise ServiceRefused(f"it is left alone for {PATIENCE_S_MAX // 3600} h at most")
        least_s = commissioning.patience_s(spec.timeout_s) + spec.settle_s
        return max(wanted_s, least_s), ""


def _reached(hand: SetpointWriter) -> bool:
    hold = hand.hold
    return hold.online and hold.spec is not None and hold.spec.charge_max_w > 0


def _heard(view: View, device: str) -> Iterator[Channel]:
    good = {point.name: m.value for point, m in view.readings(device) if m.good is not None}
    return (channel for channel, _ in commissioning.heard(device, good))
