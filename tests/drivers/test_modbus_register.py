"""The words of a register-map profile: what each may say, each mistake at its place, and the codec's view."""

import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.modbus.codec import FLOATS, TYPES, Decoder, Field
from drivers.modbus.register import Register, Value
from gateway.model import Quality


def register(**said: object) -> Register:
    return Register.model_validate({"address": 10, "type": "u16"} | said)


def mistakes(**said: object) -> dict[str, str]:
    """place -> message of all that is wrong."""
    with pytest.raises(ValidationError) as refused:
        register(**said)
    return {"/".join(map(str, e["loc"])): e["msg"] for e in refused.value.errors()}


def test_what_is_not_said_has_the_plainest_meaning() -> None:
    plain = register()
    assert plain.field("a_w") == Field("a_w", 10, "u16", unit=None)
    assert (plain.table, plain.little, plain.signed_scale, plain.mask) == ("holding", False, Fraction(1), 0)


def test_the_codec_s_view_has_everything_that_was_said() -> None:
    said = register(
        type="s32",
        words="little",
        scale="1/10",
        negate=True,
        table="input",
        absent=[0x80000000, -1],
        mask=0xFF00,
        unit=7,
        zero=32_000,
    )
    assert said.field("a_w", -5, 5) == Field(
        "a_w", 10, "s32", True, Fraction(-1, 10), (0x80000000, -1), 0xFF00, -5, 5, 7, "input", zero=32_000
    )


@pytest.mark.parametrize(
    ("said", "place", "says"),
    [
        ({"address": 65535, "type": "u32"}, "address", "u32 at 65535 ends past 65535"),
        ({"address": 65533, "type": "f64"}, "address", "f64 at 65533 ends past 65535"),
        ({"address": 65536}, "address", "less than or equal to 65535"),
        ({"address": -1}, "address", "greater than or equal to 0"),
        ({"address": "x"}, "address", "valid integer"),
        ({"type": "u24"}, "type", "Input should be 'u16', 's16'"),
        ({"words": "middle"}, "words", "'big' or 'little'"),
        ({"table": "coils"}, "table", "'holding' or 'input'"),
        ({"unit": 256}, "unit", "less than or equal to 255"),
        ({"mask": 65536}, "mask", "mask does not fit u16"),
        ({"mask": 1, "type": "f32"}, "mask", "mask does not fit f32"),
        ({"mask": -1}, "mask", "greater than or equal to 0"),
        ({"zero": -1}, "zero", "greater than or equal to 0"),
        ({"zero": 32_768, "type": "s16"}, "zero", "does not fit s16"),
        ({"zero": 1, "type": "f32"}, "zero", "does not fit f32"),
        ({"absent": [1, 65536]}, "absent/1", "65536 does not fit u16"),
        ({"absent": [-32769]}, "absent/0", "-32769 does not fit u16"),
        ({"scale": 0}, "scale", "must be positive"),
        ({"scale": "1/0"}, "scale", "must be a number such as 10, 0.1 or 1/10"),
        ({"scale": True}, "scale", "must be a number"),
        ({"scal": 2}, "scal", "not permitted"),
    ],
)
def test_each_mistake_is_named_at_its_place(said: dict, place: str, says: str) -> None:
    found = mistakes(**said)
    assert list(found) == [place] and says in found[place], found


def test_all_that_does_not_fit_is_said_at_once() -> None:
    found = mistakes(address=65535, type="u32", mask=2**32, absent=[2**32, 0, -(2**33)])
    assert list(found) == ["address", "mask", "absent/0", "absent/2"]


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ValidationError) as refused:
        Register.model_validate({})
    assert {e["loc"] for e in refused.value.errors()} == {("type",), ("address",)}


@pytest.mark.parametrize(("type_", "last"), [("u16", 65535), ("s32", 65534), ("f64", 65532)])
def test_the_last_registers_there_are_may_be_used(type_: str, last: int) -> None:
    assert register(address=last, type=type_).field("a_w").end == 65536


def test_a_register_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        register().address = 3


def test_the_schema_takes_a_scale_as_number_or_text() -> None:
    scale = Value.model_json_schema()["properties"]["scale"]
    assert {one["type"] for one in scale["anyOf"]} == {"number", "string"} and scale["default"] == "1"


REGISTERS = st.fixed_dictionaries(
    {"address": st.integers(-2, 0x10002), "type": st.sampled_from(sorted(TYPES))},
    optional={
        "mask": st.integers(0, 2**65),
        "absent": st.lists(st.integers(-(2**65), 2**65), max_size=2),
        "negate": st.booleans(),
    },
)


@given(REGISTERS, st.binary(min_size=8, max_size=8))
def test_whatever_is_accepted_decodes_and_nothing_else_is_accepted(said: dict, data: bytes) -> None:
    bits = 16 * TYPES[said["type"]][1]
    mask = said.get("mask", 0)
    sound = 0 <= said["address"] <= 65536 - bits // 16
    sound &= not mask or (mask < 2**bits and said["type"] not in FLOATS)
    sound &= all(-(2 ** (bits - 1)) <= p < 2**bits for p in said.get("absent", ()))
    if not sound:
        assert mistakes(**said)
        return
    field = register(**said).field("a_w")
    values, qualities = Decoder([field], field.address, field.count).decode(data[: 2 * field.count])
    assert len(values) == 1 and Quality(qualities[0]) in Quality


@given(st.integers(-(2**15), 2**15 - 1), st.fractions(0, 100, max_denominator=100).filter(bool))
def test_negate_turns_the_device_s_sign_round(native: int, scale: Fraction) -> None:
    both = [register(type="s16", scale=str(scale), negate=turned) for turned in (False, True)]
    assert both[1].signed_scale == -both[0].signed_scale == -scale
    data = struct.pack(">h", native)
    ours, theirs = (Decoder([r.field("a_w")], 10, 1).decode(data)[0][0] for r in both)
    assert abs(ours + theirs) <= 1  # ties go up, either way
