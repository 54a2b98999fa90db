"""Serial numbers out of captures: by a profile's register text, by SunSpec's common model, by CAN frames."""

from dataclasses import replace

from sunspec2.device import Model

from drivers.can import PLUGIN as CAN
from drivers.mask import Place, blank, read_of
from drivers.modbus import PLUGIN as MODBUS
from drivers.modbus.table import Table, Text
from drivers.sunspec import PLUGIN as SUNSPEC
from drivers.sunspec.mask import SN_AT, SN_COUNT
from tests.drivers.can_bench import profile


def read(address, data, function=3, unit=1):
    return {
        "ms": 1,
        "unit": unit,
        "ask": bytes([function, *address.to_bytes(2), *(len(data) // 2).to_bytes(2)]).hex(),
        "got": bytes([function, len(data), *data]).hex(),
    }


def test_only_the_text_is_masked_and_its_zeros_stay():
    event = read(98, b"aabbSER1\0\0cc")
    masked = blank(event, (Place("holding", 100, 3),))
    assert read_of(masked) == ("holding", 98, b"aabbXXXX\0\0cc")
    assert {**masked, "got": ""} == {**event, "got": ""}


def test_a_capture_that_asks_for_more_than_a_read_can_is_no_read():
    """Captures come from other people."""
    for count in ("00c8", "0100", "ffff"):
        assert read_of({"ask": f"030062{count}", "got": "0300"}) is None
    assert read_of({"ask": "030062007d", "got": "03fa" + "00" * 250}) == ("holding", 98, bytes(250))


def test_a_part_of_the_text_another_table_and_another_unit():
    place = Place("holding", 100, 4, unit=3)
    assert read_of(blank(read(102, b"SERIAL", unit=3), (place,)))[2] == b"XXXXAL"
    assert read_of(blank(read(90, b"ABCD", unit=3), (place,)))[2] == b"ABCD"
    assert read_of(blank(read(110, b"ABCD", unit=3), (place,)))[2] == b"ABCD"
    assert read_of(blank(read(100, b"ABCD", unit=4), (place,)))[2] == b"ABCD"
    assert read_of(blank(read(100, b"ABCD", 4, unit=3), (place,)))[2] == b"ABCD"


def test_what_is_no_read_stays_as_it_is():
    for said in (
        {},
        {"ask": "zz", "got": "03"},
        {"ask": "0300010001", "got": "8302"},
        {"ask": 7, "got": "0302"},
    ):
        event = {"ms": 1, **said}
        assert blank(event, (Place("holding", 0, 100),)) == event


def test_a_register_profile_says_where_its_serial_number_is():
    table = Table("v", "m", "simulated", "", (), identity={"serial": Text(10, 2), "model": Text(20, 2)})
    mask = MODBUS.masker(table)
    assert read_of(mask(read(10, b"S123")))[2] == b"XXXX"
    assert read_of(mask(read(20, b"MODL")))[2] == b"MODL"
    number = replace(table, identity={"serial": Text(10, 2, number=True, little=True)})
    assert read_of(MODBUS.masker(number)(read(10, b"\xd6\x87\x12\x34")))[2] == b"XXXX"
    assert read_of(MODBUS.masker(replace(table, identity={}))(read(10, b"S123")))[2] == b"S123"


def test_a_sunspec_map_is_found_where_its_marker_is():
    mask = SUNSPEC.masker(None)
    before = read(40000 + 2 + SN_AT, b"S" * 32)
    assert mask(before) == before  # nobody has seen a map yet
    mask(read(40000, b"SunS"))
    assert read_of(mask(read(40004, b"M" * 66 * 2)))[2] == b"M" * 96 + b"X" * 32 + b"M" * 4
    assert read_of(mask(read(40004, b"M" * 132, unit=9)))[2] == b"M" * 132


def test_the_place_is_that_of_the_specification():
    common = Model(1)
    assert common.points["SN"].offset == SN_AT and common.points["SN"].len == SN_COUNT


def test_can_frames_with_a_serial_number():
    mask = CAN.masker(profile().table())
    serial = {"ms": 1, "can": "380", "data": b"AB12\0\0\0\0".hex()}
    assert mask(serial)["data"] == (b"XXXX\0\0\0\0").hex()
    voltage = {"ms": 1, "can": "356", "data": "320a00002701"}
    assert mask(voltage) == voltage
    assert mask({"ms": 2, "connect": True}) == {"ms": 2, "connect": True}
