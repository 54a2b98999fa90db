"""The read plan: nothing over 125 registers, scale factors beside their values, and exact operations."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.sunspec.binding import Bound, Present, Term, bind, for_role
from drivers.sunspec.blocks import HOLE_MAX, READ_MAX, Operation, Program, program
from drivers.sunspec.models import layout
from drivers.sunspec.scan import Found
from drivers.sunspec.values import SF_ABSENT, decode
from gateway.errors import FrameError
from gateway.model import INT64_MAX, Quality
from tests.drivers.sunspec_image import COMMON, INVERTER_103, NAMEPLATE_120, STORAGE_124, model_bytes
from tests.drivers.test_sunspec_binding import chain, profile

# Models of every shape: short, long, with groups whose scale factors are far away.
SHAPES = (
    (103, 50),
    (113, 60),
    (203, 105),
    (213, 124),
    (701, 153),
    (124, 24),
    (160, 408),
    (160, 128),
    (802, 62),
)


def present(model: int, length: int, address: int) -> Present:
    known = layout(model, length)
    assert known
    return Present(Found(model, address, length), known)


@st.composite
def bounds(draw: st.DrawFn) -> list[Bound]:
    """Points of any fields of a chain of models, some far apart."""
    address, models = draw(st.sampled_from([2, 40002])), []
    for model, length in draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=4)):
        address += draw(st.sampled_from([0, 10, HOLE_MAX, HOLE_MAX + 1, 300]))
        models.append(present(model, length, address))
        address = models[-1].found.end
    made = []
    for number in range(draw(st.integers(1, 12))):
        one = draw(st.sampled_from(models))
        numeric = [
            f for f in one.layout.fields if f.type not in ("string", "pad") and f.name not in ("ID", "L")
        ]
        fields = draw(st.lists(st.sampled_from(numeric), min_size=1, max_size=3, unique=True))
        terms = tuple(
            Term(one, f, one.layout.by_name[f.scale] if f.scale else None, draw(st.sampled_from([1, -1])))
            for f in fields
        )
        made.append(
            Bound(f"p{number}_w", terms, draw(st.booleans()), 0, draw(st.booleans()), draw(st.booleans()))
        )
    return made


def image(made: Sequence[Bound], data: bytes) -> dict[int, int]:
    """Registers of all models, headers right and scale factors small, from a repeated pattern."""
    registers: dict[int, int] = {}
    for present in {t.model for b in made for t in b.terms}:
        at = present.found.address
        for i in range(present.found.length + 2):
            registers[at + i] = data[(at + i) % len(data)] << 8 | data[(7 * i) % len(data)]
        registers[at], registers[at + 1] = present.found.model, present.found.length
        for number, field in enumerate(present.layout.fields):
            if field.type == "sunssf":
                registers[at + field.offset] = (SF_ABSENT, -2, 0, 1)[number % 4] & 0xFFFF
    return registers


def poll(plan: Program, registers: dict[int, int], *, slow: bool) -> list[Any]:
    raw: list[Any] = []
    for block in (*plan.fast, *plan.slow) if slow else plan.fast:
        data = b"".join(
            registers.get(a, 0).to_bytes(2) for a in range(block.address, block.address + block.count)
        )
        raw.extend(block.take(data))
    return raw


def straight(bound: Bound, registers: dict[int, int]) -> tuple[int, Quality]:
    """The same value taken directly from whole models."""
    total, having = 0, 0
    for term in bound.terms:
        at, known = term.model.found.address, term.model.layout
        raw = known.unpack(b"".join(registers[at + i].to_bytes(2) for i in range(known.length + 2)))
        sf = raw[term.scale.name] if term.scale else 0
        value, quality = decode(raw[term.field.name], term.field.absent, sf, 0, down=bound.down)
        if quality is Quality.INVALID or (
            quality is Quality.ABSENT and (bound.every or len(bound.terms) == 1)
        ):
            return 0, quality
        if quality is Quality.GOOD:
            total, having = total + term.sign * value, having + 1
    if not having:
        return 0, Quality.ABSENT
    return (total, Quality.GOOD) if abs(total) <= INT64_MAX else (0, Quality.INVALID)


@settings(max_examples=150, deadline=None)
@given(bounds(), st.binary(min_size=11, max_size=97), st.booleans())
def test_a_plan_gives_what_whole_models_give(made: list[Bound], data: bytes, alone: bool) -> None:
    apart = frozenset(t.model.found.address for b in made for t in b.terms) if alone else frozenset()
    plan = program(made, apart)
    registers = image(made, data)
    ordered = sorted(made, key=lambda b: not b.fast)
    everything = [op.run(poll(plan, registers, slow=True)) for op in plan.operations]
    assert everything == [straight(b, registers) for b in ordered]
    fast = [op.run(poll(plan, registers, slow=False)) for op in plan.operations[: plan.fast_count]]
    assert fast == everything[: plan.fast_count]
    for block in (*plan.fast, *plan.slow):
        assert 1 <= block.count <= READ_MAX
        assert not alone or len(block.models) == 1


@settings(max_examples=100, deadline=None)
@given(bounds())
def test_a_value_and_its_scale_factor_share_a_read_where_they_can(made: list[Bound]) -> None:
    plan = program(made)
    blocks = (*plan.fast, *plan.slow)
    owner = [i for i, block in enumerate(blocks) for _ in block.keys]
    ordered = sorted(made, key=lambda b: not b.fast)
    for bound, operation in zip(ordered, plan.operations, strict=True):
        for term, (slot, scale, _, _) in zip(bound.terms, operation.terms, strict=True):
            if term.scale is None:
                continue
            span = max(term.field.offset + term.field.registers, term.scale.offset + 1) - min(
                term.field.offset, term.scale.offset
            )
            assert (owner[slot] == owner[scale]) or span > READ_MAX


def test_neighbours_share_a_read_and_holes_are_bounded() -> None:
    found, contents = chain(COMMON, INVERTER_103, NAMEPLATE_120, STORAGE_124)
    plan = program(bind(for_role(found, "inverter"), contents, profile()))
    assert [(b.address, b.count <= READ_MAX) for b in plan.fast] == [(40070, True)]
    assert plan.fast[0].models == {found[1].address, found[2].address, found[3].address}


def test_models_for_people_alone_are_read_slowly() -> None:
    status = model_bytes(122, {"ActWh": 5_000_000})
    blank = model_bytes(103, {"W": 1, "W_SF": 0})
    found, contents = chain(COMMON, blank, status)
    plan = program(bind(for_role(found, "inverter"), contents, profile()))
    assert [block.models for block in plan.slow] == [{found[2].address}]
    assert plan.fast_count < len(plan.operations)


def test_701_is_read_at_once_with_its_scale_factors() -> None:
    known = present(701, 153, 40072)
    term = Term(known, known.layout.by_name["W"], known.layout.by_name["Tmp_SF"], 1)
    plan = program([Bound("inverter_power_w", (term,), True, 0, False, True)])
    assert [(b.address, b.count) for b in plan.fast] == [(40072, 123)]


@pytest.mark.parametrize("offset", [0, 1])
def test_a_chain_that_moved_is_noticed(offset: int) -> None:
    known = present(103, 50, 40072)
    term = Term(known, known.layout.by_name["W"], None, 1)
    block = program([Bound("inverter_power_w", (term,), True, 0, False, True)]).fast[0]
    data = bytearray((103).to_bytes(2) + (50).to_bytes(2) + bytes(2 * block.count - 4))
    assert block.take(bytes(data))
    data[2 * offset] ^= 1
    with pytest.raises(FrameError, match="no longer the same SunSpec model at 40072"):
        block.take(bytes(data))


@given(st.binary(max_size=300))
def test_an_answer_of_another_length_is_refused(data: bytes) -> None:
    known = present(103, 50, 40072)
    term = Term(known, known.layout.by_name["W"], None, 1)
    block = program([Bound("inverter_power_w", (term,), True, 0, False, True)]).fast[0]
    with pytest.raises(FrameError):
        block.take(data)


def test_sums() -> None:
    def run(every: bool, *raw: int) -> tuple[int, Quality]:
        terms = tuple((i, -1, 0xFFFF, sign) for i, sign in zip(range(len(raw)), (1, -1, 1), strict=False))
        return Operation(terms, every, 0, False).run(raw)

    assert run(True, 100, 30) == (70, Quality.GOOD)
    assert run(True, 100, 0xFFFF) == (0, Quality.ABSENT)
    assert run(False, 100, 0xFFFF, 5) == (105, Quality.GOOD)
    assert run(False, 0xFFFF, 0xFFFF) == (0, Quality.ABSENT)
    assert run(True, INT64_MAX, -5) == (0, Quality.INVALID)
    assert run(False, 10, 2**63) == (0, Quality.INVALID)


def test_an_energy_below_zero_is_bad_and_stays_visible() -> None:
    counter = ((0, -1, 0, -1),)
    assert Operation(counter, True, 0, False, counts=True).run([-5]) == (5, Quality.GOOD)
    assert Operation(counter, True, 0, False, counts=True).run([5]) == (-5, Quality.INVALID)
    assert Operation(counter, True, 0, False).run([5]) == (-5, Quality.GOOD)
