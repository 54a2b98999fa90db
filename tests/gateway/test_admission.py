"""Admission: its reasons one by one, and that no order is admitted without an end."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import admission
from gateway.admission import Static
from gateway.envelope import EVERYTHING
from gateway.model import ClockTrust, Limits, ServiceKind, Source, Stamp
from tests.gateway.envelope_bench import NOW, REACH, SITE, order, reason


def test_a_good_order_is_admitted() -> None:
    assert reason(order()) == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": "ab" * 31}, "32 bytes"),
        ({"id": "xy" * 32}, "32 bytes"),
        ({"not_after_ms": NOW.wall_ms}, "ends before"),
        ({"not_before_ms": NOW.wall_ms - 9000, "not_after_ms": NOW.wall_ms}, "expired"),
        ({"not_after_ms": NOW.wall_ms + 86_400_001}, "lasts longer"),
        (
            {"not_before_ms": NOW.wall_ms + 604_800_001, "not_after_ms": NOW.wall_ms + 604_900_000},
            "7 days ahead",
        ),
    ],
)
def test_each_refusal_says_why(changes: dict[str, object], words: str) -> None:
    assert words in reason(order(**changes))


def test_refusals_of_power_name_the_limit() -> None:
    assert "nameplate of 9000" in reason(order(), Limits(9_001, 0))
    assert "nameplate of 9000" in reason(order(), Limits(0, 9_001))
    assert "site's limit of 8000" in reason(order(), Limits(0, 8_001))
    assert "site's limit of 10000" in reason(order(), Limits(10_001, 0), Static(SITE, EVERYTHING))
    assert "no inverter" in reason(order(), REACH, Static(SITE, None))


def test_what_others_were_promised_counts_with_it() -> None:
    fits, over = Limits(0, 5000), Limits(0, 5001)
    assert reason(order(), promised=fits) == ""
    assert "with what is promised to others for that time" in reason(order(), promised=over)
    assert "site's limit of 8000" in reason(order(), promised=over)
    assert reason(order(), promised=Limits(9000, 0)) == ""  # each way apart
    assert "nameplate of 9000" in reason(order(), promised=Limits(9001, 0))
    assert reason(order(kind=ServiceKind.STOP), promised=Limits(10**6, 10**6)) == ""


@given(st.sampled_from(Source), st.booleans(), st.integers(0, 100))
def test_invariant_11_a_known_id_is_refused_whatever_else(source: Source, stop: bool, recent: int) -> None:
    kind = ServiceKind.STOP if stop else ServiceKind.FIXED_POWER
    assert "used before" in reason(order(source=source, kind=kind), known=True, recent=recent)


@given(st.integers(0, 200))
def test_invariant_12_a_source_has_a_rate(recent: int) -> None:
    assert bool(reason(order(), recent=recent)) == (recent >= SITE.commands_per_minute)


@given(st.sampled_from(Source), st.integers(-(10**15), 10**15), st.integers(0, 1000))
def test_a_stop_is_never_late_too_often_or_too_much(source: Source, when: int, recent: int) -> None:
    stop = order(kind=ServiceKind.STOP, source=source, not_before_ms=when, not_after_ms=when)
    untrusted = replace(NOW, trust=ClockTrust.UNTRUSTED)
    assert reason(stop, EVERYTHING, Static(SITE, None), untrusted, recent=recent) == ""


@given(st.sampled_from(Source))
def test_orders_from_elsewhere_need_a_trusted_clock(source: Source) -> None:
    said = reason(order(source=source), now=replace(NOW, trust=ClockTrust.UNTRUSTED))
    assert ("synchronised" in said) == (source in (Source.CHAIN, Source.REMOTE))


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12), st.integers(0, 10**12))
def test_invariant_03_what_is_admitted_has_an_end(start: int, length: int, mono: int) -> None:
    now = replace(NOW, mono_ms=mono)
    command = order(not_before_ms=now.wall_ms + start, not_after_ms=now.wall_ms + start + length)
    if reason(command, now=now) == "":
        term = admission.term(command, now)
        assert mono <= term.begin_ms < term.end_ms
        assert term.end_ms - term.begin_ms <= SITE.duration_max_s * 1000
        assert term.end_ms - mono == command.not_after_ms - now.wall_ms


@given(st.sampled_from(ClockTrust), st.integers(-(10**12), 10**12))
def test_invariant_08_a_stored_order_needs_a_sure_clock_and_its_time(trust: ClockTrust, ahead: int) -> None:
    said = admission.lapsed(order(not_after_ms=NOW.wall_ms + ahead), replace(NOW, trust=trust))
    assert (said == "") == (trust is ClockTrust.TRUSTED and ahead > 0)


def test_what_was_begun_ahead_is_untouched_while_both_clocks_say_that_its_moment_is_to_come() -> None:
    def untouched(
        mono: int, wall: int, trust: ClockTrust = ClockTrust.TRUSTED, began_ms: int = 1_005_000
    ) -> bool:
        return admission.untouched(began_ms, 5_000, Stamp(mono, wall, trust))

    assert untouched(4_999, 1_004_999)
    assert not untouched(5_000, 1_005_000), "it may have acted"
    assert untouched(4_000, 1_004_999) and untouched(4_000, 1_003_001)
    assert not untouched(4_000, 1_005_000) and not untouched(4_000, 1_003_000), "the calendar was set"
    assert not untouched(10, 1_004_000), "the machine was started again"
    assert not untouched(4_000, 1_004_000, ClockTrust.UNTRUSTED)
    assert not untouched(4_000, 4_000, began_ms=0), "begun on a calendar that was not trusted"


def test_reactive_power_is_too_much_only_when_all_that_may_take_it_were_reached() -> None:
    some = Static(SITE, None, able_var=1_000, var_complete=False)
    assert admission.too_much_var(5_000, some) == ""
    assert admission.too_much_var(1_000, replace(some, var_complete=True)) == ""
    assert "1001 var is more than the 1000 var" in admission.too_much_var(
        1_001, replace(some, var_complete=True)
    )
