"""Register tables: encoding, what is refused, that a refused write changes nothing."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rig.bank import FORMATS, Bank, Refusal, Row, words
from rig.physics import Order
from rig.plant import Plant


class Obedient:
    """A logic that remembers, and orders what "power" holds."""

    def __init__(self):
        self.heard = []

    def written(self, bank, names, now_ms):
        self.heard.append((names, now_ms))

    def order(self, bank, now_ms):
        return Order("ac", bank.value("power"))


ROWS = [
    Row(10, "u16", 7),
    Row(11, "s32", lambda v: v.s.grid_w),
    Row(20, "s32", -5, "power", held=True),
    Row(22, "u16", 1, "mode", held=True, allowed=range(3)),
    Row(23, "u32", 0x0001_0002, "little", held=True, little=True),
    Row(30, "str", "rig", size=3),
    Row(33, "u16", None, na=0xFFFF),
]


@pytest.fixture
def bank():
    return Bank(Plant(), {1: ROWS}, Obedient())


@given(st.sampled_from(sorted(FORMATS)), st.booleans(), st.integers(-(2**70), 2**70))
def test_numbers_go_in_and_out_or_show_the_nearest_end(kind, little, value):
    row = Row(0, kind, little=little)
    if kind == "f32":
        value = float(value % 1000)
    registers = row.encode(value)
    assert len(registers) == row.registers and all(0 <= r <= 0xFFFF for r in registers)
    back = row.decode(registers)
    if kind == "f32":
        assert back == value
        return
    bits = 16 * row.registers
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if kind[0] == "s" else (0, (1 << bits) - 1)
    assert back == min(max(value, low), high)


def test_word_order_is_the_only_difference_of_little():
    assert words(struct.pack(">I", 0x11223344)) == (0x1122, 0x3344)
    assert words(struct.pack(">I", 0x11223344), little=True) == (0x3344, 0x1122)


def test_reads_begin_and_end_inside_values(bank):
    assert bank.read(1, "holding", 10, 1, 0) == b"\0\7"
    assert bank.read(1, "holding", 12, 1, 0) == bank.read(1, "holding", 11, 2, 0)[2:]
    assert bank.read(1, "holding", 30, 4, 0) == b"rig\0\0\0\xff\xff"
    assert bank.read(1, "holding", 23, 2, 0) == b"\0\2\0\1"


@pytest.mark.parametrize(
    ("unit", "table", "address", "count", "code"),
    [
        (1, "holding", 9, 1, 2),
        (1, "holding", 13, 1, 2),
        (1, "holding", 12, 2, 2),
        (1, "input", 10, 1, 1),
        (2, "holding", 10, 1, 11),
    ],
)
def test_what_is_not_there_is_refused(bank, unit, table, address, count, code):
    with pytest.raises(Refusal) as no:
        bank.read(unit, table, address, count, 0)
    assert no.value.code == code


def test_a_write_is_journaled_with_its_demand(bank):
    bank.write(1, 20, (0, 1200), 5)
    assert bank.value("power") == 1200
    assert bank.logic.heard == [(frozenset({"power"}), 5)]
    entry = bank.plant.witness.entries[-1]
    assert (entry.at_ms, entry.address, entry.values, entry.demand_w) == (5, 20, (0, 1200), 1200)
    assert not entry.outside
    bank.write(1, 20, (0xFFFF, 0x8000), 6)  # -32768 W
    assert bank.plant.witness.outside == 1


@pytest.mark.parametrize(
    ("address", "values", "code"), [(10, (1,), 2), (22, (3,), 3), (21, (0, 9), 3), (24, (1, 1), 2)]
)
def test_a_refused_write_changes_nothing(bank, address, values, code):
    before = bank.read(1, "holding", 20, 5, 0)
    with pytest.raises(Refusal) as no:
        bank.write(1, address, values, 0)
    assert no.value.code == code
    assert bank.read(1, "holding", 20, 5, 0) == before
    assert (bank.plant.witness.writes, bank.plant.witness.refused, bank.logic.heard) == (0, 1, [])


def test_halves_can_be_written_unless_the_device_forbids_it(bank):
    bank.write(1, 21, (7,), 0)
    assert bank.value("power") == struct.unpack(">i", b"\xff\xff\0\7")[0]
    strict = Bank(Plant(), {1: ROWS}, Obedient(), whole_values=True)
    with pytest.raises(Refusal):
        strict.write(1, 21, (7,), 0)
    strict.write(1, 20, (0, 7), 0)
    assert strict.value("power") == 7


def test_frozen_measurements_stand_still_and_held_values_do_not(bank):
    bank.read(1, "holding", 10, 1, 0)
    bank.freeze(True)
    frozen = bank.read(1, "holding", 11, 2, 0)
    bank.write(1, 20, (0, 4000), 0)
    assert bank.read(1, "holding", 11, 2, 3_000) == frozen
    assert bank.read(1, "holding", 20, 2, 3_000) == b"\0\0\x0f\xa0"
    bank.freeze(False)
    assert bank.read(1, "holding", 11, 2, 3_000) != frozen


def test_rows_on_top_of_each_other_are_a_bug():
    with pytest.raises(ValueError, match="overlap at 11"):
        Bank(Plant(), {1: [Row(10, "u32", 0), Row(11, "u16", 0)]}, Obedient())
    with pytest.raises(ValueError, match="no mark"):
        Row(1, "u16", None).encode(None)
