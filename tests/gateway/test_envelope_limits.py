"""The envelope's limits of the moment: power inside all of them, the unknown is zero, each is named."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import envelope
from gateway.derate import Share
from gateway.envelope import Bms, Memory, Moment, Outcome
from gateway.model import Cause, Limits
from tests.gateway.envelope_bench import FREE, SITE, calm, decide, memories, moment, moments, powers


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
    site, others = now.site, now.others
    for most, value in (
        (plate.charge_w, charge),
        (plate.discharge_w, discharge),
        (max(0, min(site.charge_w, now.contract.charge_w) - others.charge_w), charge),
        (max(0, min(site.discharge_w, now.contract.discharge_w) - others.discharge_w), discharge),
        (min(bound(now.bms.charge_ma, now.voltage_mv, 50_000_000), default=10**9), charge),
        (min(bound(now.bms.discharge_ma, now.voltage_mv, 50_000_000), default=10**9), discharge),
        (min(bound(now.bms.charge_w, 1_000_000, 10**8), default=10**9), charge),
        (min(bound(now.bms.discharge_w, 1_000_000, 10**8), default=10**9), discharge),
        (0 if house is None else max(0, max(0, site.import_w - house) - others.charge_w), charge),
        (0 if house is None else max(0, max(0, site.export_w + house) - others.discharge_w), discharge),
        *((plate.charge_w * share.charge_bp // 10_000, charge) for share in now.derating),
        *((plate.discharge_w * share.discharge_bp // 10_000, discharge) for share in now.derating),
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
        ({"quantise": lambda w: w // 100 * 100}, 3050, 3000, Cause.ROUNDING),
    ):
        site = {"site": replace(fast, export_w=20_000) if cause is not Cause.GRID else fast}
        assert decide(target, **{**site, **changes}) == Outcome(power_w, (cause,))


def test_derating_in_figures() -> None:
    """Of what the inverter and the BMS allow at most, whichever is less."""
    fast = {"site": replace(SITE, ramp_w_per_s=100_000)}
    cold = Share(Cause.TEMPERATURE, 2500, 10_000)
    assert decide(-9000, derating=(cold,), **fast) == Outcome(-2250, (Cause.TEMPERATURE,))
    assert decide(4000, derating=(cold,), **fast) == Outcome(4000, ())
    small = Bms((40_000,), (40_000,))  # 2 kW
    assert decide(-1500, bms=small, derating=(cold,), **fast) == Outcome(-500, (Cause.TEMPERATURE,))
    low = Share(Cause.CELL, 10_000, 1000)
    assert decide(1500, bms=small, derating=(cold, low), **fast) == Outcome(200, (Cause.CELL,))


@given(st.integers(1, 9000))
def test_invariant_02_a_curve_without_its_measurement_closes_its_direction(power_w: int) -> None:
    lost = Share(Cause.STALE_LIMIT, 0, 10_000)
    outcome = decide(-power_w, derating=(lost,))
    assert (outcome.power_w, Cause.STALE_LIMIT in outcome.causes) == (0, True)
    assert decide(power_w, derating=(lost,)) == decide(power_w)


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


@given(powers, st.one_of(moments, calm), memories)
def test_the_room_of_a_battery_is_all_that_limit_would_let_through(
    target: int, now: Moment, memory: Memory
) -> None:
    room = envelope.room(now, memory)
    assert -room.charge_w <= envelope.limit(target, 0, now, memory)[0].power_w <= room.discharge_w


def test_the_room_is_the_narrowest_of_all_limits() -> None:
    assert envelope.room(moment(house_w=9500), FREE) == Limits(7500, 8000)  # grid import, and the site
    assert envelope.room(moment(others=Limits(4000, 1000)), FREE) == Limits(6000, 4000)  # site, grid export
    assert envelope.room(moment(bms=Bms((), (20_000,))), FREE).discharge_w == 1000
    assert envelope.room(moment(soc_bp=9500), FREE) == Limits(0, 5000)
    assert envelope.room(moment(soc_bp=9450), replace(FREE, full=True)) == Limits(0, 5000)  # not left yet
    assert envelope.room(moment(nameplate=None), FREE) == Limits(0, 0)


@given(powers, st.one_of(moments, calm))
def test_what_all_share_clips_the_sum_before_it_is_divided(target: int, now: Moment) -> None:
    clipped_w, causes = envelope.clipped(target, now)
    assert abs(clipped_w) <= abs(target)
    assert clipped_w * target >= 0
    assert bool(causes) == (clipped_w != target)
    assert set(causes) <= {Cause.SITE, Cause.CONTRACT, Cause.GRID, Cause.STALE_LIMIT}
    assert envelope.clipped(clipped_w, now) == (clipped_w, ())
    if clipped_w:  # one battery alone is held to no less
        assert -now.site.charge_w <= clipped_w <= now.site.discharge_w
        assert -now.contract.charge_w <= clipped_w <= now.contract.discharge_w


def test_what_all_share_in_figures() -> None:
    assert envelope.clipped(12_000, moment(house_w=9000)) == (8000, (Cause.SITE,))
    assert envelope.clipped(7000, moment(contract=Limits(0, 3000))) == (3000, (Cause.CONTRACT,))
    assert envelope.clipped(7000, moment()) == (5000, (Cause.GRID,))
    assert envelope.clipped(-9000, moment(house_w=12_000)) == (-5000, (Cause.GRID,))
    assert envelope.clipped(7000, moment(house_w=None)) == (0, (Cause.STALE_LIMIT,))
    assert envelope.clipped(0, moment(house_w=None)) == (0, ())
