"""The frame codec: every recorded frame, signs, sentinels, lengths; fuzzed whole, cut and as garbage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can.codec import Role, decode
from drivers.flags import ALARMS, FLAGS
from gateway.driver import CanFrame
from gateway.errors import FrameError
from gateway.model import Quality
from tests.drivers.can_bench import JK, SETS, frame, own, shipped, table

KEYS = sorted(table().frames)


def told(one: CanFrame, of=None) -> dict[str, tuple[int, Quality]]:
    of = of or table()
    found = decode(of, one)
    return {
        of.points[of.slots[i].point]: said
        for i, said in found.slots.items()
        if of.slots[i].role is not Role.GATE
    }


@pytest.mark.parametrize("recorded", SETS, ids=lambda s: s["name"])
def test_recorded_frames_mean_what_was_decoded_by_hand(recorded):
    found, texts = {}, {}
    for id, data in recorded["frames"].items():
        one = frame(id, data)
        found.update(told(one))
        texts.update({key: text for (key, _), text in decode(table(), one).texts.items()})
    expected = {k: (v, Quality.GOOD) for k, v in recorded["good"].items() if k != "battery_power_w"}
    assert found == expected
    assert texts == recorded["texts"]


@pytest.mark.parametrize("recorded", JK, ids=lambda s: s["name"])
def test_another_family_is_another_pair_of_files(recorded):
    found = {}
    for id, data in recorded["frames"].items():
        found.update(told(frame(id, data), table("jk_can")))
    assert found == {k: (v, Quality.GOOD) for k, v in recorded["good"].items() if k != "battery_power_w"}


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ("0000000000000000", set()),
        ("0100000000000000", {"over_volt_alarm"}),
        ("0300000000000000", {"over_volt_warning"}),
        ("00C0030000000000", {"over_temp_warning", "under_temp_warning"}),  # 7.4 of the maker's protocol
        ("0F00000000000000", {"over_volt_warning", "under_volt_warning"}),  # 7.3
        ("0000300000000000", {"under_soc_min_warning"}),  # 7.2
        ("0008000000000000", {"over_discharge_current_alarm"}),
        ("0000400000000000", {"ground_fault"}),
        ("0000000500000000", {"other_alarm", "communication_error"}),
    ],
)
def test_levels_of_an_alarm(data, names):
    value, _ = told(frame(0x7F4, data), table("jk_can"))["battery_alarms_flags"]
    assert value == sum(1 << ALARMS[name] for name in names)


def test_short_frame_tells_only_what_it_holds():
    whole = told(frame(0x351, "1002C012C012C201"))
    short = told(frame(0x351, "1002C012C012"))
    assert whole.keys() - short.keys() == {"discharge_voltage_limit_mv"}
    assert all(whole[name] == short[name] for name in short)


@pytest.mark.parametrize(
    ("id", "data", "point"),
    [
        (0x351, "FFFFC012C012C201", "charge_voltage_limit_mv"),
        (0x351, "00800080C012C201", "charge_limit_ma"),
        (0x351, "0080FFFF00800080", "charge_limit_ma"),
        (0x351, "008000800080FFFF", "discharge_limit_ma"),
        (0x351, "1002C012FFFFC201", "discharge_limit_ma"),
        (0x355, "FFFF6400", "battery_soc_bp"),
        (0x355, "0080FFFF", "battery_soh_bp"),
        (0x356, "008000800080", "battery_voltage_mv"),
        (0x356, "7B1300806B01", "battery_current_ma"),
        (0x356, "7B13E9FE0080", "battery_temperature_cc"),
        (0x378, "FFFFFFFF2B070000", "battery_charged_wh"),
    ],
)
def test_sentinels_are_absent_never_a_number(id, data, point):
    assert told(frame(id, data))[point] == (0, Quality.ABSENT)


@pytest.mark.parametrize(
    ("id", "data", "point", "value"),
    [
        (0x355, "66006400", "battery_soc_bp", 10200),  # 102 %
        (0x351, "1002FEFFC012C201", "charge_limit_ma", -200),
        (0x351, "0000C012C012C201", "charge_voltage_limit_mv", 0),
        (0x356, "0000E9FE6B01", "battery_voltage_mv", 0),
        (0x356, "7B13E9FEFF7F", "battery_temperature_cc", 327670),
        (0x373, "00000000E803E803", "battery_cell_min_mv", 0),
    ],
)
def test_implausible_values_are_invalid(id, data, point, value):
    assert told(frame(id, data))[point] == (value, Quality.INVALID)


def test_minus_one_is_a_current_and_a_temperature():
    found = told(frame(0x356, "7B13FFFFFFFF"))
    assert found["battery_current_ma"] == (100, Quality.GOOD)
    assert found["battery_temperature_cc"] == (-10, Quality.GOOD)


@pytest.mark.parametrize("wire", ["C012", "40ED"])  # +480.0 A and -480.0 A
def test_discharge_limit_is_a_magnitude_whatever_its_sign(wire):
    assert told(frame(0x351, f"1002C012{wire}C201"))["discharge_limit_ma"] == (480_000, Quality.GOOD)


def test_the_sign_of_current_follows_the_profile():
    other = own({**shipped(), "positive_current": "discharging"}).table().codec
    one = frame(0x356, "7B13E9FE6B01")
    assert told(one)["battery_current_ma"] == (27_900, Quality.GOOD)
    assert told(one, other)["battery_current_ma"] == (-27_900, Quality.GOOD)


@pytest.mark.parametrize(
    ("data", "soc"),
    [
        ("320064008813", 5000),
        ("32006400B513", 5045),
        ("320064002413", 4900),
        ("320064002313", 5000),  # 48.99 % is not what a device means that says 50 %
        ("320064000000", 5000),
        ("32006400FFFF", 5000),
    ],
)
def test_finer_soc_is_used_while_it_agrees_with_the_coarse_one(data, soc):
    assert told(frame(0x355, data))["battery_soc_bp"] == (soc, Quality.GOOD)


def test_finer_soc_does_not_stand_in_for_a_missing_one():
    assert told(frame(0x355, "FFFF64008813"))["battery_soc_bp"] == (0, Quality.ABSENT)
    assert told(frame(0x355, "660064008813"))["battery_soc_bp"] == (10200, Quality.INVALID)


@pytest.mark.parametrize(
    ("id", "data", "names"),
    [
        (0x359, "02000000010000", {"over_volt_alarm"}),
        (0x359, "80090000010000", {"over_discharge_current_alarm", "over_charge_current_alarm",
                                   "other_alarm"}),
        (0x359, "00001E08010000", {"over_volt_warning", "under_volt_warning", "over_temp_warning",
                                   "under_temp_warning", "other_warning"}),
        (0x35A, "0400000000000000", {"over_volt_alarm"}),
        (0x35A, "0800000000000000", set()),  # leaving
        (0x35A, "0C00000000000000", set()),  # both bits: not supported
        (0x35A, "0004000000000000", {"over_temp_alarm"}),
        (0x35A, "0000040000000000", {"contactor_error"}),
        (0x35A, "0000000100000000", {"voltage_imbalance_warning"}),
        (0x35A, "0000000004000000", {"over_volt_warning"}),
        (0x35A, "5555550155555501", set(ALARMS) - {n for n in ALARMS if n not in {
            "other_alarm", "over_volt_alarm", "under_volt_alarm", "over_temp_alarm", "under_temp_alarm",
            "over_discharge_current_alarm", "over_charge_current_alarm", "contactor_error",
            "voltage_imbalance_warning", "other_warning", "over_volt_warning", "under_volt_warning",
            "over_temp_warning", "under_temp_warning", "over_discharge_current_warning",
            "over_charge_current_warning"}}),
    ],
)  # fmt: skip
def test_alarm_bits(id, data, names):
    value, quality = told(frame(id, data))["battery_alarms_flags"]
    assert (value, quality) == (sum(1 << ALARMS[n] for n in names), Quality.GOOD)


def test_flag_bits_are_distinct():
    for bits in FLAGS.values():
        assert len(set(bits.values())) == len(bits)


def test_text_is_printable_ascii_or_nothing():
    assert decode(table(), frame(0x35E, "5059544553")).texts == {("vendor", 1): "PYTES"}
    assert decode(table(), frame(0x35E, "50C3590000000000")).texts == {}
    assert decode(table(), frame(0x35E, "500A590000000000")).texts == {}
    assert decode(table(), frame(0x35E, "2020202020202020")).texts == {}


@given(st.integers(0, 0x1FFF_FFFF), st.booleans(), st.binary(max_size=8))
def test_a_wrong_id_or_length_is_never_a_reading(id, extended, data):
    spec = table().frames.get((id, extended))
    if spec is not None and len(data) in spec.lengths:
        return
    with pytest.raises(FrameError):
        decode(table(), CanFrame(id, data, extended))


@given(st.sampled_from(KEYS), st.binary(max_size=12), st.booleans())
def test_any_bytes_give_values_in_range_or_a_frame_error(key, data, turn):
    extended = key[1] is not turn
    try:
        found = decode(table(), CanFrame(key[0], data, extended))
    except FrameError:
        assert extended or len(data) not in table().frames[key].lengths
        return
    spec = table().frames[key]
    limits = {f.slot: (f.least, f.most) for f in spec.fields}
    for slot, (value, quality) in found.slots.items():
        assert isinstance(value, int)
        if quality is Quality.GOOD and slot in limits:
            assert limits[slot][0] <= value <= limits[slot][1]
        if quality is Quality.ABSENT:
            assert value == 0


@given(st.sampled_from(SETS), st.integers(0, 8))
def test_a_recorded_frame_cut_anywhere_tells_no_other_value(recorded, size):
    for id, text in recorded["frames"].items():
        whole = told(frame(id, text))
        try:
            cut = told(CanFrame(id, bytes.fromhex(text)[:size]))
        except FrameError:
            continue
        for name, said in cut.items():
            assert said == whole[name] or name == "battery_soc_bp"  # its finer half may be cut off
