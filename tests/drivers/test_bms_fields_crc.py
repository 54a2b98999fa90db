"""Fields in order, never past the end; text up to its zero; the CRC of Modbus against pymodbus."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer.rtu import FramerRTU

from drivers.bms.crc import crc16
from drivers.bms.fields import Fields, text
from gateway.errors import FrameError


@given(st.binary(min_size=1, max_size=300))
def test_the_crc_is_that_of_another_implementation(data):
    assert crc16(data) == FramerRTU.compute_CRC(data).to_bytes(2, "big")


def test_fields_are_taken_in_order():
    fields = Fields(bytes([1, 2, 0xFF, 0xFE, 2, 5, 6, 7]), "test")
    assert fields.number(2) == 0x0102
    assert fields.number(2, signed=True) == -2
    assert fields.numbers(fields.counted(2), 1) == [5, 6]
    assert fields.left == 1
    with pytest.raises(FrameError, match="test: 1 bytes too many"):
        fields.end()
    with pytest.raises(FrameError, match="test: 8 bytes are too few"):
        fields.take(2)
    assert fields.take(1) == b"\x07"
    fields.end()


def test_more_than_there_can_be_is_refused():
    with pytest.raises(FrameError, match="17 of at most 16"):
        Fields(b"\x11", "test").counted(16)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"JK-B2A24S\0\0x", "JK-B2A24S"),
        (b" US3000 ", "US3000"),
        (b"\0rest", ""),
        (b"", ""),
        (b"a\xff", "a\ufffd"),
    ],
)
def test_text_ends_at_its_zero_and_is_never_refused(raw, said):
    assert text(raw) == said


@given(st.binary(max_size=40))
def test_any_bytes_give_a_text_without_zeros(raw):
    assert "\0" not in text(raw) and text(raw) == text(raw).strip()
