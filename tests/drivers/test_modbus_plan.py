"""The read planner: every point once, no request too long, nothing forbidden, no value in two."""

from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.codec import TYPES, Field
from drivers.modbus.plan import BLOCK_MAX, HOLE_MAX, Block, Forbidden, plan, split


def fields_at(*spans: tuple[int, str]) -> list[Field]:
    return [Field(f"p{a}_w", a, t) for a, t in spans]


def shape(blocks: tuple[Block, ...]) -> list[tuple[int, int]]:
    return [(b.address, b.count) for b in blocks]


def test_small_holes_are_read_over_and_large_ones_not() -> None:
    assert shape(plan(1, fields_at((0, "u16"), (1 + HOLE_MAX, "u16")))) == [(0, HOLE_MAX + 2)]
    assert shape(plan(1, fields_at((0, "u16"), (2 + HOLE_MAX, "u16")))) == [(0, 1), (HOLE_MAX + 2, 1)]
    assert shape(plan(1, fields_at((0, "u16"), (2, "u16")), hole_max=0)) == [(0, 1), (2, 1)]


def test_a_reply_holds_125_registers_and_not_one_more() -> None:
    full = [(2 * n, "u32") for n in range(62)]
    assert shape(plan(1, fields_at(*full, (124, "u16")))) == [(0, 125)]
    assert shape(plan(1, fields_at(*full, (124, "u32")))) == [(0, 124), (124, 2)]
    assert shape(plan(1, fields_at(*full, (124, "u16"), (125, "u16")))) == [(0, 125), (125, 1)]


def test_forbidden_registers_part_blocks_at_both_ends() -> None:
    pair = fields_at((10, "u16"), (14, "u16"))
    assert shape(plan(1, pair, [Forbidden("holding", 11, 11)])) == [(10, 1), (14, 1)]
    assert shape(plan(1, pair, [Forbidden("holding", 13, 13)])) == [(10, 1), (14, 1)]
    assert shape(plan(1, pair, [Forbidden("holding", 9, 9), Forbidden("holding", 15, 20)])) == [(10, 5)]
    assert shape(plan(1, pair, [Forbidden("input", 11, 13)])) == [(10, 5)]


def test_units_and_tables_stay_apart() -> None:
    mixed = [Field("a_w", 0, "u16", table="input"), Field("b_w", 1, "u16"), Field("c_w", 2, "u16", unit=2)]
    assert [(b.unit, b.table, b.address) for b in plan(1, mixed)] == [
        (1, "holding", 1),
        (1, "input", 0),
        (2, "holding", 2),
    ]


def test_what_names_no_unit_is_read_at_the_device_s_own() -> None:
    mixed = [Field("a_w", 0, "u16"), Field("b_w", 1, "u16", unit=7), Field("c_w", 2, "u16", unit=8)]
    blocks = plan(7, mixed)
    assert [(b.unit, b.address, b.count) for b in blocks] == [(7, 0, 2), (8, 2, 1)]
    assert [(b.unit, b.address) for b in split(blocks[0])] == [(7, 0), (7, 1)]


def test_a_refused_block_falls_apart_by_holes_then_by_points() -> None:
    (block,) = plan(1, fields_at((0, "u16"), (1, "u32"), (6, "u16")))
    runs = split(block)
    assert shape(runs) == [(0, 3), (6, 1)]
    assert shape(split(runs[0])) == [(0, 1), (1, 2)]
    assert split(runs[1]) == ()
    assert str(block) == "unit 1 holding 0..6"


def test_points_that_share_a_register_part_into_points() -> None:
    (block,) = plan(1, [Field("a_code", 5, "u16", mask=1), Field("b_code", 5, "u16", mask=2)])
    assert [b.fields[0].name for b in split(block)] == ["a_code", "b_code"]


FIELD = st.builds(
    Field,
    name=st.just("x_w"),
    address=st.integers(0, 400),
    type=st.sampled_from(sorted(TYPES)),
    unit=st.sampled_from([None, 1, 2]),
    table=st.sampled_from(["holding", "input"]),
)
RANGE = st.builds(
    lambda table, first, length: Forbidden(table, first, first + length),
    st.sampled_from(["holding", "input"]),
    st.integers(0, 400),
    st.integers(0, 30),
)


@given(st.lists(FIELD, max_size=60), st.lists(RANGE, max_size=5), st.integers(0, 130))
def test_every_point_once_and_nothing_that_must_not_be(
    fields: list[Field], forbidden: list[Forbidden], hole: int
) -> None:
    fields = [f for f in fields if not any(_touch(f.table, f.address, f.end, r) for r in forbidden)]
    blocks = plan(1, fields, forbidden, hole)
    key = lambda f: (f.unit or 0, f.table, f.address, f.type)  # noqa: E731
    assert sorted((f for b in blocks for f in b.fields), key=key) == sorted(fields, key=key)
    for block in blocks:
        _sound(block)
        assert not any(_touch(block.table, block.address, block.end, r) for r in forbidden)
        _parts_cover(block)


def _touch(table: str, address: int, end: int, r: Forbidden) -> bool:
    return table == r.table and bool(set(range(address, end)) & set(range(r.first, r.last + 1)))


def _sound(block: Block) -> None:
    assert 1 <= block.count <= BLOCK_MAX
    assert block.address == min(f.address for f in block.fields) and block.end == max(
        f.end for f in block.fields
    )
    assert all((f.unit or 1, f.table) == (block.unit, block.table) for f in block.fields)


def _parts_cover(block: Block) -> None:
    parts = split(block)
    if not parts:
        assert len(block.fields) == 1
        return
    assert tuple(f for p in parts for f in p.fields) == block.fields
    for part in parts:
        _sound(part)
        assert len(part.fields) < len(block.fields)
        _parts_cover(part)
