"""The latest value of every point of the site, its age and its quality.

Drivers' samples come in by `put`; a control cycle, a screen or an uplink takes a `view`: a frozen process
image, so that one decision never mixes two moments. It refuses to invent: a value that was not refreshed
in time is STALE, a point that never came is not there, and nothing is averaged or filled in. The one
derived value is the house load, from the sum that defines it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.clock import Clock
from gateway.model import Point, Points, Quality, Quantity, Sample
from gateway.site import Site, preference

STALE_POLLS = 3
STALE_MS = 5000
# A slow poll class shows itself by the distance of its samples; beyond this it is an outage, not a class.
PERIOD_MAX_MS = 60_000
SETS_MAX = 64  # point sets of one device: a driver makes a few and keeps them

LIMITS = frozenset(
    {
        Quantity.CHARGE_LIMIT_CURRENT,
        Quantity.DISCHARGE_LIMIT_CURRENT,
        Quantity.CHARGE_LIMIT_POWER,
        Quantity.DISCHARGE_LIMIT_POWER,
        Quantity.CHARGE_VOLTAGE_LIMIT,
    }
)
# Of several batteries at a site, what is told of them together.
WEIGHTED = frozenset({Quantity.BATTERY_SOC, Quantity.BATTERY_SOH})
# What an inverter may have or not: those that have it are added up.
OPTIONAL = frozenset(
    {Quantity.PV_POWER, Quantity.PV_ENERGY, Quantity.INVERTER_POWER, Quantity.INVERTER_REACTIVE}
)
TOGETHER = (WEIGHTED | OPTIONAL) | {
    Quantity.BATTERY_POWER,
    Quantity.BATTERY_CAPACITY,
    Quantity.BATTERY_AVAILABLE,
    Quantity.BATTERY_CHARGED,
    Quantity.BATTERY_DISCHARGED,
}


@dataclass(frozen=True, slots=True)
class Measured:
    """A value in its quantity's unit, how far to believe it, its age, and the device that said it."""

    value: int
    quality: Quality
    age_ms: int
    device: str

    @property
    def good(self) -> int | None:
        """The value if it may be used for control, else None."""
        return self.value if self.quality is Quality.GOOD else None


@dataclass(frozen=True, slots=True)
class _Latest:
    """The newest sample of one point set, and how far apart its samples come."""

    sample: Sample
    period_ms: int


_Key = tuple[str, int]  # device, identity of the points tuple (kept alive by the sample)
_Sources = tuple[tuple[_Key, int], ...]  # where a point's values are found: sets and positions


@dataclass(frozen=True, slots=True)
class _Index:
    """Which samples hold which points: changes only when a device appears or finds new points."""

    points: Mapping[str, Mapping[Point, _Sources]]  # by device
    quantities: Mapping[Quantity, tuple[tuple[Point, _Sources], ...]]  # best role first


@dataclass(frozen=True, slots=True)
class View:
    """The site at one moment (`now_ms`, monotonic)."""

    now_ms: int
    _latest: Mapping[_Key, _Latest]
    _index: _Index
    _poll_ms: Mapping[str, int] = field(default_factory=dict)
    _batteries: tuple[frozenset[str], ...] = ()  # devices by battery, where there are several
    _only: frozenset[str] | None = None

    def of(self, devices: frozenset[str]) -> "View":
        """The same moment as these devices alone tell it: one battery of several."""
        return replace(self, _batteries=(), _only=devices)

    def get(self, quantity: Quantity) -> Measured | None:
        """The best source's value: by role, a GOOD one before any other; of several batteries together,
        what `combined` makes of theirs. None: no device has it."""
        parts = [self.of(devices) for devices in self._batteries] if quantity in TOGETHER else []
        if quantity in OPTIONAL:
            parts = [part for part in parts if part.get(quantity)]
        if parts:
            return combined(quantity, [p.get(quantity) for p in parts], [p._weight() for p in parts])
        sources = self.all(quantity)
        if not sources and quantity is Quantity.LOAD_POWER:
            return self._load()
        return next((m for m in sources if m.quality is Quality.GOOD), sources[0] if sources else None)

    def good(self, quantity: Quantity) -> int | None:
        """The value of `get` if it is GOOD, else None."""
        found = self.get(quantity)
        return found.good if found else None

    def all(self, quantity: Quantity) -> tuple[Measured, ...]:
        """What every device that declared this quantity says, best role first; ABSENT until it came."""
        found = self._index.quantities.get(quantity, ())
        return tuple(self._measure(p, w) for p, w in found if self._only is None or p.device in self._only)

    def _weight(self) -> int:
        """A battery's part in the state of charge of all; 0 where it is not known."""
        return self.good(Quantity.BATTERY_CAPACITY) or 0

    def readings(self, device: str) -> tuple[tuple[Point, Measured], ...]:
        """All points of one device, in its own order."""
        points = self._index.points.get(device, {})
        return tuple((point, self._measure(point, where)) for point, where in points.items())

    @property
    def declared(self) -> frozenset[str]:
        """Devices that have been reached since the start, so that their points are known."""
        return frozenset(self._index.points)

    def _measure(self, point: Point, sources: _Sources) -> Measured:
        found = [(self._latest[key], i) for key, i in sources if key in self._latest]
        if not found:
            return Measured(0, Quality.ABSENT, 0, point.device)
        latest, i = max(found, key=lambda entry: entry[0].sample.stamp.mono_ms)
        age_ms = self.now_ms - latest.sample.stamp.mono_ms
        quality = Quality(latest.sample.qualities[i])
        # A sample from the future is a driver's fault and no fresher than a late one.
        if quality is Quality.GOOD and not 0 <= age_ms <= self._fresh_ms(point, latest):
            quality = Quality.STALE
        return Measured(latest.sample.values[i], quality, age_ms, point.device)

    def _fresh_ms(self, point: Point, latest: _Latest) -> int:
        poll_ms = self._poll_ms[point.device]
        if point.quantity in LIMITS:  # what protects the battery is never older than 5 s, however polled
            return min(STALE_POLLS * poll_ms, STALE_MS)
        return max(STALE_POLLS * max(poll_ms, latest.period_ms), STALE_MS)

    def _load(self) -> Measured | None:
        """load = pv + battery + grid; a site without PV has none to add."""
        battery, grid = self.get(Quantity.BATTERY_POWER), self.get(Quantity.GRID_POWER)
        if battery is None or grid is None:
            return None
        pv = self.get(Quantity.PV_POWER)
        parts = (battery, grid) if pv is None else (pv, battery, grid)
        worst, age_ms = max(p.quality for p in parts), max(p.age_ms for p in parts)
        value = sum(p.value for p in parts) if worst is not Quality.ABSENT else 0
        return Measured(value, worst, age_ms, grid.device)


