"""Carries out one commissioning test: orders, listens, has it judged.

It orders by the same road as every operator, so that no write passes by the envelope, and listens to what
each device says meanwhile. Every wait ends when something happens at the site that a technician must see to
first, or when nobody watches any more. It refuses to judge: gateway.commissioning does.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

from gateway import commissioning, units
from gateway.clock import Clock
from gateway.commissioning import Channel, Fallback, Plateau, Result, Unsure, Watch
from gateway.control import Control
from gateway.lease import Hold, Phase
from gateway.model import Command, Quality, Sample, ServiceKind, SetpointSpec, Source
from gateway.setpoint import SetpointWriter
from gateway.site import Site

TICK_S = 0.1
WATCH_MS = 10_000  # a technician whose terminal says nothing for so long is gone
SAMPLE_MS, SAMPLES_MS_MAX = 5_000, 30_000  # of a plateau, once it has settled
REACH_MS = 20_000  # beyond ramp and settling: until a power is held
OWN_MS = 6_000  # the device's own control is watched for so long before anything is ordered
REST_MS = 10_000
SILENT_MS = 10_000  # a battery that says nothing for so long is not seen to do anything
LEAST_PART = 4  # of the power that was meant for it a battery must get; the rest went to larger ones
STEADY_PARTS = 20  # a power that is divided wanders by less than a twentieth
FIRST_PART = 10  # a tenth of the swing is movement


class Ended(Exception):
    """The test is over before its end; the message says why. Caught where it was begun."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done. `patience_s` 0: the device's own timer is not measured, `why` says why."""

    device: str
    power_w: int
    spec: SetpointSpec
    channels: tuple[Channel, ...]
    patience_s: int
    why: str

    def as_json(self) -> dict[str, Any]:
        return {
            "device": self.device,
            "power_w": self.power_w,
            "orders": 2 * commissioning.PAIRS_MIN,
            "orders_max": 2 * commissioning.PAIRS_MAX,
            "channels": [channel.text for channel in self.channels],
            "patience_s": self.patience_s,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class Progress:
    """`state`: idle | running | passed | failed. `lines` are what was found so far, for a person."""

    state: str = "idle"
    step: str = ""
    done: int = 0
    of: int = 1
    lines: tuple[str, ...] = ()
    reason: str = ""
    certificate: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        named = {n: getattr(self, n) for n in ("state", "step", "done", "of", "reason", "certificate")}
        return {**named, "lines": list(self.lines)}


class Trial:
    """One test of one device. `take` gets every sample of the site; `say` writes a line into the journal."""

    def __init__(
        self,
        plan: Plan,
        site: Site,
        clock: Clock,
        control: Control,
        hands: Mapping[str, SetpointWriter],
        say: Callable[[str], None],
    ) -> None:
        self.plan, self._site, self._clock, self._control = plan, site, clock, control
        self._hands, self._hand = list(hands.values()), hands[plan.device]
        self._say = say
        self._said: dict[Channel, list[tuple[int, int]]] = defaultdict(list)
        self._watched_ms, self._number = clock.mono_ms(), 0
        self.ended = ""  # why the technician wants no more of it
        self.progress = Progress("running", "begins")

    def watched(self) -> None:
        self._watched_ms = self._clock.mono_ms()

    async def measure(self) -> tuple[Result, Fallback | None]:
        """Unsure, Ended, or what was found; in any case the device is its own again. Cancelled it leaves that
        to who ends the daemon."""
        try:
            own_w = await self._own_w()
            result = await self._pulses()
            if found := list(filter(None, map(commissioning.wrong, result.findings))):
                raise Ended("; ".join(found))
            fallback = await self._fallback(own_w) if self.plan.patience_s else None
        except (Unsure, Ended):
            await self.rest()
            raise
        await self.rest()
        return result, fallback

    async def _own_w(self) -> int:
        """The battery's power while the device is under its own control."""
        self.step("watches the device's own control", 0, 1)
        await self._until(lambda: self._hand.hold.phase is Phase.RELEASED, REST_MS)
        begin_ms = self._clock.mono_ms()
        await self._pause(begin_ms + OWN_MS)
        said = self._since(self.plan.channels[0], begin_ms)
        if not said:
            raise Unsure(f"{self.plan.channels[0].text} said nothing in {OWN_MS // 1000} s")
        return round(median(said))

    async def _pulses(self) -> Result:
        plateaus: list[Plateau] = []
        while True:
            power_w = commissioning.order_w(len(plateaus), self.plan.power_w)
            way = "discharges" if power_w > 0 else "charges"
            step = f"{self.plan.device} {way} with {units.show(self.plan.power_w, 'w')}"
            self.step(step, len(plateaus), max(2 * commissioning.PAIRS_MIN, len(plateaus) + 1))
            plateaus.append(await self._plateau(power_w, plateaus[-1].told_w if plateaus else 0))
            pairs, odd = divmod(len(plateaus), 2)
            if odd or pairs < commissioning.PAIRS_MIN:
                continue
            try:
                result = commissioning.judge(self.plan.channels, plateaus, self.plan.power_w)
            except Unsure:
                if pairs >= commissioning.PAIRS_MAX:
                    raise
                continue
            self._line(*(_told(found) for found in result.findings))
            self._line(
                f"the battery moves {result.dead_ms} ms after an order, "
                f"is there {result.response_ms} ms after the last write"
            )
            return result

    async def _plateau(self, power_w: int, before_w: int, more_ms: int = 0) -> Plateau:
        """One order, held and measured; it stays for `more_ms` afterwards. Several batteries share each one,
        so that none of them is on its own and undoes what another was told."""
        spec, began_ms, total_w = self.plan.spec, self._clock.mono_ms(), power_w * len(self._hands)
        settle_ms = spec.settle_s * 1000
        ramp_ms = 2000 * abs(total_w) // self._site.limits.ramp_w_per_s + self._site.limits.dwell_ms
        longest_ms = ramp_ms + settle_ms + REACH_MS
        await self._order(total_w, longest_ms + settle_ms + SAMPLES_MS_MAX + 5000 + more_ms)
        await self._until(lambda: self._held(total_w), longest_ms)
        hold = self._hand.hold
        if hold.power_w * power_w <= 0 or LEAST_PART * abs(hold.power_w) < self.plan.power_w:
            causes = ", ".join(cause.value for cause in self._control.status.causes) or "nothing says why"
            raise Unsure(f"of {power_w} W the device was given {hold.power_w} W: {causes}")
        settled_ms = max(began_ms, hold.since_ms + settle_ms)
        await self._until(lambda: self._sampled(settled_ms), settle_ms + SAMPLES_MS_MAX)
        now_w = self._hand.hold.power_w
        if STEADY_PARTS * abs(now_w - hold.power_w) > abs(hold.power_w):
            raise Unsure(f"the power moved from {hold.power_w} to {now_w} W while it was measured")
        said = {channel: self._since(channel, settled_ms) for channel in self.plan.channels}
        dead_ms, response_ms = self._answered(began_ms, before_w, hold)
        return Plateau(hold.power_w, sum(h.hold.power_w for h in self._hands), said, response_ms, dead_ms)

    def _held(self, total_w: int) -> bool:
        """Whether what was ordered is in the devices, to what each of them rounds away."""
        holds = [hand.hold for hand in self._hands]
        rounded_w = sum(hold.spec.step_w for hold in holds if hold.spec)
        there = abs(total_w - sum(hold.power_w for hold in holds)) <= rounded_w
        return there and all(hold.phase is Phase.HELD for hold in holds)

    def _sampled(self, settled_ms: int) -> bool:
        enough = all(len(self._since(c, settled_ms)) >= commissioning.SAMPLES_MIN for c in self.plan.channels)
        return enough and self._clock.mono_ms() >= settled_ms + SAMPLE_MS

    def _answered(self, began_ms: int, before_w: int, hold: Hold) -> tuple[int, int]:
        """From the order's begin until the battery moved; from the last write until it was there."""
        swing_w = abs(hold.power_w - before_w)
        said = [(at, w) for at, w in self._said.get(self.plan.channels[0], ()) if at >= began_ms]
        first = next((at for at, w in said if FIRST_PART * abs(w - before_w) > swing_w), began_ms)
        near_w = max(100, abs(hold.power_w) // FIRST_PART)
        there = next((at for at, w in said if at >= hold.since_ms and abs(w - hold.power_w) <= near_w), None)
        late_ms = self._clock.mono_ms() - hold.since_ms
        return first - began_ms, (there - hold.since_ms if there is not None else late_ms)

    async def _fallback(self, own_w: int) -> Fallback:
        """The real path: nothing is written, as if the gateway were dead, until its power is its own."""
        hand, plan = self._hand, self.plan
        self.step("brings the battery to a power that its own control would not choose", 0, 1)
        power_w = -plan.power_w if own_w >= 0 else plan.power_w
        held = await self._plateau(power_w, 0, plan.patience_s * 1000)
        await self._until(lambda: hand.hold.phase is Phase.HELD, REACH_MS)  # between two refreshes
        begin_ms = self._clock.mono_ms()
        if not hand.leave_alone(begin_ms + plan.patience_s * 1000):
            raise Unsure("the power was not held when it was to be left alone")
        self._say(f"commissioning: {plan.device} is left alone, at most {plan.patience_s} s")
        written_ms = hand.hold.written_ms
        watch = Watch(held.told_w, abs(held.told_w) // 2, written_ms, written_ms)
        seen, heard_ms = 0, begin_ms
        while hand.hold.alone and not watch.ended:
            await self._tick()
            said = [(at, w) for at, w in self._said.get(plan.channels[0], ()) if at > written_ms]
            for at_ms, w in said[seen:]:
                watch, heard_ms = watch.see(at_ms, w), max(heard_ms, at_ms)
            seen = len(said)
            if self._clock.mono_ms() - heard_ms > SILENT_MS:
                raise Unsure(f"{plan.channels[0].text} fell silent while {plan.device} was left alone")
            waited_s = (self._clock.mono_ms() - written_ms) // 1000
            self.step(f"leaves {plan.device} alone", min(waited_s, plan.patience_s), plan.patience_s)
        held_back = hand.hold.read_back
        if not watch.ended and self._clock.mono_ms() < begin_ms + plan.patience_s * 1000:
            raise Unsure("the power was changed while the device was to be left alone")
        if not watch.ended and held_back and not held_back.active:
            raise Unsure(f"{plan.device} obeys no more and its power is as it was told: try at another hour")
        self._line(_timer_told(plan, watch.fallback))
        return watch.fallback

    # -- orders and waiting -----------------------------------------------------------------------

    async def _order(self, power_w: int, duration_ms: int) -> None:
        """As `gridseal setpoint` does it. The newest of a source replaces the one before."""
        now = self._clock.now()
        self._number += 1
        seed = f"{self._site.id}\n{self.plan.device}\n{now.wall_ms}\n{now.mono_ms}\n{self._number}"
        command = Command(
            hashlib.sha256(seed.encode()).hexdigest(),
            Source.OPERATOR,
            ServiceKind.FIXED_POWER,
            now.wall_ms,
            now.wall_ms + duration_ms,
            {"power_w": power_w},
            f"commissioning of {self.plan.device}",
        )
        verdict = await self._control.submit(command)
        if not verdict.admitted:
            raise Ended(f"an order of {power_w} W was refused: {verdict.reason}")

    async def rest(self) -> None:
        """The device is its own again: a last order of nothing for a second replaces whatever runs."""
        if self._control.status.open_orders:
            with suppress(Ended):
                await self._order(0, 1000)

    async def _until(self, true: Callable[[], bool], longest_ms: int) -> bool:
        """Wait until it is true, or for so long; whether it is."""
        end_ms = self._clock.mono_ms() + longest_ms
        while not true() and self._clock.mono_ms() < end_ms:
            await self._tick()
        return true()

    async def _pause(self, until_ms: int) -> None:
        while self._clock.mono_ms() < until_ms:
            await self._tick()

    async def _tick(self) -> None:
        """Ended when anything happens at the site that a technician must see to first."""
        await asyncio.sleep(TICK_S)
        status = self._control.status
        silent = self._clock.mono_ms() - self._watched_ms > WATCH_MS
        offline = [hold.device for hold in status.holds if not hold.online]
        for bad, text in (
            (self.ended, self.ended),
            (silent, "the terminal that asked for it is gone"),
            (status.fault, status.fault),
            (status.stop, status.stop),
            (status.grid, "the grid is gone"),
            (offline, f"{', '.join(offline)} is not reached"),
        ):
            if bad:
                raise Ended(text)

    # -- what is heard and told -------------------------------------------------------------------

    def take(self, sample: Sample) -> None:
        values = zip(sample.points, sample.values, sample.qualities, strict=True)
        good = {point.name: value for point, value, quality in values if quality == Quality.GOOD}
        for channel, power_w in commissioning.heard(sample.device, good):
            self._said[channel].append((sample.stamp.mono_ms, power_w))

    def _since(self, channel: Channel, begin_ms: int) -> tuple[int, ...]:
        return tuple(w for at, w in self._said.get(channel, ()) if at >= begin_ms)

    def step(self, text: str, done: int, of: int) -> None:
        self.progress = replace(self.progress, step=text, done=done, of=of)

    def _line(self, *lines: str) -> None:
        self.progress = replace(self.progress, lines=self.progress.lines + lines)

    def _note(self, state: str, **more: Any) -> None:
        self.progress = replace(self.progress, state=state, **more)


def _told(found: commissioning.Finding) -> str:
    return (
        f"{found.channel.text}: {found.gain_bp / 100:+.0f} %, {found.agree} of {found.changes} agree, "
        f"{found.confidence_bp / 100:.1f} % sure; moved by {found.moved_w} W without us"
    )


def _timer_told(plan: Plan, found: Fallback) -> str:
    if not found.found:
        return f"{plan.device} has no timer: {plan.patience_s} s after the last write it did as told"
    return (
        f"{plan.device} obeyed for {found.obeyed_ms / 1000:.1f} s after the last write, "
        f"was its own after {found.reverted_ms / 1000:.1f} s"
    )
