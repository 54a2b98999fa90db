"""What small changes of power prove: signs, gains, how sure; and when nothing is said at all."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import commissioning
from gateway.commissioning import Channel, Fallback, Plateau, Unsure, Watch

BMS, METER = Channel("bms", "battery_power_w"), Channel("meter", "grid_power_w", meter=True)
POWER_W = 1000


def plateaus(
    count: int = 16,
    *,
    battery: float = 1.0,
    meter: float = -1.0,
    house: list[int] | None = None,
    noise: int = 0,
) -> list[Plateau]:
    """Orders of + and - in turn; `house` is the load during each."""
    random = Random(count)
    made = []
    for number in range(count):
        told_w = commissioning.order_w(number, POWER_W)
        load_w = house[number] if house else 700

        def around(level_w: float) -> tuple[int, ...]:
            return tuple(round(level_w) + random.randint(-noise, noise) for _ in range(5))

        said = {BMS: around(battery * told_w), METER: around(load_w + meter * told_w)}
        made.append(Plateau(told_w, told_w, said, 900 + number, 300))
    return made


def wrongs(made: list[Plateau]) -> list[str]:
    result = commissioning.judge((BMS, METER), made, POWER_W)
    return [text for found in result.findings if (text := commissioning.wrong(found))]


def test_a_site_that_is_right() -> None:
    made = plateaus(noise=20, battery=0.97)
    result = commissioning.judge((BMS, METER), made, POWER_W)
    battery, meter = result.findings
    assert (battery.gain_bp, meter.gain_bp) == (pytest.approx(9700, abs=150), pytest.approx(-10_000, abs=150))
    assert battery.agree == battery.changes == result.changes == 8
    assert result.confidence_bp == 9921
    assert (result.response_ms, result.dead_ms) == (908, 300)
    assert result.error_w == pytest.approx(30, abs=15)
    assert wrongs(made) == []


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"battery": -1.0}, "bms (battery power) counts the other way: its sign is turned round"),
        ({"meter": 1.0}, "meter (grid power) counts the other way: the meter is turned round"),
        ({"battery": 0.4}, "bms (battery power) changed by 40 % of what was ordered"),
        ({"meter": -0.33}, "meter (grid power) changed by 33 % of what was ordered"),
        ({"battery": 0.0}, "bms (battery power) changed by 0 %"),
    ],
)
def test_what_is_wrong_is_said_in_words(how: dict[str, float], words: str) -> None:
    made = plateaus(**how)
    if how == {"battery": 0.0}:  # a battery that does not move at all agrees with nothing
        with pytest.raises(Unsure, match="of 8 changes only 0 agree at bms"):
            wrongs(made)
        return
    assert wrongs(made)[0].startswith(words)


def test_a_house_that_moves_more_than_the_battery_proves_nothing() -> None:
    house = [0, 9000] * 4 + [9000, 0] * 4
    with pytest.raises(Unsure, match=r"meter \(grid power\) moved by \d+ W .* more than the 1000 W ordered"):
        wrongs(plateaus(house=house))


def test_a_house_that_drifts_steadily_does_not_matter() -> None:
    assert wrongs(plateaus(house=[300 * n for n in range(16)])) == []


def test_one_kettle_is_forgiven_in_more_pairs_and_not_in_few() -> None:
    house = [700] * 5 + [3700] * 19
    made = plateaus(24, house=house)
    assert wrongs(made) == []
    assert commissioning.finding(METER, made).agree == 11
    with pytest.raises(Unsure, match="of 8 changes only 7 agree"):
        wrongs(made[:16])


def test_a_kettle_between_two_pairs_is_not_even_seen() -> None:
    assert wrongs(plateaus(house=[700] * 4 + [3700] * 12)) == []


def test_the_orders_balance_each_other() -> None:
    assert [commissioning.order_w(n, 1) for n in range(8)] == [-1, 1, 1, -1, -1, 1, 1, -1]


@given(st.lists(st.integers(-20_000, 20_000), min_size=24, max_size=24), st.sampled_from([-1.0, 1.0]))
def test_whatever_the_house_does_a_sign_is_right_or_not_said(house: list[int], meter: float) -> None:
    """The false proofs that stay are as rare as is said; a house this wild makes nearly all unsure."""
    try:
        found = commissioning.judge((METER,), plateaus(24, meter=meter, house=house), POWER_W).findings[0]
    except Unsure:
        return
    assert found.confidence_bp >= commissioning.CONFIDENCE_BP_MIN
    assert found.moved_w <= POWER_W


def test_noise_alone_passes_as_rarely_as_is_said() -> None:
    random, passed, tries = Random(5), 0, 2000
    for _ in range(tries):
        house = [random.randrange(3000) for _ in range(16)]
        try:
            commissioning.judge((METER,), plateaus(meter=0.0, house=house), POWER_W)
        except Unsure:
            continue
        passed += 1
    assert passed / tries <= 1 - commissioning.CONFIDENCE_BP_MIN / 10_000


def test_too_few_readings_prove_nothing() -> None:
    made = [Plateau(p.told_w, p.site_w, {BMS: p.said[BMS][:2]}) for p in plateaus()]
    with pytest.raises(Unsure, match=r"bms .* said too little"):
        commissioning.judge((BMS,), made, POWER_W)


@pytest.mark.parametrize(
    ("agree", "changes", "bp"),
    [(8, 8, 9921), (7, 7, 9843), (11, 12, 9936), (4, 8, 0), (0, 0, 0), (12, 12, 9995)],
)
def test_confidence_is_counted_both_ways_and_never_overstated(agree: int, changes: int, bp: int) -> None:
    assert commissioning.confidence_bp(agree, changes) == bp


@pytest.mark.parametrize(
    ("charge_w", "discharge_w", "power_w"), [(10_000, 8000, 2000), (2000, 2000, 500), (500, 9000, 500)]
)
def test_the_power_is_small_for_the_site(charge_w: int, discharge_w: int, power_w: int) -> None:
    assert commissioning.pulse_w(charge_w, discharge_w) == power_w


def test_a_site_without_room_has_no_power() -> None:
    with pytest.raises(Unsure, match="0 W are allowed"):
        commissioning.pulse_w(0, 5000)


def test_the_fallback_lies_between_the_last_reading_that_was_ours_and_the_first_that_was_not() -> None:
    watch = Watch(1000, 500, written_ms=5000, ours_ms=5000)
    for at_ms, power_w in ((4000, -300), (6000, 990), (7000, 1010), (8000, 400)):
        watch = watch.see(at_ms, power_w)
        assert not watch.ended and watch.fallback == Fallback()
    watch = watch.see(9000, -300)
    assert watch.ended and watch.fallback == Fallback(2000, 3000)
    assert watch.see(10_000, 1000) == watch, "what comes after the end is nobody's"


def test_one_reading_astray_is_no_fallback() -> None:
    watch = Watch(1000, 500, 0, 0)
    for at_ms, power_w in ((1000, 1000), (2000, 0), (3000, 1000), (4000, 0), (5000, 0)):
        watch = watch.see(at_ms, power_w)
    assert watch.fallback == Fallback(3000, 4000)


@pytest.mark.parametrize(("timer_s", "patience_s"), [(60, 90), (1, 2), (15, 23)])
def test_patience_is_one_and_a_half_times_the_claim(timer_s: int, patience_s: int) -> None:
    assert commissioning.patience_s(timer_s) == patience_s


def test_what_a_sample_says_of_powers() -> None:
    good = {"battery_power_w": 5, "grid_power_w": -7, "battery_soc_bp": 5000}
    assert list(commissioning.heard("x", good)) == [
        (Channel("x", "battery_power_w"), 5),
        (Channel("x", "grid_power_w", meter=True), -7),
    ]
