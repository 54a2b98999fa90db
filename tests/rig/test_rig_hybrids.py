"""Hybrids that keep a command for ever and hybrids whose timer ends it; signs and word orders."""

import struct

import pytest
from rig import (
    alpha_ess_smile,
    goodwe_et,
    kostal_plenticore,
    sigenergy,
    sofar_g3,
    solax_g4,
    solis_hybrid,
    sungrow_sh,
)
from rig.bank import Refusal
from rig.devices import make

HOUR_MS = 3_600_000


def number(bank, unit, address, now_ms, registers=1, little=False):
    data = bank.read(unit, "holding", address, registers, now_ms)
    return int.from_bytes(data[2:] + data[:2] if little else data, signed=True)


def test_goodwe_holds_the_battery_s_power_until_it_is_told_otherwise():
    bank = make("goodwe_et")
    bank.write(goodwe_et.UNIT, 47511, (goodwe_et.CHARGE, 2_000), 0)
    state = bank.plant.advance(10_000)
    assert round(state.battery_w) == -2_000 == number(bank, goodwe_et.UNIT, 35182, 10_000, 2)
    assert number(bank, goodwe_et.UNIT, 35181, 10_000) < 0
    assert number(bank, goodwe_et.UNIT, 36025, 10_000, 2) == -state.grid_w
    assert bank.plant.advance(HOUR_MS).order.power_w == -2_000
    bank.write(goodwe_et.UNIT, 47511, (goodwe_et.REST, 0), HOUR_MS)
    assert abs(bank.plant.advance(HOUR_MS + 5_000).battery_w) < 20
    bank.write(goodwe_et.UNIT, 47511, (goodwe_et.AUTO, 0), HOUR_MS + 5_000)
    assert bank.plant.advance(HOUR_MS + 6_000).order.kind == "self"
    with pytest.raises(Refusal) as no:
        bank.read(goodwe_et.UNIT, "input", 35182, 2, HOUR_MS + 6_000)
    assert no.value.code == 1


def test_sungrow_obeys_in_forced_mode_only_and_for_ever():
    bank = make("sungrow_sh")
    bank.write(sungrow_sh.UNIT, 13051, (1_500,), 0)
    bank.write(sungrow_sh.UNIT, 13050, (sungrow_sh.DISCHARGE,), 0)
    assert bank.plant.advance(5_000).order.kind == "self"
    bank.write(sungrow_sh.UNIT, 13049, (sungrow_sh.FORCED,), 5_000)
    state = bank.plant.advance(10_000)
    assert round(state.battery_w) == number(bank, sungrow_sh.UNIT, 5213, 10_000, 2, little=True) == 1_499
    assert number(bank, sungrow_sh.UNIT, 13009, 10_000, 2, little=True) == -state.grid_w
    assert bank.plant.advance(HOUR_MS).order.power_w == 1_500
    bank.write(sungrow_sh.UNIT, 13050, (sungrow_sh.STOP,), HOUR_MS)
    assert bank.plant.advance(HOUR_MS + 5_000).order.power_w == 0
    with pytest.raises(Refusal) as no:
        bank.write(sungrow_sh.UNIT, 13050, (1,), HOUR_MS + 5_000)
    assert no.value.code == 3


def test_solis_wants_the_direction_first_and_again_within_its_minutes():
    bank = make("solis_hybrid")
    bank.write(solis_hybrid.UNIT, 43136, (200,), 0)  # no direction yet
    bank.write(solis_hybrid.UNIT, 43135, (solis_hybrid.CHARGE,), 0)
    assert bank.plant.advance(5_000).order.power_w == 0
    bank.write(solis_hybrid.UNIT, 43136, (200,), 5_000)
    state = bank.plant.advance(10_000)
    assert round(state.battery_w) == -2_000
    assert number(bank, solis_hybrid.UNIT, 33149, 10_000, 2) == 2_000
    assert number(bank, solis_hybrid.UNIT, 33135, 10_000) == 0
    bank.write(solis_hybrid.UNIT, 43136, (100,), 250_000)  # a power alone winds no timer
    assert bank.plant.advance(299_900).order.power_w == -1_000
    assert bank.plant.advance(300_000).order.kind == "self"
    bank.write(solis_hybrid.UNIT, 43135, (solis_hybrid.DISCHARGE,), 300_000)
    bank.write(solis_hybrid.UNIT, 43129, (150,), 300_000)
    assert bank.plant.advance(310_000).order.power_w == 1_500
    assert number(bank, solis_hybrid.UNIT, 33135, 310_000) == 1


