"""Modbus exchanges told and played again: the same bytes, the same refusals, and nothing made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.exchange import NotNow, ask_bits, ask_coil, ask_read, ask_write
from drivers.modbus.link import ModbusLink
from drivers.modbus.tape import TapeLink, TappedLink, payload, reply, request
from drivers.modbus.url import parse
from gateway.clock import SystemClock
from gateway.errors import DeviceRefused, FrameError, LinkError
from gateway.tape import Tap, Tape
from tests.drivers.modbus_wire import mbap, tcp_wire


def answer(asked):
    """A device: registers n at n, exception 2 above 1000, exception 6 at 900, nothing at 800."""
    function, address = asked[7], int.from_bytes(asked[8:10])
    count = int.from_bytes(asked[10:12])
    if address >= 900 and function == 3:
        return [mbap(asked, bytes([function | 0x80, 6 if address == 900 else 2]))]
    if address == 800:
        return []
    if function in (5, 6, 16):
        return [mbap(asked, asked[7:12])]
    if function == 1:
        return [mbap(asked, bytes([1, 1, 0b101]))]
    return [
        mbap(asked, bytes([function, 2 * count]) + b"".join((address + n).to_bytes(2) for n in range(count)))
    ]


async def everything(link):
    """What each call gave, or what it failed with."""
    found = []
    for work in (
        lambda: link.read(1, "holding", 10, 3, timeout_s=1),
        lambda: link.read(2, "input", 10, 1, timeout_s=1),
        lambda: link.read(1, "holding", 1000, 2, timeout_s=1),
        lambda: link.read(1, "holding", 900, 2, timeout_s=1),
        lambda: link.read_bits(1, "coils", 0, 3, timeout_s=1),
        lambda: link.write(1, 20, [7], timeout_s=1, single=True),
        lambda: link.write(1, 20, [7, 8], timeout_s=1),
        lambda: link.write_coil(1, 3, True, timeout_s=1),
        lambda: link.read(9, "holding", 800, 1, timeout_s=0.1),
    ):
        try:
            found.append(await work())
        except (DeviceRefused, NotNow) as no:
            found.append((type(no), no.code))
        except LinkError:
            found.append(LinkError)
    return found


async def test_what_is_played_is_what_was_told():
    tap, events = Tap(SystemClock()), []
    tap.sink = events.append
    async with tcp_wire(answer) as wire:
        link = TappedLink(ModbusLink(parse(wire.url), SystemClock(), lambda: 1.0), tap)
        told = await everything(link)
        await link.close()
    assert told[2] == (DeviceRefused, 2) and told[3] == (NotNow, 6) and told[-1] is LinkError
    assert [e["ask"] for e in events][:2] == ["03000a0003", "04000a0001"]
    assert events[0]["got"] == "0306000a000b000c" and "failed" in events[-1]
    assert await everything(TapeLink(Tape(events))) == told


async def test_nobody_listening_costs_nothing_and_changes_nothing():
    async with tcp_wire(answer) as wire:
        link = TappedLink(ModbusLink(parse(wire.url), SystemClock(), lambda: 1.0), Tap(SystemClock()))
        assert await link.read(1, "holding", 5, 1, timeout_s=1) == b"\0\5"
        await link.close()


async def test_what_was_not_asked_then_is_not_made_up():
    event = {"ms": 1, "unit": 1, "ask": "0300050001", "got": "03020005"}
    link = TapeLink(Tape([event]))
    with pytest.raises(LinkError, match="not asked"):
        await link.read(1, "holding", 5, 2, timeout_s=1)
    with pytest.raises(LinkError, match="not asked"):
        await link.read(2, "holding", 5, 1, timeout_s=1)
    assert await link.read(1, "holding", 5, 1, timeout_s=1) == b"\0\5"


ASKED = st.one_of(
    st.builds(ask_read, st.integers(0, 247), st.sampled_from(["holding", "input"]), st.integers(0, 65000),
              st.integers(1, 125)),
    st.builds(ask_bits, st.integers(0, 247), st.just("coils"), st.integers(0, 65000), st.integers(1, 100)),
    st.builds(ask_coil, st.just(1), st.integers(0, 65000), st.booleans()),
    st.builds(ask_write, st.just(1), st.integers(0, 65000), st.lists(st.integers(0, 65535), min_size=1,
              max_size=20), single=st.just(False)),
)  # fmt: skip


@given(ASKED, st.data())
def test_a_reply_on_a_tape_brings_what_it_brought(asked, data):
    brought = b"" if asked.registers else data.draw(st.binary(min_size=asked.size, max_size=asked.size))
    assert payload(asked, reply(asked, brought)) == brought
    assert request(asked)[0] == asked.function


@given(ASKED, st.binary(max_size=300))
def test_garbage_on_a_tape_is_no_reply(asked, garbage):
    try:
        brought = payload(asked, garbage)
    except (DeviceRefused, NotNow, FrameError):
        return
    assert len(brought) == (0 if asked.registers else asked.size)
