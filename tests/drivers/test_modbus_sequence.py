"""A setpoint as register writes: order, sign, rounding toward zero."""

import struct

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus import PLUGIN
from drivers.modbus.profile import ModbusProfile
from drivers.modbus.sequence import Write, lacks, quantise, same, step_w, writes
from drivers.modbus.setpoint import Step as StepModel
from drivers.modbus.table import Step


def steps_of(name: str) -> tuple[Step, ...]:
    text = (PLUGIN.profiles / f"{name}.yaml").read_text("utf-8")
    setpoint = ModbusProfile.model_validate(yaml.safe_load(text)).table().setpoint
    assert setpoint is not None
    return setpoint.write


def sent(name: str, power_w: int, timeout_s: int = 120) -> list[tuple[int, int, tuple[int, ...]]]:
    return [(w.unit, w.address, w.registers) for w in writes(steps_of(name), power_w, timeout_s, 7)]


def test_victron_charges_with_a_positive_register_at_the_vebus_unit() -> None:
    assert sent("victron_gx", -1500) == [(100, 2902, (3,)), (7, 37, (1500,))]
    assert sent("victron_gx", 1500)[1] == (7, 37, (0x10000 - 1500,))
    assert sent("victron_gx", 0)[1] == (7, 37, (0,))


def test_victron_gives_each_of_three_phases_a_third() -> None:
    assert sent("victron_gx_3p", -1500) == [
        (100, 2902, (3,)),
        (7, 37, (500,)),
        (7, 40, (500,)),
        (7, 41, (500,)),
    ]
    assert sent("victron_gx_3p", 1500)[1:] == [(7, at, (0x10000 - 500,)) for at in (37, 40, 41)]
    assert (quantise(steps_of("victron_gx_3p"), -1000), step_w(steps_of("victron_gx_3p"))) == (-999, 3)


def test_huawei_triggers_last() -> None:
    assert sent("huawei_luna2000", -3000) == [
        (7, 47246, (0,)),
        (7, 47083, (2,)),
        (7, 47247, (0, 3000)),
        (7, 47100, (1,)),
    ]
    assert sent("huawei_luna2000", 70000, 121)[1:] == [
        (7, 47083, (3,)),
        (7, 47249, (1, 4464)),
        (7, 47100, (2,)),
    ]
    assert sent("huawei_luna2000", 0)[2:] == [(7, 47249, (0, 0)), (7, 47100, (2,))]


def test_sma_writes_power_and_enable_as_one_block() -> None:
    assert sent("sma_sunny_island", -2000) == [(7, 40149, (0xFFFF, 0x10000 - 2000, 0, 802))]


def test_solaredge_puts_the_low_word_first_and_the_command_last() -> None:
    low, high = struct.unpack(">2H", struct.pack(">f", 1234.0))[::-1]
    assert sent("solaredge_storedge", -1234) == [(7, 57348, (4,)), (7, 57358, (low, high)), (7, 57357, (3,))]
    assert sent("solaredge_storedge", 1234) == [(7, 57348, (4,)), (7, 57360, (low, high)), (7, 57357, (4,))]
    assert sent("solaredge_storedge", 0) == [(7, 57348, (4,)), (7, 57357, (0,))]


def test_goodwe_sends_mode_and_power_as_one_block() -> None:
    assert sent("goodwe_et", -2000) == [(7, 47511, (11, 2000))]
    assert sent("goodwe_et", 2000) == [(7, 47511, (12, 2000))]
    assert sent("goodwe_et", 0) == [(7, 47511, (8, 0))]


def test_sungrow_has_its_power_before_it_forces_the_mode() -> None:
    assert sent("sungrow_sh", -2000) == [(7, 13051, (2000,)), (7, 13050, (0xAA,)), (7, 13049, (2,))]
    assert sent("sungrow_sh", 2000) == [(7, 13051, (2000,)), (7, 13050, (0xBB,)), (7, 13049, (2,))]
    assert sent("sungrow_sh", 0) == [(7, 13050, (0xCC,)), (7, 13049, (2,))]


def test_solis_has_its_direction_before_the_power_in_tens_of_watts() -> None:
    assert sent("solis_hybrid", -2009) == [(7, 43135, (1,)), (7, 43136, (200,))]
    assert sent("solis_hybrid", 2000) == [(7, 43135, (2,)), (7, 43129, (200,))]
    assert sent("solis_hybrid", 0) == [(7, 43135, (1,)), (7, 43136, (0,))]


def test_sofar_leaves_the_battery_no_choice_between_least_and_most() -> None:
    assert sent("sofar_g3", -2000) == [(7, 0x1110, (3,)), (7, 0x1187, (0, 0, 0, 2000, 0, 2000))]
    assert sent("sofar_g3", 2000)[1] == (7, 0x1187, (0, 0, 0xFFFF, 0x10000 - 2000, 0xFFFF, 0x10000 - 2000))


def test_kostal_takes_a_float_with_its_low_word_first_and_charges_below_zero() -> None:
    low, high = struct.unpack(">2H", struct.pack(">f", -1234.0))[::-1]
    assert sent("kostal_plenticore", -1234) == [(7, 1034, (low, high))]
    assert sent("kostal_plenticore", 0) == [(7, 1034, (0, 0))]


