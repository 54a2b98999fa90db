"""From the samples of one interval to its Tally, beside the Aggregator that has its energies.

Pure: one pass in order of time, memory by the number of points and not of samples. Only GOOD values count; it
knows at which places of a device's samples they are, so that thousands of other points cost nothing. Samples
from a little before the start may be given: they only say how things stood.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.analytics import charge, tally
from gateway.analytics.cells import Cells
from gateway.analytics.presence import BATTERY_ALARMS, INVERTER_ALARMS, VITAL, Presence
from gateway.analytics.tally import Tally
from gateway.model import Interval, Points, Quality, Quantity, Sample

TEMPERATURES = frozenset(
    {Quantity.BATTERY_TEMPERATURE.value, "battery_temperature_min_cc", "battery_temperature_max_cc"}
)
TEMPERATURE_CC = range(-6000, 15_001)  # what a battery that still answers can have
CAPACITY_WH_MAX = 10**10
# A change of charge that no battery makes: beyond a step of a coarse display, faster than at 2C.
JUMP_BP, JUMP_BP_PER_S = 250, 6
_PRESENT = VITAL | {BATTERY_ALARMS, INVERTER_ALARMS}
_CELL_MIN, _CELL_MAX = Quantity.BATTERY_CELL_MIN.value, Quantity.BATTERY_CELL_MAX.value
_OTHERS = frozenset(
    {
        *TEMPERATURES,
        Quantity.BATTERY_SOC.value,
        Quantity.BATTERY_POWER.value,
        Quantity.BATTERY_CAPACITY.value,
        _CELL_MIN,
        _CELL_MAX,
    }
)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where in a device's samples is what is asked for."""

    points: Points  # kept, so that its identity stays its own
    presence: tuple[int, ...]
    others: tuple[tuple[str, int], ...]
    battery: bool  # whether any of it is a battery's


@dataclass(frozen=True, slots=True)
class Plant:
    """What of the site the fold has to know: devices of its batteries with the silence each may keep, which
    of them belong together, and below which power a battery rests."""

    silence_ms: Mapping[str, int]
    batteries: Sequence[frozenset[str]]
    certain: frozenset[str]
    rest_w: int


@dataclass(slots=True)
class Fold:
    """Fold of one interval [start_ms, end_ms). `previous`: the Tally before it, if there is one."""

    start_ms: int
    end_ms: int
    plant: Plant
    previous: Tally | None = None
    presence: Presence = field(init=False)
    cells: Cells = field(init=False)
    places: dict[int, _Places] = field(default_factory=dict)
    soc: dict[str, tuple[int, int]] = field(default_factory=dict)  # device -> when, bp
    rated_wh: dict[str, int] = field(default_factory=dict)
    jumps: int = 0
    coldest_cc: int | None = None
    hottest_cc: int | None = None

    def __post_init__(self) -> None:
        before = self.previous
        standing = {}
        if before:
            standing = {
                BATTERY_ALARMS: before.battery_standing_flags,
                INVERTER_ALARMS: before.inverter_standing_flags,
            }
        plant = self.plant
        self.presence = Presence(
            self.start_ms, self.end_ms, plant.silence_ms, plant.batteries, plant.certain, standing
        )
        self.cells = Cells(plant.rest_w, plant.batteries)

    def add(self, sample: Sample) -> None:
        if sample.device not in self.plant.silence_ms:
            return
        places = self._places_of(sample.points)
        self.presence.add(sample, places.presence, places.battery)
        inside = self.start_ms <= sample.stamp.wall_ms < self.end_ms
        good = {
            name: sample.values[place]
            for name, place in places.others
            if sample.qualities[place] == Quality.GOOD
        }
        self._take(sample.device, sample.stamp.wall_ms, good, inside)

    def _places_of(self, points: Points) -> _Places:
        found = self.places.get(id(points))
        if found is None:
            named = [(p.name, i) for i, p in enumerate(points)]
            found = self.places[id(points)] = _Places(
                points,
                tuple(i for name, i in named if name in _PRESENT),
                tuple((name, i) for name, i in named if name in _OTHERS),
                any(name.startswith("battery_") for name, _ in named),
            )
        return found

    def _take(self, device: str, at_ms: int, good: Mapping[str, int], inside: bool) -> None:
        if (power := good.get(Quantity.BATTERY_POWER)) is not None:
            self.cells.note_power(device, at_ms, power)
        if (soc := good.get(Quantity.BATTERY_SOC)) is not None:
            self._charge(device, at_ms, soc)
        if not inside:
            return
        if _CELL_MIN in good and _CELL_MAX in good:
            self.cells.note_cells(device, at_ms, good[_CELL_MIN], good[_CELL_MAX])
        if 0 < (rated := good.get(Quantity.BATTERY_CAPACITY, 0)) <= CAPACITY_WH_MAX:
            self.rated_wh[device] = rated
        for name in TEMPERATURES & good.keys():
            self._temperature(good[name])

    def _charge(self, device: str, at_ms: int, soc_bp: int) -> None:
        was_ms, was_bp = self.soc.get(device, (at_ms, soc_bp))
        self.jumps += abs(soc_bp - was_bp) > JUMP_BP + JUMP_BP_PER_S * max(0, at_ms - was_ms) // 1000
        self.soc[device] = (at_ms, soc_bp)

    def _temperature(self, value_cc: int) -> None:
        if value_cc in TEMPERATURE_CC:
            self.coldest_cc = value_cc if self.coldest_cc is None else min(self.coldest_cc, value_cc)
            self.hottest_cc = value_cc if self.hottest_cc is None else max(self.hottest_cc, value_cc)

    def _rated(self) -> int | None:
        """Of each battery what one device says; None unless all of them are known."""
        each = [
            max((wh for name, wh in self.rated_wh.items() if name in group), default=0)
            for group in self.plant.batteries
        ]
        return sum(each) if each and all(each) else None

    def close(self, interval: Interval) -> Tally:
        """With the energies and states of the same interval, and what they continue of the one before."""
        presence, cells = self.presence, self.cells
        reached_ms, available_ms = presence.close()
        found = replace(
            tally.of(interval),
            rated_wh=self._rated(),
            jumps=self.jumps,
            spread_mv=cells.spread_mv,
            spread_rest_mv=cells.spread_rest_mv,
            spread_ms=cells.spread_ms,
            temperature_min_cc=self.coldest_cc,
            temperature_max_cc=self.hottest_cc,
            reached_ms=reached_ms,
            available_ms=available_ms,
            faults=presence.faults,
            losses=presence.losses,
            battery_alarms_flags=presence.seen.get(BATTERY_ALARMS, 0),
            inverter_alarms_flags=presence.seen.get(INVERTER_ALARMS, 0),
            battery_standing_flags=presence.standing.get(BATTERY_ALARMS, 0),
            inverter_standing_flags=presence.standing.get(INVERTER_ALARMS, 0),
        )
        return charge.extend(self.previous, found)
