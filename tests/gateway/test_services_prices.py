"""Load shifting by price: what pays is done, what does not is left, energy comes before it goes, and against
every plan there is."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model import ServiceKind
from gateway.services import prices as prices_module
from gateway.services.prices import HOUR_MS, SLOTS_MAX, Price, Shift, plan

BATTERY = Shift(charge_w=5000, discharge_w=5000, energy_wh=10_000, efficiency_bp=10_000)


def hourly(*prices: int, span_ms: int = HOUR_MS) -> list[Price]:
    return [Price(i * span_ms, (i + 1) * span_ms, price) for i, price in enumerate(prices)]


def powers(prices: list[Price], shift: Shift) -> list[int]:
    """The power in each price's slot, W, + discharge."""
    made = plan("site", prices, shift)
    return [
        next((s.parameters["power_w"] for s in made if s.start_ms <= p.start_ms < s.end_ms), 0)
        for p in prices
    ]


@pytest.mark.parametrize(
    ("prices", "found"),
    [
        ([10, 20], [-5000, 5000]),
        ([20, 10], [0, 0]),  # dear before cheap: nothing to discharge yet
        ([10, 10], [0, 0]),
        ([10], [0]),
        ([], []),
        ([10, 30, 20, 40], [-5000, 5000, -5000, 5000]),
        ([10, 11, 12, 40, 50, 60], [-5000, -5000, 0, 0, 5000, 5000]),  # all there is room for
        ([30, 10, 20, 5, 40], [0, -5000, 5000, -5000, 5000]),
    ],
)
def test_figures(prices: list[int], found: list[int]) -> None:
    assert powers(hourly(*prices), BATTERY) == found


def test_the_spread_must_pay_for_the_losses() -> None:
    lossy = Shift(charge_w=5000, discharge_w=5000, energy_wh=10_000, efficiency_bp=8000)
    assert powers(hourly(80, 100), lossy) == [0, 0]
    assert powers(hourly(80, 101), lossy) == [-5000, 4000]


def test_the_spread_must_pay_for_the_wear() -> None:
    worn = Shift(charge_w=5000, discharge_w=5000, energy_wh=10_000, efficiency_bp=10_000, wear=20)
    assert powers(hourly(80, 100), worn) == [0, 0]
    assert powers(hourly(80, 101), worn) == [-5000, 5000]


def test_what_is_stored_may_go_first_and_comes_back() -> None:
    full = Shift(charge_w=5000, discharge_w=5000, energy_wh=3000, stored_wh=3000, efficiency_bp=10_000)
    assert powers(hourly(20, 10), full) == [3000, -3000]
    assert powers(hourly(10, 20), full) == [0, 0]  # no room


