"""The table of devices: each can be made, read whole, and drives its plant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rig.bank import Refusal
from rig.devices import DEVICES, make
from rig.physics import SiteSpec


@pytest.mark.parametrize("device", DEVICES)
def test_every_register_of_every_device_can_be_read(device):
    bank = make(device, seed=3)
    for table in bank.tables:
        for unit, index in bank._index.items():
            assert all(len(bank.read(unit, table, address, 1, 1_000)) == 2 for address in index)


@pytest.mark.parametrize("device", DEVICES)
@given(data=st.data())
def test_whatever_is_written_nothing_leaves_the_nameplate(device, data):
    bank = make(device, soc=0.5)
    held = [(unit, row) for unit, row in bank._named.values() if row.held]
    now_ms = 0
    for _ in range(data.draw(st.integers(1, 12))):
        unit, row = data.draw(st.sampled_from(held))
        values = data.draw(
            st.lists(st.integers(0, 65535), min_size=row.registers, max_size=row.registers)
            | st.sampled_from(sorted(row.allowed or {0})).map(lambda v, r=row: list(r.encode(v)))
        )
        now_ms += data.draw(st.integers(0, 3_000))
        try:
            bank.write(unit, row.address, values, now_ms)
        except Refusal as no:
            assert no.code == 3
        now_ms += 500
        state, spec = bank.plant.advance(now_ms), bank.plant.spec
        assert -spec.charge_max_w <= state.battery_ac_w <= spec.discharge_max_w
        assert state.load_w == state.pv_w + state.battery_ac_w + state.grid_w


def test_an_unknown_device_is_named():
    with pytest.raises(ValueError, match="unknown device 'powerwall': use sunspec, "):
        make("powerwall")


def test_a_site_of_ones_own_keeps_its_nameplate():
    bank = make("victron_gx", spec=SiteSpec(charge_max_w=800, discharge_max_w=900))
    assert (bank.plant.spec.charge_max_w, bank.plant.spec.discharge_max_w) == (800, 900)
    assert make("victron_gx").plant.spec.charge_max_w == 2_400
