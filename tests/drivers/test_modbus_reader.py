"""Reading a fixed set of fields: block by block, and what a refusal changes for good."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.codec import Field
from drivers.modbus.plan import BLOCK_MAX, Forbidden
from drivers.modbus.reader import Reader
from gateway.errors import DeviceRefused, FrameError, LinkError
from gateway.model import Quality
from tests.drivers.modbus_memory import Memory

GOOD, ABSENT = int(Quality.GOOD), int(Quality.ABSENT)
THREE = [Field("a_w", 10, "u16"), Field("b_w", 11, "u16"), Field("c_w", 15, "u32")]


def asked(link: Memory) -> list[tuple[int, int]]:
    """(address, count) of the reads since the last look."""
    reads = [(entry[2], entry[3]) for entry in link.log]
    link.log.clear()
    return reads


async def test_one_request_a_block_and_results_in_the_order_of_the_fields() -> None:
    link = Memory({(1, 10): 1, (1, 11): 2, (1, 16): 3, (2, 5): 4})
    reader = Reader(1, [Field("d_w", 5, "u16", unit=2), *reversed(THREE)])
    assert [field.name for field in reader.fields] == ["a_w", "b_w", "c_w", "d_w"]
    assert await reader.read(link, 0.5) == ([1, 2, 3, 4], bytes(4))
    assert link.log == [("read", 1, 10, 7), ("read", 2, 5, 1)]


async def test_no_fields_are_no_request() -> None:
    link = Memory({})
    reader = Reader(1, [])
    assert (await reader.read(link, 0.5), reader.blocks, link.log) == (([], b""), (), [])


async def test_holes_and_forbidden_registers_part_the_requests() -> None:
    link = Memory({})
    await Reader(1, THREE, hole_max=0).read(link, 0.5)
    assert asked(link) == [(10, 2), (15, 2)]
    await Reader(1, THREE, [Forbidden("holding", 13, 13)]).read(link, 0.5)
    assert asked(link) == [(10, 2), (15, 2)]


async def test_a_refused_block_is_read_in_its_parts_and_stays_so() -> None:
    link = Memory({(1, 10): 1, (1, 11): 2, (1, 15): 0, (1, 16): 3}, sparse=True)
    reader = Reader(1, THREE)
    assert await reader.read(link, 0.5) == ([1, 2, 3], bytes(3))
    assert asked(link) == [(10, 7), (10, 2), (15, 2)]
    assert await reader.read(link, 0.5) == ([1, 2, 3], bytes(3))
    assert asked(link) == [(10, 2), (15, 2)]
    link.sparse = False  # it would take the whole block now: it is not asked again
    await reader.read(link, 0.5)
    assert asked(link) == [(10, 2), (15, 2)]


@pytest.mark.parametrize(
    ("code", "stays"), [(1, True), (2, True), (3, True), (4, False), (7, False), (8, False)]
)
async def test_a_failure_of_the_device_parts_a_block_this_time_only(code: int, stays: bool) -> None:
    class Ill(Memory):
        async def read(self, unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
            data = await super().read(unit, table, address, count, timeout_s=timeout_s)
            if len(self.log) == 1:
                raise DeviceRefused("no", code)
            return data

    link = Ill({(1, 10): 1, (1, 11): 2, (1, 16): 3})
    reader = Reader(1, THREE)
    assert await reader.read(link, 0.5) == ([1, 2, 3], bytes(3))
    assert asked(link) == [(10, 7), (10, 2), (15, 2)]
    link.log.append("healthy from here")
    await reader.read(link, 0.5)
    assert [entry[2:] for entry in link.log[1:]] == ([(10, 2), (15, 2)] if stays else [(10, 7)])


async def test_a_block_that_always_fails_is_not_asked_for_ever() -> None:
    class Ill(Memory):
        async def read(self, unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
            data = await super().read(unit, table, address, count, timeout_s=timeout_s)
            if count == 7:
                raise DeviceRefused("device failure", 4)
            return data

    link = Ill({(1, 10): 1, (1, 11): 2, (1, 16): 3})
    reader = Reader(1, THREE)
    for _ in range(5):
        assert await reader.read(link, 0.5) == ([1, 2, 3], bytes(3))
    assert [a for a in asked(link) if a == (10, 7)] == 3 * [(10, 7)]


async def test_parts_that_are_refused_part_further_down_to_a_single_absent_value() -> None:
    link = Memory({(1, 11): 2, (1, 15): 0, (1, 16): 3}, sparse=True)
    reader = Reader(1, THREE)
    expected = ([0, 2, 3], bytes([ABSENT, GOOD, GOOD]))
    assert await reader.read(link, 0.5) == expected
    assert asked(link) == [(10, 7), (10, 2), (10, 1), (11, 1), (15, 2)]
    assert await reader.read(link, 0.5) == expected
    assert asked(link) == [(10, 1), (11, 1), (15, 2)]


async def test_a_single_refused_value_comes_back_when_the_device_gives_it() -> None:
    link = Memory({}, sparse=True)
    reader = Reader(1, THREE[:1])
    assert await reader.read(link, 0.5) == ([0], bytes([ABSENT]))
    link.put(1, 10, 77)
    assert await reader.read(link, 0.5) == ([77], bytes([GOOD]))


@pytest.mark.parametrize("failure", [LinkError("no answer"), FrameError("garbled")])
async def test_any_other_failure_ends_the_read_and_changes_nothing(failure: LinkError) -> None:
    class Once(Memory):
        async def read(self, unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
            data = await super().read(unit, table, address, count, timeout_s=timeout_s)
            if len(self.log) == 1:
                raise failure
            return data

    link = Once({(1, 10): 1, (1, 11): 2, (1, 16): 3})
    reader = Reader(1, THREE)
    with pytest.raises(LinkError) as said:
        await reader.read(link, 0.5)
    assert said.value is failure and not isinstance(failure, DeviceRefused)
    assert await reader.read(link, 0.5) == ([1, 2, 3], bytes(3))
    assert asked(link) == [(10, 7), (10, 7)]


async def test_table_and_time_out_reach_the_link() -> None:
    class Told(Memory):
        async def read(self, unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
            self.log.append((unit, table, address, count, timeout_s))
            return bytes(2 * count)

    link = Told({})
    await Reader(1, [Field("a_w", 3, "u16", unit=8, table="input")]).read(link, 0.25)
    assert link.log == [(8, "input", 3, 1, 0.25)]


@given(
    st.sets(st.integers(0, 300), min_size=1, max_size=40),
    st.sets(st.integers(0, 300), max_size=100),
    st.integers(0, 20),
)
async def test_whatever_is_refused_every_other_value_arrives(
    addresses: set[int], refused: set[int], hole_max: int
) -> None:
    link = Memory({(1, a): a + 1 for a in range(301) if a not in refused}, sparse=True)
    reader = Reader(1, [Field(f"p{a}_w", a, "u16") for a in addresses], hole_max=hole_max)
    order = sorted(addresses)
    expected = (
        [0 if a in refused else a + 1 for a in order],
        bytes(ABSENT if a in refused else GOOD for a in order),
    )
    assert await reader.read(link, 0.5) == expected
    link.log.clear()
    assert await reader.read(link, 0.5) == expected
    spans = asked(link)
    assert all(a + n <= b for (a, n), (b, _) in pairwise(spans)), "no register is asked for twice"
    assert all(n <= BLOCK_MAX for _, n in spans)
    assert all(n == 1 for a, n in spans if set(range(a, a + n)) & refused), "what is refused is asked alone"
