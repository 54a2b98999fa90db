"""Rates and budgets: a minute holds at most its number, a day its writes, through any number of crashes."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.journal import Journal
from gateway.lease import Hold, Phase
from gateway.model import ClockTrust, CommandClass, SetpointSpec, Source, Stamp
from gateway.rates import BLOCK_PARTS, DAY_MS, MINUTE_MS, Budget, Rates
from gateway.store import commands
from tests.sim.mocks import MemoryStore


@given(
    st.integers(0, 6),
    st.lists(st.tuples(st.integers(0, 40_000), st.sampled_from(Source)), max_size=60),
)
def test_any_minute_of_a_source_holds_its_number_and_no_more(
    per_minute: int, steps: list[tuple[int, Source]]
) -> None:
    rates, now, taken = Rates(per_minute), 0, []
    for pause, source in steps:
        now += pause
        recent = sum(1 for ms, by in taken if by is source and ms > now - MINUTE_MS)
        assert rates.take(source, now) == (recent < per_minute)  # refused only when it is really full
        if recent < per_minute:
            taken.append((now, source))
    for ms, by in taken:
        assert sum(1 for at, who in taken if who is by and ms - MINUTE_MS < at <= ms) <= per_minute


def test_a_refused_order_does_not_prolong_the_wait() -> None:
    rates = Rates(1)
    assert rates.take(Source.REMOTE, 0)
    assert not any(rates.take(Source.REMOTE, ms) for ms in range(1000, MINUTE_MS, 1000))
    assert rates.take(Source.REMOTE, MINUTE_MS)


def test_one_source_never_uses_up_anothers_minute() -> None:
    rates = Rates(2)
    assert [rates.take(Source.REMOTE, 0) for _ in range(3)] == [True, True, False]
    assert all(rates.take(source, 0) for source in Source if source is not Source.REMOTE)


class Hand:
    """What a budget sees of a device: writes that were granted and used."""

    def __init__(self) -> None:
        self.allowance = 0
        self.granted: list[int] = []

    def grant(self, writes: int) -> None:
        self.allowance += writes
        self.granted.append(writes)


class Desk:
    """A budget over a store that outlives it."""

    def __init__(self, per_day: int, store: MemoryStore | None = None) -> None:
        self.per_day, self.hand, self.store = per_day, Hand(), store or MemoryStore()
        self.journal = Journal(self.store)
        self.budget = Budget(self.journal, self.hand)

    @property
    def hold(self) -> Hold:
        eeprom = CommandClass.LATCHING_EEPROM
        spec = SetpointSpec(eeprom, 5000, 5000, writes_per_day=self.per_day)
        return Hold("inverter", Phase.HELD, online=True, spec=spec, allowance=self.hand.allowance)

    def cycle(self, day: int = 20_000) -> None:
        self.budget.settle(self.hold, Stamp(0, day * DAY_MS + 5, ClockTrust.TRUSTED))
        assert asyncio.run(self.journal.drain(1)), self.journal.failed

    def write(self) -> bool:
        """One write, if the budget allows it."""
        if self.budget.used_up(self.hold):
            return False
        self.hand.allowance -= 1
        return True

    def counted(self, day: int = 20_000) -> int:
        return commands.spent(self.store.conn, "inverter", day)


@given(st.integers(1, 60), st.lists(st.integers(0, 40), min_size=1, max_size=6))
def test_a_day_never_has_more_writes_than_its_budget_through_any_crashes(
    per_day: int, lives: list[int]
) -> None:
    """Each life writes what it may and dies; what it was granted and did not use is lost, never regained."""
    store, written = MemoryStore(), 0
    for wanted in lives:
        desk = Desk(per_day, store)
        for _ in range(wanted):
            desk.cycle()
            written += desk.write()
            assert written <= min(per_day, desk.counted())
    asked = sum(lives)
    block = max(1, per_day // BLOCK_PARTS)
    lost = len(lives) * 2 * block  # what a crash may cost
    assert written >= min(asked, per_day - lost)


def test_one_life_can_use_the_whole_budget_and_the_next_day_begins_anew() -> None:
    desk = Desk(25)
    for day in (20_000, 20_001):
        done = 0
        for _ in range(40):
            desk.cycle(day)
            done += desk.write()
        assert done == 25
        assert desk.budget.used_up(desk.hold)
        assert sum(desk.hand.granted) == 25 * (day - 19_999)


def test_a_block_is_granted_only_when_it_is_durable_and_asked_for_once() -> None:
    desk = Desk(100)
    now = Stamp(0, 20_000 * DAY_MS, ClockTrust.TRUSTED)
    desk.budget.settle(desk.hold, now)
    desk.budget.settle(desk.hold, now)
    assert desk.hand.granted == []
    assert desk.budget.used_up(desk.hold)
    desk.cycle()
    assert desk.hand.granted == [10]
    assert desk.counted() == 10
    desk.cycle()
    assert desk.counted() == 10  # enough is left


def test_a_spent_day_is_not_asked_for_again() -> None:
    desk = Desk(5)
    commands.spend(desk.store.conn, "inverter", 20_000, 5)
    desk.cycle()
    told = desk.counted()
    for _ in range(10):
        desk.cycle()
    assert desk.hand.granted == []
    assert desk.counted() == told


def test_a_store_that_fails_grants_nothing() -> None:
    desk = Desk(100)
    desk.store.failure = "the disk is gone"
    desk.budget.settle(desk.hold, Stamp(0, 0, ClockTrust.TRUSTED))
    assert not asyncio.run(desk.journal.drain(1))
    assert desk.budget.used_up(desk.hold)


@pytest.mark.parametrize("spec", [None, SetpointSpec(CommandClass.LATCHING, 5000, 5000)])
def test_a_device_that_does_not_wear_needs_no_budget(spec: SetpointSpec | None) -> None:
    desk = Desk(0)
    hold = Hold("inverter", Phase.UNKNOWN, online=True, spec=spec)
    desk.budget.settle(hold, Stamp(0, 0, ClockTrust.TRUSTED))
    assert asyncio.run(desk.journal.drain(1))
    assert not desk.budget.used_up(hold)
    assert (desk.hand.granted, desk.counted(0)) == ([], 0)
