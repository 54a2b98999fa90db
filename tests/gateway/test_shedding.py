"""Loads go off at once and by their importance; they come back one by one, rested, and never as one step."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.shedding import SPREAD_MS, STEP_MS, Shed, power_w, step
from gateway.site import Load

BOILER = Load("boiler", "relays", "1", 2000, priority=3)
CAR = Load("car", "relays", "2", 7000, priority=2)
PUMP = Load("pump", "relays", "3", 1000, priority=1)
LOADS = (CAR, PUMP, BOILER)
ALL_ON = Shed()


def after(*names: str, at_ms: int = 0) -> Shed:
    return Shed(frozenset(names), dict.fromkeys(names, at_ms), 0)


def test_the_least_important_go_first_and_only_as_many_as_needed() -> None:
    assert step(LOADS, ALL_ON, 1, 0, 0.0).off == {"boiler"}
    assert step(LOADS, ALL_ON, 2000, 0, 0.0).off == {"boiler"}
    assert step(LOADS, ALL_ON, 2001, 0, 0.0).off == {"boiler", "car"}
    assert step(LOADS, ALL_ON, 10**6, 0, 0.0).off == {"boiler", "car", "pump"}
    assert step(LOADS, ALL_ON, 0, 0, 0.0) == ALL_ON


def test_what_is_off_already_counts() -> None:
    assert step(LOADS, after("car"), 7000, 0, 0.0).off == {"car"}
    assert step(LOADS, after("car"), 7001, 0, 0.0).off == {"car", "boiler"}


def test_they_come_back_one_by_one_the_most_important_first() -> None:
    shed, back = after("boiler", "car", "pump"), []
    for second in range(200):
        found = step(LOADS, shed, 0, second * 1000, 0.0)
        back += [(second, name) for name in shed.off - found.off]
        shed = found
    assert [name for _, name in back] == ["pump", "car", "boiler"]
    assert [second for second, _ in back] == [0, STEP_MS // 1000, 2 * STEP_MS // 1000]


def test_what_must_stay_off_stays_off() -> None:
    assert step(LOADS, after("boiler", "car"), 7000, 0, 0.0).off == {"car"}  # the boiler alone is to spare
    assert step(LOADS, after("boiler", "car"), 8000, 0, 0.0).off == {"boiler", "car"}


def test_a_load_keeps_its_times() -> None:
    slow = (replace(BOILER, min_on_ms=60_000, min_off_ms=120_000), PUMP)
    shed = step(slow, ALL_ON, 500, 0, 0.0)
    assert shed.off == {"boiler"}
    assert step(slow, shed, 0, 119_999, 0.0).off == {"boiler"}
    back = step(slow, shed, 0, 120_000, 0.0)
    assert back.off == frozenset()
    again = step(slow, back, 500, 179_999, 0.0)
    assert again.off == {"pump"}  # the boiler may not go off again yet: the next in line does
    assert step(slow, back, 500, 180_000, 0.0).off == {"boiler"}


loads = st.lists(
    st.builds(
        Load,
        st.sampled_from("abcdefgh"),
        st.just("relays"),
        st.just("1"),
        st.integers(0, 10_000),
        st.integers(1, 9),
        st.integers(0, 60_000),
        st.integers(0, 60_000),
    ),
    max_size=8,
    unique_by=lambda load: load.name,
)
asked = st.lists(st.tuples(st.integers(0, 30_000), st.integers(100, 40_000), st.floats(0, 0.99)), max_size=40)


@given(loads, asked)
def test_whatever_is_asked_the_promises_hold(found: list[Load], moves: list[tuple[int, int, float]]) -> None:
    shed, now_ms, last = Shed(), 0, {load.name: (True, -(10**9)) for load in found}
    came_back_ms = -(10**9)
    for wanted_w, pause_ms, random in moves:
        now_ms += pause_ms
        before, shed = shed, step(found, shed, wanted_w, now_ms, random)
        came = before.off - shed.off
        assert len(came) <= 1
        if came:
            assert now_ms - came_back_ms >= STEP_MS
            came_back_ms = now_ms
            assert power_w(found, shed.off) >= min(wanted_w, power_w(found, before.off))
        for load in found:
            on = load.name not in shed.off
            was_on, since_ms = last[load.name]
            if on != was_on:
                assert now_ms - since_ms >= (load.min_off_ms if on else load.min_on_ms)
                last[load.name] = (on, now_ms)
        free = [x for x in found if x.name in shed.off or now_ms - last[x.name][1] >= x.min_on_ms]
        if not came:
            able = power_w(found, frozenset(x.name for x in free))
            assert power_w(found, shed.off) >= min(wanted_w, able)
    assert SPREAD_MS > STEP_MS
