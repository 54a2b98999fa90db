"""Reactive power by 704: round trips against pysunspec2, its timer, and devices that cannot."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.sunspec import commanded
from drivers.sunspec.binding import Present
from drivers.sunspec.commanded import Commanded
from drivers.sunspec.driver import SunSpec
from drivers.sunspec.models import layout
from drivers.sunspec.reactive import Var704
from drivers.sunspec.scan import Found
from gateway.beside_model import ReactiveBack, ReactiveSpec
from gateway.driver import ReactiveActuator
from gateway.errors import LinkError
from tests.drivers.sunspec_image import (
    COMMON,
    INVERTER_103,
    NAMEPLATE_120,
    PORTS_714,
    STORAGE_124,
    STORAGE_713,
    Image,
    StepClock,
    device,
    model_bytes,
)
from tests.drivers.test_sunspec_binding import profile
from tests.drivers.test_sunspec_setpoint import changed, peer, written

VAR = {
    "VarSetEna": 0,
    "VarSetMod": 0,
    "VarSetPri": 1,
    "VarSetEnaRvrt": 1,
    "VarSetRvrtTms": 0,
    "VarSetRvrtRem": 0,
}
IN_VAR = {"VarSet": 0, "VarSetRvrt": 700, "VarSet_SF": 1}
IN_PERCENT = {"VarSetPct": 0, "VarSetPctRvrt": 70, "VarSetPct_SF": -1}
CONTROL = model_bytes(704, {**VAR, **IN_VAR})
PERCENT = model_bytes(704, {**VAR, **IN_PERCENT})
NAMEPLATE_702 = model_bytes(
    702,
    {"WMaxRtg": 1000, "VAMaxRtg": 1100, "VarMaxInjRtg": 660, "VarMaxAbsRtg": 600, "VarMaxInj": 640,
     "WChaRteMaxRtg": 600, "WDisChaRteMaxRtg": 700, "W_SF": 1, "VA_SF": 1, "Var_SF": 1},
)  # fmt: skip
VARS = st.integers(-6_000, 6_000)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commanded, "TIMER_PAUSE_S", 0)


def way(data: bytes, var_max: int = 6_000) -> tuple[Var704, dict[str, Any]]:
    model, length = struct.unpack(">HH", data[:4])
    known = layout(model, length)
    assert known
    made = Var704(Present(Found(model, 40002, length), known), var_max)
    return made, dict(made.parse(data[: 2 * made.registers]))


def after(made: Var704, data: bytes) -> ReactiveBack:
    return made.held(made.parse(changed(data, VarSetRvrtRem=55)[: 2 * made.registers]))


@given(st.integers(-10, 3), VARS)
def test_var_come_back_within_a_step_and_never_as_more(sf: int, var: int) -> None:
    data = changed(CONTROL, VarSet_SF=sf)
    made, raw = way(data)
    data = written(data, made.write(raw, var, 60))
    theirs, back = peer(data), after(made, data)
    told = Fraction(theirs.VarSet.value) * Fraction(10) ** sf
    assert abs(told) <= abs(var) and told * var >= 0
    assert abs(var) > made.most_var(raw) or abs(var - told) < made.step_var(raw)
    assert back.active and back.timer_s == 55 and 0 <= abs(back.var) - abs(told) < 1
    assert (theirs.VarSetEna.value, theirs.VarSetMod.value, theirs.VarSetPri.value) == (1, 4, 0)
    assert (theirs.VarSetEnaRvrt.value, theirs.VarSetRvrtTms.value) == (0, 60)


@given(st.integers(-2, 0), VARS, st.integers(100, 60_000))
def test_percent_is_of_what_the_device_can(sf: int, var: int, var_max: int) -> None:
    data = changed(PERCENT, VarSetPct_SF=sf)
    made, raw = way(data, var_max)
    data = written(data, made.write(raw, var, 60))
    theirs, back = peer(data), after(made, data)
    told = Fraction(theirs.VarSetPct.value) * Fraction(10) ** sf * var_max / 100
    assert abs(told) <= abs(var) and told * var >= 0
    assert abs(var) > made.most_var(raw) or abs(var - told) < made.step_var(raw)
    assert back.active and 0 <= abs(back.var) - abs(told) < 1
    assert (theirs.VarSetEna.value, theirs.VarSetMod.value) == (1, 1)


@pytest.mark.parametrize("data", [CONTROL, PERCENT])
def test_armed_at_nothing_and_nothing_afterwards(data: bytes) -> None:
    made, raw = way(data)
    theirs = peer(written(data, made.arm(raw, 45)))
    revert = theirs.VarSetRvrt if data is CONTROL else theirs.VarSetPctRvrt
    assert revert.value == 0 and theirs.VarSetRvrtTms.value == 45
    assert (theirs.VarSetEna.value, theirs.VarSetEnaRvrt.value) == (1, 0)


@pytest.mark.parametrize("data", [CONTROL, PERCENT])
def test_release_switches_it_off(data: bytes) -> None:
    made, raw = way(data)
    data = written(data, made.write(raw, 3_000, 60))
    data = written(data, made.release(raw))
    assert peer(data).VarSetEna.value == 0
    assert after(made, data) == ReactiveBack(0, False, 0)


@pytest.mark.parametrize(
    "gone",
    [
        {"VarSetEna": 0xFFFF},
        {"VarSetRvrtTms": 0xFFFFFFFF},
        {"VarSetRvrtRem": 0xFFFFFFFF},
        {"VarSet": -(2**31)},
        {"VarSet_SF": -0x8000},
        {"VarSet_SF": 11},
    ],
)
def test_what_would_not_end_by_itself_or_has_no_scale_is_not_used(gone: dict[str, int]) -> None:
    made, raw = way(CONTROL)
    assert made.usable(raw) and not made.usable({**raw, **gone})


def test_another_mode_or_a_timer_that_ended_is_not_obeying() -> None:
    made, raw = way(CONTROL)
    ours = {**raw, "VarSetEna": 1, "VarSetMod": 4, "VarSetRvrtRem": 5, "VarSet": 120}
    assert made.held(ours) == ReactiveBack(1_200, True, 5)
    assert made.held({**ours, "VarSetMod": 1}) == ReactiveBack(1_200, False, 5)
    assert made.held({**ours, "VarSetRvrtRem": 0}) == ReactiveBack(1_200, False, 0)


# -- on a device -------------------------------------------------------------------------------------


class Inverter(Image):
    """704 whose reactive timer runs. `strict`: VarSetEnaRvrt = 0 means no timer."""

    strict = False

    async def write(
        self, unit: int, address: int, registers: Sequence[int], *, timeout_s: float, single: bool = False
    ) -> None:
        await super().write(unit, address, registers, timeout_s=timeout_s)
        known, at = layout(704, len(CONTROL) // 2 - 2), self.find(704)
        assert known
        where = {name: at + field.offset for name, field in known.by_name.items()}
        runs = self.registers[where["VarSetEna"]] == 1
        runs = runs and (self.registers[where["VarSetEnaRvrt"]] == 1 or not self.strict)
        self.registers[where["VarSetRvrtRem"]] = 0
        self.registers[where["VarSetRvrtRem"] + 1] = self.registers[where["VarSetRvrtTms"] + 1] if runs else 0


def inverter(*models: bytes) -> tuple[Commanded, Inverter]:
    image = Inverter.of(COMMON, INVERTER_103, STORAGE_124, STORAGE_713, *models)
    assert isinstance(image, Inverter)
    settings = profile(setpoint="124")
    made = device(settings)
    return Commanded(SunSpec(made, settings, image, StepClock()), settings, made), image


@pytest.mark.parametrize("strict", [False, True])
async def test_a_device_is_armed_commanded_read_and_released(strict: bool) -> None:
    driver, image = inverter(NAMEPLATE_702, CONTROL, PORTS_714)
    image.strict = strict
    assert isinstance(driver, ReactiveActuator) and driver.reactive is None
    await driver.connect()
    # Settings before ratings: injects 6400, absorbs 6000, so 6000 both ways.
    assert driver.reactive == ReactiveSpec(6_000, 11_000, 60, step_var=10)
    assert await driver.arm_reactive(30) == 30
    assert await driver.read_reactive() == ReactiveBack(0, True, 30)
    await driver.write_reactive(-2_500)
    assert await driver.read_reactive() == ReactiveBack(-2_500, True, 30)
    await driver.release_reactive()
    assert await driver.read_reactive() == ReactiveBack(0, False, 0)


@pytest.mark.parametrize(
    "models", [(NAMEPLATE_120, CONTROL), (NAMEPLATE_702,), (NAMEPLATE_702, CONTROL[:60])]
)
async def test_without_rating_or_control_there_is_none_and_power_is_as_before(
    models: tuple[bytes, ...],
) -> None:
    models = tuple(
        struct.pack(">HH", 704, len(m) // 2 - 2) + m[4:] if m[:2] == CONTROL[:2] else m for m in models
    )
    driver, image = inverter(*models)
    await driver.connect()
    assert driver.reactive is None and driver.setpoint.charge_max_w
    with pytest.raises(LinkError, match="has not been reached"):
        await driver.write_reactive(0)
    assert image.writes == []


async def test_a_scale_that_goes_missing_is_a_link_error() -> None:
    driver, image = inverter(NAMEPLATE_702, CONTROL)
    await driver.connect()
    known = layout(704, len(CONTROL) // 2 - 2)
    assert known
    image.registers[image.find(704) + known.by_name["VarSet_SF"].offset] = 0x8000
    with pytest.raises(LinkError, match="no longer states what reactive power needs"):
        await driver.read_reactive()


async def test_a_chain_that_moved_is_not_written_to() -> None:
    driver, image = inverter(NAMEPLATE_702, CONTROL)
    await driver.connect()
    await driver.close()
    with pytest.raises(LinkError, match="not since its models moved"):
        await driver.release_reactive()
    assert image.writes == []
