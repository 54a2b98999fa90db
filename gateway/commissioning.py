"""The judgement of a commissioning test: what small changes of power prove of a site's signs. Pure.

Power is ordered in pairs, - and + and then + and -; within each pair the devices must say that as much
changed, in the signs of the gateway: the battery with it, the meter against it. The house goes on living
meanwhile, so nothing is concluded from one pair: the median counts, how many agree says how sure it is, and
nothing is said at all when the house moved more than the battery was told to. A plateau belongs to one pair
only, or a house that merely jumps up and down would seem to agree. It refuses to guess what it did not see.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from statistics import median

PAIRS_MIN = 8  # that all agree, whichever way, is chance once in 128
PAIRS_MAX = 12
CONFIDENCE_BP_MIN = 9900
SAMPLES_MIN = 3  # of a device on a plateau
FOLLOWS_BP = (7000, 13_000)  # of what was ordered: losses, metering, a BMS that tapers
FOLLOWS_METER_BP = (5000, 15_000)  # the house is in it too
WHOLE_BP = 10_000
POWER_PART = 4  # of what site and devices allow
POWER_W_MIN = 500
PATIENCE = 3, 2  # it is left alone for 3/2 of the time that is claimed
GONE_SAMPLES = 2  # in a row, before the power counts as the device's own


class Unsure(Exception):
    """Nothing can be concluded; the message says why and what to do. Caught where the test is run."""


@dataclass(frozen=True, slots=True)
class Channel:
    """What one device says of one power. At a meter power goes the other way."""

    device: str
    quantity: str
    meter: bool = False

    @property
    def text(self) -> str:
        return f"{self.device} ({self.quantity.rsplit('_', 1)[0].replace('_', ' ')})"


def heard(device: str, good: Mapping[str, int]) -> Iterator[tuple[Channel, int]]:
    """What a sample's good values (by name) say of powers."""
    for name in ("battery_power_w", "grid_power_w"):
        if name in good:
            yield Channel(device, name, name == "grid_power_w"), good[name]


@dataclass(frozen=True, slots=True)
class Plateau:
    """One order held: what was told (as devices hold it) and what each channel said meanwhile, W."""

    told_w: int
    site_w: int  # told to all batteries together: what the meter sees
    said: dict[Channel, tuple[int, ...]]
    response_ms: int = 0  # from the last write until the battery's power was there
    dead_ms: int = 0  # from the first write until it moved


@dataclass(frozen=True, slots=True)
class Finding:
    """Of one channel. `gain_bp` in the gateway's sign; `agree` of `changes` have the same sign as it."""

    channel: Channel
    gain_bp: int
    agree: int
    changes: int
    confidence_bp: int
    moved_w: int  # what changed without us within a pair, the median
    noise_w: int  # how far apart the samples of a plateau are, the median


@dataclass(frozen=True, slots=True)
class Result:
    findings: tuple[Finding, ...]
    response_ms: int
    dead_ms: int
    error_w: int  # of the battery against what was told, the median

    @property
    def confidence_bp(self) -> int:
        return min(found.confidence_bp for found in self.findings)

    @property
    def noise_w(self) -> int:
        return max(found.noise_w for found in self.findings)

    @property
    def changes(self) -> int:
        return min(found.changes for found in self.findings)


