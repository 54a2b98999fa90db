"""Recurring slots: local times to Unix ones through clock changes, and ids that are theirs for ever."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import ServiceKind
from gateway.services.schedule import HORIZON_MAX_MS, Recurring, Slot, slot, upcoming

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
SAMOA = ZoneInfo("Pacific/Apia")  # left out 30 December 2011
FIXED, DAY_MS = ServiceKind.FIXED_POWER, 86_400_000


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def every(at_min: int, days: set[int] | None = None, power_w: int = 1000) -> Recurring:
    return Recurring(at_min, 3600, FIXED, {"power_w": power_w}, frozenset(days or range(7)))


def starts(recurring: Recurring, now: str, days: int, zone=BERLIN) -> list[str]:
    found = upcoming("site", [recurring], ms(now), days * DAY_MS, zone)
    return [datetime.fromtimestamp(s.start_ms / 1000, UTC).strftime("%m-%d %H:%M") for s in found]


def test_a_slot_comes_every_day_at_its_local_time() -> None:
    assert starts(every(7 * 60 + 30), "2026-01-10T12:00+00:00", 3) == [
        "01-11 06:30",
        "01-12 06:30",
        "01-13 06:30",
    ]


def test_a_slot_comes_on_its_days_only() -> None:
    weekend = starts(every(60, {5, 6}), "2026-01-05T00:00+00:00", 8)  # a Monday
    assert weekend == ["01-10 00:00", "01-11 00:00"]


def test_the_first_moment_counts_and_the_last_does_not() -> None:
    assert starts(every(60), "2026-01-05T00:00+00:00", 1) == ["01-05 00:00"]
    assert starts(every(60), "2026-01-05T00:00:00.001+00:00", 1) == ["01-06 00:00"]


@pytest.mark.parametrize(
    ("zone", "at_min", "now", "found"),
    [
        # 02:30 is left out on 29 March: an hour later by the clock, the same time after midnight
        (BERLIN, 150, "2026-03-28T00:00+00:00", ["03-28 01:30", "03-29 01:30", "03-30 00:30"]),
        # 02:30 comes twice on 25 October: the first
        (BERLIN, 150, "2026-10-24T00:00+00:00", ["10-24 00:30", "10-25 00:30", "10-26 01:30"]),
        (NEW_YORK, 150, "2026-03-07T00:00+00:00", ["03-07 07:30", "03-08 07:30", "03-09 06:30"]),
        (NEW_YORK, 23 * 60, "2026-01-07T00:00+00:00", ["01-07 04:00", "01-08 04:00", "01-09 04:00"]),
        (
            timezone(timedelta(hours=14)),
            0,
            "2026-01-07T00:00+00:00",
            ["01-07 10:00", "01-08 10:00", "01-09 10:00"],
        ),
    ],
)
def test_clock_changes_and_zones(zone, at_min: int, now: str, found: list[str]) -> None:
    assert starts(every(at_min), now, 3, zone) == found


def test_a_day_that_a_zone_left_out_gives_no_second_slot_at_one_time() -> None:
    found = upcoming("site", [every(600)], ms("2011-12-29T00:00+00:00"), 4 * DAY_MS, SAMOA)
    begins = [made.start_ms for made in found]
    assert begins == sorted(set(begins))


def test_a_duration_is_time_that_passes() -> None:
    """Over the change of 25 October the clock shows an hour less than have gone by."""
    found = upcoming(
        "site", [Recurring(60, 4 * 3600, FIXED, {"power_w": 1})], ms("2026-10-24T23:00+00:00"), 1, BERLIN
    )
    assert [made.end_ms - made.start_ms for made in found] == [4 * 3_600_000]


def test_slots_of_several_kinds_come_in_order_and_the_same_one_once() -> None:
    morning, night = every(360), Recurring(1380, 60, ServiceKind.RESERVE, {"soc_bp": 4000})
    found = upcoming("site", [night, morning, every(360)], ms("2026-01-05T00:00+00:00"), DAY_MS, BERLIN)
    assert [made.kind for made in found] == [FIXED, ServiceKind.RESERVE]
    assert found[1].parameters == {"soc_bp": 4000}


def test_an_id_is_the_slots_own() -> None:
    one = slot("site", 1, 2, FIXED, {"power_w": 5})
    assert len(bytes.fromhex(one.id)) == 32
    assert one == slot("site", 1, 2, FIXED, {"power_w": 5})
    others = [
        slot("other", 1, 2, FIXED, {"power_w": 5}),
        slot("site", 0, 2, FIXED, {"power_w": 5}),
        slot("site", 1, 3, FIXED, {"power_w": 5}),
        slot("site", 1, 2, ServiceKind.RESERVE, {"power_w": 5}),
        slot("site", 1, 2, FIXED, {"power_w": 6}),
    ]
    assert len({one.id, *(other.id for other in others)}) == 6


def test_an_id_does_not_depend_on_the_order_of_parameters() -> None:
    both = {"import_w": 1, "power_w": 2}
    turned = dict(reversed(both.items()))
    kind = ServiceKind.PEAK_SHAVING
    assert slot("site", 1, 2, kind, both).id == slot("site", 1, 2, kind, turned).id


@pytest.mark.parametrize(
    ("at_min", "duration_s", "days", "said"),
    [
        (-1, 60, {0}, "00:00 to 23:59"),
        (1440, 60, {0}, "00:00 to 23:59"),
        (0, 0, {0}, "duration"),
        (0, 60, set(), "day of the week"),
        (0, 60, {7}, "day of the week"),
    ],
)
def test_what_is_no_slot_is_refused(at_min: int, duration_s: int, days: set[int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Recurring(at_min, duration_s, FIXED, {"power_w": 1}, frozenset(days))


@pytest.mark.parametrize("horizon_ms", [-1, HORIZON_MAX_MS + 1])
def test_a_horizon_is_bounded(horizon_ms: int) -> None:
    with pytest.raises(ValueError, match="at most 8 days"):
        upcoming("site", [], 0, horizon_ms, UTC)


@given(
    st.integers(0, 1439),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.integers(ms("2010-01-01T00:00+00:00"), ms("2040-01-01T00:00+00:00")),
    st.integers(0, HORIZON_MAX_MS // 2),
    st.integers(0, HORIZON_MAX_MS // 2),
    st.sampled_from([UTC, BERLIN, NEW_YORK, ZoneInfo("Australia/Lord_Howe")]),
)
def test_planned_at_once_or_in_two_parts_it_is_the_same(
    at_min: int, days: frozenset[int], now_ms: int, first_ms: int, second_ms: int, zone
) -> None:
    recurring = [Recurring(at_min, 900, FIXED, {"power_w": 1}, days)]

    def plan(from_ms: int, horizon_ms: int) -> tuple[Slot, ...]:
        return upcoming("site", recurring, from_ms, horizon_ms, zone)

    whole = plan(now_ms, first_ms + second_ms)
    assert whole == plan(now_ms, first_ms) + plan(now_ms + first_ms, second_ms)
    assert all(now_ms <= made.start_ms < now_ms + first_ms + second_ms for made in whole)
    for made in whole:
        local = datetime.fromtimestamp(made.start_ms / 1000, zone)
        assert local.weekday() in days
        shifted = abs(local.hour * 60 + local.minute - at_min)
        assert shifted in (0, 30, 60)  # later only where a clock change left the time out
