"""Plausibility: what cannot be is doubted at once, silence is no proof, and trust comes back slowly."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import plausible
from gateway.model import Quantity
from gateway.plausible import (
    AGAIN_MS,
    APART_MS,
    RATE_BP_PER_H,
    SENTINELS,
    STEP_BP,
    Bound,
    Charge,
    Memory,
    Seen,
)

SOC, VOLTAGE, LIMIT = Quantity.BATTERY_SOC, Quantity.BATTERY_VOLTAGE, Quantity.CHARGE_LIMIT_CURRENT
AGAIN_S = AGAIN_MS // 1000


def told(cycles: list[Seen]) -> list[set[Quantity]]:
    """What is in doubt after each cycle."""
    memory, found = Memory(), []
    for seen in cycles:
        memory = plausible.judge(memory, seen)
        found.append(set(plausible.doubts(memory)))
    return found


def charges(*socs: int | None, every_ms: int = 1000, **more: object) -> list[Seen]:
    return [Seen(n * every_ms, (Charge("bms", True, soc),), **more) for n, soc in enumerate(socs)]


def both(*pairs: tuple[int | None, int | None], every_ms: int = 1000) -> list[Seen]:
    return [
        Seen(n * every_ms, (Charge("bms", True, own), Charge("inverter", False, other)))
        for n, (own, other) in enumerate(pairs)
    ]


def bounds(*values: int | None, full: int | None = 200_000, every_ms: int = 1000) -> list[Seen]:
    return [Seen(n * every_ms, limits=(Bound("bms", LIMIT, v, full),)) for n, v in enumerate(values)]


# -- state of charge ------------------------------------------------------------------------------------


def test_a_charge_that_leaps_is_doubted_at_once_and_believed_after_a_minute() -> None:
    found = told(charges(5000, 5000, 3000, *[3000] * (AGAIN_S + 2)))
    assert found[1:3] == [set(), {SOC}]
    assert found.index(set(), 2) == 2 + 1 + AGAIN_S  # one good cycle begins the minute
    memory = Memory()
    for seen in charges(5000, 3000):
        memory = plausible.judge(memory, seen)
    assert plausible.doubts(memory) == {SOC: "bms: the charge went from 50.00 % to 30.00 % at once"}


def test_one_wrong_reading_costs_its_minute_from_the_way_back() -> None:
    found = told(charges(5000, 9000, 5000, *[5000] * (AGAIN_S + 2)))
    assert found[:3] == [set(), {SOC}, {SOC}]
    assert found.index(set(), 1) == 3 + AGAIN_S


@pytest.mark.parametrize(
    ("before", "after", "doubted"),
    [
        (5000, 5000 + STEP_BP, False),
        (5000, 5000 - STEP_BP, False),
        (5000, 5600, True),
        (7000, 10_000, False),  # found full by its voltage
        (4000, 500, False),  # found empty
        (4000, 10_000, True),  # no battery is found full from below half
        (7000, 500, True),
        (500, 5000, True),  # what would open a direction that was closed
        (10_000, 7000, True),
    ],
)
def test_a_battery_may_set_its_count_right_at_the_ends_only(before: int, after: int, doubted: bool) -> None:
    assert told(charges(before, after))[-1] == ({SOC} if doubted else set())


def test_what_power_can_do_is_no_leap() -> None:
    """Ten minutes unheard at four times the capacity an hour; a BMS that shows its count once a minute."""
    away = [*charges(9000), *(replace(s, now_ms=600_000) for s in charges(2000))]
    assert told(away)[-1] == set()
    assert told([away[0], replace(away[1], now_ms=1000)])[-1] == {SOC}
    minutely = [5000 - n // 60 * 600 for n in range(300)]
    assert set().union(*told(charges(*minutely))) == set()
    # an hour at rest is no leave to leap
    assert told(charges(*[5000] * 3600, 3000))[-1] == {SOC}


def test_a_known_capacity_makes_the_bound_narrower() -> None:
    assert plausible.rate_bp_per_h(5000, 20_000) == 5000
    assert plausible.rate_bp_per_h(50_000, 1000) == RATE_BP_PER_H
    for power_w, capacity_wh in ((5000, None), (5000, 0), (5000, -1), (0, 5000)):
        assert plausible.rate_bp_per_h(power_w, capacity_wh) == RATE_BP_PER_H
    minutely = [5000] * 60 + [4400]
    assert told(charges(*minutely))[-1] == set()
    assert told(charges(*minutely, rate_bp_per_h=3000))[-1] == {SOC}


def test_bms_and_inverter_far_apart_for_minutes_are_doubted() -> None:
    cycles = APART_MS // 1000
    found = told(both(*[(8000, 5999)] * (cycles + 1), *[(8000, 6000)] * (AGAIN_S + 1)))
    assert found.index({SOC}) == cycles
    assert found[-2:] == [{SOC}, set()]
    memory = Memory()
    for seen in both(*[(8000, 5500)] * (cycles + 1)):
        memory = plausible.judge(memory, seen)
    assert plausible.doubts(memory) == {SOC: "inverter says 55.00 % charge, the battery itself 80.00 %"}


def test_several_batteries_behind_one_inverter_are_not_compared_with_each_other() -> None:
    def seen(now_ms: int, inverter: int) -> Seen:
        own = Charge("b1", True, 9000), Charge("b2", True, 3000)
        return Seen(now_ms, (*own, Charge("inverter", False, inverter)))

    times = range(0, 2 * APART_MS, 1000)
    assert told([seen(ms, 6000) for ms in times])[-1] == set()
    assert told([seen(ms, 999) for ms in times])[-1] == {SOC}


def test_a_while_apart_is_forgiven() -> None:
    nearly = [(8000, 5900)] * (APART_MS // 1000) + [(8000, 6100)]
    assert set().union(*told(both(*nearly * 3))) == set()


# -- voltage --------------------------------------------------------------------------------------------


def test_the_bounds_of_a_voltage_come_from_all_that_tells_it() -> None:
    assert plausible.voltage_bounds_mv(0, None, None, None) is None
    assert plausible.voltage_bounds_mv(0, 3300, 3400, None) is None
    assert plausible.voltage_bounds_mv(16, None, None, None) == (24_000, 72_000)
    assert plausible.voltage_bounds_mv(16, 3300, 3400, None) == (47_520, 59_840)
    assert plausible.voltage_bounds_mv(16, 3300, None, None) == (24_000, 72_000)
    assert plausible.voltage_bounds_mv(0, None, None, 56_000) == (28_000, 70_000)
    assert plausible.voltage_bounds_mv(16, 3300, 3400, 56_000) == (47_520, 59_840)


@pytest.mark.parametrize(
    ("mv", "doubted"),
    [(24_000, set()), (72_000, set()), (23_999, {VOLTAGE}), (72_001, {VOLTAGE})],
)
def test_a_voltage_that_the_cells_cannot_have(mv: int, doubted: set[Quantity]) -> None:
    assert told([Seen(0, voltage_mv=mv, voltage_bounds_mv=(24_000, 72_000))]) == [doubted]
    assert told([Seen(0, voltage_mv=mv)]) == [set()]


# -- limits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [6_553_500, 65_535, 3_276_700, 327_670, 655_350, 0xFFFF_FFFF, 65_534])
def test_a_registers_word_for_none_is_no_limit(value: int) -> None:
    assert value in SENTINELS
    found = told(bounds(100_000, value, *[100_000] * (AGAIN_S + 2)))
    assert found[:2] == [set(), {LIMIT}]
    assert found.index(set(), 1) == 2 + AGAIN_S


@pytest.mark.parametrize("amps", [0, 1, 25, 37, 50, 74, 100, 128, 160, 200, 300, 600])
def test_no_limit_that_batteries_have_is_such_a_word(amps: int) -> None:
    assert amps * 1000 not in SENTINELS
    assert amps * 51 not in SENTINELS


def test_a_limit_that_keeps_jumping_up_is_doubted() -> None:
    found = told(bounds(*[0, 200_000] * 6))
    assert found.index({LIMIT}) == 7  # the fourth rise
    # a contactor that opens and closes, once and again
    assert set().union(*told(bounds(*[200_000, 0, 200_000] * 2, *[200_000] * 70, 0, 200_000))) == set()
    # steps of three quarters and below: taper and temperature
    assert set().union(*told(bounds(*[150_000, 0] * 30))) == set()
    # what is above the nameplate is not used, and where it is not known nothing can be told
    assert set().union(*told(bounds(*[900_000, 200_000] * 30))) == set()
    assert set().union(*told(bounds(*[900_000, 0] * 30, full=None))) == set()


def test_calm_makes_it_believed_again() -> None:
    found = told(bounds(*[0, 200_000] * 4, *[200_000] * 200))
    assert found[7] == {LIMIT}
    assert found[-1] == set()


# -- anything at all ------------------------------------------------------------------------------------

RATE_BP_PER_S = RATE_BP_PER_H // 3600
socs = st.one_of(st.none(), st.integers(0, 10_000))
heards = st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans())
moves = st.lists(st.tuples(st.integers(-RATE_BP_PER_S, RATE_BP_PER_S), heards), min_size=1, max_size=150)


@given(moves, st.integers(0, 10_000), st.integers(1, 1000))
def test_a_dropout_never_raises_a_doubt(
    steps: list[tuple[int, tuple[bool, bool, bool, bool]]], soc: int, round_bp: int
) -> None:
    """Charge, voltage and limit of a sound battery, in whatever steps it shows them, heard now and then."""
    cycles = []
    for n, (step, (own, other, voltage, limit)) in enumerate(steps):
        soc = max(0, min(10_000, soc + step))
        shown = soc // round_bp * round_bp if round_bp <= STEP_BP else soc
        charges_ = Charge("bms", True, shown if own else None), Charge("i", False, soc if other else None)
        cycles.append(
            Seen(
                n * 1000,
                charges_,
                voltage_mv=51_000 if voltage else None,
                voltage_bounds_mv=(45_000, 60_000),
                limits=(Bound("bms", LIMIT, 100_000 if limit else None, 200_000),),
            )
        )
    assert set().union(*told(cycles)) == set()


@given(st.lists(st.tuples(st.sampled_from([True, False, None]), st.integers(1, 50_000)), max_size=30))
def test_a_doubt_ends_only_by_a_minute_of_plausible_cycles(script: list[tuple[bool | None, int]]) -> None:
    """Told from the whole past: a bad cycle, and since then no unbroken run of good ones of a minute."""
    now_ms, memory, past = 0, Memory(), []
    for bad, pause_ms in script:
        now_ms += pause_ms
        value = None if bad is None else 65_535 if bad else 100_000
        memory = plausible.judge(memory, Seen(now_ms, limits=(Bound("bms", LIMIT, value, None),)))
        past.append((now_ms, bad))
        last_bad = max((i for i, (_, b) in enumerate(past) if b), default=None)
        since = past[last_bad + 1 :] if last_bad is not None else []
        healed = any(
            since[j][0] - since[i][0] >= AGAIN_MS and all(b is False for _, b in since[i : j + 1])
            for i in range(len(since))
            for j in range(i, len(since))
        )
        assert (LIMIT in plausible.doubts(memory)) == (last_bad is not None and not healed)


@given(
    st.lists(
        st.builds(
            Seen,
            st.integers(0, 10**7),
            st.lists(st.builds(Charge, st.sampled_from("abc"), st.booleans(), socs), max_size=3).map(tuple),
            st.integers(0, 10**6),
            st.one_of(st.none(), st.integers(-(10**6), 10**7)),
            st.one_of(st.none(), st.tuples(st.integers(0, 10**6), st.integers(0, 10**6))),
            st.lists(
                st.builds(
                    Bound,
                    st.sampled_from("ab"),
                    st.sampled_from([LIMIT, Quantity.DISCHARGE_LIMIT_POWER]),
                    st.one_of(st.none(), st.integers(-10, 10**10)),
                    st.one_of(st.none(), st.integers(1, 10**7)),
                ),
                max_size=3,
            ).map(tuple),
        ),
        max_size=30,
    )
)
def test_whatever_is_said_there_is_an_answer_in_words(cycles: list[Seen]) -> None:
    memory = Memory()
    for seen in cycles:
        memory = plausible.judge(memory, seen)
        known = {SOC, VOLTAGE, LIMIT, Quantity.DISCHARGE_LIMIT_POWER}
        assert plausible.doubts(memory).keys() <= known
        assert all(plausible.doubts(memory).values())
        assert len(memory.watches) <= 16
