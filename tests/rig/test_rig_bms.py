"""The BMS: frames that decode back to the physics, faults, keep-alive, and what the witness is told."""

import struct

import pytest
from rig.bms import KEEP_ALIVE, Bms
from rig.plant import Plant


@pytest.fixture
def plant():
    made = Plant(soc=0.6)
    made.advance(0)
    made.advance(10_000)
    return made


def sent(bms, now_ms=10_000):
    return dict(bms.frames(now_ms))


def test_the_frames_say_what_the_battery_does(plant):
    frames, state = sent(Bms(plant)), plant.state
    volts, charge, discharge, empty = struct.unpack("<HhhH", frames[0x351])
    assert (volts, empty) == (568, 448)
    assert (charge, discharge) == (int(state.charge_limit_a * 10), int(state.discharge_limit_a * 10))
    soc, soh, fine = struct.unpack("<HHH", frames[0x355])
    assert (soc, soh, fine) == (int(state.soc * 100), 98, round(state.soc * 10_000))
    voltage, current, temperature = struct.unpack("<hhh", frames[0x356])
    assert voltage == round(state.voltage_v * 100)
    assert current == round(-state.current_a * 10) > 0  # charging at noon
    assert temperature == round(state.temperature_c * 10)
    assert frames[0x359][:4] == bytes(4) and frames[0x359].endswith(b"PN")
    assert frames[0x35C][0] == 0xC0 and frames[0x35E] == b"PYLON   "
    low, high, cold, warm = struct.unpack("<HHHH", frames[0x373])
    assert low < state.voltage_v * 1000 / 16 < high and cold <= round(state.temperature_c + 273.15) <= warm


def test_a_full_battery_takes_back_the_permission_to_charge(plant):
    plant.set_soc(1.0)
    frames = sent(Bms(plant), 10_200)
    assert frames[0x35C][0] == 0x40 and struct.unpack("<HhhH", frames[0x351])[1] == 0


@pytest.mark.parametrize(
    ("kind", "limits"),
    [("zero", bytes(4)), ("sentinel", b"\x00\x80\x00\x80"), ("no_351", None), ("silent", None)],
)
def test_faults(plant, kind, limits):
    bms = Bms(plant)
    bms.bind()
    bms.break_as(kind)
    frames = sent(bms)
    assert (frames.get(0x351) or bytes(8))[2:6] == (limits or bytes(4))
    assert (0x351 in frames) is (limits is not None)
    assert (0x355 in frames) is (kind != "silent")
    assert plant.witness.allowed(20_000) == (0, 0)
    bms.clear()
    assert sent(bms, 20_000)[0x351][2:6] != bytes(4)
    assert plant.witness.allowed(20_000) == (10_000, 10_000)


def test_an_unknown_fault_is_named(plant):
    with pytest.raises(ValueError, match="unknown bms fault 'angry'"):
        Bms(plant).break_as("angry")


def test_without_a_keep_alive_it_falls_silent(plant):
    bms = Bms(plant, listen_s=60)
    assert sent(bms, 10_000) and sent(bms, 70_000)
    assert not sent(bms, 71_000)
    bms.hear(0x351, 72_000)
    assert not sent(bms, 72_000)
    bms.hear(KEEP_ALIVE, 73_000)
    assert sent(bms, 73_000)
    assert bms.report() == {"rounds": 3, "keep_alives": 1, "faults": []}
