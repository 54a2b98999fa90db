"""Compiled layouts against pysunspec2's own Model, for every supported model on random registers."""

import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sunspec2.device import Model

from drivers.sunspec.models import HEADER, LENGTH_MAX, SIGNED_ACC32, SUPPORTED, TYPES, layout, spanning
from drivers.sunspec.values import SF_ABSENT, decode
from gateway.model import Quality
from tests.drivers.sunspec_image import PORTS_714

COUNTED = {714: "NPrt", 803: "NStr", 804: "NMod"}
PLACES = 12  # enough to compare any scale factor without rounding


def fixed(model: int) -> int:
    """L of a model without its repeating groups."""
    known = layout(model, LENGTH_MAX)
    assert known
    first = next((f for f in known.fields if ".1." in f.name), known.fields[-1])
    return first.offset - HEADER + (0 if ".1." in first.name else first.registers)


def size(model: int) -> int:
    """Registers of one instance of the repeating group, 0 without one."""
    known = layout(model, LENGTH_MAX)
    assert known
    starts = {f.name.split(".")[1]: f.offset for f in reversed(known.fields) if f.name.count(".") == 2}
    return starts["2"] - starts["1"] if starts else 0


@st.composite
def images(draw: st.DrawFn) -> tuple[int, int, bytes]:
    """(model, L, registers with header): counts that fit, scale factors in range or absent."""
    model = draw(st.sampled_from(sorted(SUPPORTED)))
    instances = draw(st.integers(1, 3)) if size(model) else 0
    length = fixed(model) + instances * size(model)
    data = bytearray(
        struct.pack(">HH", model, length) + draw(st.binary(min_size=2 * length, max_size=2 * length))
    )
    known = layout(model, length)
    assert known
    for field in known.fields:
        if field.type == "sunssf":
            sf = draw(st.sampled_from([SF_ABSENT, -10, -3, -2, -1, 0, 1, 2, 10]))
            struct.pack_into(">h", data, 2 * field.offset, sf)
        elif field.type == "string":
            data[2 * field.offset : 2 * (field.offset + field.registers)] = b"ab".ljust(
                2 * field.registers, b"\0"
            )
        elif draw(st.integers(0, 9)) == 0 and field.absent is not None:
            struct.pack_into(">" + field.code, data, 2 * field.offset, field.absent)
    if model in COUNTED:
        struct.pack_into(">H", data, 2 * known.by_name[COUNTED[model]].offset, instances)
    return model, length, bytes(data)


def independent(model: Model) -> dict[str, Any]:
    """pysunspec2's points by our names."""
    found: dict[str, Any] = dict(model.points)
    for name, groups in model.groups.items():
        many = isinstance(groups, list)
        for index, group in enumerate(groups if many else [groups], start=1):
            found.update({f"{name}.{f'{index}.' if many else ''}{key}": p for key, p in group.points.items()})
    return found


@settings(max_examples=250, deadline=None)
@given(images())
def test_every_point_of_every_model_reads_as_pysunspec2_reads_it(image: tuple[int, int, bytes]) -> None:
    model, length, data = image
    known = layout(model, length)
    assert known
    raw = known.unpack(data)
    theirs = independent(Model(model, data=data, model_len=length))
    assert set(raw) == set(theirs)
    for field in known.fields:
        if field.name in ("ID", "L"):
            continue
        value = theirs[field.name].value
        if field.type == "string":
            assert raw[field.name].rstrip(b"\0").decode() == value
            continue
        sf = raw[field.scale] if field.scale else 0
        number, quality = decode(raw[field.name], field.absent, sf, PLACES)
        if value is None or sf == SF_ABSENT:
            assert quality is Quality.ABSENT
        elif quality is Quality.GOOD:
            value -= 2**32 if field.type == SIGNED_ACC32 and value >= 2**31 else 0
            scaled = value * 10.0**sf * 10**PLACES
            assert number == pytest.approx(scaled, rel=1e-9, abs=1)
        else:
            assert quality is Quality.INVALID  # out of int64 or infinite
            assert abs(value * 10.0 ** (sf + PLACES)) > 2**62


