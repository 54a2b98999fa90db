"""The walk over the model chain: every base, every way a chain can end, and images that are not SunSpec."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sunspec2.modbus.client import SunSpecModbusClientDevice

from drivers.sunspec.scan import BASES, MODELS_MAX, Found, scan
from gateway.errors import DeviceRefused, FrameError, LinkError
from tests.drivers.sunspec_image import COMMON, INVERTER_103, NAMEPLATE_120, PORTS_714, STORAGE_124, Image

END = b"\xff\xff\x00\x00"


def walk(image: Image, **options: Any) -> tuple[Found, ...]:
    async def read(address: int, count: int) -> bytes:
        return await image.read(1, "holding", address, count, timeout_s=1)

    return asyncio.run(scan(read, **options))


def raw(*headers: tuple[int, int], end: bytes = b"", base: int = 40000) -> Image:
    """A chain of zero-filled models."""
    image, body = Image(), b"SunS"
    for model, length in headers:
        body += model.to_bytes(2) + length.to_bytes(2) + bytes(2 * length)
    image.put(base, body + end)
    return image


@pytest.mark.parametrize("base", BASES)
def test_the_chain_is_found_at_each_base(base: int) -> None:
    image = Image.of(COMMON, INVERTER_103, STORAGE_124, base=base)
    found = walk(image)
    assert [f.model for f in found] == [1, 103, 124]
    assert found[0].address == base + 2 and found[1].address == found[0].end
    assert found[2].address == image.find(124, base)


def test_pysunspec2_finds_the_same_chain() -> None:
    image = Image.of(COMMON, INVERTER_103, NAMEPLATE_120, PORTS_714, STORAGE_124)

    class Peer(SunSpecModbusClientDevice):  # type: ignore[misc]
        def read(self, addr: int, count: int) -> bytes:
            return asyncio.run(image.read(1, "holding", int(addr), int(count), timeout_s=1))

        def connect(self, *_: object, **__: object) -> None: ...

        def disconnect(self) -> None: ...

        def is_connected(self) -> bool:
            return True

    peer = Peer()
    peer.scan(connect=False)
    theirs = [(m.model_id, m.model_addr, m.model_len) for m in peer.model_list]
    assert theirs == [(f.model, f.address, f.length) for f in walk(image)]


def test_a_pinned_base_is_the_only_one_asked() -> None:
    image = Image.of(COMMON, base=0)
    with pytest.raises(FrameError, match="no SunSpec map at 40000"):
        walk(image, bases=(40000,))
    assert [address for _, address, _ in image.log] == [40000]


def test_unknown_models_are_passed_by_their_length() -> None:
    found = walk(raw((1, 66), (64123, 7), (103, 50), end=END))
    assert [(f.model, f.length) for f in found] == [(1, 66), (64123, 7), (103, 50)]


@pytest.mark.parametrize("end", [END, b"", bytes(4), b"\xff\xff\xff\xff"])
def test_a_chain_ends_at_marker_refusal_or_blank(end: bytes) -> None:
    assert [f.model for f in walk(raw((1, 66), (103, 50), end=end))] == [1, 103]


def test_a_chain_may_end_at_the_last_address() -> None:
    image = raw((1, 66), (103, 65536 - 50000 - 72), base=50000)
    assert walk(image)[-1].end == 65536


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image(), "no SunSpec map"),
        (Image({40000: 0x5375, 40001: 0x6E54}), "no SunSpec map"),
        (raw((103, 50), end=END), "begins with model 103"),
        (raw((0, 0), end=END), "begins with model 0"),
        (raw((1, 66), (103, 0), *((64000, 0),) * MODELS_MAX, end=END), "does not end"),
    ],
)
def test_what_is_not_a_chain(image: Image, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        walk(image)


def test_a_length_beyond_the_address_space() -> None:
    image = raw((1, 66))
    image.put(40070, b"\x00\x67\xff\x00")
    with pytest.raises(FrameError, match="beyond the last address"):
        walk(image)


def test_a_map_of_which_only_the_marker_can_be_read() -> None:
    with pytest.raises(LinkError, match="cannot be read at 40002"):
        walk(raw())


def test_a_silent_device_is_not_asked_at_every_base() -> None:
    asked = []

    async def read(address: int, count: int) -> bytes:
        asked.append(address)
        raise LinkError("no answer")

    with pytest.raises(LinkError, match="no answer"):
        asyncio.run(scan(read))
    assert asked == [40000]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=600), st.booleans(), st.sampled_from(BASES))
def test_random_images_end_in_a_chain_or_a_link_error(data: bytes, marked: bool, base: int) -> None:
    image = Image()
    image.put(base, (b"SunS\x00\x01" if marked else b"") + data[: len(data) // 2 * 2])
    try:
        found = walk(image)
    except LinkError:
        assert len(image.log) <= len(BASES) + MODELS_MAX + 1
        return
    assert found[0].model == 1 and len(found) <= MODELS_MAX
    assert all(a.end == b.address for a, b in pairwise(found))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF)), max_size=80))
def test_random_headers_answered_everywhere(headers: list[tuple[int, int]]) -> None:
    """A device that answers any address: the walk is bounded all the same."""
    answers = iter([(0x5375, 0x6E53), (1, 66), *headers])
    count = 0

    async def read(address: int, registers: int) -> bytes:
        nonlocal count
        count += 1
        pair = next(answers, None)
        if pair is None:
            raise DeviceRefused("illegal data address", 2)
        return b"".join(r.to_bytes(2) for r in pair)

    try:
        found = asyncio.run(scan(read))
    except FrameError:
        found = ()
    assert count <= MODELS_MAX + 3 and len(found) <= MODELS_MAX
