"""The schedule: each slot ordered once and in time, with its own end, through restarts and clock changes."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.model import ClockTrust, Command, ServiceKind, Source, Verdict
from gateway.services.schedule import Slot, slot
from gateway.site import Entry
from gateway.timetable import HORIZON_MS, KNOWN_MAX, Timetable
from tests.gateway.stores import HandClock

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Entry("night", 2 * 60, 3 * 3600, ServiceKind.FIXED_POWER, {"power_w": -3000}, shared=True)
MONDAY = Entry("monday", 9 * 60, 600, ServiceKind.FIXED_POWER, {"power_w": 1000}, frozenset({0}))


class Desk:
    def __init__(self, *entries: Entry, at: str = "2026-11-30T00:00", verdict: Verdict | None = None) -> None:
        self.clock = HandClock()
        self.at(at)
        self.commands: list[Command] = []
        self.verdict = verdict or Verdict(True)
        self.table = Timetable("here", entries, BERLIN, self.clock, self._submit)

    def at(self, local: str) -> None:
        wall_ms = int(datetime.fromisoformat(local).replace(tzinfo=BERLIN).timestamp() * 1000)
        self.clock.offset = wall_ms - self.clock.mono

    async def _submit(self, command: Command) -> Verdict:
        self.commands.append(command)
        return self.verdict

    async def told(self) -> list[tuple[str, str]]:
        """Local begin and origin of what is ordered now."""
        self.commands.clear()
        await self.table.order_due()
        return [
            (f"{datetime.fromtimestamp(c.not_before_ms / 1000, BERLIN):%a %H:%M}", c.origin)
            for c in self.commands
        ]


async def test_a_slot_is_ordered_when_it_is_near_and_only_once() -> None:
    desk = Desk(NIGHT)
    assert await desk.told() == []
    desk.at("2026-11-30T01:45:01")
    assert await desk.told() == [("Mon 02:00", "schedule night")]
    assert await desk.told() == []
    desk.at("2026-12-01T01:50")
    assert await desk.told() == [("Tue 02:00", "schedule night")]


async def test_the_order_is_the_slot() -> None:
    desk = Desk(NIGHT, at="2026-11-30T01:50")
    await desk.told()
    (command,) = desk.commands
    assert (command.source, command.kind, command.parameters) == (
        Source.SCHEDULE, ServiceKind.FIXED_POWER, {"power_w": -3000},
    )  # fmt: skip
    assert command.not_after_ms - command.not_before_ms == 3 * 3_600_000
    assert command.shared
    assert len(bytes.fromhex(command.id)) == 32


async def test_one_that_has_begun_is_ordered_for_the_rest_and_has_the_same_id() -> None:
    early, late = Desk(NIGHT, at="2026-11-30T01:50"), Desk(NIGHT, at="2026-11-30T04:30")
    await early.told()
    assert await late.told() == [("Mon 02:00", "schedule night")]
    assert late.commands[0].id == early.commands[0].id
    assert await Desk(NIGHT, at="2026-11-30T05:00").told() == []  # it is over


async def test_days_are_kept() -> None:
    desk = Desk(MONDAY, at="2026-11-30T08:50")  # a Monday
    assert await desk.told() == [("Mon 09:00", "schedule monday")]
    desk.at("2026-12-01T08:50")
    assert await desk.told() == []


async def test_a_refusal_is_kept_for_people_and_not_asked_again() -> None:
    desk = Desk(NIGHT, at="2026-11-30T01:50", verdict=Verdict(False, "too much"))
    await desk.told()
    assert desk.table.refused == "schedule night: too much"
    assert await desk.told() == []


async def test_what_is_remembered_is_bounded() -> None:
    every = [Entry(f"e{n}", n, 60, ServiceKind.FIXED_POWER, {"power_w": 1}) for n in range(1440)]
    desk = Desk(*every)
    for hour in range(24):
        for minute in (0, 15, 30, 45):
            desk.at(f"2026-11-30T{hour:02}:{minute:02}")
            await desk.told()
    assert len(desk.table._ordered) == KNOWN_MAX
    assert HORIZON_MS == 15 * 60_000


@pytest.mark.parametrize("trust", [ClockTrust.UNTRUSTED, ClockTrust.BACKDATED])
def test_nothing_is_planned_on_a_clock_that_is_not_trusted(trust: ClockTrust) -> None:
    import asyncio

    async def main() -> None:
        desk = Desk(NIGHT, at="2026-11-30T01:50")
        desk.clock.trust = trust
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await desk.table.run()
        assert desk.commands == []
        desk.clock.trust = ClockTrust.TRUSTED
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await desk.table.run()
        assert len(desk.commands) == 1

    asyncio.run(main())


async def test_a_plan_goes_beside_the_entries_and_is_replaced_whole() -> None:
    desk = Desk(NIGHT, at="2026-11-30T01:50")
    start_ms = desk.clock.now().wall_ms

    def planned(after_min: int) -> Slot:
        begin_ms = start_ms + after_min * 60_000
        return slot("here", begin_ms, begin_ms + 600_000, ServiceKind.FIXED_POWER, {"power_w": 500})

    desk.table.plan((planned(5), planned(20), planned(-20)))
    assert await desk.told() == [("Mon 02:00", "schedule night"), ("Mon 01:55", "prices")]
    desk.table.plan((planned(5), planned(12)))
    assert await desk.told() == [("Mon 02:02", "prices")], "the near ones, each once"