@pytest.mark.parametrize("model", sorted(SUPPORTED))
def test_what_pysunspec2_encodes_is_what_the_layout_reads(model: int) -> None:
    """Every numeric point gets its own value through pysunspec2 and comes back from our struct."""
    known = layout(model, fixed(model) + 2 * size(model))
    assert known
    blank = bytearray(2 * (known.length + HEADER))
    if model in COUNTED:
        struct.pack_into(">H", blank, 2 * known.by_name[COUNTED[model]].offset, 2)
    theirs = Model(model, data=bytes(blank), model_len=known.length)
    expected = {}
    for number, (name, point) in enumerate(independent(theirs).items(), start=1):
        kind = known.by_name[name].type
        if name not in ("ID", "L", COUNTED.get(model)) and kind not in ("string", "pad"):
            point.value = expected[name] = number
    raw = known.unpack(theirs.get_mb())
    assert {name: raw[name] for name in expected} == expected


def test_not_implemented_values_are_those_of_the_library() -> None:
    from sunspec2.mb import point_type_info

    for name, kind in TYPES.items():
        if kind.absent is not None:
            theirs = point_type_info["acc32" if name == SIGNED_ACC32 else name]
            assert not theirs.is_impl(kind.absent)
            assert kind.registers == theirs.len


def test_layouts_are_compiled_once() -> None:
    assert layout(103, 50) is layout(103, 50)


@pytest.mark.parametrize(("model", "length"), [(64001, 10), (705, 60), (0xFFFF, 0), (103, LENGTH_MAX + 1)])
def test_unknown_or_absurd_models_have_no_layout(model: int, length: int) -> None:
    assert layout(model, length) is None


def test_a_shorter_model_loses_only_the_points_that_do_not_fit() -> None:
    whole, short = layout(103, 50), layout(103, 19)
    assert whole and short
    fitting = [f for f in whole.fields if f.offset + f.registers <= 21]
    assert fitting[-1].name == "VAr" and short.fields == tuple(fitting[:-1])  # VAr_SF would be the next
    assert layout(1, 65) and "Pad" not in layout(1, 65).by_name  # the old common model


@pytest.mark.parametrize("model", sorted(SUPPORTED))
def test_however_short_a_model_is_no_value_is_without_its_scale_factor(model: int) -> None:
    for length in range(fixed(model) + 1):
        known = layout(model, length)
        assert known and all(not f.scale or f.scale in known.by_name for f in known.fields)
        assert len(known.unpack(bytes(2 * (length + HEADER)))) == len(known.fields)


def test_groups_repeat_as_often_as_the_length_holds() -> None:
    known = layout(714, len(PORTS_714) // 2 - HEADER)
    assert known and known.instances("Prt") == 2 and known.instances("module") == 0
    assert known.by_name["Prt.2.DCW"].offset - known.by_name["Prt.1.DCW"].offset == 25
    assert layout(160, 8).instances("module") == 0
    assert layout(704, 65).by_name["PFWAbsRvrt.Ext"].offset == 66


def test_fields_of_every_model_lie_without_gap_or_overlap() -> None:
    for model in SUPPORTED:
        known = layout(model, fixed(model) + 2 * size(model))
        assert known
        at = 0
        for field in known.fields:
            assert field.offset == at
            at += field.registers
        assert at == known.length + HEADER
        assert all(f.scale == "" or known.by_name[f.scale].type == "sunssf" for f in known.fields)


def test_spanning_skips_what_was_not_asked() -> None:
    known = layout(103, 50)
    assert known
    picked = [known.by_name["W"], known.by_name["W_SF"]]
    assert spanning(picked, 10, 20).size == 40
    assert spanning(picked, 10, 20).unpack(bytes(8) + b"\x01\x02\xff\xff" + bytes(28)) == (0x102, -1)


def test_definitions_have_the_types_the_table_knows() -> None:
    from importlib.resources import files

    def kinds(group: dict[str, Any]) -> set[str]:
        inner = [kinds(g) for g in group.get("groups", ())]
        return {p["type"] for p in group["points"]}.union(*inner)

    for model in SUPPORTED:
        text = files("sunspec2").joinpath(f"models/json/model_{model}.json").read_text("utf-8")
        assert kinds(json.loads(text)["group"]) <= set(TYPES)
