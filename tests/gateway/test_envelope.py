"""The envelope: admission's reasons one by one, and the invariants it keeps as properties over anything."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import envelope
from gateway.envelope import EVERYTHING, Bms, Memory, Moment, Outcome, Static
from gateway.model import Cause, ClockTrust, Command, Limits, ServiceKind, Source, Stamp
from gateway.site import SiteLimits

SITE = SiteLimits(10_000, 8_000, 17_000, 5_000, 2_000)
NOW = Stamp(1_000_000, 1_790_000_000_000, ClockTrust.TRUSTED)
ID = "ab" * 32
REACH = Limits(0, 3000)
STATIC = Static(SITE, Limits(9_000, 9_000))


def order(**changes: object) -> Command:
    base = Command(
        ID,
        Source.CHAIN,
        ServiceKind.FIXED_POWER,
        NOW.wall_ms,
        NOW.wall_ms + 60_000,
        {"power_w": 3000},
    )
    return replace(base, **changes)


def reason(command: Command, reach: Limits = REACH, static: Static = STATIC, now: Stamp = NOW, **more) -> str:
    verdict = envelope.admit(
        command, reach, static, now, known=more.get("known", False), recent=more.get("recent", 0)
    )
    assert verdict.admitted == (not verdict.reason)
    return verdict.reason


def moment(**changes: object) -> Moment:
    base = Moment(
        now_ms=1_000_000,
        cycle_ms=1000,
        site=SITE,
        nameplate=Limits(9_000, 9_000),
        bms=Bms((200_000,), (200_000,)),
        contract=EVERYTHING,
        voltage_mv=50_000,
        soc_bp=5000,
        temperature_cc=2000,
        temperature_expected=True,
        house_w=0,
        step_w=1,
        quantise=lambda w: w,
    )
    return replace(base, **changes)


FREE = Memory(changed_ms=0, rest_ms=0)


def decide(target_w: int, last_w: int = 0, memory: Memory = FREE, **changes: object) -> Outcome:
    return envelope.limit(target_w, last_w, moment(**changes), memory)[0]


# -- admission ----------------------------------------------------------------------------------


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
        term = envelope.term(command, now)
        assert mono <= term.begin_ms < term.end_ms
        assert term.end_ms - term.begin_ms <= SITE.duration_max_s * 1000
        assert term.end_ms - mono == command.not_after_ms - now.wall_ms


@given(st.sampled_from(ClockTrust), st.integers(-(10**12), 10**12))
def test_invariant_08_a_stored_order_needs_a_sure_clock_and_its_time(trust: ClockTrust, ahead: int) -> None:
    said = envelope.lapsed(order(not_after_ms=NOW.wall_ms + ahead), replace(NOW, trust=trust))
    assert (said == "") == (trust is ClockTrust.TRUSTED and ahead > 0)


# -- execution ----------------------------------------------------------------------------------

maybe = st.one_of(st.none(), st.integers(-(10**6), 10**6))
amps = st.one_of(st.none(), st.integers(-(10**5), 400_000), st.just(2**40))
watts = st.one_of(st.none(), st.integers(-(10**4), 20_000), st.just(2**40))
powers = st.integers(-30_000, 30_000)
limits = st.builds(Limits, st.integers(0, 20_000), st.integers(0, 20_000))
providers = st.builds(
    Bms,
    st.lists(amps, max_size=2).map(tuple),
    st.lists(amps, max_size=2).map(tuple),
    st.lists(watts, max_size=2).map(tuple),
    st.lists(watts, max_size=2).map(tuple),
    st.booleans(),
)
quantisers = st.sampled_from(
    [
        lambda w: w,
        lambda w: int(w / 100) * 100,
        lambda w: w + 7,  # a driver's bug: rounds away from zero
        lambda w: -w,
        lambda w: 0,
    ]
)
moments = st.builds(
    Moment,
    now_ms=st.just(1_000_000),
    cycle_ms=st.integers(100, 5000),
    site=st.builds(
        SiteLimits,
        st.integers(0, 15_000),
        st.integers(0, 15_000),
        st.integers(0, 20_000),
        st.integers(0, 20_000),
        st.integers(0, 5_000),
    ),
    nameplate=st.one_of(st.none(), limits),
    bms=providers,
    contract=limits,
    voltage_mv=st.one_of(st.none(), st.integers(-5, 900_000), st.just(2**32)),
    soc_bp=st.one_of(st.none(), st.integers(-10, 10_010), st.just(65_535)),
    temperature_cc=st.one_of(st.none(), st.integers(-6000, 13_000)),
    temperature_expected=st.booleans(),
    house_w=st.one_of(st.none(), st.integers(-30_000, 30_000)),
    step_w=st.integers(1, 100),
    quantise=quantisers,
    halt=st.sampled_from([None, None, None, Cause.STOP]),
)
memories = st.builds(
    Memory,
    st.integers(990_000, 1_000_000),
    st.integers(990_000, 1_000_000),
    st.sampled_from([-1, 0, 1]),
    st.booleans(),
    st.booleans(),
)
# A moment in which nearly everything is known, so that powers really flow in most examples.
calm = st.builds(
    lambda m, soc, house: replace(
        m, nameplate=Limits(9_000, 9_000), bms=Bms((10**6,), (10**6,)), voltage_mv=50_000, soc_bp=soc,
        temperature_cc=2000, house_w=house, halt=None, contract=EVERYTHING, quantise=lambda w: w,
    ),
    moments,
    st.integers(0, 10_000),
    st.integers(-4000, 9000),
)  # fmt: skip


def bound(values: tuple[int | None, ...], scale: int | None, most: int) -> list[int]:
    """An independent reading of 'unknown is 0' for one list of reported limits."""
    if scale is not None and not 10_000 <= scale <= 3_000_000:
        scale = None
    out = []
    for value in values:
        known = value is not None and 0 <= value <= most and scale is not None
        out.append(value * scale // 1_000_000 if known else 0)
    return out


@given(powers, powers, st.one_of(moments, calm), memories)
@settings(max_examples=500)
def test_invariant_01_every_power_is_inside_every_limit(
    target: int, last: int, now: Moment, memory: Memory
) -> None:
    power_w = envelope.limit(target, last, now, memory)[0].power_w
    charge, discharge = max(0, -power_w), max(0, power_w)
    plate = now.nameplate or Limits(0, 0)
    house = now.house_w if now.house_w is not None else None
    site = now.site
    for most, value in (
        (min(plate.charge_w, site.charge_w, now.contract.charge_w), charge),
        (min(plate.discharge_w, site.discharge_w, now.contract.discharge_w), discharge),
        (min(bound(now.bms.charge_ma, now.voltage_mv, 50_000_000), default=10**9), charge),
        (min(bound(now.bms.discharge_ma, now.voltage_mv, 50_000_000), default=10**9), discharge),
        (min(bound(now.bms.charge_w, 1_000_000, 10**8), default=10**9), charge),
        (min(bound(now.bms.discharge_w, 1_000_000, 10**8), default=10**9), discharge),
        (0 if house is None else max(0, site.import_w - house), charge),
        (0 if house is None else max(0, site.export_w + house), discharge),
        (0 if now.halt else 10**9, abs(power_w)),
    ):
        assert value <= most
    assert abs(power_w) <= abs(target)
    assert power_w * target >= 0


UNKNOWNS = {
    "nameplate": None,
    "voltage_mv": None,
    "soc_bp": None,
    "temperature_cc": None,
    "house_w": None,
}
IMPLAUSIBLE = {
    "voltage_mv": 2**31,
    "soc_bp": 65_535,
    "temperature_cc": 32_767,
    "house_w": -(2**31),
}


@given(powers.filter(bool), st.sampled_from([*UNKNOWNS.items(), *IMPLAUSIBLE.items()]))
def test_invariant_02_an_unknown_or_implausible_limit_is_zero(target: int, gap: tuple[str, object]) -> None:
    outcome = decide(target, **dict([gap]))
    assert outcome.power_w == 0
    assert Cause.STALE_LIMIT in outcome.causes


@given(st.integers(1, 30_000), st.sampled_from([None, -1, 2**40]))
def test_invariant_02_each_provider_counts_in_its_direction(power: int, bad: int | None) -> None:
    good = (100_000,)
    cases = (
        (Bms(charge_ma=(*good, bad), discharge_ma=good), -power),
        (Bms(charge_ma=good, discharge_ma=(bad, *good)), power),
        (Bms(charge_w=(bad,)), -power),
        (Bms(discharge_w=(*good, bad)), power),
    )
    for bms, target in cases:
        outcome = decide(target, bms=bms)
        assert outcome.power_w == 0
        assert Cause.STALE_LIMIT in outcome.causes
        assert decide(-target, bms=bms).power_w != 0
    assert decide(power, bms=Bms(reached=False)).power_w == 0


@given(powers, powers, calm, memories)
@settings(max_examples=400)
def test_invariant_05_the_ramp_is_kept_away_from_zero(
    target: int, last: int, now: Moment, memory: Memory
) -> None:
    power_w = envelope.limit(target, last, now, memory)[0].power_w
    before = abs(last) if last * power_w > 0 else 0
    rise = max(0, abs(power_w) - before)
    elapsed_ms = now.now_ms - memory.changed_ms
    assert rise <= now.site.ramp_w_per_s * elapsed_ms // 1000
    assert rise <= max(now.site.ramp_w_per_s * now.cycle_ms // 1000, now.step_w)


def test_the_ramp_in_figures() -> None:
    free = Memory(0, 0, 0)
    assert decide(5000).power_w == 2000
    assert decide(5000).causes == (Cause.RAMP,)
    assert decide(5000, 2000, Memory(999_500, 0, 1)).power_w == 3000
    assert decide(500, 4000, Memory(999_000, 0, 1)).power_w == 500
    assert decide(0, 4000, Memory(999_999, 0, 1)) == Outcome(0, ())
    slow = replace(SITE, ramp_w_per_s=10)
    hundreds = {"site": slow, "step_w": 100, "quantise": lambda w: int(w / 100) * 100}
    assert decide(500, 0, Memory(999_000, 0), **hundreds).power_w == 0  # 10 W: less than a step
    assert decide(500, 0, Memory(990_000, 0), **hundreds).power_w == 100  # after 10 s: one step
    assert decide(500, 0, free, **hundreds).power_w == 100  # and never more at once
    assert decide(500, 0, free, site=replace(SITE, ramp_w_per_s=0)).power_w == 0


@given(st.lists(st.tuples(st.integers(-3000, 3000), st.integers(1, 1500)), max_size=40))
def test_invariant_06_direction_changes_only_after_a_rest(steps: list[tuple[int, int]]) -> None:
    now_ms, last, memory = 1_000_000, 0, Memory(1_000_000, 1_000_000)
    flowing, zero_ms = 0, now_ms
    for target, pause in steps:
        now_ms += pause
        outcome, memory = envelope.limit(target, last, moment(now_ms=now_ms), memory)
        power_w = outcome.power_w
        if power_w and flowing and (power_w > 0) != (flowing > 0):
            assert last == 0
            assert now_ms - zero_ms >= SITE.dwell_ms
        if power_w == 0 and last != 0:
            zero_ms = now_ms
        flowing, last = power_w or flowing, power_w


def test_the_dwell_in_figures() -> None:
    memory = Memory(0, 0, 1)
    outcome, memory = envelope.limit(-1000, 2000, moment(), memory)
    assert outcome == Outcome(0, (Cause.DWELL,))
    assert memory == Memory(1_000_000, 1_000_000, 1)
    for ms, power_w in ((1999, 0), (2000, -1000)):
        later = moment(now_ms=1_000_000 + ms)
        assert envelope.limit(-1000, 0, later, memory)[0].power_w == power_w
    again = envelope.limit(1000, 0, moment(now_ms=1_000_600), memory)[0]
    assert again.power_w == 1000  # back the same way needs no rest


near_bounds = st.one_of(st.integers(0, 10_000), st.integers(9380, 9510), st.integers(990, 1110))


@given(st.lists(near_bounds, min_size=1, max_size=30), st.booleans())
def test_invariant_06_soc_bounds_have_hysteresis(socs: list[int], charging: bool) -> None:
    target, memory, open_again = (-1000 if charging else 1000), FREE, True
    for soc in socs:
        outcome, memory = envelope.limit(target, 0, moment(soc_bp=soc), memory)
        memory = replace(memory, direction=0, changed_ms=0)
        if charging:
            open_again = soc <= SITE.soc_max_bp - SITE.soc_hysteresis_bp or (
                open_again and soc < SITE.soc_max_bp
            )
        else:
            open_again = soc >= SITE.soc_min_bp + SITE.soc_hysteresis_bp or (
                open_again and soc > SITE.soc_min_bp
            )
        assert (outcome.power_w != 0) == open_again
        assert (Cause.SOC in outcome.causes) == (not open_again)


def test_the_soc_hysteresis_in_figures() -> None:
    memory = FREE
    for soc, power_w in ((9499, -1000), (9500, 0), (9401, 0), (9400, -1000), (9499, -1000)):
        outcome, memory = envelope.limit(-1000, 0, moment(soc_bp=soc), replace(memory, changed_ms=0))
        assert outcome.power_w == power_w
    for soc, power_w in ((1001, 1000), (1000, 0), (1099, 0), (1100, 1000), (1001, 1000)):
        fresh = replace(memory, changed_ms=0, direction=0)
        outcome, memory = envelope.limit(1000, 0, moment(soc_bp=soc), fresh)
        assert outcome.power_w == power_w


def test_an_unknown_soc_forgets_no_latch() -> None:
    _, memory = envelope.limit(-1000, 0, moment(soc_bp=9500), FREE)
    _, memory = envelope.limit(-1000, 0, moment(soc_bp=None), memory)
    assert memory.full


def test_temperature_in_figures() -> None:
    assert decide(-1000, temperature_cc=-1).causes == (Cause.TEMPERATURE,)
    assert decide(1000, temperature_cc=-1).power_w == 1000
    assert decide(1000, temperature_cc=5001).power_w == 0
    assert decide(1000, temperature_cc=5000).power_w == 1000
    assert decide(1000, temperature_cc=None, temperature_expected=False).power_w == 1000


def test_each_limit_names_itself() -> None:
    fast = replace(SITE, ramp_w_per_s=100_000)
    for changes, target, power_w, cause in (
        ({"nameplate": Limits(1, 1500)}, 3000, 1500, Cause.INVERTER),
        ({"bms": Bms((0,), (20_000,))}, 3000, 1000, Cause.BMS),
        ({"bms": Bms(discharge_w=(700, 900))}, 3000, 700, Cause.BMS),
        ({}, 8500, 8000, Cause.SITE),
        ({"contract": Limits(0, 400)}, 3000, 400, Cause.CONTRACT),
        ({"house_w": -4000}, 3000, 1000, Cause.GRID),
        ({"house_w": 16_000}, -3000, -1000, Cause.GRID),
        ({"halt": Cause.BUDGET}, 3000, 0, Cause.BUDGET),
        ({"quantise": lambda w: w // 100 * 100}, 3050, 3000, Cause.ROUNDING),
    ):
        site = {"site": replace(fast, export_w=20_000) if cause is not Cause.GRID else fast}
        assert decide(target, **{**site, **changes}) == Outcome(power_w, (cause,))


@given(calm, st.sampled_from([lambda w: w + 1, lambda w: -w, lambda w: w * 2]))
def test_a_driver_that_rounds_away_from_zero_gets_zero(now: Moment, quantise) -> None:
    outcome, _ = envelope.limit(3000, 0, replace(now, quantise=quantise), FREE)
    honest, _ = envelope.limit(3000, 0, now, FREE)
    if honest.power_w:
        assert outcome.power_w == 0
        assert Cause.ROUNDING in outcome.causes


@given(powers, calm, memories)
def test_nothing_is_curtailed_silently(target: int, now: Moment, memory: Memory) -> None:
    outcome, _ = envelope.limit(target, 0, now, memory)
    assert (outcome.power_w == target) == (outcome.causes == ())
