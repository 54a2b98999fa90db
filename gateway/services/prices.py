"""Load shifting by price: charge where energy is cheap and discharge where it is dear. Pure.

It moves energy between two slots only where that pays for what is lost on the way and for `wear`, and never
discharges what was not charged before: at the end the battery holds what it held at the beginning. What is
done and what can still be undone is one exchange of energy between two slots; the best exchange left is made
until none pays, so that where no price is negative no other plan earns more. Two days of quarter-hours take
a quarter of a second on a PC: it is not for the event loop.

Energies are Wh as they can be discharged; all losses fall on charging.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gateway.model import ServiceKind
from gateway.services.law import POWER_MAX_W, WHOLE_BP
from gateway.services.schedule import Slot, slot

SLOTS_MAX = 200  # two days of quarter-hours, one of them of 25 hours
EXCHANGES_MAX = 8 * SLOTS_MAX
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Price:
    """What a unit of energy costs for a time; any currency and unit, the same for all. May be negative."""

    start_ms: int
    end_ms: int
    price: int


@dataclass(frozen=True, slots=True)
class Shift:
    """What may be used. `stored_wh` of `energy_wh` is there at the beginning, and again at the end.

    `efficiency_bp` is that of a round trip; `wear` is what taking a unit of energy out of the battery costs,
    in the unit of the prices.
    """

    charge_w: int
    discharge_w: int
    energy_wh: int
    stored_wh: int = 0
    efficiency_bp: int = 9000
    wear: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.charge_w <= POWER_MAX_W and 0 <= self.discharge_w <= POWER_MAX_W):
            raise ValueError("charge and discharge power must not be negative, nor beyond all reason")
        if not 0 <= self.stored_wh <= self.energy_wh:
            raise ValueError("what is stored must be between nothing and the usable energy")
        if not 0 < self.efficiency_bp <= WHOLE_BP or self.wear < 0:
            raise ValueError("the efficiency must be above 0 and at most 100 %, the wear not negative")


@dataclass(slots=True)
class _Hour:
    """A price's slot while the plan is made. `flow_wh` is into the battery, - out of it."""

    price: Price
    shift: Shift
    flow_wh: int = 0

    @property
    def span_ms(self) -> int:
        return self.price.end_ms - self.price.start_ms

    def more(self) -> tuple[int, int]:
        """What another Wh into the battery costs here (times WHOLE_BP), and how many there can be."""
        if self.flow_wh < 0:  # instead of discharging it
            return self._worth(), -self.flow_wh
        most_wh = self.shift.charge_w * self.span_ms * self.shift.efficiency_bp // (HOUR_MS * WHOLE_BP)
        return self._cost(), most_wh - self.flow_wh

    def less(self) -> tuple[int, int]:
        """What a Wh out of the battery earns here (times WHOLE_BP), and how many there can be."""
        if self.flow_wh > 0:  # by not charging it
            return self._cost(), self.flow_wh
        return self._worth(), self.shift.discharge_w * self.span_ms // HOUR_MS + self.flow_wh

    def _cost(self) -> int:
        return self.price.price * WHOLE_BP * WHOLE_BP // self.shift.efficiency_bp

    def _worth(self) -> int:
        return (self.price.price - self.shift.wear) * WHOLE_BP

    def power_w(self) -> int:
        """Rounded so that no more is discharged than is charged."""
        drawn = max(0, self.flow_wh) * HOUR_MS * WHOLE_BP
        given_w = max(0, -self.flow_wh) * HOUR_MS // self.span_ms
        return given_w - -(-drawn // (self.shift.efficiency_bp * self.span_ms))


@dataclass(frozen=True, slots=True)
class _Exchange:
    gain: int  # of each Wh
    energy_wh: int
    into: int  # slots by number
    out: int


def plan(site: str, prices: Sequence[Price], shift: Shift) -> tuple[Slot, ...]:
    """The slots of fixed power in which to charge and discharge, the earliest first; ValueError if the
    prices overlap, are out of order or too many."""
    if len(prices) > SLOTS_MAX:
        raise ValueError(f"at most {SLOTS_MAX} prices can be planned at once")
    if any(p.end_ms <= p.start_ms for p in prices) or any(b.start_ms < a.end_ms for a, b in pairwise(prices)):
        raise ValueError("prices must be of times one after the other")
    hours = [_Hour(price, shift) for price in prices]
    for _ in range(EXCHANGES_MAX):
        best = max(_exchanges(hours, shift), key=lambda e: (e.gain, e.energy_wh), default=None)
        if best is None:
            break
        hours[best.into].flow_wh += best.energy_wh
        hours[best.out].flow_wh -= best.energy_wh
    return tuple(_slots(site, hours))


def _exchanges(hours: Sequence[_Hour], shift: Shift) -> Iterator[_Exchange]:
    """For each slot the best partner before it: in there and out here, or out there and in here.

    What was taken in must find room until it is taken out, and what was taken out must have been there: a
    partner beyond a moment at which the battery is full, or empty, is out of reach.
    """
    level_wh = shift.stored_wh
    buyer: tuple[int, int, int] | None = None  # cost, Wh that can come from there to here, slot
    seller: tuple[int, int, int] | None = None
    for here, hour in enumerate(hours):
        (cost, more_wh), (worth, less_wh) = hour.more(), hour.less()
        if buyer and (amount := min(buyer[1], less_wh)) and worth > buyer[0]:
            yield _Exchange(worth - buyer[0], amount, buyer[2], here)
        if seller and (amount := min(seller[1], more_wh)) and seller[0] > cost:
            yield _Exchange(seller[0] - cost, amount, here, seller[2])
        if more_wh and (buyer is None or cost < buyer[0]):
            buyer = (cost, more_wh, here)
        if less_wh and (seller is None or worth > seller[0]):
            seller = (worth, less_wh, here)
        level_wh += hour.flow_wh
        buyer = _carried(buyer, shift.energy_wh - level_wh)
        seller = _carried(seller, level_wh)


def _carried(partner: tuple[int, int, int] | None, room_wh: int) -> tuple[int, int, int] | None:
    """A partner as the next slot sees it: no more than there is room for in between."""
    if partner is None or room_wh <= 0:
        return None
    return partner[0], min(partner[1], room_wh), partner[2]


def _slots(site: str, hours: Sequence[_Hour]) -> Iterator[Slot]:
    """Slots of one power that touch are one order."""
    runs: list[list[_Hour]] = []
    for hour in hours:
        last = runs[-1][-1] if runs else None
        if last and last.price.end_ms == hour.price.start_ms and last.power_w() == hour.power_w():
            runs[-1].append(hour)
        else:
            runs.append([hour])
    for run in runs:
        if power_w := run[0].power_w():
            start_ms, end_ms = run[0].price.start_ms, run[-1].price.end_ms
            yield slot(site, start_ms, end_ms, ServiceKind.FIXED_POWER, {"power_w": power_w})