def combined(quantity: Quantity, found: Sequence[Measured | None], weights: Sequence[int]) -> Measured | None:
    """Several batteries as one: powers and energies add up, states are weighted by capacity (evenly where
    one is not known). The whole is no better and no fresher than its worst part."""
    parts = [part for part in found if part is not None]
    if len(parts) < len(found):
        return None if not parts else replace(parts[0], value=0, quality=Quality.ABSENT)
    worst, age_ms = max(p.quality for p in parts), max(p.age_ms for p in parts)
    if quantity in WEIGHTED:
        each = weights if all(weights) else [1] * len(parts)
        value = sum(p.value * w for p, w in zip(parts, each, strict=True)) // sum(each)
    else:
        value = sum(p.value for p in parts)
    return Measured(value if worst is not Quality.ABSENT else 0, worst, age_ms, parts[0].device)


class SiteState:
    """Where samples go and views come from. Synchronous; `put` costs one dictionary entry a sample."""

    def __init__(self, site: Site, clock: Clock) -> None:
        self._clock = clock
        self._roles = {device.name: device.role for device in site.devices}
        self._batteries = site.batteries if len(site.batteries) > 1 else ()
        self._declared: dict[str, Points] = {}
        self._poll_ms: dict[str, int] = {}
        self._latest: dict[_Key, _Latest] = {}
        self._sets: dict[_Key, Points] = {}
        self._index: _Index | None = None

    def declare(self, device: str, points: Points, poll_ms: int) -> None:
        """A device was reached: these are its points. What was known of it before is forgotten."""
        if device not in self._roles:
            raise ValueError(f"{device!r} is not a device of this site")
        self._declared[device], self._poll_ms[device] = points, poll_ms
        for key in [key for key in self._sets if key[0] == device]:
            del self._sets[key]
            self._latest.pop(key, None)
        self._index = None

    def put(self, sample: Sample) -> None:
        """Keep `sample` as the newest of its point set."""
        key = (sample.device, id(sample.points))
        known = self._latest.get(key)
        if known is None:
            self._admit(key, sample.points)
            self._latest[key] = _Latest(sample, 0)
            return
        gap_ms = sample.stamp.mono_ms - known.sample.stamp.mono_ms
        # The shortest distance seen is the class's period: an outage can never make old values fresh.
        period_ms = min(known.period_ms or PERIOD_MAX_MS, gap_ms) if gap_ms > 0 else known.period_ms
        self._latest[key] = _Latest(sample, period_ms)

    def view(self) -> View:
        """The process image of this moment."""
        if self._index is None:
            self._index = self._make_index()
        return View(
            self._clock.mono_ms(), dict(self._latest), self._index, dict(self._poll_ms), self._batteries
        )

    def _admit(self, key: _Key, points: Points) -> None:
        device = key[0]
        if device not in self._declared:
            raise ValueError(f"a sample of {device!r}, which was not declared")
        if sum(1 for known in self._sets if known[0] == device) >= SETS_MAX:
            raise ValueError(f"{device!r} makes a new tuple of points for every sample: keep and reuse them")
        self._sets[key] = points
        self._index = None

    def _make_index(self) -> _Index:
        points: dict[str, Mapping[Point, _Sources]] = {}
        quantities: dict[Quantity, list[tuple[Point, _Sources]]] = {}
        for device, declared in self._declared.items():
            places: dict[Point, list[tuple[_Key, int]]] = {point: [] for point in declared}
            for key, members in self._sets.items():
                if key[0] == device:
                    for i, point in enumerate(members):
                        places.setdefault(point, []).append((key, i))
            points[device] = {point: tuple(where) for point, where in places.items()}
            for point, where in points[device].items():
                if point.quantity is not None:
                    quantities.setdefault(point.quantity, []).append((point, where))
        ranked = {
            q: tuple(sorted(found, key=lambda f: self._rank(q, f[0]))) for q, found in quantities.items()
        }
        return _Index(points, ranked)

    def _rank(self, quantity: Quantity, point: Point) -> int:
        return preference(quantity, self._roles[point.device])
