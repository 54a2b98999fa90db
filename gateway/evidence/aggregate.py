"""From the samples of one period to its aggregates: energies, states, means, and what was missing.

Pure: a fold over samples in order of time. Energy comes from the devices' own counters where they have
them and from integrated power where not, and the flags say which. It refuses to bridge a hole: power is
held no longer than HOLD_MS, and what was longer silent, one device of several too, is flagged as a gap. It
refuses numbers that no site can have: what they would make does not fit the record, and a record that
cannot be made would end the process, at every start anew; and a counter that rises faster than the site's
power could make it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.model import ClockTrust, Interval, IntervalFlag, Point, Quality, Quantity, Sample

HOLD_MS = 5000  # the age at which a reading is STALE anyway
WMS_PER_WH = 3_600_000
VALUE_MAX = 2**40  # a terawatt, a terawatt hour
STEP_MS = 360_000  # of full power: what a counter may rise by at once, because it counts in steps
STEP_WH = 1000  # or by this, whatever the site's power: small sites have counters of whole kWh too

# Each energy: its counter, and the power whose positive (+1) or negative (-1) part it is.
ENERGIES: dict[str, tuple[Quantity | None, Quantity, int]] = {
    "discharged": (Quantity.BATTERY_DISCHARGED, Quantity.BATTERY_POWER, 1),
    "charged": (Quantity.BATTERY_CHARGED, Quantity.BATTERY_POWER, -1),
    "imported": (Quantity.GRID_IMPORTED, Quantity.GRID_POWER, 1),
    "exported": (Quantity.GRID_EXPORTED, Quantity.GRID_POWER, -1),
    "produced": (Quantity.PV_ENERGY, Quantity.PV_POWER, 1),
}
LAST = (Quantity.BATTERY_SOC, Quantity.BATTERY_SOH, Quantity.BATTERY_AVAILABLE)
MEAN = (Quantity.GRID_FREQUENCY, Quantity.GRID_VOLTAGE)
OF_EACH = ("battery_", "pv_")  # what each of several inverters has of its own
WANTED = frozenset(
    {Quantity.BATTERY_CAPACITY, *LAST, *MEAN, *(q for c, p, _ in ENERGIES.values() for q in (c, p) if q)}
)


@dataclass(slots=True)
class _Counter:
    """A device's energy counter: what it counted since the first reading; a reset counts nothing, and one
    that only looked like a reset (a device that starts says 0 for a moment) leaves nothing behind. A rise
    that `most_w` (0: not known) cannot have made in the time is no reading."""

    last: int
    at_ms: int
    most_w: int = 0
    total: int = 0
    peak: int = field(init=False)
    peak_ms: int = field(init=False)
    at_peak: int = 0  # the total then
    refused: bool = False  # the newest reading

    def __post_init__(self) -> None:
        self.peak, self.peak_ms = self.last, self.at_ms

    def add(self, value: int, at_ms: int) -> None:
        up = value >= self.peak
        base, base_ms = (self.peak, self.peak_ms) if up else (self.last, self.at_ms)
        self.refused = self._impossible(value - base, at_ms - base_ms)
        if self.refused:
            return
        if up:
            self.total = self.at_peak + value - self.peak
            self.peak, self.peak_ms, self.at_peak = value, at_ms, self.total
        elif value > self.last:
            self.total += value - self.last
        self.last, self.at_ms = value, at_ms

    def _impossible(self, rise_wh: int, span_ms: int) -> bool:
        most_wh = max(self.most_w * (max(0, span_ms) + STEP_MS) // WMS_PER_WH, STEP_WH)
        return self.most_w > 0 and rise_wh > most_wh


@dataclass(slots=True)
class _Power:
    """Integrated power in W ms, positive and negative parts apart."""

    value: int
    at_ms: int
    positive: int = 0
    negative: int = 0
    hole_ms: int = 0

    def advance(self, at_ms: int) -> None:
        self.hole_ms = max(self.hole_ms, at_ms - self.at_ms)
        energy = self.value * min(max(0, at_ms - self.at_ms), HOLD_MS)
        self.positive += max(0, energy)
        self.negative += max(0, -energy)
        self.at_ms = at_ms


@dataclass(slots=True)
class _Track:
    """Everything kept of one point."""

    rank: int
    counter: _Counter | None = None
    power: _Power | None = None
    last: int = 0
    total: int = 0
    count: int = 0


@dataclass(slots=True)
class Aggregator:
    """Fold of one period [start_ms, end_ms). `rank(point)`: lower is the better source of its quantity.
    `devices`: those that should have spoken, and how long each may be silent, ms. `batteries`: the devices of
    each, where there are several: energies are added up, shares weighed by capacity. `most_w`: more than any
    power on the site; 0: not known.

    Samples from a little before the start may be given too: they only set where counters and powers begin.
    """

    start_ms: int
    end_ms: int
    rank: Callable[[Point], int]
    devices: Mapping[str, int] = field(default_factory=dict)
    batteries: Sequence[frozenset[str]] = ()
    most_w: int = 0
    tracks: dict[Point, _Track] = field(default_factory=dict)
    clock: ClockTrust = ClockTrust.TRUSTED
    samples: int = 0
    first_ms: int = 0
    last_ms: int = 0
    heard: dict[str, int] = field(default_factory=dict)  # device -> its newest sample
    gap: bool = False

    def add(self, sample: Sample) -> None:
        at_ms = sample.stamp.wall_ms
        inside = self.start_ms <= at_ms < self.end_ms
        if inside:
            self._cover(at_ms, sample)
        for point, value, quality in zip(sample.points, sample.values, sample.qualities, strict=True):
            if quality == Quality.GOOD and point.quantity in WANTED and abs(value) <= VALUE_MAX:
                self._point(point, value, max(at_ms, self.start_ms), inside)

    def _cover(self, at_ms: int, sample: Sample) -> None:
        if not self.samples:
            self.first_ms = at_ms
            self.heard = dict.fromkeys(self.devices, at_ms)
        self._silent(sample.device, at_ms)
        self.heard[sample.device] = at_ms
        self.samples += 1
        self.last_ms = max(self.last_ms, at_ms)
        if sample.stamp.trust is not ClockTrust.TRUSTED:
            self.clock = ClockTrust.BACKDATED

    def _silent(self, device: str, until_ms: int) -> None:
        """Flag a gap if the device was silent too long; before the first sample of all it is not asked."""
        silence_ms = until_ms - self.heard.get(device, self.first_ms)
        self.gap = self.gap or silence_ms > self.devices.get(device, HOLD_MS)

    def _point(self, point: Point, value: int, at_ms: int, inside: bool) -> None:
        track = self.tracks.get(point)
        if track is None:
            track = self.tracks[point] = _Track(self.rank(point))
        if track.counter is None or not inside:
            track.counter = _Counter(value, at_ms, self.most_w)
        else:
            track.counter.add(value, at_ms)
        if track.power is None or not inside:
            track.power = _Power(value, at_ms, hole_ms=at_ms - self.first_ms if inside else 0)
        else:
            track.power.advance(at_ms)
            track.power.value = value
        if inside:
            track.last = value
            track.total += value
            track.count += 1

    def _best(self, quantity: Quantity | None, devices: frozenset[str] | None = None) -> _Track | None:
        seen = [
            t
            for p, t in self.tracks.items()
            if p.quantity is quantity and t.count and (devices is None or p.device in devices)
        ]
        return min(seen, key=lambda t: t.rank, default=None)

    def _parts(self, quantity: Quantity) -> Sequence[frozenset[str] | None]:
        """Whose figures of a quantity make up the site's: each battery's, or simply the best of all."""
        if quantity.value.startswith(OF_EACH) and any(self._best(quantity, b) for b in self.batteries):
            return self.batteries
        return (None,)

    def _energy(self, name: str) -> tuple[int, bool]:
        """Wh of the period, and whether it had to be integrated from power."""
        found = [self._energy_of(name, devices) for devices in self._parts(ENERGIES[name][1])]
        return sum(wh for wh, _ in found), any(integrated for _, integrated in found)

    def _energy_of(self, name: str, devices: frozenset[str] | None) -> tuple[int, bool]:
        counter_of, power_of, sign = ENERGIES[name]
        if (track := self._best(counter_of, devices)) and track.counter:
            self.gap = self.gap or track.counter.refused
            return track.counter.total, False
        if (track := self._best(power_of, devices)) and track.power:
            silence_ms = max(track.power.hole_ms, self.last_ms - track.power.at_ms)
            self.gap = self.gap or silence_ms > HOLD_MS
            track.power.advance(self.end_ms)
            part = track.power.positive if sign > 0 else track.power.negative
            return (part + WMS_PER_WH // 2) // WMS_PER_WH, True
        return 0, False

    def _last(self, quantity: Quantity) -> int | None:
        """The newest state; of several batteries the sum of what is energy, of what is a share the mean by
        capacity (evenly where one is not known). Of one that is not known, nothing is known of all."""
        parts = self._parts(quantity)
        found = [track.last for track in (self._best(quantity, devices) for devices in parts) if track]
        if len(found) < len(parts):
            return None
        if quantity is Quantity.BATTERY_AVAILABLE:
            return sum(found)
        weights = [self._capacity_wh(devices) for devices in parts]
        each = weights if all(weights) else [1] * len(parts)
        return sum(value * weight for value, weight in zip(found, each, strict=True)) // sum(each)

    def _capacity_wh(self, devices: frozenset[str] | None) -> int:
        track = self._best(Quantity.BATTERY_CAPACITY, devices)
        return max(0, track.last) if track else 0

    def _mean(self, quantity: Quantity) -> int:
        track = self._best(quantity)
        return (track.total + track.count // 2) // track.count if track else 0

    def close(self, merkle_root: bytes, count: int, flags: int = 0) -> Interval:
        """The aggregates with the root over `count` readings. `flags` of the caller are added to its own."""
        energy = {name: self._energy(name) for name in ENERGIES}
        soc, soh, available = (self._last(q) for q in LAST)
        if any(integrated for _, integrated in energy.values()):
            flags |= IntervalFlag.ENERGY_INTEGRATED
        if self.first_ms - self.start_ms > HOLD_MS or self.end_ms - self.last_ms > HOLD_MS:
            flags |= IntervalFlag.PARTIAL
        for device in self.heard:
            self._silent(device, self.last_ms)
        if self.gap:
            flags |= IntervalFlag.GAP
        if soc is None or soc < 0:
            flags |= IntervalFlag.SOC_UNKNOWN
        charged, discharged, imported, exported, produced = (
            energy[name][0] for name in ("charged", "discharged", "imported", "exported", "produced")
        )
        return Interval(
            start_ms=self.start_ms,
            end_ms=self.end_ms,
            count=count,
            merkle_root=merkle_root,
            charged_wh=charged,
            discharged_wh=discharged,
            imported_wh=imported,
            exported_wh=exported,
            produced_wh=produced,
            consumed_wh=max(0, produced + discharged - charged + imported - exported),
            soc_bp=min(max(soc or 0, 0), 10_000),
            soh_bp=min(max(soh or 0, 0), 10_000),
            available_wh=_uint32(available or 0),
            frequency_mhz=_uint32(self._mean(Quantity.GRID_FREQUENCY)),
            voltage_mv=_uint32(self._mean(Quantity.GRID_VOLTAGE)),
            clock=self.clock,
            flags=flags,
        )


def _uint32(value: int) -> int:
    """The value where it fits its field of the record, else 0: not measured."""
    return value if 0 <= value < 2**32 else 0
