"""704 and 124 as pure register sequences: round trips, rounding toward zero, order, and pysunspec2's view."""

import struct
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sunspec2.device import Model

from drivers.sunspec.binding import Present
from drivers.sunspec.models import layout
from drivers.sunspec.scan import Found
from drivers.sunspec.setpoint import BOTH, Set704, Storage124, Way, Writes, choose
from gateway.errors import FrameError, LinkError
from gateway.model import ReadBack
from tests.drivers.sunspec_image import CONTROL_704, STORAGE_124

SCALES = st.integers(-10, 4)
POWERS = st.integers(-200_000, 200_000)


def way(data: bytes, *, grid: bool = False) -> tuple[Way, dict[str, Any]]:
    model, length = struct.unpack(">HH", data[:4])
    known = layout(model, length)
    assert known
    present = Present(Found(model, 40002, length), known)
    made: Way = Set704(present) if model == 704 else Storage124(present, grid)
    return made, dict(made.parse(data[: 2 * made.registers]))


def changed(data: bytes, **values: int) -> bytes:
    """The registers with raw values changed, through pysunspec2."""
    model = Model(int.from_bytes(data[:2]), data=data, model_len=len(data) // 2 - 2)
    for name, value in values.items():
        model.points[name].value = value
    return bytes(model.get_mb())


def written(data: bytes, writes: Writes) -> bytes:
    after = bytearray(data)
    for offset, registers in writes:
        struct.pack_into(f">{len(registers)}H", after, 2 * offset, *registers)
    return bytes(after)


def peer(data: bytes) -> Model:
    return Model(int.from_bytes(data[:2]), data=data, model_len=len(data) // 2 - 2)


@given(SCALES, POWERS)
def test_704_round_trip(sf: int, power_w: int) -> None:
    data = changed(CONTROL_704, WSet_SF=sf)
    made, raw = way(data)
    held = made.quantise(raw, power_w)
    assert abs(held) <= abs(power_w) and held * power_w >= 0
    assert made.quantise(raw, held) == held
    assert abs(power_w) > made.most_w(raw) or abs(power_w - held) < made.step_w(raw)
    after = written(data, made.power(raw, held, 60))
    assert made.held(made.parse(after[: 2 * made.registers])).power_w == held
    theirs = peer(after)
    watts = Fraction(theirs.WSet.value) * Fraction(10) ** sf
    assert watts == held or (abs(power_w) > made.most_w(raw) and 0 < abs(held) - abs(watts) < 1)
    assert (theirs.WSetEna.value, theirs.WSetMod.value, theirs.WSetRvrtTms.value) == (1, 1, 60)


@given(st.integers(0, 0xFFFE), st.integers(-2, 2), st.integers(-4, 0), POWERS)
def test_124_round_trip(base: int, base_sf: int, sf: int, power_w: int) -> None:
    data = changed(STORAGE_124, WChaMax=base, WChaMax_SF=base_sf, InOutWRte_SF=sf)
    made, raw = way(data)
    held = made.quantise(raw, power_w)
    assert abs(held) <= abs(power_w) and held * power_w >= 0
    assert made.quantise(raw, held) == held
    assert abs(held) <= made.most_w(raw) + 1
    assert abs(power_w) > made.most_w(raw) or abs(power_w - held) < made.step_w(raw)
    after = written(data, made.power(raw, held, 90))
    back = made.held(made.parse(after))
    assert back == ReadBack(held, True, 90)
    theirs = peer(after)
    assert theirs.OutWRte.value == -theirs.InWRte.value and theirs.StorCtl_Mod.value == BOTH
    watts = Fraction(theirs.OutWRte.value) * Fraction(10) ** (sf + base_sf) * base / 100
    assert abs(watts) <= abs(power_w) and abs(held - watts) < 1


def test_704_writes_timer_before_value_and_enables_with_it() -> None:
    made, raw = way(CONTROL_704)
    assert made.power(raw, -1500, 60) == ((30, (0, 0, 60)), (22, (1, 1, 0xFFFF, 0xFF6A)))
    assert made.arm(raw, 60) == ((26, (0, 0)), (30, (0, 0, 60)), (22, (1, 1, 0, 0)))
    assert made.release(raw) == ((22, (0, 1, 0, 0)),)
    second = made.variants(raw)[1]
    assert second.arm(raw, 60)[1] == (30, (1, 0, 60))


def test_704_without_parts_of_the_timer() -> None:
    made, raw = way(changed(CONTROL_704, WSetEnaRvrt=0xFFFF, WSetRvrt=-(2**31)))
    assert made.has_timer(raw) and made.variants(raw) == (made,)
    assert made.arm(raw, 60) == ((31, (0, 60)), (22, (1, 1, 0, 0)))
    made, raw = way(changed(CONTROL_704, WSetRvrtTms=0xFFFFFFFF, WSetRvrt=-(2**31)))
    assert not made.has_timer(raw)
    assert made.arm(raw, 60) == ((22, (1, 1, 0, 0)),)
    assert made.held({**raw, "WSetEna": 1}).timer_s == 0


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"WSetEna": 0, "WSetMod": 1, "WSet": 150, "WSetRvrtRem": 9}, ReadBack(1500, False, 0)),
        ({"WSetEna": 1, "WSetMod": 1, "WSet": -150, "WSetRvrtRem": 9}, ReadBack(-1500, True, 9)),
        ({"WSetEna": 1, "WSetMod": 0, "WSet": 150, "WSetRvrtRem": 9}, ReadBack(1500, False, 9)),
        ({"WSetEna": 1, "WSetMod": 1, "WSet": -(2**31), "WSetRvrtRem": 0}, ReadBack(0, True, 0)),
        ({"WSetEna": 1, "WSetMod": 1, "WSet": 5, "WSetRvrtTms": 60}, ReadBack(50, False, 0)),
        (
            {"WSetEna": 1, "WSetMod": 1, "WSet": 1, "WSetRvrtRem": 0xFFFFFFFF, "WSetRvrtTms": 70},
            ReadBack(10, True, 70),
        ),
    ],
)
def test_704_held(values: dict[str, int], expected: ReadBack) -> None:
    made, raw = way(changed(CONTROL_704, **values))
    assert made.held(raw) == expected