def test_sofar_charges_with_what_is_positive_and_keeps_it():
    bank = make("sofar_g3")
    bank.write(sofar_g3.UNIT, 0x1187, (0, 0, 0, 2_000, 0, 2_000), 0)
    assert bank.plant.advance(1_000).order.kind == "self"
    bank.write(sofar_g3.UNIT, 0x1110, (sofar_g3.PASSIVE,), 1_000)
    state = bank.plant.advance(10_000)
    assert state.battery_w < -1_900
    assert number(bank, sofar_g3.UNIT, 0x0606, 10_000) == -round(state.battery_w / 10)
    assert number(bank, sofar_g3.UNIT, 0x0488, 10_000) == -round(state.grid_w / 10)
    assert bank.plant.advance(HOUR_MS).battery_w < -1_900
    with pytest.raises(Refusal):
        bank.write(sofar_g3.UNIT, 0x1188, (100,), HOUR_MS)  # half of a value


def test_alpha_obeys_by_charge_only_and_stops_there():
    bank = make("alpha_ess_smile", soc=0.5)
    start = (1, 0, 30_000, 0, 32_000, 3, 255, 0, 60)
    bank.write(alpha_ess_smile.UNIT, 0x0880, start, 0)
    assert bank.plant.advance(1_000).order.kind == "self"  # another mode
    bank.write(alpha_ess_smile.UNIT, 0x0885, (alpha_ess_smile.BY_CHARGE,), 1_000)
    state = bank.plant.advance(10_000)
    assert round(state.battery_w) == -2_000 == number(bank, alpha_ess_smile.UNIT, 0x0126, 10_000)
    assert number(bank, alpha_ess_smile.UNIT, 0x21, 10_000, 2) == state.grid_w
    bank.write(alpha_ess_smile.UNIT, 0x0886, (100,), 10_000)  # 40 %, left behind
    assert bank.plant.advance(15_000).order.power_w == 0
    assert bank.plant.advance(59_900).order.kind == "battery"
    assert bank.plant.advance(60_000).order.kind == "self"
    assert number(bank, alpha_ess_smile.UNIT, 0x0880, 60_000) == 0


def test_sigenergy_keeps_mode_and_limits_for_ever():
    bank = make("sigenergy")
    bank.write(sigenergy.UNIT, 40032, (0, 2_000, 0, 0), 0)
    assert bank.plant.advance(1_000).order.kind == "self"
    bank.write(sigenergy.UNIT, 40031, (sigenergy.CHARGE,), 1_000)
    bank.write(sigenergy.UNIT, 40029, (sigenergy.ON,), 1_000)
    state = bank.plant.advance(10_000)
    assert round(state.battery_w) == -2_000 == -number(bank, sigenergy.UNIT, 30037, 10_000, 2)
    assert number(bank, sigenergy.UNIT, 30005, 10_000, 2) == state.grid_w
    assert bank.plant.advance(HOUR_MS).order.power_w == -2_000
    bank.write(sigenergy.UNIT, 40029, (sigenergy.OFF,), HOUR_MS)
    order = bank.plant.advance(HOUR_MS + 1_000).order
    assert (order.kind, order.low_w, order.high_w) == ("self", -2_000, 0)  # the limits hold on
    with pytest.raises(Refusal) as no:
        bank.write(sigenergy.UNIT, 40034, (0, 8_001), HOUR_MS + 1_000)
    assert no.value.code == 3


def test_solax_goes_on_by_itself_when_no_write_follows():
    bank = make("solax_g4")
    push = (solax_g4.PUSH, 1, *[0] * 10)
    bank.write(solax_g4.UNIT, 0x7C, (*push, 60, 1_500, 0), 0)
    state = bank.plant.advance(10_000)
    assert round(state.battery_w) == 1_499 or round(state.battery_w) == 1_500
    assert number(bank, solax_g4.UNIT, 0x16, 10_000) == -round(state.battery_w)
    assert number(bank, solax_g4.UNIT, 0x46, 10_000, 2, little=True) == -state.grid_w
    assert bank.plant.advance(59_900).order.kind == "battery"
    assert bank.plant.advance(60_000).order.kind == "self"
    assert number(bank, solax_g4.UNIT, 0x100, 60_000) == solax_g4.SELF
    bank.write(solax_g4.UNIT, 0x7C, (*push, 0, 0, 0), 60_000)  # untimed
    assert bank.plant.advance(659_900).order.kind == "battery"
    assert bank.plant.advance(660_000).order.kind == "self"


def test_kostal_forgets_a_power_that_is_not_renewed():
    bank = make("kostal_plenticore")
    low_word_first = struct.unpack(">2H", struct.pack(">f", 1_500.0))[::-1]
    bank.write(kostal_plenticore.UNIT, 1034, low_word_first, 0)
    state = bank.plant.advance(10_000)
    assert abs(state.battery_w - 1_500) < 5
    assert number(bank, kostal_plenticore.UNIT, 582, 10_000) == round(state.battery_w)
    fallback_ms = kostal_plenticore.FALLBACK_S * 1_000
    assert bank.plant.advance(fallback_ms - 100).order.kind == "battery"
    assert bank.plant.advance(fallback_ms).order.kind == "self"
