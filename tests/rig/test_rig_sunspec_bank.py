"""The SunSpec device: laid out as pysunspec2 has it, its timers, and what each control does to the power."""

import pytest
from rig.bank import Refusal
from rig.devices import make
from rig.sunspec_bank import BASE, CHAIN, CHAIN_124, INVERTER_UNIT, METER_UNIT, Timer, definition
from sunspec2.device import Model


def chain(bank, unit=INVERTER_UNIT):
    """(model, address, length) as a scanner finds them."""
    assert bank.read(unit, "holding", BASE, 2, 0) == b"SunS"
    at, found = BASE + 2, []
    while (head := bank.read(unit, "holding", at, 2, 0)) != b"\xff\xff\0\0":
        model, length = int.from_bytes(head[:2]), int.from_bytes(head[2:])
        found.append((model, at, length))
        at += 2 + length
    return found


@pytest.fixture
def bank():
    return make("sunspec", seed=7)


def where(bank, name):
    return next(row.address for unit, row in bank._named.values() if row.name == name)


def write(bank, name, value, now_ms=0, registers=1):
    bank.write(1, where(bank, name), [value >> 16 * n & 0xFFFF for n in reversed(range(registers))], now_ms)


def shown(bank, name, now_ms, registers=1):
    return int.from_bytes(bank.read(1, "holding", where(bank, name), registers, now_ms), signed=True)


@pytest.mark.parametrize(
    ("device", "unit", "models"),
    [("sunspec", 1, CHAIN), ("sunspec_124", 1, CHAIN_124), ("sunspec", 200, (1, 203))],
)
def test_the_chain_is_whole(device, unit, models):
    assert tuple(model for model, _, _ in chain(make(device), unit)) == models


def test_pysunspec2_decodes_every_block_without_error(bank):
    bank.plant.advance(0)
    bank.plant.advance(20_000)
    for model, address, length in chain(bank):
        data = b"".join(
            bank.read(1, "holding", at, min(100, address + length + 2 - at), 20_000)
            for at in range(address, address + length + 2, 100)
        )
        block = Model(model, data=data, model_len=length)
        assert block.error_info == "" and block.L.value == length
        for point in definition(model)["points"]:
            if point.get("mandatory") == "M" and not point["type"].startswith(("acc", "pad", "count")):
                assert block.points[point["name"]].value is not None, f"{model}.{point['name']} is mandatory"


def test_the_meter_stands_on_two_units_and_says_the_same(bank):
    bank.plant.advance(0)
    (inverter_at,) = [at for model, at, _ in chain(bank) if model == 203]
    (meter_at,) = [at for model, at, _ in chain(bank, METER_UNIT) if model == 203]
    ours, own = (
        bank.read(u, "holding", a, 107, 9_000) for u, a in ((1, inverter_at), (METER_UNIT, meter_at))
    )
    assert ours == own


def test_704_sets_the_power_and_reverts_in_time(bank):
    bank.plant.advance(0)
    write(bank, "704.WSetEnaRvrt", 0)
    write(bank, "704.WSetRvrtTms", 10, registers=2)
    write(bank, "704.WSet", -3_000 & 0xFFFF_FFFF, registers=2)
    assert shown(bank, "704.WSetRvrtRem", 0, 2) == 0  # not enabled: not running
    write(bank, "704.WSetEna", 1)
    assert shown(bank, "704.WSetRvrtRem", 0, 2) == 10
    assert bank.plant.advance(5_000).battery_ac_w == -3_000
    assert shown(bank, "704.WSetRvrtRem", 5_001, 2) == 5
    write(bank, "704.WSet", -2_000 & 0xFFFF_FFFF, 8_000, registers=2)  # restarts it
    assert bank.plant.advance(17_900).battery_ac_w == -2_000
    assert shown(bank, "704.WSetEna", 18_000) == 0
    assert bank.plant.advance(25_000).order.kind == "self"
    assert bank.plant.witness.outside == 0


def test_704_can_revert_to_a_held_zero(bank):
    bank.write(1, where(bank, "704.WSetEnaRvrt"), (1, 0, 5), 0)
    bank.write(1, where(bank, "704.WSetEna"), (1, 1, 0, 4_000), 0)
    assert bank.plant.advance(4_000).battery_ac_w == 4_000
    state = bank.plant.advance(9_000)
    assert (state.battery_ac_w, state.order.kind, shown(bank, "704.WSetEna", 9_000)) == (0, "ac", 1)


def test_704_takes_percent_and_limits_the_output(bank):
    bank.write(1, where(bank, "704.WSetEna"), (1, 0), 0)
    write(bank, "704.WSetPct", 250)
    assert bank.plant.advance(5_000).battery_ac_w == 2_500
    bank.write(1, where(bank, "704.WMaxLimPctEna"), (1, 100), 5_000)
    assert bank.plant.advance(10_000).battery_ac_w == 1_000
    write(bank, "704.WMaxLimPctRvrtTms", 3, 10_000, registers=2)
    assert bank.plant.advance(16_000).battery_ac_w == 2_500