def test_alpha_counts_its_watts_from_32000_and_sends_all_as_one_block() -> None:
    zero = (0, 32_000)
    assert sent("alpha_ess_smile", -2_000, 240) == [(7, 0x0880, (1, 0, 30_000, *zero, 2, 255, 0, 240))]
    assert sent("alpha_ess_smile", 0, 240) == [(7, 0x0880, (1, *zero, *zero, 2, 255, 0, 240))]
    assert sent("alpha_ess_smile", 40_000, 70_000) == [(7, 0x0880, (1, 1, 6_464, *zero, 2, 10, 1, 4_464))]


def test_solax_sends_all_of_remote_control_and_discharges_above_zero() -> None:
    unused = (4, 1, *[0] * 10, 120)
    assert sent("solax_g4", -2_000) == [(7, 0x7C, (*unused, 0x10000 - 2_000, 0xFFFF))]
    assert sent("solax_g4", 70_000) == [(7, 0x7C, (*unused, 4_464, 1))]
    assert sent("solax_g4", 0) == [(7, 0x7C, (*unused, 0, 0))]


def test_sigenergy_has_both_limits_before_it_is_told_which_way() -> None:
    assert sent("sigenergy", -2_000) == [(7, 40032, (0, 2_000, 0, 0)), (7, 40029, (1,)), (7, 40031, (4,))]
    assert sent("sigenergy", 70_000) == [(7, 40032, (0, 0, 1, 4_464)), (7, 40029, (1,)), (7, 40031, (5,))]
    assert sent("sigenergy", 0) == [(7, 40032, (0, 0, 0, 0)), (7, 40029, (1,)), (7, 40031, (5,))]


def test_a_release_gives_back_what_the_device_is_rated_at() -> None:
    one = step({"type": "u16", "scale": 10, "value": "discharge_max"}, {"type": "u16", "value": "charge_max"})
    assert [lacks(one, {"charge_max": w, "discharge_max": 5_000}) for w in (0, 1)] == [True, False]
    assert lacks(one, {}) and not lacks(step({"type": "u16", "value": 3}), {})
    most = {"charge_max": 4_000, "discharge_max": 5_009}
    assert [w.registers for w in writes([one], 0, 0, 1, most)] == [(500, 4_000)]


def step(*values: dict, **more: object) -> Step:
    return StepModel.model_validate({"address": 1, "values": list(values), **more}).plain()


def test_quantise_goes_toward_zero_and_into_range() -> None:
    tens = [step({"type": "s16", "scale": 10, "value": "power"})]
    assert [quantise(tens, p) for p in (0, 9, -9, 1234, -1239)] == [0, 0, 0, 1230, -1230]
    assert quantise(tens, 10**7) == 327670 and quantise(tens, -(10**7)) == -327680
    assert step_w(tens) == 10
    halves = [
        step({"type": "u16", "value": "charge_power"}),
        step({"type": "u16", "scale": "1/2", "value": "discharge_power"}),
    ]
    assert (quantise(halves, -70000), quantise(halves, 70000), step_w(halves)) == (-65535, 32767, 1)
    from_1000 = [step({"type": "u16", "zero": 1_000, "scale": 10, "negate": True, "value": "power"})]
    assert [quantise(from_1000, p) for p in (19, -19, 10**6, -(10**6))] == [10, -10, 10_000, -645_350]
    assert [writes(from_1000, p, 0, 1)[0].registers for p in (-20, 0, 10_000)] == [(1_002,), (1_000,), (0,)]


@pytest.mark.parametrize(
    ("type_", "scale", "step"),
    [("f32", "1000", 1), ("s16", "51/25", 3), ("s16", "7/3", 3), ("s16", "24.5", 25), ("f32", "1/10", 1)],
)
def test_a_resolution_that_is_no_whole_watt_costs_one_step_and_no_more(
    type_: str, scale: str, step: int
) -> None:
    """Kilowatts as a float, or per cent of a rating: such a device can be commanded too."""
    steps = [step_of(type_, scale)]
    assert step_w(steps) == step
    for power_w in (*range(-300, 301), 1000, 1234, 2999, -3333):
        assert abs(power_w) - step < abs(quantise(steps, power_w)) <= abs(power_w) or power_w == 0


def step_of(type_: str, scale: str) -> Step:
    return step({"type": type_, "scale": scale, "value": "power"})


def test_a_time_longer_than_its_register_is_cut() -> None:
    timer = [step({"type": "u16", "value": "timeout_s"})]
    assert [w.registers for w in writes(timer, 0, 86_400, 1)] == [(65535,)]


SCALES = ["1", "10", "100", "1/10", "3", "7/3"]
TYPES = ["s16", "s32", "f32", "f64"]


@given(
    st.lists(
        st.tuples(st.sampled_from(TYPES), st.sampled_from(SCALES), st.booleans()), min_size=1, max_size=3
    ),
    st.integers(-(10**6), 10**6),
)
def test_what_is_quantised_can_be_written_and_stays(layout: list, power_w: int) -> None:
    steps = [step({"type": t, "scale": s, "negate": n, "value": "power"}) for t, s, n in layout]
    held = quantise(steps, power_w)
    assert abs(held) <= abs(power_w) and held * power_w >= 0
    assert quantise(steps, held) == held
    assert len(writes(steps, held, 60, 1)) == len(steps)


def test_a_power_beyond_the_register_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="outside"):
        writes([step({"type": "s16", "value": "power"})], 40000, 0, 1)


def test_comparing_with_what_the_device_holds() -> None:
    write = Write(1, 5, (1, 2), False, True)
    assert same(write, b"\0\1\0\2") and not same(write, b"\0\1\0\3")