def test_124_is_a_window_of_one_value_timer_first() -> None:
    made, raw = way(STORAGE_124)
    assert made.step_w(raw) == 1 and made.most_w(raw) == 3300
    assert made.power(raw, -1650, 60) == ((15, (60,)), (12, (0x10000 - 5000, 5000)), (5, (BOTH,)))
    assert made.power(raw, 1650, 60)[1] == (12, (5000, 0x10000 - 5000))
    assert made.arm(raw, 60) == ((15, (60,)), (12, (0, 0)), (5, (BOTH,)))
    assert made.release(raw) == ((5, (0,)), (12, (10000, 10000)), (15, (0,)))
    assert made.variants(raw) == (made,)


def test_124_opens_and_closes_charging_from_the_grid_only_if_told() -> None:
    made, raw = way(STORAGE_124, grid=True)
    assert made.arm(raw, 60)[-1] == (17, (1,))
    opened = {**raw, "ChaGriSet": 1}
    assert (17, (1,)) not in made.arm(opened, 60) and made.release(opened)[-1] == (17, (0,))
    absent = {**raw, "ChaGriSet": 0xFFFF}
    assert (17, (1,)) not in made.arm(absent, 60) and (17, (0,)) not in made.release(absent)


def test_124_takes_the_longest_time_its_register_holds() -> None:
    made, raw = way(STORAGE_124)
    assert made.power(raw, 0, 86_400)[0][1] == (0xFFFE,)


def test_124_without_timer() -> None:
    made, raw = way(changed(STORAGE_124, InOutWRte_RvrtTms=0xFFFF))
    assert not made.has_timer(raw)
    assert [offset for offset, _ in made.power(raw, 100, 60)] == [12, 5]
    assert [offset for offset, _ in made.release(raw)] == [5, 12]
    assert made.held({**raw, "StorCtl_Mod": BOTH, "OutWRte": 5, "InWRte": -5}).timer_s == 0


@pytest.mark.parametrize(
    ("values", "active"),
    [
        ({"StorCtl_Mod": 3, "OutWRte": 100, "InWRte": -100}, True),
        ({"StorCtl_Mod": 3, "OutWRte": 100, "InWRte": 100}, False),
        ({"StorCtl_Mod": 2, "OutWRte": 100, "InWRte": -100}, False),
        ({"StorCtl_Mod": 0, "OutWRte": -0x8000, "InWRte": -0x8000}, False),
    ],
)
def test_124_held(values: dict[str, int], active: bool) -> None:
    made, raw = way(changed(STORAGE_124, **values))
    back = made.held(raw)
    assert back.active is active and back.timer_s == (777 if active else 0)


def test_124_with_nothing_to_take_percent_of() -> None:
    for base in (0, 0xFFFF):
        made, raw = way(STORAGE_124)
        raw["WChaMax"] = base
        assert made.quantise(raw, 5000) == 0 and made.power(raw, 5000, 60)[1] == (12, (0, 0))


@pytest.mark.parametrize(
    ("data", "values", "usable"),
    [
        (CONTROL_704, {}, True),
        (CONTROL_704, {"WSetEna": 0xFFFF}, False),
        (CONTROL_704, {"WSet_SF": -0x8000}, False),
        (STORAGE_124, {}, True),
        (STORAGE_124, {"WChaMax": 0xFFFF}, False),
        (STORAGE_124, {"WChaMax_SF": -0x8000}, False),
        (STORAGE_124, {"InOutWRte_SF": -0x8000}, False),
        (STORAGE_124, {"StorCtl_Mod": 0xFFFF}, False),
    ],
)
def test_usable(data: bytes, values: dict[str, int], usable: bool) -> None:
    made, raw = way(data)
    assert made.usable({**raw, **values}) is usable


@given(st.sampled_from([CONTROL_704, STORAGE_124]), st.integers(-0x8000, 0x7FFF))
def test_an_unusable_scale_factor_is_never_multiplied_with(data: bytes, sf: int) -> None:
    assume(not -10 <= sf <= 10)
    made, raw = way(data)
    raw["WSet_SF"] = raw["InOutWRte_SF"] = sf
    assert not made.usable(raw)
    with pytest.raises(LinkError, match="scale factor"):
        made.quantise(raw, 100)


@given(st.binary(max_size=140))
def test_other_registers_are_not_taken_for_the_model(data: bytes) -> None:
    for image in (CONTROL_704, STORAGE_124):
        made, _ = way(image)
        with pytest.raises(FrameError):
            made.parse(data)
        with pytest.raises(FrameError, match="no longer a model"):
            made.parse(bytes(2 * made.registers))


def test_choose() -> None:
    models = {made.present.found.model: made.present for made, _ in (way(CONTROL_704), way(STORAGE_124))}

    def kinds(preference: str, **some: Present) -> list[type]:
        return [type(w) for w in choose(preference, some or models, charge_grid=False)]  # type: ignore[arg-type]

    assert kinds("auto") == [Set704, Storage124]
    assert kinds("704") == [Set704] and kinds("124") == [Storage124] and kinds("none") == []
    short = layout(704, 30)
    assert short
    cut = {704: Present(Found(704, 40002, 30), short)}
    assert choose("auto", cut, charge_grid=False) == ()
