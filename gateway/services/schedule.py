"""Slots of time in which a site renders a service by itself: recurring ones, each with its own end. Pure.

It owns when a slot begins and what its order is called: the same slot of the same site has the same id
whenever it is planned, so that an order is admitted once however often the plan is made. It refuses to read
a clock: `now` and the local time zone are given.

A slot begins at its local time of day. Where a clock change leaves that time out, it begins as much later;
where the time comes twice, at the first. Its duration is time that passes, whatever clocks do.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from hashlib import sha256

from gateway.model import ServiceKind
from gateway.services.law import Parameters

HORIZON_MAX_MS = 8 * 86_400_000  # a week of slots and a day: more is planned when it is nearer
DAYS = range(7)  # of the week, Monday first


@dataclass(frozen=True, slots=True)
class Slot:
    """One order to be: Unix ms, the id 32 bytes in hex."""

    id: str
    start_ms: int
    end_ms: int
    kind: ServiceKind
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class Recurring:
    """A slot that comes again on its days: `at_min` minutes after local midnight, for `duration_s`."""

    at_min: int
    duration_s: int
    kind: ServiceKind
    parameters: Parameters
    days: frozenset[int] = field(default=frozenset(DAYS))

    def __post_init__(self) -> None:
        if not 0 <= self.at_min < 24 * 60:
            raise ValueError(f"a slot begins at 00:00 to 23:59, not {self.at_min} min after midnight")
        if self.duration_s < 1:
            raise ValueError("a slot needs a duration")
        if not self.days or not self.days.issubset(DAYS):
            raise ValueError("a slot needs at least one day of the week, 0 (Monday) to 6")


def slot(site: str, start_ms: int, end_ms: int, kind: ServiceKind, parameters: Parameters) -> Slot:
    """A slot with the id that is its own: of another site, time, service or parameter it is another."""
    told = json.dumps(["slot", site, start_ms, end_ms, kind.value, sorted(parameters.items())])
    return Slot(sha256(told.encode()).hexdigest(), start_ms, end_ms, kind, parameters)


def upcoming(
    site: str, recurring: Iterable[Recurring], now_ms: int, horizon_ms: int, zone: tzinfo
) -> tuple[Slot, ...]:
    """The slots that begin from `now_ms` until before `now_ms + horizon_ms`, the earliest first."""
    if not 0 <= horizon_ms <= HORIZON_MAX_MS:
        raise ValueError(f"the horizon must be at most {HORIZON_MAX_MS // 86_400_000} days")
    found = {
        made.id: made
        for each in recurring
        for start_ms in _starts(each, now_ms, now_ms + horizon_ms, zone)
        for made in [slot(site, start_ms, start_ms + each.duration_s * 1000, each.kind, each.parameters)]
    }
    return tuple(sorted(found.values(), key=lambda made: (made.start_ms, made.id)))


def _starts(each: Recurring, from_ms: int, until_ms: int, zone: tzinfo) -> Iterator[int]:
    """Its begins in [from, until). A day more on either side: a clock change may move one over midnight."""
    first, last = _local_date(from_ms, zone), _local_date(until_ms, zone)
    for offset in range(-1, (last - first).days + 2):
        day = first + timedelta(days=offset)
        start_ms = _unix_ms(day, each.at_min, zone)
        if day.weekday() in each.days and from_ms <= start_ms < until_ms:
            yield start_ms


def _local_date(at_ms: int, zone: tzinfo) -> date:
    return datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(zone).date()


def _unix_ms(day: date, at_min: int, zone: tzinfo) -> int:
    local = datetime.combine(day, time(at_min // 60, at_min % 60), zone)
    return int(local.timestamp()) * 1000
