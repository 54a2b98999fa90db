"""The envelope over time: the ramp, the rest before a change of direction, the hysteresis of the SoC."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import envelope
from gateway.envelope import Bms, Memory, Moment, Outcome
from gateway.model import Cause
from gateway.recovery import RELAX_BP_PER_S
from tests.gateway.envelope_bench import FREE, SITE, calm, decide, memories, moment, powers


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
    assert (memory.changed_ms, memory.rest_ms, memory.direction) == (1_000_000, 1_000_000, 1)
    for ms, power_w in ((1999, 0), (2000, -1000)):
        later = moment(now_ms=1_000_000 + ms)
        assert envelope.limit(-1000, 0, later, memory)[0].power_w == power_w
    again = envelope.limit(1000, 0, moment(now_ms=1_000_600), memory)[0]
    assert again.power_w == 1000  # back the same way needs no rest


UNMOVED = {"direction": 0, "changed_ms": 0, "charge": None, "discharge": None}  # the SoC alone matters
near_bounds = st.one_of(st.integers(0, 10_000), st.integers(9380, 9510), st.integers(990, 1110))


@given(st.lists(near_bounds, min_size=1, max_size=30), st.booleans())
def test_invariant_06_soc_bounds_have_hysteresis(socs: list[int], charging: bool) -> None:
    target, memory, open_again = (-1000 if charging else 1000), FREE, True
    for soc in socs:
        outcome, memory = envelope.limit(target, 0, moment(soc_bp=soc), memory)
        memory = replace(memory, **UNMOVED)
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
        outcome, memory = envelope.limit(-1000, 0, moment(soc_bp=soc), replace(memory, **UNMOVED))
        assert outcome.power_w == power_w
    for soc, power_w in ((1001, 1000), (1000, 0), (1099, 0), (1100, 1000), (1001, 1000)):
        fresh = replace(memory, **UNMOVED)
        outcome, memory = envelope.limit(1000, 0, moment(soc_bp=soc), fresh)
        assert outcome.power_w == power_w


def test_an_unknown_soc_forgets_no_latch() -> None:
    _, memory = envelope.limit(-1000, 0, moment(soc_bp=9500), FREE)
    _, memory = envelope.limit(-1000, 0, moment(soc_bp=None), memory)
    assert memory.full


def test_a_limit_that_fell_is_relaxed_slowly() -> None:
    """Only the battery's own limits: house and site are free again at once."""
    fast, memory, told = replace(SITE, ramp_w_per_s=100_000, export_w=9000), FREE, []
    for second, (amps, house_w) in enumerate(((200, 0), (20, 0), (200, 0), (200, -9000), (200, 0))):
        bms = Bms((10**6,), (amps * 1000,))
        now = moment(now_ms=1_000_000 + second * 1000, bms=bms, site=fast, house_w=house_w)
        outcome, memory = envelope.limit(6000, 0, now, memory)
        told.append((outcome.power_w, outcome.causes))
    assert told == [
        (6000, ()),
        (1000, (Cause.BMS,)),
        (1180, (Cause.RECOVERY,)),  # 2 % of 9 kW a second
        (0, (Cause.GRID,)),
        (1540, (Cause.RECOVERY,)),
    ]


def test_an_unknown_limit_closes_and_is_no_lower_limit() -> None:
    fast, memory, told = replace(SITE, ramp_w_per_s=100_000), FREE, []
    for second, amps in enumerate((100, None, 100, 60, None, 100)):
        bms = Bms((10**6,), (None if amps is None else amps * 1000,))
        now = moment(now_ms=1_000_000 + second * 1000, bms=bms, site=fast)
        outcome, memory = envelope.limit(6000, 0, now, memory)
        told.append(outcome.power_w)
    assert told == [5000, 0, 5000, 3000, 0, 3360]


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 3000)), min_size=2, max_size=30))
def test_no_power_ever_comes_back_faster_than_the_battery_recovers(steps: list[tuple[int, int]]) -> None:
    """The lowest limit so far, plus what its age allows, bounds every later power."""
    wide = replace(SITE, ramp_w_per_s=10**6, export_w=9000)
    now_ms, memory, past = 1_000_000, FREE, []
    for amps, pause_ms in steps:
        now_ms += pause_ms
        now = moment(now_ms=now_ms, bms=Bms((10**6,), (amps * 1000,)), site=wide)
        outcome, memory = envelope.limit(9000, 0, now, memory)
        past.append((now_ms, amps * 50))
        assert outcome.power_w <= min(
            watts + 9000 * RELAX_BP_PER_S * (now_ms - at) / 10**7 for at, watts in past
        )