def test_124_is_a_window_that_can_force_both_ways_and_reverts():
    bank = make("sunspec_124")
    bank.plant.advance(0)
    write(bank, "124.InOutWRte_RvrtTms", 20)
    bank.write(1, where(bank, "124.OutWRte"), (-3_000 & 0xFFFF, 3_000), 0)  # 30 % of 10 kW, charging
    write(bank, "124.StorCtl_Mod", 3)
    assert bank.plant.witness.entries[-1].demand_w == -3_000
    assert bank.plant.advance(5_000).battery_ac_w == -3_000
    bank.write(1, where(bank, "124.OutWRte"), (1_500, -1_500 & 0xFFFF), 5_000)
    assert bank.plant.advance(10_000).battery_ac_w == 1_500
    write(bank, "124.StorCtl_Mod", 1, 10_000)  # only: charge at least -15 %, that is discharge 15 %
    assert bank.plant.advance(15_000).battery_ac_w == 1_500
    assert bank.plant.advance(29_900).battery_ac_w == 1_500
    assert bank.plant.advance(35_000).order.kind == "self"
    assert shown(bank, "124.StorCtl_Mod", 35_000) == 0


def test_124_without_grid_charging_charges_from_the_sun_only():
    bank = make("sunspec_124")
    write(bank, "124.ChaGriSet", 0)
    bank.write(1, where(bank, "124.OutWRte"), (-8_000 & 0xFFFF, 8_000), 0)
    write(bank, "124.StorCtl_Mod", 3)
    state = bank.plant.advance(5_000)
    assert state.battery_ac_w == -state.pv_w


def test_123_limits_the_output_and_reverts():
    bank = make("sunspec_124", start_minute=0)  # night: self-consumption discharges
    base = bank.plant.advance(0)
    write(bank, "123.WMaxLimPct", 2)
    write(bank, "123.WMaxLimPct_RvrtTms", 5)
    write(bank, "123.WMaxLim_Ena", 1)
    assert base.load_w > 200 and bank.plant.advance(3_000).battery_ac_w == 200
    assert bank.plant.advance(8_000).battery_ac_w == bank.plant.state.load_w


def test_715_stops_everything(bank):
    bank.write(1, where(bank, "704.WSetEna"), (1, 1, 0, 4_000), 0)
    write(bank, "715.OpCtl", 0)
    assert bank.plant.advance(5_000).battery_ac_w == 0
    write(bank, "715.OpCtl", 1, 5_000)
    assert bank.plant.advance(9_000).battery_ac_w == 4_000


def test_settings_it_does_not_obey_cannot_be_written(bank):
    for name in ("121.WMax", "702.WMax", "704.WSetRvrtRem", "704.VarSetRvrtRem", "1.DA", "802.SetOp"):
        address = next(r.address for r, _ in bank._index[1].values() if r.name == name)
        with pytest.raises(Refusal) as no:
            bank.write(1, address, (1,), 0)
        assert no.value.code == 2, name
    with pytest.raises(Refusal) as no:
        write(bank, "704.WSetEna", 7)
    assert no.value.code == 3
    assert bank.plant.witness.refused == 7


def test_a_timer_rounds_up_and_ends_once():
    timer = Timer()
    assert timer.remaining_s(0) == 0 and not timer.ended(10**9)
    timer.start(3, 500)
    assert [timer.remaining_s(ms) for ms in (500, 501, 3_499, 3_500)] == [3, 3, 1, 0]
    assert [timer.ended(ms) for ms in (3_499, 3_500, 3_501)] == [False, True, False]


def test_beyond_the_nameplate_is_clamped_and_counted(bank):
    bank.write(1, where(bank, "704.WSetEna"), (1, 1, 0, 20_000), 0)
    assert bank.plant.witness.outside == 1
    assert bank.plant.advance(10_000).battery_ac_w <= 10_000


@pytest.mark.parametrize(
    ("mode", "name", "registers", "value"), [(4, "VarSet", 2, -1_200), (1, "VarSetPct", 1, -200)]
)
def test_reactive_power_is_injected_or_absorbed_until_its_timer_ends(bank, mode, name, registers, value):
    bank.plant.advance(0)
    write(bank, "704.VarSetRvrtTms", 5, 0, registers=2)
    write(bank, f"704.{name}", value, 0, registers=registers)
    write(bank, "704.VarSetMod", mode)
    write(bank, "704.VarSetEna", 1)
    assert shown(bank, "701.Var", 1_000) == -1_200
    load_var = bank.plant.state.load_var
    assert shown(bank, "203.VAR", 1_000) == load_var + 1_200
    assert shown(bank, "704.VarSetRvrtRem", 1_000, registers=2) == 4
    assert shown(bank, "701.Var", 5_100) == 0 and bank.value("704.VarSetEna") == 0
    assert bank.plant.witness.summary()["writes_var_outside_rating"] == 0


def test_more_var_than_the_rating_are_counted_and_not_given(bank):
    bank.plant.advance(0)
    write(bank, "704.VarSet", 6_001, 0, registers=2)
    write(bank, "704.VarSetEna", 1)
    assert bank.plant.witness.var_outside == 1
    assert shown(bank, "701.Var", 1_000) == bank.plant.spec.var_max


def test_it_says_when_the_grid_is_gone(bank):
    bank.plant.advance(0)
    assert shown(bank, "701.ConnSt", 100) == 1
    bank.plant.set_grid(False)
    assert shown(bank, "701.ConnSt", 200) == 0 and shown(bank, "203.W", 300) == 0