def test_quarter_hours_carry_a_quarter_of_the_energy() -> None:
    small = Shift(charge_w=4000, discharge_w=2000, energy_wh=1000, efficiency_bp=10_000)
    found = powers(hourly(10, 50, 60, span_ms=HOUR_MS // 4), small)
    assert found == [-4000, 2000, 2000]


def test_slots_of_one_power_that_touch_are_one_order() -> None:
    made = plan("site", hourly(10, 10, 90, 90), BATTERY)
    assert [(s.start_ms, s.end_ms, s.parameters) for s in made] == [
        (0, 2 * HOUR_MS, {"power_w": -5000}),
        (2 * HOUR_MS, 4 * HOUR_MS, {"power_w": 5000}),
    ]
    assert {s.kind for s in made} == {ServiceKind.FIXED_POWER}
    assert made == plan("site", hourly(10, 10, 90, 90), BATTERY)
    apart = [Price(0, HOUR_MS, 10), Price(2 * HOUR_MS, 3 * HOUR_MS, 10), *hourly(0, 0, 0, 0, 90, 90)[4:]]
    assert [s.start_ms for s in plan("site", apart, BATTERY)] == [0, 2 * HOUR_MS, 4 * HOUR_MS]


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ([Price(0, 0, 1)], "one after the other"),
        ([Price(0, 2, 1), Price(1, 3, 1)], "one after the other"),
        ([Price(2, 3, 1), Price(0, 1, 1)], "one after the other"),
        ([Price(i, i + 1, 1) for i in range(SLOTS_MAX + 1)], "at most 200"),
    ],
)
def test_prices_that_cannot_be_are_refused(prices: list[Price], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        plan("site", prices, BATTERY)


@pytest.mark.parametrize(
    "shift",
    [
        {"charge_w": -1},
        {"discharge_w": 10**9},
        {"stored_wh": 20_000},
        {"stored_wh": -1},
        {"energy_wh": -1},
        {"efficiency_bp": 0},
        {"efficiency_bp": 10_001},
        {"wear": -1},
    ],
)
def test_a_battery_that_cannot_be_is_refused(shift: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"must (not )?be"):
        Shift(**({"charge_w": 1, "discharge_w": 1, "energy_wh": 10_000} | shift))


def earned(prices: list[int], flows: tuple[int, ...], shift: Shift) -> int | None:
    """What a plan of energies (Wh, + out of the battery) earns, times 100 million; None if it cannot be."""
    level, sum_ = shift.stored_wh, 0
    for price, flow in zip(prices, flows, strict=True):
        level -= flow
        if not 0 <= level <= shift.energy_wh:
            return None
        cost = price * 10_000**2 // shift.efficiency_bp if flow < 0 else (price - shift.wear) * 10_000
        sum_ += cost * flow
    return sum_ if level == shift.stored_wh else None


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 9), min_size=2, max_size=5),
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from([5000, 10_000]),
    st.integers(0, 2),
)
def test_no_other_plan_earns_more(
    prices: list[int], charge: int, discharge: int, energy: int, stored: int, efficiency: int, wear: int
) -> None:
    """Against all plans of whole Wh, where no price is negative."""
    charge_w = charge * 10_000 // efficiency
    shift = Shift(charge_w, discharge, energy, min(stored, energy), efficiency, wear)
    found = tuple(
        power if power >= 0 else power * efficiency // 10_000 for power in powers(hourly(*prices), shift)
    )
    choices = product(range(-charge, discharge + 1), repeat=len(prices))
    best = max(value for flows in choices if (value := earned(prices, flows, shift)) is not None)
    assert earned(prices, found, shift) == best


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.integers(-500, 3000), max_size=100),
    st.sampled_from([HOUR_MS, HOUR_MS // 4]),
    st.integers(0, 20_000),
    st.integers(0, 20_000),
    st.integers(0, 40_000),
    st.integers(0, 10_000),
    st.integers(5000, 10_000),
)
def test_powers_are_within_bounds_and_energy_comes_before_it_goes(
    prices: list[int], span_ms: int, charge: int, discharge: int, energy: int, stored: int, efficiency: int
) -> None:
    shift = Shift(charge, discharge, energy, min(stored, energy), efficiency)
    level = shift.stored_wh * HOUR_MS * 10_000
    for power_w in powers(hourly(*prices, span_ms=span_ms), shift):
        assert -charge <= power_w <= discharge
        level -= power_w * span_ms * (10_000 if power_w > 0 else efficiency)
        assert level >= 0
        # Watts are whole: an hour's rounding is less than a Wh.
        assert level <= (shift.energy_wh + len(prices)) * HOUR_MS * 10_000
    assert level >= shift.stored_wh * HOUR_MS * 10_000


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_days_of_quarter_hours_are_planned_to_the_end(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound on exchanges is not what ends it: with more of them the plan is the same."""
    prices = [(i * i * 7919 * seed + i * 104_729) % 997 - 50 for i in range(SLOTS_MAX)]
    shift = Shift(10_000, 10_000, 20_000, 5000, 9000, wear=20)
    span_ms = HOUR_MS // 4
    found = powers(hourly(*prices, span_ms=span_ms), shift)
    assert min(found) < 0 < max(found)
    monkeypatch.setattr(prices_module, "EXCHANGES_MAX", 100 * prices_module.EXCHANGES_MAX)
    assert powers(hourly(*prices, span_ms=span_ms), shift) == found