def pulse_w(charge_w: int, discharge_w: int) -> int:
    """A power that is small for this site and still seen at its meter. Unsure when there is none."""
    least_w = min(charge_w, discharge_w)
    if least_w < POWER_W_MIN:
        raise Unsure(f"charge and discharge of {POWER_W_MIN} W at least are needed, {least_w} W are allowed")
    return max(POWER_W_MIN, least_w // POWER_PART)


def order_w(number: int, power_w: int) -> int:
    """The power of order 0, 1, 2 …: - + + - - + … so that a house that drifts pulls no way."""
    return power_w if (number + 1) // 2 % 2 else -power_w


def confidence_bp(agree: int, changes: int) -> int:
    """One less the chance that so many or more of `changes` agree on either sign with nothing behind them."""
    by_chance = 2 * sum(comb(changes, k) for k in range(agree, changes + 1))
    return max(0, WHOLE_BP - -(-WHOLE_BP * by_chance // (1 << changes)))  # never said surer than it is


def finding(channel: Channel, plateaus: Sequence[Plateau]) -> Finding:
    """What the plateaus prove of one channel. Unsure when it said too little."""
    said = [plateau.said.get(channel, ()) for plateau in plateaus]
    if min(map(len, said), default=0) < SAMPLES_MIN:
        raise Unsure(f"{channel.text} said too little: {SAMPLES_MIN} good readings an order are needed")
    levels = [median(values) for values in said]
    asked = [p.site_w if channel.meter else p.told_w for p in plateaus]
    told = [b - a for a, b in zip(asked[::2], asked[1::2], strict=True)]
    changed = [b - a for a, b in zip(levels[::2], levels[1::2], strict=True)]
    gain = median(c / t for c, t in zip(changed, told, strict=True))
    agree = sum(c * t * gain > 0 for c, t in zip(changed, told, strict=True))
    moved = [abs(c - gain * t) for c, t in zip(changed, told, strict=True)]
    noise_w = round(median(max(values) - min(values) for values in said))
    return Finding(
        channel, round(gain * WHOLE_BP), agree, len(told), confidence_bp(agree, len(told)),
        round(median(moved)), noise_w,
    )  # fmt: skip


def judge(channels: Sequence[Channel], plateaus: Sequence[Plateau], power_w: int) -> Result:
    """All channels together. Unsure when one cannot be concluded; `wrong` says which are not as they must."""
    found = tuple(finding(channel, plateaus) for channel in channels)
    for one in found:
        if one.moved_w > power_w:
            raise Unsure(
                f"{one.channel.text} moved by {one.moved_w} W between two orders without them, more "
                f"than the {power_w} W ordered: try when the house is quieter, or with more --power"
            )
        if one.confidence_bp < CONFIDENCE_BP_MIN:
            raise Unsure(
                f"of {one.changes} changes only {one.agree} agree at {one.channel.text}: that is no proof; "
                "try when the house is quieter, or with more --power"
            )
    errors = [abs(median(v) - p.told_w) for p in plateaus for c, v in p.said.items() if not c.meter]
    return Result(
        found,
        round(median(p.response_ms for p in plateaus[1::2])),  # the second of a pair is always a change
        round(median(p.dead_ms for p in plateaus[1::2])),
        round(median(errors)) if errors else 0,
    )


def wrong(found: Finding) -> str:
    """What a person must put right at this channel; empty when it is as it must be."""
    name, due_bp = found.channel.text, -found.gain_bp if found.channel.meter else found.gain_bp
    low, high = FOLLOWS_METER_BP if found.channel.meter else FOLLOWS_BP
    if due_bp < 0:
        other = "the meter is turned round" if found.channel.meter else "its sign is turned round"
        return f"{name} counts the other way: {other}, in its wiring or in its profile"
    if not low <= due_bp <= high:
        return (
            f"{name} changed by {due_bp / 100:.0f} % of what was ordered: is a phase left out, or a battery?"
        )
    return ""


@dataclass(frozen=True, slots=True)
class Fallback:
    """How long the device did as told after the last write, and by when it was its own; 0: it never was."""

    obeyed_ms: int = 0
    reverted_ms: int = 0

    @property
    def found(self) -> bool:
        return self.reverted_ms > 0


@dataclass(frozen=True, slots=True)
class Watch:
    """A device that is left alone: feed `see` with each reading of its battery and each read-back."""

    told_w: int
    apart_w: int  # farther than that from what was told it is not ours
    written_ms: int
    ours_ms: int
    gone_ms: int = 0  # the first of the readings that are not ours
    gone: int = 0
    ended: bool = False

    def see(self, at_ms: int, power_w: int) -> "Watch":
        if at_ms <= self.written_ms or self.ended:
            return self
        if abs(power_w - self.told_w) <= self.apart_w:
            return Watch(self.told_w, self.apart_w, self.written_ms, max(self.ours_ms, at_ms))
        gone_ms = self.gone_ms or at_ms
        gone = self.gone + 1
        return Watch(
            self.told_w, self.apart_w, self.written_ms, self.ours_ms, gone_ms, gone, gone >= GONE_SAMPLES
        )

    @property
    def fallback(self) -> Fallback:
        if not self.ended:
            return Fallback()
        return Fallback(self.ours_ms - self.written_ms, self.gone_ms - self.written_ms)


def patience_s(timer_s: int) -> int:
    over, under = PATIENCE
    return int(-(-timer_s * over // under))
